"""
The write side of an archive, as one collector owns it.

Whatever fails, :meth:`Writer.commit` is called again with the same records until it
returns: a counter that only collectors raise tells whether an attempt whose answer
was lost had arrived, and whether somebody else has recorded in between.
"""

import os
import socket
from collections.abc import Sequence
from pathlib import Path
from typing import Self

from sqlalchemy import Connection

from archiver.console import records
from archiver.console.lines import scrub
from archiver.store import location, refusals, revision, streams, writes
from archiver.store.database import Database, current
from archiver.store.lock import CollectorLock, hold_while_connected
from archiver.store.streams import StoredStream

_Names = tuple[str, str, str, str]  # panel's name, identifier, name, node

_KNOWN_SERVERS = """
    SELECT p.origin, p.name, s.uuid, s.id, s.identifier, s.name, s.node
    FROM servers s JOIN panels p ON p.id = s.panel_id WHERE s.deleted_at IS NULL
"""
_CLOSE_CONNECTIONS = """
    UPDATE connections SET close_reason = 'collector ended', closed_at = coalesce(
        (SELECT last_frame_at FROM streams
         WHERE server_id = connections.server_id AND last_frame_at > connections.opened_at),
        opened_at)
    WHERE closed_at IS NULL
"""


class Writer:
    """
    An archive opened for recording; used by one thread at a time.

    Numbers given by ``next_..._id`` are unique in the archive once they are
    committed; one that never was may be given again by the next collector.
    """

    def __init__(self, database: Database, lock: CollectorLock) -> None:
        self._database = database
        self._lock = lock
        self._closed = False
        self._given: dict[str, int] = {}  # last numbers given by next_..._id
        self._commits = 0  # of all collectors, as far as this one knows
        self._attempt: int | None = None  # batch of a commit whose outcome is not known
        self._known: dict[tuple[str, str], tuple[int, _Names]] = {}  # (origin, uuid) -> server
        self._seen: dict[int, int] = {}  # server_id -> last_seen_at, for the next commit

    @classmethod
    def open(cls, url: str, data_dir: Path, *, now: int) -> Self:
        """
        Open the archive at *url* for recording; create it if there is none.

        Connections that a dead collector left open are closed at their stream's last
        sign of life.

        Args:
            url: Database URL.
            data_dir: Directory of the collector's lock; made if it is not there.
            now: Tells others since when this one records.

        Raises:
            CollectorRunningError: Another process records into it.
            SchemaOutOfDateError: It is of another revision.
            RefusedError: The database or the directory refuses.

        """
        where = location.parse(url)
        lock = CollectorLock(data_dir, where)
        try:
            database = Database.open(url)
            if where.path is None:
                hold_while_connected(database.engine, where)
            writer = cls(database, lock)
            try:
                writer._begin(url, now)
            except BaseException:
                database.close()
                raise
        except BaseException:
            lock.release()
            raise
        return writer

    def _begin(self, url: str, now: int) -> None:
        found = current(url)
        if found is None:
            self._database.upgrade()
        else:
            revision.check(found, self._database.location)
        with self._database.begin() as connection:
            counters = writes.load_counters(connection)
            connection.exec_driver_sql(_CLOSE_CONNECTIONS)
            connection.exec_driver_sql("DELETE FROM collectors")
            writes.execute(
                connection,
                "INSERT INTO collectors (id, pid, host, since) VALUES (1, ?, ?, ?)",
                [(os.getpid(), socket.gethostname(), now)],
            )
            servers = writes.fetch(connection, _KNOWN_SERVERS)
        self._commits = counters["commit"]
        self._given = {name: counters[name] for name in ("run", "connection", "gap", "event")}
        for origin, panel, uuid, server_id, identifier, name, node in servers:
            self._known[origin, uuid] = (server_id, (panel, identifier, name, node))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        """End recording, so that others may; a second time is harmless."""
        if self._closed:
            return
        self._closed = True
        try:
            with self._database.begin() as connection:
                connection.exec_driver_sql("DELETE FROM collectors")
        finally:
            self._database.close()
            self._lock.release()

    def next_run_id(self) -> int:
        """Give a number for a run."""
        return self._next("run")

    def next_connection_id(self) -> int:
        """Give a number for a connection."""
        return self._next("connection")

    def next_gap_id(self) -> int:
        """Give a number for a gap."""
        return self._next("gap")

    def next_event_id(self) -> int:
        """Give a number for an event."""
        return self._next("event")

    def _next(self, name: str) -> int:
        self._given[name] += 1
        return self._given[name]

    def register(
        self,
        *,
        panel_origin: str,
        panel_name: str,
        uuid: str,
        identifier: str,
        name: str,
        node: str,
        seen_at: int,
    ) -> int:
        """
        Return the number of a server that a panel lists; record it as it is now.

        Written at once where it is new, changed or was deleted; else only
        ``last_seen_at`` changes, which goes with the next commit, so that to list
        thousands of servers every few minutes costs nothing.

        Raises:
            RefusedError: The database refuses.

        """
        # What a panel's users typed must not be able to stop the recording.
        names = (panel_name, scrub(identifier), scrub(name), scrub(node))
        server_id, known = self._known.get((panel_origin, uuid), (0, None))
        if known != names:
            with self._database.begin() as connection:
                counters = writes.load_counters(connection)
                panel_id = _register_panel(connection, counters, panel_origin, panel_name)
                server_id = _register_server(
                    connection, counters, panel_id, (uuid, *names[1:]), seen_at
                )
                writes.save_counters(connection, counters)
            self._known[panel_origin, uuid] = (server_id, names)
        self._seen[server_id] = seen_at
        return server_id

    def mark_deleted(self, server_id: int, at: int) -> None:
        """Record that the panel lists a server no longer; what it printed stays."""
        with self._database.begin() as connection:
            writes.execute(
                connection, "UPDATE servers SET deleted_at = ? WHERE id = ?", [(at, server_id)]
            )
        self._known = {key: known for key, known in self._known.items() if known[0] != server_id}
        self._seen.pop(server_id, None)

    def load_stream(self, server_id: int) -> StoredStream:
        """
        Return what is stored of one server's stream, to go on from there.

        Raises:
            RefusedError: The database refuses.

        """
        with self._database.begin() as connection:
            return streams.load(connection, server_id)

    def commit(self, batch: Sequence[records.Records]) -> int:
        """
        Write *batch* in one transaction and return its number.

        When it returns, other processes can read all of it. When it raises, call it
        again with the same records, no more and no fewer, until it returns: none is
        written twice, also when the answer to a COMMIT was lost.

        Args:
            batch: At most one for each server.

        Raises:
            RefusedError: The database refuses; ``retryable`` says whether to try again.

        """
        with self._database.begin() as connection:
            counters = writes.load_counters(connection)
            if self._attempt is not None and counters["commit"] == self._commits + 1:
                number = self._attempt  # it had arrived
            elif counters["commit"] != self._commits:
                raise refusals.RefusedError(
                    f"somebody else has recorded: {counters['commit']} commits, "
                    f"and this process knows of {self._commits}",
                    where=str(self._database.location),
                    do="see that one collector runs and that the archive was not replaced",
                    retryable=False,
                )
            else:
                counters["commit"] += 1
                counters["batch"] += 1
                for name, given in self._given.items():
                    counters[name] = max(counters[name], given)
                writes.append(connection, batch, counters)
                seen = [(at, server_id) for server_id, at in self._seen.items()]
                writes.execute(connection, "UPDATE servers SET last_seen_at = ? WHERE id = ?", seen)
                writes.save_counters(connection, counters)
                self._attempt = number = counters["batch"]
        self._commits += 1
        self._attempt = None
        self._seen.clear()
        return number


