"""
One collector per archive: two would number the same lines.

A lock on a file in the data directory, which the kernel drops however the process
ends; on PostgreSQL, where collectors may run on several hosts, also one that the
database drops with the connection.
"""

import fcntl
import os
import time
from contextlib import closing
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, event

from archiver import errors
from archiver.store import private, refusals
from archiver.store.location import Location
from archiver.store.session import Session

_FILE_NAME = "collector.lock"
_ADVISORY_KEY = 0x61726368  # the same in every version


class CollectorLock:
    """
    The right to record into one archive, held until :meth:`release`.

    Raises:
        CollectorRunningError: Another process holds it.
        RefusedError: The data directory is not writable, or none.

    """

    def __init__(self, data_dir: Path, where: Location) -> None:
        self._file = private.open_file(data_dir / _FILE_NAME, "lock")
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as exc:
            os.close(self._file)
            raise _running(where) from exc

    def release(self) -> None:
        """Let others record. The file stays: to remove it would unlock it for a third."""
        os.close(self._file)


def hold_while_connected(engine: Engine, where: Location) -> None:
    """Let every connection of *engine*, on PostgreSQL, take the lock or fail."""
    held_before = False

    @event.listens_for(engine, "connect")
    def take(connection: Any, _record: object) -> None:
        nonlocal held_before
        took = connection.execute("SELECT pg_try_advisory_lock(%s)", [_ADVISORY_KEY]).fetchone()[0]
        connection.commit()
        if took:
            held_before = True
            return
        connection.close()
        if not held_before:
            raise _running(where)
        # Most likely the session whose connection was lost; the server has not noticed.
        raise refusals.RefusedError(
            "another session holds the collector's lock",
            where=str(where),
            do="nothing: it is tried again until the lost session ends",
            retryable=True,
        )


def _running(where: Location) -> errors.CollectorRunningError:
    try:
        with closing(Session.open(where)) as session:
            sql = "SELECT pid, host, since FROM collectors"
            found = session.rows(sql) if session.revision() else []
    except errors.StoreError:
        found = []
    who = "another collector"
    if found:
        pid, host, since = found[0]
        began = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(since // 1_000_000))
        who = f"process {pid} on {host!r}, since {began},"
    return errors.CollectorRunningError(
        f"{who} records into this archive",
        where=str(where),
        do="stop it first, or give this one another data directory and database",
    )
