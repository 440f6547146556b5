"""
When the lines of a log file were printed: their times of day need a date and a zone.

A file is read after the fact, so nothing is known from when its lines came. Its lines
are in order, though, and that counts the days: a time of day goes on from the one
before it, and where it would go back by more than an hour, it is the next day's. An
hour, because clocks are set back by so much, and threads write a little out of order.

Local time is an integer here: microseconds since 1970 began in the zone of the file.
Which moments it means is for the caller's zone to say. Not covered: a day without a
line in a file that claims no dates.
"""

from collections.abc import Callable
from datetime import date

from archiver.console.claims import DAY, ClaimedTime
from archiver.console.clocks import HOUR, JITTER

Moments = Callable[[int], tuple[int, ...]]  # local time -> when clocks show it, earliest first

_EPOCH = date(1970, 1, 1).toordinal()
_LEAP = 4  # years in which every day comes


def next_local(before: int | None, time: ClaimedTime) -> int:
    """
    Return the local time that a time of day means behind another one.

    Args:
        before: The local time of the line before it; None: this is day 0.
        time: What the line claims.

    """
    if before is None:
        return time.clock
    passed = (time.clock - before) % DAY
    return before + (passed if passed < DAY - HOUR else passed - DAY)


class DayCount:
    """Counts the days of a file of which no date is known yet."""

    def __init__(self) -> None:
        self._local: int | None = None  # of the last time, the first one on day 0
        self._time: ClaimedTime | None = None
        self._first_day: int | None = None

    def add(self, time: ClaimedTime) -> None:
        """Take the next time that a line claims."""
        if time is not self._time:
            self._time = time
            self._local = next_local(self._local, time)
            if time.day is not None and self._first_day is None:
                self._first_day = time.day - self._local // DAY

    @property
    def first_day(self) -> int | None:
        """The day of the first time, by a date that is claimed later; None: none is."""
        return self._first_day

    def first_day_before(self, local: int) -> int:
        """Return the day of the first time, if the last one is no later than *local*."""
        last = self._local or 0
        return (local + HOUR - last % DAY) // DAY - last // DAY


class FileClock:
    """
    Dates the times that the lines of one file claim, from its first line to its last.

    Args:
        moments: The zone of the file.
        near: A local time in or near the file, from which dates without a year get one.
        first_day: The day, since 1970, of its first time; None: that claims its date.

    """

    def __init__(self, moments: Moments, near: int, first_day: int | None) -> None:
        self._moments = moments
        self._near = near
        self._local: int | None = None  # of the line before
        self._first_day = first_day or 0
        self._time: ClaimedTime | None = None
        self._at = 0

    def date(self, time: ClaimedTime) -> int:
        """Return the moment that the next line claims."""
        if time is self._time:  # neighbours often share their second
            return self._at
        if time.day is not None:
            local = time.day * DAY + time.clock
        elif time.month_day is not None:
            near = self._near if self._local is None else self._local
            local = min(_in_years(time.month_day, time.clock, near), key=lambda at: abs(at - near))
        elif self._local is None:
            local = self._first_day * DAY + time.clock
        else:
            local = next_local(self._local, time)
        moments = self._moments(local) if time.offset is None else (local - time.offset,)
        at = moments[0]
        if len(moments) > 1 and self._time is not None and at < self._at - JITTER:
            at = moments[1]  # the hour came before: this is its second time
        self._local, self._time, self._at = local, time, at
        return at


def last_moment(time: ClaimedTime, until: int, moments: Moments) -> int | None:
    """
    Return the last moment up to *until* that a time means; None: its date is later.

    For a stored line that claims a time, of which it is known when it had been printed.
    """
    if time.day is not None:
        shown = [time.day * DAY + time.clock]
    elif time.month_day is not None:
        shown = _in_years(time.month_day, time.clock, until)
    else:  # a zone shows up to a day more or less than UTC
        shown = [(until // DAY + day) * DAY + time.clock for day in (1, 0, -1, -2)]
    for local in shown:
        found = moments(local) if time.offset is None else (local - time.offset,)
        for at in reversed(found):
            if at <= until:
                return at
    return None


def _in_years(month_day: tuple[int, int], clock: int, near: int) -> list[int]:
    """Return the local times that a date without a year means in the years about *near*."""
    middle = date.fromordinal(near // DAY + _EPOCH).year
    found = []
    for year in range(middle + _LEAP, middle - _LEAP - 1, -1):
        try:
            day = date(year, *month_day).toordinal() - _EPOCH
        except ValueError:
            continue  # no leap year
        found.append(day * DAY + clock)
    return found
