"""
The lines of one log file, dated: what is imported, before it has a place.

A file is read twice. The first time only to see whether it can be dated: by dates
that its lines claim, one in its name, or its time of modification, from which days are
counted back. Files of NDJSON, as ``archiver export lines`` writes them, say all of it.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, tzinfo
from functools import partial
from typing import Any, NamedTuple

from archiver import errors
from archiver.console.claims import DAY, ClaimedTime, read_claim
from archiver.console.dating import DayCount, FileClock
from archiver.console.lines import comparison_key, line_flags, scrub, searchable_text
from archiver.console.records import AtKind, Flag
from archiver.operations.export import COLUMNS
from archiver.operations.log_files import DamagedError, LogFile
from archiver.query.fields import LEVELS
from archiver.query.times import from_datetime, local_moments, local_time

_EXPORTED = frozenset(COLUMNS)
_AT_KINDS = {kind.name.lower(): kind for kind in AtKind}


class FileLine(NamedTuple):
    """A line of a file; its fields are those of ``console.records.Line``."""

    at: int
    at_kind: int
    observed_at: int
    earliest_at: int | None
    timestamp: int | None
    level: int | None
    thread: str | None
    flags: Flag
    text: str
    raw: str | None
    lasts: int  # microseconds: how long the moment that is claimed lasts
    clock: int | None  # the time of day that it claims, as it is written


@dataclass(slots=True)
class Survey:
    """What one look through a file shows."""

    lines: int = 0
    is_ndjson: bool = False
    first_time: ClaimedTime | None = None  # of its lines; None: none claims one
    first_day: int | None = None  # of that time; None: it claims its date
    near: int = 0  # a local time in or near the file
    invalid: int = 0  # lines that are no UTF-8
    damage: str | None = None  # why it cannot be read to its end; None: it can


class FileLines:
    """
    The lines of one file.

    Args:
        file: To be read; stays open.
        zone: Of the times that its lines claim.
        day: Its first day, days since 1970, where neither lines nor name tell; None:
            its time of modification does.
        now: The current time.

    Raises:
        UsageError: It cannot be dated, or is broken NDJSON.

    """

    def __init__(self, file: LogFile, zone: tzinfo, day: int | None, now: int) -> None:
        self.file = file
        self._zone = zone
        self._now = now
        self._day = file.day if day is None else day
        self.survey = Survey()

    def look(self, advance: Callable[[int], object]) -> None:
        """
        Look through the file; *advance* is told now and then how many bytes were read.

        Raises:
            UsageError: It cannot be dated, or is broken NDJSON.

        """
        survey, count, servers = self.survey, DayCount(), set[object]()
        is_dated = False  # no more need be known
        try:
            for data in self.file.lines():
                survey.lines += 1
                if survey.lines % 10_000 == 0:
                    advance(self.file.read)
                if survey.lines == 1:
                    survey.is_ndjson = _is_exported(data)
                if survey.is_ndjson:
                    servers.add(self._parse(data, survey.lines).get("server"))
                    continue
                if is_dated:
                    continue
                claim = read_claim(searchable_text(_decode(data)))
                if claim is not None and claim.time is not None:
                    survey.first_time = survey.first_time or claim.time
                    count.add(claim.time)
                    is_dated = self._day is not None or count.first_day is not None
        except DamagedError as exc:
            survey.damage = str(exc)
        if len(servers) > 1:
            raise errors.UsageError(
                f"file has lines of {len(servers)} servers",
                where=self.file.name,
                do="export one server at a time: 'archiver export lines -s NAME'",
            )
        self._date(count)

    def _date(self, count: DayCount) -> None:
        survey, file = self.survey, self.file
        latest = local_time(self._now if file.is_stdin else file.modified_at, self._zone)
        survey.near = latest if self._day is None else self._day * DAY
        first = survey.first_time
        if (
            survey.is_ndjson
            or first is None
            or first.day is not None
            or first.month_day is not None
        ):
            return
        if count.first_day is not None:
            survey.first_day = count.first_day
        elif self._day is not None:
            survey.first_day = self._day
        elif file.is_stdin:
            raise errors.UsageError(
                "lines claim no date",
                where=file.name,
                do="say when the first was printed, such as --date 2026-11-23",
            )
        else:
            survey.first_day = count.first_day_before(latest)

    def __iter__(self) -> Iterator[FileLine]:
        """Yield its lines up to where it is damaged; blank ones are left out."""
        self.survey.invalid = 0
        try:
            yield from self._exported() if self.survey.is_ndjson else self._plain()
        except DamagedError as exc:
            self.survey.damage = str(exc)

    def _plain(self) -> Iterator[FileLine]:
        survey, observed_at = self.survey, self._now
        clock = FileClock(partial(local_moments, zone=self._zone), survey.near, survey.first_day)
        at, kind, earliest, apart, flags = self._begin(clock)
        lasts = 1
        for data in self.file.lines():
            try:
                raw = data.decode()
            except UnicodeDecodeError:
                raw = _decode(data)
                survey.invalid += 1
            raw = scrub(raw)
            if not comparison_key(raw):
                continue
            text = searchable_text(raw)
            claim = read_claim(text)
            time = None if claim is None else claim.time
            if time is not None:
                at, lasts = clock.date(time), time.resolution
            else:
                at += apart
            yield FileLine(
                at,
                kind,
                observed_at,
                earliest,
                None if time is None else at,
                None if claim is None else claim.level,
                None if claim is None else claim.thread,
                line_flags(raw, text) | flags if flags else line_flags(raw, text),
                text,
                None if raw == text else raw,
                lasts,
                None if time is None else time.clock,
            )

    def _begin(self, clock: FileClock) -> tuple[int, int, int | None, int, Flag]:
        """
        Return what lines have before the first that claims a time.

        Returns:
            Their ``at``, its kind, ``earliest_at``, what lies between two of them, and flags.

        """
        survey = self.survey
        if survey.first_time is not None:
            return clock.date(survey.first_time), AtKind.CLAIMED, None, 0, Flag(0)
        # A microsecond between them: a million lines of one moment are hard on readers.
        if self._day is None:
            latest = self._now if self.file.is_stdin else self.file.modified_at
            return latest - survey.lines, AtKind.BEFORE, None, 1, Flag.UNCERTAIN
        first, last = (local_moments((self._day + n) * DAY, self._zone)[0] for n in (0, 1))
        return max(first, last - survey.lines - 1), AtKind.BEFORE, first, 1, Flag.UNCERTAIN

    def _exported(self) -> Iterator[FileLine]:
        for number, data in enumerate(self.file.lines(), 1):
            record = self._parse(data, number)
            text = searchable_text(scrub(record["text"]))
            raw = scrub(record["raw"]) if isinstance(record.get("raw"), str) else text
            if not comparison_key(raw):
                continue
            claim = read_claim(text)
            at = self._time(record, "at", number)
            assert at is not None
            yield FileLine(
                at=at,
                at_kind=_AT_KINDS.get(str(record.get("at_kind")), AtKind.CLAIMED),
                observed_at=self._time(record, "observed_at", number) or self._now,
                earliest_at=self._time(record, "earliest_at", number),
                timestamp=self._time(record, "timestamp", number),
                level=LEVELS.get(str(record.get("level"))) if claim is None else claim.level,
                thread=None if claim is None else claim.thread,
                flags=line_flags(raw, text),
                text=text,
                raw=None if raw == text else raw,
                lasts=1,
                clock=None if claim is None or claim.time is None else claim.time.clock,
            )

    def _parse(self, data: bytes, number: int) -> dict[str, Any]:
        try:
            record = json.loads(data)
        except ValueError:
            record = None
        if isinstance(record, dict) and isinstance(record.get("text"), str) and record.get("at"):
            return record
        raise self._broken("no line of an export", number)

    def _time(self, record: dict[str, Any], key: str, number: int) -> int | None:
        written = record.get(key)
        if written is None:
            return None
        try:
            return from_datetime(datetime.fromisoformat(written))
        except (TypeError, ValueError):
            raise self._broken(f"{key!r} is no time", number) from None

    def _broken(self, what: str, number: int) -> errors.UsageError:
        return errors.UsageError(
            f"file of NDJSON is broken: {what}",
            where=f"{self.file.name}, line {number}",
            do="export again: 'archiver export lines -s NAME -O FILE'",
        )


def _decode(data: bytes) -> str:
    r"""Return text; a byte that is no UTF-8 as ``\x96``, from which it can be told."""
    return data.decode(errors="backslashreplace")


def _is_exported(data: bytes) -> bool:
    """Return whether a file that begins with this line is an export of lines."""
    try:
        record = json.loads(data)
    except ValueError:
        return False
    return isinstance(record, dict) and record.keys() >= _EXPORTED
