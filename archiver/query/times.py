"""
Times as people write them, and as they are shown.

A time is an integer, microseconds since the epoch in UTC. The clock and the zone
come in as arguments. What is written without a zone is local time. Where clocks
are set back, an hour happens twice: the beginning of a range takes the first of
the two, its end the second, so that nothing falls out. Where they are set forward,
a time that never was is read as if they had not been yet (02:30 is 03:30 summer time).
"""

import re
from datetime import UTC, date, datetime, time, timedelta, timezone, tzinfo
from functools import lru_cache
from itertools import pairwise

from archiver import errors

SECOND = 1_000_000  # microseconds
_QUARTER = 900 * SECOND  # clocks are changed at whole multiples of it
_UNITS = {"w": 604_800, "d": 86_400, "h": 3_600, "m": 60, "s": 1}
_AROUND = 300 * SECOND  # what --around shows on either side if it does not say

_DURATION = re.compile(
    r"(?:(\d{1,9})w)?(?:(\d{1,9})d)?(?:(\d{1,9})h)?(?:(\d{1,9})m)?(?:(\d{1,9})s)?",
    re.ASCII,
)
_EPOCH = re.compile(r"@?(-?\d{9,11})(?:\.(\d{1,6}))?|@(-?\d{1,11})(?:\.(\d{1,6}))?", re.ASCII)
_MOMENT = re.compile(
    r"(?:(?P<day>today|yesterday)|(?P<date>\d{4}-\d{2}-\d{2}))?"
    r"(?:(?:^|(?<=\w)[T\s]\s*)(?P<time>\d{1,2}:\d{2}(?::\d{2})?(?:[.,]\d{1,6})?))?"
    r"\s*(?P<zone>Z|[+-]\d{2}:?\d{2})?",
    re.IGNORECASE | re.ASCII,
)
_FORMS = (
    "write 2h, 1d12h, now, today 18:00, yesterday, 14:07, 2026-11-19, 2026-11-19T18:00, "
    "2026-11-19T18:00Z or epoch seconds"
)
_EPOCH_START = datetime(1970, 1, 1, tzinfo=UTC)
# What every zone can show: a year inside of what datetime can count.
_EARLIEST, _LATEST = -62_000_000_000 * SECOND, 253_000_000_000 * SECOND


class _NoTimeError(Exception):
    """Carries the column, from 0, where the text stops to be a time."""

    def __init__(self, column: int) -> None:
        super().__init__(column)
        self.column = column


def parse_time(text: str, *, now: int, zone: tzinfo, is_end: bool = False) -> int:
    """
    Return the moment that *text* names.

    A duration such as ``2h`` or ``-1d12h`` is so long before *now*, a day 24 hours
    long. A date alone is its first moment, a time alone is today's.

    Args:
        text: What somebody wrote.
        now: The current time.
        zone: Where it was written, for what names no zone.
        is_end: It ends a range: of an hour that happens twice, the second is meant.

    Raises:
        UsageError: It is no time; carries the column, from 1.

    """
    column = 1 + len(text) - len(text.lstrip())
    try:
        at = _parse(text.strip(), now=now, zone=zone, is_end=is_end)
    except _NoTimeError as exc:
        raise _error(text, column + exc.column) from None
    except (ValueError, OverflowError):
        raise _error(text, column) from None
    if not _EARLIEST <= at <= _LATEST:
        raise _error(text, column)
    return at


def _parse(written: str, *, now: int, zone: tzinfo, is_end: bool) -> int:
    if written.lower() == "now":
        return now
    duration = _parse_duration(written.removeprefix("-"))
    if duration is not None:
        return now - duration
    if match := _EPOCH.fullmatch(written):
        seconds, fraction = match[1] or match[3], match[2] or match[4] or ""
        sign = -1 if seconds.startswith("-") else 1
        return int(seconds) * SECOND + sign * int(fraction.ljust(6, "0"))
    match = _MOMENT.match(written)
    end = match.end() if match else 0
    if match is None or end < len(written) or not (match["day"] or match["date"] or match["time"]):
        raise _NoTimeError(end)
    return _moment(match, now=now, zone=zone, is_end=is_end)


def parse_around(text: str, *, now: int, zone: tzinfo) -> tuple[int, int]:
    """
    Return both ends of ``T±D``, such as ``14:07±30s``; also written ``14:07+-30s``.

    Without D it is five minutes on either side.

    Raises:
        UsageError: T is no time, or D no duration; carries the column, from 1.

    """
    moment, sign, width = text.replace("+-", "±").partition("±")
    duration = _parse_duration(width.strip()) if sign else _AROUND
    if duration is None:
        raise _error(text, len(moment) + 1)
    return (
        parse_time(moment, now=now, zone=zone) - duration,
        parse_time(moment, now=now, zone=zone, is_end=True) + duration,
    )


def midnight(now: int, zone: tzinfo) -> int:
    """Return when today began."""
    return parse_time("today", now=now, zone=zone)


