"""
What was read and is not stored yet, of all sockets together: bounded, and counted.

A reader never waits for the archive: where there is no room left, frames are
dropped, and their number stands in the queue where they would have been.
"""

import asyncio
from dataclasses import dataclass
from typing import NamedTuple

from archiver.client.failures import Closed

LIMIT_FRAMES = 200_000  # about ten seconds of the fastest ingest there is
LIMIT_BYTES = 64 * 2**20


class Frame(NamedTuple):
    """One message as it came."""

    content: bytes  # of a text frame UTF-8, as a rule
    at: int  # received: microseconds since the epoch
    monotonic: float  # received: seconds


@dataclass(frozen=True, slots=True)
class Overflow:
    """Here frames were dropped, because the archive did not keep up."""

    frames: int
    since_us: int  # the first of them, microseconds since the epoch
    until_us: int  # the last


Item = Frame | Overflow | Closed


class Intake:
    """
    The account of one process: how much is queued or on its way into the store.

    Args:
        limit_frames: At most so many frames.
        limit_bytes: At most so many bytes in them.

    """

    def __init__(self, limit_frames: int = LIMIT_FRAMES, limit_bytes: int = LIMIT_BYTES) -> None:
        self.frames = 0
        self.bytes = 0
        self.dropped = 0  # ever
        self._limit_frames = limit_frames
        self._limit_bytes = limit_bytes

    def admit(self, size: int) -> bool:
        """Charge one frame of *size* bytes; False: there is no room, it is dropped."""
        if self.frames >= self._limit_frames or self.bytes + size > self._limit_bytes:
            self.dropped += 1
            return False
        self.frames += 1
        self.bytes += size
        return True

    def release(self, frames: int, size: int) -> None:
        """Give back the room of frames that were committed, or thrown away."""
        self.frames -= frames
        self.bytes -= size


class Inbox:
    """
    The frames of one socket, in order; one task puts and one takes.

    Args:
        intake: Is charged for them; the taker releases them.

    """

    def __init__(self, intake: Intake) -> None:
        self._intake = intake
        self._items: list[Item] = []
        self._overflow: Overflow | None = None  # that nothing was put behind yet
        self._closed: Closed | None = None
        self._waiting: asyncio.Future[None] | None = None
        self._woken = False

    def put(self, frame: Frame) -> None:
        """Queue a frame, or count it as dropped."""
        if self._intake.admit(len(frame.content)):
            if self._overflow is not None:
                self._items.append(self._overflow)
                self._overflow = None
            self._items.append(frame)
        elif self._overflow is None:
            self._overflow = Overflow(1, frame.at, frame.at)
        else:
            since = self._overflow.since_us
            self._overflow = Overflow(self._overflow.frames + 1, since, frame.at)
        self._wake()

    def close(self, closed: Closed) -> None:
        """Queue the end; nothing comes after it."""
        self._closed = closed
        self._wake()

    async def take(self) -> list[Item]:
        """
        Return all that has come, oldest first; waits for the first.

        Empty where ``wake`` was called and nothing has come. The last item is a
        ``Closed`` once the socket is closed, and then each time.
        """
        while not (self._items or self._overflow or self._closed or self._woken):
            self._waiting = asyncio.get_running_loop().create_future()
            try:
                await self._waiting
            finally:
                self._waiting = None
        self._woken = False
        return self.take_now()

    def wake(self) -> None:
        """Let ``take`` return at once: the taker has something else to do."""
        self._woken = True
        self._wake()

    def take_now(self) -> list[Item]:
        """Return what ``take`` would, without waiting; empty: nothing has come."""
        items, self._items = self._items, []
        if self._overflow is not None:
            items.append(self._overflow)
            self._overflow = None
        if self._closed is not None:
            items.append(self._closed)
        return items

    def _wake(self) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)
