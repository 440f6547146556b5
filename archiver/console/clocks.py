"""
The clocks of one server: which moments in UTC the times mean that its lines claim.

A line seen live claims a time of day, and it is known when it came: the difference
is the zone of its host, a whole number of quarters of an hour, and how wrong its
clock is. A replayed line that claims a time is then dated between two moments.

Nothing is resolved that could mean two moments. So a zone must be shown by several
lines while time passes (a game's own clock runs at another speed, a quoted time does
not run at all). Where a replay lies outside of what live lines have shown, clocks may
have been changed by an hour meanwhile, and a line that would fit then too is left out.
What is resolved is what the line claims: as wrong as the clock of its host.

Programs of one container may differ in their zones, so each form has a clock of its
own. A time of day alone may as well be time since a start, which passes as time of
day does; it is believed only where it is all but exact. Not covered: clocks changed
by half an hour (Lord Howe Island).
"""

from collections.abc import Iterator
from datetime import date

from archiver.console.claims import BARE, DAY, LEAST_OFFSET, MOST_OFFSET, QUARTER, ClaimedTime

SECOND = 1_000_000  # microseconds
HOUR = 3_600 * SECOND

MOST_WRONG = 180 * SECOND  # a clock of a host that is farther off shows no zone
MOST_WRONG_BARE = 3 * SECOND  # seldom met by time since a start: 1 in 150
JITTER = 5 * SECOND  # between lines: claims are cut to the second, lines come late
AGREEING = 3  # so many lines show a zone
AGREEING_FOR = 10 * SECOND  # in at least so much time
DISAGREEING = 20  # so many lines in a row show that it is no longer so
ERAS = 4  # zones, between changes of clocks, that are remembered
STRAYS = 4  # zones that single lines showed beside them

_EVER = 2**62
_EPOCH = date(1970, 1, 1).toordinal()


class _Era:
    """A time in which live lines showed one zone."""

    __slots__ = ("count", "lag", "offset", "since", "until")

    def __init__(self, offset: int, lag: int, at: int) -> None:
        self.offset = offset  # microseconds east of UTC
        self.lag = lag  # what the clock of the host is ahead of ours
        self.since = at  # the first line seen
        self.until = at  # the last one
        self.count = 1


class _Clock:
    """What is known of the times of one form."""

    __slots__ = ("candidate", "disagreeing", "eras", "strays")

    def __init__(self) -> None:
        self.eras: list[_Era] = []  # oldest first
        self.candidate: _Era | None = None
        self.disagreeing = 0  # lines in a row
        self.strays: dict[int, int] = {}  # offset -> lag of lines that disagreed in this era


class ServerClock:
    """
    The clocks of one server, learned from its live lines.

    After a restart they are learned again from the stored ones.
    """

    def __init__(self) -> None:
        self._clocks: dict[tuple[str, int], _Clock] = {}

    def learn(self, time: ClaimedTime, observed_at: int) -> int | None:
        """
        Learn from a live line.

        Args:
            time: What it claims.
            observed_at: When it came.

        Returns:
            The moment that it claims; None: not resolved.

        """
        most = MOST_WRONG_BARE if time.form == BARE else MOST_WRONG
        if time.offset is not None:
            at = _nearest(time, time.offset, observed_at)
            return at if abs(at - observed_at) <= most else None
        clock = self._clocks.get((time.form, time.resolution))
        if clock is None:
            clock = self._clocks[time.form, time.resolution] = _Clock()
        if clock.eras:
            era = clock.eras[-1]
            at = _nearest(time, era.offset, observed_at)
            if abs(at - observed_at) <= most:
                era.lag += (at - observed_at - era.lag) // 8  # a late line moves it a little
                era.until = max(era.until, observed_at)
                clock.candidate = None
                clock.disagreeing = 0
                return at
            clock.disagreeing += 1
        return _consider(clock, time, observed_at, most)

    def resolve(self, time: ClaimedTime, earliest_at: int | None, before: int) -> int | None:
        """
        Return the moment that a replayed line claims; None: not resolved.

        Args:
            time: What it claims.
            earliest_at: When it was not yet printed; None: unknown.
            before: When it was.

        """
        earliest = -_EVER if earliest_at is None else earliest_at
        if time.offset is not None:
            window = (earliest - MOST_WRONG, before + MOST_WRONG)
            found = set(_moments(time, time.offset, *window))
        else:
            clock = self._clocks.get((time.form, time.resolution))
            if clock is None:
                return None
            found = set()
            for offset, lag, since, until in _possible(clock):
                window = (max(earliest, since) + lag - JITTER, min(before, until) + lag + JITTER)
                found.update(_moments(time, offset, *window))
        return found.pop() if len(found) == 1 else None


