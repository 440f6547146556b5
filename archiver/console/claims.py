"""
What a line says of itself at its head: when it was printed, how grave it is, by which thread.

Read from the searchable text, in the formats of common games and frameworks. Only
the head counts, never the message: players write times and levels into chat. What
is not plainly claimed is None. Left out: hours without seconds, day before month,
two digits for a year, and what counts from a start (Don't Starve's ``[00:01:23]:``,
Factorio's ``0.123``).

Which date and zone a time means is not said here but by ``clocks``.
"""

import re
from datetime import date
from functools import lru_cache
from typing import NamedTuple

SECOND = 1_000_000  # microseconds
QUARTER = 900 * SECOND  # all zones of today are whole multiples of it
DAY = 86_400 * SECOND
LEAST_OFFSET = -12 * 3_600 * SECOND  # east of UTC
MOST_OFFSET = 14 * 3_600 * SECOND


class ClaimedTime(NamedTuple):
    """When a line says that it was printed, by the clock and calendar of its host."""

    form: str  # how it is written; programs in one container may differ in their zones
    day: int | None  # days since the epoch; None: no year is claimed
    month_day: tuple[int, int] | None  # a date without a year
    clock: int  # microseconds since midnight
    resolution: int  # microseconds: how long the claimed moment lasts
    offset: int | None  # microseconds east of UTC; None: no zone is claimed


class Claim(NamedTuple):
    """What the head of a line claims."""

    time: ClaimedTime | None
    level: int | None  # OpenTelemetry severity number
    thread: str | None


CLOCK = "clock"  # the form of a time of day beside a level
BARE = "bare"  # the form of a time of day alone: it may be time since some start

_WORDS_OF_LEVELS = {
    1: "trace trc finest verbose vrb silly",
    5: "debug dbg dbug finer fine config",
    9: "info inf inform information notice",
    13: "warn wrn warning",
    17: "error err severe fail",
    21: "fatal ftl critical crit alert emergency panic",
}
_LEVELS = {
    written: level
    for level, words in _WORDS_OF_LEVELS.items()
    for word in words.split()
    for written in (word, word.upper(), word.capitalize())
}
_PINO_LEVELS = {"10": 1, "20": 5, "30": 9, "40": 13, "50": 17, "60": 21}

_MONTH = "Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec"
_MONTHS = {name: number for number, name in enumerate(_MONTH.split("|"), 1)}

# How dates are written, by the name of the form, up to the time of day.
_DATES = {
    "Y-M-D": r"(?P<year>\d{4})-(?P<month>\d\d)-(?P<day>\d\d)[ _-]\[?",
    "Y-M-DT": r"(?P<year>\d{4})-(?P<month>\d\d)-(?P<day>\d\d)T",
    "Y/M/D": r"(?P<year>\d{4})/(?P<month>\d\d)/(?P<day>\d\d) ",
    "Y.M.D": r"(?P<year>\d{4})\.(?P<month>\d\d)\.(?P<day>\d\d)-",  # Unreal
    "M/D/Y": r"(?P<month>\d\d)/(?P<day>\d\d)/(?P<year>\d{4}) ",  # Unity
    "L M/D/Y": r"L (?P<month>\d\d)/(?P<day>\d\d)/(?P<year>\d{4}) - ",  # Source
    "DJanY": rf"(?P<day>\d\d)(?P<name>{_MONTH})(?P<year>\d{{4}}) ",  # Forge
    # syslog; with the year behind the time of day Garry's Mod, Apache
    "Jan D": rf"(?:(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun) )?(?P<name>{_MONTH}) {{1,2}}(?P<day>\d\d?) ",
}
_READ_DATE = {form: re.compile(text, re.ASCII) for form, text in _DATES.items()}
_ANY_DATE = "|".join(re.sub(r"[?]P<[a-z]+>", "?:", text) for text in _DATES.values())

# What follows must not make it something else: more digits, or a half of the day.
_TIME = re.compile(
    rf"(?:time=|ts=)?[\"\[(]?({_ANY_DATE})?(\d\d:\d\d:\d\d|(?<=-)\d\d\.\d\d\.\d\d)"
    r"(?:(?:[.,]|:(?=\d{3}))(\d{1,9}))?(?: (\d{4})(?![\d:.-]))?"
    r"(?: ?(Z|UTC|GMT|[+-]\d\d:?\d\d)(?!\w))?"
    r"(?![\d:.,]*\d| ?[AaPp]\.?[Mm]\b)",
    re.ASCII,
)

