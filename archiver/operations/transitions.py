"""The status history of servers: each change, and how the time was shared."""

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from datetime import tzinfo
from itertools import pairwise
from typing import NamedTuple

from archiver.console.uptime import STATUSES, UNKNOWN, Timeline
from archiver.operations.status import is_collector_alive
from archiver.query.periods import Period, periods
from archiver.store.reads import Reader
from archiver.store.rows import ServerRow, StatusChangeRow


class Transition(NamedTuple):
    """A change of status, and how long the status before it was."""

    change: StatusChangeRow
    lasted: int | None  # microseconds since the change before; None: there is none
    unknown: int | None  # of them nobody knows the status; see ``console.uptime``


class Uptime(NamedTuple):
    """How one server shared a period among its statuses; times in microseconds."""

    server: ServerRow
    begin: int
    end: int
    shares: dict[str, float]  # of uptime.STATUSES and UNKNOWN; they sum to 1
    restarts: int  # runs that began in it, but for the first that was ever seen
    crashes: int  # runs that ended in it without a stop; see ``console.endings``
    longest_offline: int  # the longest stretch in which the process was known not to be there


def list_transitions(
    reader: Reader,
    server_ids: Sequence[int] | None,
    *,
    since: int | None,
    until: int | None,
    now: int,
) -> list[Transition]:
    """
    Return the changes of status in a range of time, oldest first.

    Args:
        reader: The archive.
        server_ids: Of these servers; None: of all.
        since: Only seen at or after it; None: no such bound.
        until: Only seen before it; None: no such bound.
        now: The current time.

    """
    found = []
    heard_until = _heard_until(reader, now)
    for server in _servers(reader, server_ids):
        changes = reader.history().changes(server.id, since, until)
        if not changes:
            continue
        first, last = changes[0].at, changes[-1].at
        line = _timeline(reader, server.id, changes, begin=first, end=last, heard_until=heard_until)
        if since is None or changes[0].at >= since:
            found.append(Transition(changes[0], None, None))
        for before, change in pairwise(changes):
            if since is None or change.at >= since:
                unknown = line.durations(before.at, change.at)[UNKNOWN]
                found.append(Transition(change, change.at - before.at, unknown))
    return sorted(found, key=lambda each: (each.change.at, each.change.id))


def summarise(
    reader: Reader,
    server_ids: Sequence[int] | None,
    *,
    since: int | None,
    until: int | None,
    by: Period,
    zone: tzinfo,
    now: int,
) -> Iterator[Uptime]:
    """
    Yield how servers shared their time, by name and then by time.

    Args:
        reader: The archive.
        server_ids: Of these servers; None: of all.
        since: Where the first period begins; None: where a server was first listed.
        until: Where the last one ends, or now if that is earlier; None: now, or where
            a server was no longer listed.
        by: What a period is.
        zone: Whose midnights part them.
        now: The current time.

    """
    heard_until = _heard_until(reader, now)
    for server in _servers(reader, server_ids):
        begin = server.first_seen_at if since is None else since
        end = min(now, (server.deleted_at or now) if until is None else until)
        if begin >= end:
            continue
        changes = reader.history().changes(server.id, begin, end)
        line = _timeline(reader, server.id, changes, begin=begin, end=end, heard_until=heard_until)
        own = reader.history().lives([server.id])
        restarts = sorted(life.began_at for life in own if life.previous_at is not None)
        crashes = sorted(
            life.over_at
            for life in own
            if life.over_at is not None and life.ending is not None and life.ending.is_crash
        )
        for first, last in periods(begin, end, by, zone):
            durations = line.durations(first, last)
            yield Uptime(
                server,
                first,
                last,
                {status: durations[status] / (last - first) for status in (*STATUSES, UNKNOWN)},
                restarts=_count(restarts, first, last),
                crashes=_count(crashes, first, last),
                longest_offline=line.longest("offline", first, last),
            )


def _count(moments: Sequence[int], begin: int, end: int) -> int:
    """Return how many of *moments*, by time, are in a range."""
    return bisect_left(moments, end) - bisect_left(moments, begin)


def _servers(reader: Reader, server_ids: Sequence[int] | None) -> list[ServerRow]:
    return [row for row in reader.servers() if server_ids is None or row.id in server_ids]


def _heard_until(reader: Reader, now: int) -> int | None:
    """Return until when open connections are heard; None: nobody is there to hear them."""
    collector = reader.collector()
    is_recording = collector is not None and is_collector_alive(collector) is not False
    return now if is_recording else None


def _timeline(
    reader: Reader,
    server_id: int,
    changes: Sequence[StatusChangeRow],
    *,
    begin: int,
    end: int,
    heard_until: int | None,
) -> Timeline:
    heard = []
    for row in reader.history().heard(server_id, begin, end):
        # A dead collector cannot close its connections: the last sign is all there is.
        last = heard_until or row.last_frame_at or row.authenticated_at
        heard.append((row.authenticated_at, last if row.closed_at is None else row.closed_at))
    return Timeline(changes, heard, begin, end)