def _parse_duration(text: str) -> int | None:
    match = _DURATION.fullmatch(text)
    if not text or match is None:
        return None
    counts = zip(match.groups(), _UNITS.values(), strict=True)
    return SECOND * sum(int(count) * unit for count, unit in counts if count)


def _moment(match: re.Match[str], *, now: int, zone: tzinfo, is_end: bool) -> int:
    named = match["zone"]
    if named:
        zone = _offset(named)
    if match["date"]:
        day = date.fromisoformat(match["date"])
    else:
        day = to_datetime(now, zone).date()
        if (match["day"] or "").lower() == "yesterday":
            day -= timedelta(days=1)
    clock = time()
    if match["time"]:
        whole, _, fraction = match["time"].replace(",", ".").partition(".")
        hour, minute, second = (*map(int, whole.split(":")), 0)[:3]
        clock = time(hour, minute, second, int(fraction.ljust(6, "0")))
    first = datetime.combine(day, clock, zone)
    second_time = first.replace(fold=1)
    # PEP 495: the second offset is smaller where the hour is repeated, larger where it
    # is skipped; only a repeated one has two moments to choose from.
    offsets = first.utcoffset(), second_time.utcoffset()
    is_repeated = None not in offsets and offsets[0] > offsets[1]  # type: ignore[operator]  # not None
    return from_datetime(second_time if is_end and is_repeated else first)


def _offset(text: str) -> tzinfo:
    if text in "Zz":
        return UTC
    hours, minutes = int(text[1:3]), int(text[-2:])
    if minutes > 59:  # noqa: PLR2004  # minutes of an hour
        raise ValueError(text)
    return timezone((-1 if text[0] == "-" else 1) * timedelta(hours=hours, minutes=minutes))


def _error(text: str, column: int) -> errors.UsageError:
    return errors.UsageError(f"{text!r} is no time", where=f"column {column}", do=_FORMS)


def to_datetime(at: int, zone: tzinfo) -> datetime:
    """Return the moment *at* as the clocks of *zone* show it."""
    return (_EPOCH_START + timedelta(microseconds=at)).astimezone(zone)


def from_datetime(moment: datetime) -> int:
    """Return the moment that an aware datetime stands for."""
    return (moment - _EPOCH_START) // timedelta(microseconds=1)


def local_time(at: int, zone: tzinfo) -> int:
    """Return what the clocks of *zone* show at *at*: microseconds since 1970 began there."""
    offset = to_datetime(at, zone).utcoffset()
    assert offset is not None  # the zone of an aware datetime
    return at + offset // timedelta(microseconds=1)


def local_moments(local: int, zone: tzinfo) -> tuple[int, ...]:
    """
    Return when the clocks of *zone* show *local*, see :func:`local_time`; earliest first.

    Two moments where they are set back. One where they are set forward and never show
    it: as if they had not been yet.
    """
    return tuple(local - offset for offset in _offsets(local // _QUARTER, zone))


@lru_cache(maxsize=4096)
def _offsets(quarter: int, zone: tzinfo) -> tuple[int, ...]:
    """Return the offsets from UTC that a local quarter of an hour has, as of the moments."""
    shown = datetime(1970, 1, 1, tzinfo=zone) + timedelta(microseconds=quarter * _QUARTER)
    found = [
        (shown.replace(fold=fold).utcoffset() or timedelta()) // timedelta(microseconds=1)
        for fold in (0, 1)
    ]
    return tuple(found) if found[0] > found[1] else (found[0],)


def format_time(at: int, zone: tzinfo) -> str:
    """Return *at* as people read it: local, with milliseconds cut off."""
    seconds, rest = divmod(at, SECOND)
    return f"{_clock(seconds, zone)}.{rest // 1000:03d}"


def format_iso(at: int) -> str:
    """Return *at* as programs read it: ISO 8601, microseconds, ``Z``."""
    seconds, rest = divmod(at, SECOND)
    return f"{_iso(seconds)}.{rest:06d}Z"


def format_duration(length: int) -> str:
    """Return microseconds as people read them: ``0.4s``, ``12m05s``, ``2d04h``, the rest cut off."""
    seconds, rest = divmod(length, SECOND)
    if seconds < 10:  # noqa: PLR2004  # below it tenths matter
        return f"{seconds}.{rest * 10 // SECOND}s"
    for large, small in pairwise("dhms"):
        if seconds >= _UNITS[large]:
            whole, rest = divmod(seconds, _UNITS[large])
            return f"{whole}{large}{rest // _UNITS[small]:02d}{small}"
    return f"{seconds}s"


# Console lines come many to the second: most of an export's time is spent here
# without these caches.
@lru_cache(maxsize=256)
def _clock(seconds: int, zone: tzinfo) -> str:
    return to_datetime(seconds * SECOND, zone).replace(tzinfo=None).isoformat(" ")


@lru_cache(maxsize=256)
def _iso(seconds: int) -> str:
    return to_datetime(seconds * SECOND, UTC).replace(tzinfo=None).isoformat()