def _consider(clock: _Clock, time: ClaimedTime, observed_at: int, most: int) -> int | None:
    """Let a line that shows another zone than the known one, or the first, count for it."""
    if clock.disagreeing >= DISAGREEING:
        clock.eras.clear()
        clock.strays.clear()
        clock.disagreeing = 0
    ahead = _nearest(time, 0, observed_at) - observed_at
    offset = (ahead + QUARTER // 2) // QUARTER * QUARTER
    lag = ahead - offset
    if time.day is None and time.month_day is None:
        offset %= DAY  # -11:00 is +13:00, the day before
    elif not LEAST_OFFSET <= offset <= MOST_OFFSET:
        clock.candidate = None
        return None
    if abs(lag) > most:
        clock.candidate = None
        return None
    if clock.eras:
        clock.strays.pop(offset, None)
        clock.strays[offset] = lag
        if len(clock.strays) > STRAYS:
            del clock.strays[next(iter(clock.strays))]
    era = clock.candidate
    if era is None or era.offset != offset or abs(lag - era.lag) > JITTER:
        clock.candidate = _Era(offset, lag, observed_at)
        return None
    era.count += 1
    era.until = max(era.until, observed_at)
    if era.count < AGREEING or observed_at - era.since < AGREEING_FOR:
        return None
    clock.candidate = None
    clock.disagreeing = 0
    clock.strays.clear()
    clock.eras = [*clock.eras, era][-ERAS:]
    return observed_at + lag


def _possible(clock: _Clock) -> Iterator[tuple[int, int, int, int]]:
    """Yield the offsets that may hold: offset, lag, since when at the earliest, until when."""
    eras = clock.eras
    for place, era in enumerate(eras):
        since = eras[place - 1].until if place else -_EVER
        until = eras[place + 1].since if place + 1 < len(eras) else _EVER
        yield era.offset, era.lag, since, until
        for change in (-HOUR, HOUR):
            if place == 0:
                yield era.offset + change, era.lag, -_EVER, era.since
            if place == len(eras) - 1:
                yield era.offset + change, era.lag, era.until, _EVER
    for offset, lag in clock.strays.items():
        yield offset, lag, -_EVER, _EVER


def _nearest(time: ClaimedTime, offset: int, at: int) -> int:
    """Return the moment nearest to *at* that a time means in a zone."""
    if time.day is not None:
        return time.day * DAY + time.clock - offset
    if time.month_day is not None:
        found = _moments(time, offset, at - 400 * DAY, at + 400 * DAY)
        return min(found, key=lambda moment: abs(moment - at), default=-_EVER)
    return at + (time.clock - offset - at + DAY // 2) % DAY - DAY // 2


def _moments(time: ClaimedTime, offset: int, since: int, until: int) -> list[int]:
    """Return the moments in a window that a time means in a zone; of many the first two."""
    found: list[int] = []
    if time.day is not None:
        found = [time.day * DAY + time.clock - offset]
    elif time.month_day is not None:
        last = date.fromordinal(until // DAY + _EPOCH).year + 1
        for year in range(last, last - 4, -1):
            try:
                day = date(year, *time.month_day).toordinal() - _EPOCH
            except ValueError:
                continue  # no leap year
            found.append(day * DAY + time.clock - offset)
    else:
        first = since + (time.clock - offset - since) % DAY
        return list(range(first, until + 1, DAY)[:2])
    return [moment for moment in found if since <= moment <= until]
