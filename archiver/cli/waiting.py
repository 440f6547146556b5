"""How a command that follows waits for more."""

import os
import select
import stat
import sys
from typing import TYPE_CHECKING

from archiver.cli.output import tell
from archiver.operations.status import is_collector_alive

if TYPE_CHECKING:
    from archiver.store.reads import Reader
    from archiver.store.refusals import RefusedError

_INTERVAL = 250  # ms between two looks; a look that finds nothing is one read of a few rows


class Waiting:
    """Waits for a moment, and says once what keeps the archive from answering."""

    def __init__(self) -> None:
        self._is_refused = False

    def __call__(self, refused: "RefusedError | None") -> None:
        """
        Let out what was written, and wait.

        Raises:
            BrokenPipeError: Whoever read it has gone.

        """
        if refused is not None and not self._is_refused:
            tell(f"Warning: {refused}")
        if refused is None and self._is_refused:
            tell("the archive answers again")
        self._is_refused = refused is not None
        sys.stdout.flush()
        _pause()


def _pause() -> None:
    # 'logs -f | grep -m1 Done' is to end when grep does, not at the next line.
    poll = select.poll()
    output = sys.stdout.fileno()
    if stat.S_ISFIFO(os.fstat(output).st_mode):
        poll.register(output, 0)  # errors are always told
    if poll.poll(_INTERVAL):
        raise BrokenPipeError


def tell_if_nothing_records(reader: "Reader") -> None:
    """Say if whoever waits for lines may wait for ever."""
    collector = reader.collector()
    if collector is None or is_collector_alive(collector) is False:
        tell("nothing is recorded now: start 'archiver ingest'; waiting")