# A level that stands in no bracket directly behind the time.
_LEVEL = re.compile(
    r"""
    ["\])]?+[ \t:|,-]{0,8}+
    (?:
        \[([^\[\]]{1,64})\][ ]([A-Z]{4,8})[ ]{1,2}[\w.$]{1,80}[ ]-   # logback: [main] INFO  a.b.C -
    |   \[\w{1,20}+\]\[([a-z]{3,9}+)\]-   # Bedrock's content log: [Blocks][warning]-
    |   \[[ ]{0,2}\d{1,3}\]Log\w{1,40}+:[ ]([A-Z][a-z]{3,8}+):   # Unreal: [  0]LogNet: Warning:
    |   \[([A-Za-z]{3,9}+)[ ]{0,8}+\]   # [INFO]
    |   ([A-Z]{3,9}+)(?=[ \t:|])
    |   ([A-Za-z]{3,9}+):[ \t]
    |   [\w.-]{1,40}+[ ]-[ ]([A-Z]{3,9}+)[ ]-   # Python: name - INFO -
    |   [\d.]{1,12}+[ ]([A-Z]{3,9}+)[ ]   # number of a process; 7 Days to Die: uptime
    |   level="?([A-Za-z]{3,9}+)\b
    )
    """,
    re.VERBOSE | re.ASCII,
)
_BEHIND_THREAD = 2  # the number of logback's level; the group before it is the thread

_LEVEL_FIRST = re.compile(
    r"""
    (?:
        \[([A-Za-z]{3,9})(?:[ ]{0,4}:[^\[\]]{0,40}|[ ]{0,8})\]   # [INFO], [Info   : Unity Log]
    |   ([A-Z]{3,9})(?=[ \t:|])
    |   ([A-Za-z]{3,9}):[ \t]
    |   level="?([A-Za-z]{3,9})\b
    |   [ ]{0,8}\d{1,9}\.\d{3}[ ]([A-Z][a-z]{3,8})[ ]   # Factorio: uptime first
    )
    [ \t:|-]{0,4}
    """,
    re.VERBOSE | re.ASCII,
)

# Epoch milliseconds, where the form leaves no doubt: Project Zomboid, pino.
_EPOCH_TIME = re.compile(
    r"""
    ([A-Z]{3,9})[ ]{0,4}:[ ]?\w{1,20}[ ]{0,20},[ ](\d{13})>
    | \{"level":"?(\w{2,9})"?(?:,"time":(\d{13})\b)?
    """,
    re.VERBOSE | re.ASCII,
)

_RESOLUTIONS = [10 ** max(0, 6 - digits) for digits in range(10)]  # by digits of a fraction
_EPOCH = date(1970, 1, 1).toordinal()
_LEAP_YEAR = 2_000  # has every day that any year has
_FIRST = frozenset('[(0123456789LJFMASONDTWlt>{" ') | frozenset(word[0] for word in _LEVELS)


class _Date(NamedTuple):
    form: str
    day: int | None
    month_day: tuple[int, int] | None


def read_claim(text: str) -> Claim | None:
    """
    Return what the head of a line claims; None: nothing.

    Args:
        text: Searchable, see ``lines.searchable_text``.

    """
    first = text[:1]
    if first not in _FIRST:
        return None
    if first == ">":  # a prompt that the console left before the line
        text = text.lstrip("> ")
    # Most lines of most games need no regexp for their time.
    if first == "[" and text[3:4] == ":" and text[9:11] == "] ":
        time, end = _read_time_of_day(text[1:9]), 9
    else:
        match = _TIME.match(text)
        if match is None:
            return _read_level_first(text)
        time, end = _read_time(match), match.end()
    level, thread = _read_level(text, end)
    if time is not None and time.form == CLOCK:
        if text.startswith("]:", end):  # Don't Starve: since its start
            time = None
        elif level is None:  # without brackets it may be anything
            time = _bare(time) if text[end : end + 1] in {"]", ")"} else None
    return None if time is None and level is None else Claim(time, level, thread)


