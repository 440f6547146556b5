"""Whether anything records now, and how each server stands."""

import os
import socket
from dataclasses import dataclass

from archiver.store.reads import Reader
from archiver.store.rows import CollectorRow, StatusRow


@dataclass(frozen=True, slots=True)
class Status:
    """How recording stands."""

    collector: CollectorRow | None  # None: none, or it ended as it should
    is_alive: bool | None  # None: it is on another host
    servers: list[StatusRow]

    @property
    def is_recording(self) -> bool:
        """Whether a collector is there and not known to be dead."""
        return self.collector is not None and self.is_alive is not False


def read_status(reader: Reader, *, today: int) -> Status:
    """Return how recording stands; *today* is when counting begins."""
    collector = reader.collector()
    is_alive = None if collector is None else is_collector_alive(collector)
    return Status(collector, is_alive, reader.status_of_all(today))


def is_collector_alive(collector: CollectorRow) -> bool | None:
    """Return whether the process of *collector* is there; None: it is on another host."""
    if collector.host != socket.gethostname():
        return None
    try:
        os.kill(collector.pid, 0)  # signal 0 only asks
    except ProcessLookupError:
        return False
    except PermissionError:
        return True  # another user's
    return True
