"""
Virtual time: one queue of calls, made in order of their time.

Nothing here waits. Whoever calls :meth:`Clock.advance` decides how fast time goes:
a test as fast as it can, a served world by the wall clock.
"""

import itertools
from collections.abc import Callable
from heapq import heappop, heappush
from random import Random
from typing import Any, TypeVarTuple

Ts = TypeVarTuple("Ts")

SECOND = 1_000_000  # all times of the simulator are microseconds since the epoch, UTC


def seeded(*words: object) -> Random:
    """Return a source of randomness that is the same for the same words."""
    return Random("/".join(map(str, words)))  # noqa: S311 - must be repeatable, not secret


class Clock:
    """
    The time, and what is due when.

    Args:
        now: The first moment, microseconds since the epoch.

    """

    def __init__(self, now: int) -> None:
        self.now = now
        self._queue: list[tuple[int, int, Callable[..., object], tuple[Any, ...]]] = []
        self._order = itertools.count()  # calls of one moment keep the order they came in

    def at(self, time: int, call: Callable[[*Ts], object], *args: *Ts) -> None:
        """Make *call* at *time*, or next if that is past."""
        heappush(self._queue, (max(time, self.now), next(self._order), call, args))

    def after(self, seconds: float, call: Callable[[*Ts], object], *args: *Ts) -> None:
        """Make *call* when this many seconds have gone by."""
        self.at(self.now + int(seconds * SECOND), call, *args)

    def next_at(self) -> int | None:
        """Return when the next call is due; None if none is."""
        return self._queue[0][0] if self._queue else None

    def advance(self, until: int) -> None:
        """Make all calls that are due up to and including *until*, then be there."""
        queue = self._queue
        while queue and queue[0][0] <= until:
            self.now, _, call, args = heappop(queue)
            call(*args)
        self.now = max(self.now, until)