def _read_level_first(text: str) -> Claim | None:
    """Read a line that does not begin with a time."""
    match = _EPOCH_TIME.match(text)
    if match is not None:
        return _read_epoch_time(match)
    match = _LEVEL_FIRST.match(text)
    level = None if match is None else _LEVELS.get(match[match.lastindex or 0])
    if match is None or level is None:
        return None
    match = _TIME.match(text, match.end())
    return Claim(None if match is None else _read_time(match), level, None)


def _read_epoch_time(match: re.Match[str]) -> Claim | None:
    word, millis = match[1] or match[3], match[2] or match[4]
    level = _LEVELS.get(word) or _PINO_LEVELS.get(word)
    time = None
    if millis:
        day, clock = divmod(int(millis) * 1_000, DAY)
        time = ClaimedTime("epoch", day, None, clock, 1_000, 0)
    return None if time is None and level is None else Claim(time, level, None)


def _read_level(text: str, place: int) -> tuple[int | None, str | None]:
    """Return level and thread that are claimed at *place*, behind a time."""
    start = 0
    if text.startswith("] [", place):
        start = place + 3
    elif text[0] == "[" and text[place : place + 1] == " ":
        start = place + 1
    if start:
        end = text.find("]", start, start + 80)
        if end >= 0 and (found := _read_tag(text[start:end])):
            return found
    match = _LEVEL.match(text, place)
    if match is None:
        return None, None
    group = match.lastindex or 0
    level = _LEVELS.get(match[group])
    return level, match[1] if level is not None and group == _BEHIND_THREAD else None


def _read_time(match: re.Match[str]) -> ClaimedTime | None:
    date_written, second, fraction, year, zone = match.groups()
    time = _read_time_of_day(second)
    if time is None:
        return None
    form, day, month_day, clock, resolution, offset = time
    if date_written is not None:
        found = _read_date(date_written, year)
        if found is None:
            return None
        form, day, month_day = found
    if fraction is not None:
        resolution = _RESOLUTIONS[len(fraction)]
        clock += int(fraction[:6]) * resolution
    if zone is not None:
        offset = _read_offset(zone)
        if offset is None:
            return None
    return ClaimedTime(form, day, month_day, clock, resolution, offset)


# Neighbouring lines have the same date, thread and level, and often the same second.


@lru_cache(1_024)
def _read_tag(tag: str) -> tuple[int, str | None] | None:
    """Read ``Server thread/INFO`` or ``INFO``; None: it is no such thing."""
    thread, slash, word = tag.rpartition("/")
    level = _LEVELS.get(word.strip())
    if level is None or "[" in thread or bool(slash) != bool(thread):
        return None
    return level, thread or None


@lru_cache(256)
def _read_date(written: str, year_behind: str | None) -> _Date | None:
    """Read a date, with all that stands up to the time of day; None: there is no such date."""
    found = ((form, pattern.fullmatch(written)) for form, pattern in _READ_DATE.items())
    form, parts = next((form, match.groupdict()) for form, match in found if match is not None)
    month = _MONTHS[parts["name"]] if "name" in parts else int(parts["month"])
    year, day = parts.get("year", year_behind), int(parts["day"])
    try:
        days = date(int(year or _LEAP_YEAR), month, day).toordinal() - _EPOCH
    except ValueError:
        return None
    return _Date(form, None, (month, day)) if year is None else _Date(form, days, None)


@lru_cache(1_024)
def _read_time_of_day(text: str) -> ClaimedTime | None:
    """Read ``14:07:12``, Unreal's ``14.07.12`` too; None: there is no such time."""
    hour, minute, second = text[:2], text[3:5], text[6:]
    if not (text.isascii() and (hour + minute + second).isdecimal() and text[2] == text[5]):
        return None
    if hour > "23" or minute > "59" or second > "59":
        return None
    clock = ((int(hour) * 60 + int(minute)) * 60 + int(second)) * SECOND
    return ClaimedTime(CLOCK, None, None, clock, SECOND, None)


@lru_cache(1_024)
def _bare(time: ClaimedTime) -> ClaimedTime:
    return time._replace(form=BARE)


@lru_cache(256)
def _read_offset(zone: str) -> int | None:
    """Return the microseconds east of UTC; None: there is no such zone."""
    if zone in {"Z", "UTC", "GMT"}:
        return 0
    minutes = int(zone[1:3]) * 60 + int(zone[-2:])
    offset = (-minutes if zone[0] == "-" else minutes) * 60 * SECOND
    return offset if LEAST_OFFSET <= offset <= MOST_OFFSET and offset % QUARTER == 0 else None
