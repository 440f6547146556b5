"""Periods of the calendar in a zone: a day has 23 hours where clocks are set forward."""

from collections.abc import Iterator
from datetime import date, datetime, time, timedelta, tzinfo
from typing import Literal

from archiver.query.times import from_datetime, to_datetime

Period = Literal["day", "week", "month", "all"]


def periods(begin: int, end: int, by: Period, zone: tzinfo) -> Iterator[tuple[int, int]]:
    """
    Yield the parts of a range by days, weeks (from Monday on) or months, in order.

    The first begins and the last ends with the range, whatever the calendar says.

    Args:
        begin: Where the range begins, microseconds since the epoch.
        end: Where it ends; not after *begin*: there are no parts.
        by: What to part it by; ``all``: it stays in one part.
        zone: Whose midnights part it.

    """
    while begin < end:
        until = end
        if by != "all":
            following = _following(to_datetime(begin, zone).date(), by)
            until = min(end, from_datetime(datetime.combine(following, time(), zone)))
        yield begin, until
        begin = until


def _following(day: date, by: Literal["day", "week", "month"]) -> date:
    """Return the first day of the period after the one that *day* is in."""
    if by == "day":
        return day + timedelta(days=1)
    if by == "week":
        return day + timedelta(days=7 - day.weekday())
    return (day.replace(day=1) + timedelta(days=32)).replace(day=1)
