"""
How a run ended, from what its daemon and its statuses told.

A daemon says ``Exit code:`` and ``Out of memory:`` only of a process that ended while
it was to run: a process that somebody stopped has none, so a code proves that there was
no stop. Code 0 is that of a game that was ended from within, by a command in its
console. Not every end has a code: these lines are sent once and are not replayed, and a
daemon may be set not to tell code 0, or none (Wings 03045c9
server/crash.go). What remains then is the status before ``offline``.
"""

from enum import StrEnum


class Ending(StrEnum):
    """How a run ended, in words for people and programs."""

    OUT_OF_MEMORY = "out of memory"
    CRASHED = "crashed"  # with a code other than 0
    BY_ITSELF = "ended by itself"  # with code 0, and nobody had stopped it
    NO_STOP = "no stop seen"  # straight from starting or running; the daemon told no code
    STOPPED = "stopped"
    UNSEEN = "end not seen"  # nobody listened

    @property
    def is_crash(self) -> bool:
        """Whether the process ended, as far as was seen, without being stopped."""
        return self not in {Ending.STOPPED, Ending.UNSEEN}


def find_ending(
    *,
    exit_code: int | None,
    out_of_memory: bool | None,
    last_status: str | None,
    was_seen: bool,
    is_over: bool,
) -> Ending | None:
    """
    Return how a run ended; None: it goes on.

    Args:
        exit_code: What the daemon told; None: nothing.
        out_of_memory: Likewise.
        last_status: The last one of the run before it was offline or another run
            began; None: not known.
        was_seen: The status after that was seen as it came, not after an absence, in
            which a stop would have been missed.
        is_over: The run was seen to be over.

    """
    if out_of_memory:
        return Ending.OUT_OF_MEMORY
    if exit_code is not None:
        return Ending.CRASHED if exit_code else Ending.BY_ITSELF
    if not is_over:
        return None
    if last_status == "stopping":
        return Ending.STOPPED
    if last_status in {"starting", "running"} and was_seen:
        return Ending.NO_STOP
    return Ending.UNSEEN
