"""
What is kept of everything that is neither line, status nor sample: all of it, counted.

A repeat of the previous event only raises its count. Two kinds come in floods
with a text that differs each time, and are one row an episode: what the daemon
withholds after a token ran out, and the files of a restore.
"""

from collections.abc import Callable

from archiver.console.messages import DaemonMessage, JwtError, Message, event_row
from archiver.console.records import Event

ROWS_AN_HOUR = 500  # new rows of one server; a daemon gone mad must not fill the disk
EPISODE_PAUSE = 60_000_000  # microseconds without a repeat that end an episode
OVER_QUOTA = "over quota"

_HOUR = 3_600_000_000


class Events:
    """The events of one server; times are microseconds since the epoch."""

    def __init__(self, next_id: Callable[[], int]) -> None:
        self._next_id = next_id
        self._last: Event | None = None
        self._episodes: dict[str, Event] = {}
        self._hour = 0
        self._rows = 0
        self._over: Event | None = None

    def receive(self, message: Message, at: int, connection_id: int | None) -> Event:
        """Return the row for *message*, a new one or one whose count was raised."""
        name, args = event_row(message)
        if isinstance(message, JwtError) or is_restoring(message):
            episode: str | None = name
            row = self._episodes.get(name)
            repeats = row is not None and at - (row.last_at or row.at) <= EPISODE_PAUSE
        else:
            episode, row = None, self._last
            repeats = row is not None and (row.event, row.args) == (name, args)
        if row is not None and repeats:
            return _repeat(row, at)
        if at // _HOUR != self._hour:
            self._hour, self._rows, self._over = at // _HOUR, 0, None
        if self._rows >= ROWS_AN_HOUR:
            return self._count_over_quota(at, connection_id)
        self._rows += 1
        row = Event(self._next_id(), at, name, args, connection_id)
        if episode is not None:
            self._episodes[episode] = row
        else:
            self._last = row
        return row

    def _count_over_quota(self, at: int, connection_id: int | None) -> Event:
        if self._over is not None:
            return _repeat(self._over, at)
        self._over = Event(self._next_id(), at, OVER_QUOTA, "[]", connection_id)
        return self._over


def is_restoring(message: Message) -> bool:
    """Return whether *message* names one file of a restore (Wings f1c5bbd server/backup.go)."""
    return isinstance(message, DaemonMessage) and message.text.startswith("(restoring):")


def _repeat(row: Event, at: int) -> Event:
    row.count += 1
    row.last_at = at
    return row