def _register_panel(
    connection: Connection, counters: dict[str, int], origin: str, name: str
) -> int:
    for key, stored in writes.fetch(
        connection, "SELECT id, name FROM panels WHERE origin = ?", (origin,)
    ):
        if stored != name:
            writes.execute(connection, "UPDATE panels SET name = ? WHERE id = ?", [(name, key)])
        return int(key)
    counters["panel"] += 1
    values = (counters["panel"], origin, name)
    writes.execute(connection, "INSERT INTO panels (id, origin, name) VALUES (?, ?, ?)", [values])
    return counters["panel"]


def _register_server(
    connection: Connection,
    counters: dict[str, int],
    panel_id: int,
    facts: tuple[str, str, str, str],
    seen_at: int,
) -> int:
    uuid, identifier, name, node = facts
    for (key,) in writes.fetch(
        connection, "SELECT id FROM servers WHERE panel_id = ? AND uuid = ?", (panel_id, uuid)
    ):
        writes.execute(
            connection,
            "UPDATE servers SET identifier = ?, name = ?, node = ?, last_seen_at = ?,"
            " deleted_at = NULL WHERE id = ?",
            [(identifier, name, node, seen_at, key)],
        )
        return int(key)
    counters["server"] += 1
    writes.execute(
        connection,
        "INSERT INTO servers (id, panel_id, uuid, identifier, name, node, first_seen_at,"
        " last_seen_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        [(counters["server"], panel_id, *facts, seen_at, seen_at)],
    )
    return counters["server"]
