"""The lines of files with the times, levels and texts that they are stored with."""

import io
import json
import os
import sys
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from zoneinfo import ZoneInfo

import pytest

from archiver import errors
from archiver.console.records import AtKind, Flag
from archiver.operations.file_lines import FileLine, FileLines, Survey
from archiver.operations.log_files import LogFile
from archiver.query.times import format_iso, from_datetime

BERLIN = ZoneInfo("Europe/Berlin")


def us(text: str) -> int:
    return from_datetime(datetime.fromisoformat(text).replace(tzinfo=UTC))


NOW = us("2026-12-24T12:00")


@pytest.fixture
def read(tmp_path):
    """Read a file of these bytes, last modified at a moment."""

    def read_one(
        data: bytes,
        name: str = "latest.log",
        *,
        day: int | None = None,
        modified: str = "2026-11-25T10:00",
        zone=UTC,
    ) -> tuple[list[FileLine], Survey]:
        path = tmp_path / name
        path.write_bytes(data)
        os.utime(path, ns=(0, us(modified) * 1_000))
        with LogFile(path) as file:
            lines = FileLines(file, zone, day, NOW)
            lines.look(lambda _: None)
            found = list(lines)
            assert found == list(lines)
            return found, lines.survey

    return read_one


def times(lines: list[FileLine]) -> list[str]:
    return [format_iso(line.at).removesuffix(".000000Z") for line in lines]


PAST_MIDNIGHT = b"[23:59:59 INFO]: a\n[00:00:01 INFO]: b\n"


@pytest.mark.parametrize(
    ("name", "given", "first"),
    [
        ("latest.log", {}, "2026-11-24"),
        ("latest.log", {"modified": "2026-11-25T00:00:01"}, "2026-11-24"),
        ("latest.log", {"modified": "2026-11-24T23:59:59"}, "2026-11-24"),
        ("latest.log", {"modified": "2026-11-24T12:00:00"}, "2026-11-23"),
        ("2026-11-20-3.log", {}, "2026-11-20"),
        ("2026-11-20-3.log", {"day": 20_770}, "2026-11-13"),
        ("latest.log", {"day": 20_770}, "2026-11-13"),
    ],
)
def test_a_date_comes_from_what_is_said_then_the_name_then_when_it_was_modified(
    read, name, given, first
):
    lines, _ = read(PAST_MIDNIGHT, name, **given)
    assert times(lines)[0] == f"{first}T23:59:59"
    assert lines[1].at - lines[0].at == 2_000_000


def test_dates_in_the_lines_go_before_all_others(read):
    lines, _ = read(b"2026-10-01 12:00:00 a\n", "2026-11-20.log", day=1)
    assert times(lines) == ["2026-10-01T12:00:00"]
    lines, _ = read(b"Oct  1 12:00:00 host a\n", "2025-11-20.log")
    assert times(lines) == ["2025-10-01T12:00:00"]
    lines, _ = read(b"[12:00:00 INFO]: x\n2026-10-01 12:00:02 a\n")
    assert times(lines) == ["2026-10-01T12:00:00", "2026-10-01T12:00:02"]


def test_times_are_of_the_zone_that_is_given(read):
    lines, _ = read(b"[00:30:00 INFO]: x\n", "2026-07-01.log", zone=BERLIN)
    assert times(lines) == ["2026-06-30T22:30:00"]
    lines, _ = read(b"[00:30:00 INFO]: x\n", modified="2026-11-24T23:31", zone=BERLIN)
    assert times(lines) == ["2026-11-24T23:30:00"]


def test_what_lines_claim_is_stored(read):
    (line,), _ = read(b"\x1b[31m[12:00:00] [Server thread/WARN]: x\x1b[0m\r\n", day=20_780)
    assert line == FileLine(
        at=us("2026-11-23T12:00"),
        at_kind=AtKind.CLAIMED,
        observed_at=NOW,
        earliest_at=None,
        timestamp=us("2026-11-23T12:00"),
        level=13,
        thread="Server thread",
        flags=Flag.ASCII,
        text="[12:00:00] [Server thread/WARN]: x",
        raw="\x1b[31m[12:00:00] [Server thread/WARN]: x\x1b[0m",
        lasts=1_000_000,
        clock=43_200_000_000,
    )


def test_blank_lines_are_left_out_as_they_never_come_live(read):
    lines, survey = read(b"\n\r\na\n  \n\n")
    assert [line.text for line in lines] == ["a", "  "]
    assert survey.lines == 5


def test_bytes_that_are_no_text_stay_readable_and_are_counted(read):
    begin = b"x" * 5_000 + b"\n"
    (_, *lines), survey = read(begin + b"caf\xe9\nna\xc3\xafve\n\x80\0\n")
    assert [line.text for line in lines] == ["caf\\xe9", "naïve", "\\x80\u2400"]
    assert [line.raw for line in lines] == [None, None, None]
    assert survey.invalid == 2


def test_a_file_without_any_time_is_dated_as_a_whole(read):
    lines, survey = read(b"a\nb\nc\n")
    assert survey.first_time is None
    assert [line.at - us("2026-11-25T10:00") for line in lines] == [-2, -1, 0]
    assert {(line.at_kind, line.flags) for line in lines} == {
        (AtKind.BEFORE, Flag.ASCII | Flag.UNCERTAIN)
    }
    lines, _ = read(b"a\nb\n", "2026-11-20.log")
    assert lines[-1].at == us("2026-11-21") - 1
    assert lines[-1].earliest_at == us("2026-11-20")


def test_standard_input_needs_a_date_if_its_lines_have_none(monkeypatch):
    def look(data: bytes, day: int | None) -> FileLines:
        monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(data)))
        with LogFile(Path("-")) as file:
            lines = FileLines(file, UTC, day, NOW)
            lines.look(lambda _: None)
            return lines

    with pytest.raises(errors.UsageError, match="claim no date") as caught:
        look(PAST_MIDNIGHT, None)
    assert "--date" in str(caught.value)
    assert look(PAST_MIDNIGHT, 20_780).survey.first_day == 20_780
    assert look(b"2026-11-23 12:00:00 x\n", None).survey.first_day is None


EXPORTED = {
    "server": "abc",
    "server_name": "Survival",
    "seq": 5,
    "run": 3,
    "observed_at": "2026-11-23T12:00:00.500000Z",
    "earliest_at": "2026-11-23T11:00:00.000000Z",
    "timestamp": None,
    "at": "2026-11-23T12:00:00.250000Z",
    "at_kind": "before",
    "source": "replay",
    "level": "error",
    "text": "oops",
    "raw": "\x1b[31moops\x1b[0m",
}


def test_an_export_says_itself_what_its_lines_are(read):
    claiming = EXPORTED | {
        "text": "[12:00:00 WARN]: x",
        "raw": None,
        "at_kind": "claimed",
        "timestamp": "2026-11-23T12:00:00.000000Z",
        "at": "2026-11-23T12:00:00.000000Z",
        "earliest_at": None,
    }
    (first, second), survey = read(
        "".join(f"{json.dumps(record)}\n" for record in (EXPORTED, claiming)).encode()
    )
    assert survey.is_ndjson
    assert first == FileLine(
        at=us("2026-11-23T12:00:00.25"),
        at_kind=AtKind.BEFORE,
        observed_at=us("2026-11-23T12:00:00.5"),
        earliest_at=us("2026-11-23T11:00"),
        timestamp=None,
        level=17,
        thread=None,
        flags=Flag.ASCII,
        text="oops",
        raw="\x1b[31moops\x1b[0m",
        lasts=1,
        clock=None,
    )
    assert (second.level, second.timestamp, second.raw) == (13, us("2026-11-23T12:00"), None)
    assert second.clock == 43_200_000_000


@pytest.mark.parametrize(
    ("second", "what"),
    [
        ("{", "no line of an export"),
        ('{"text": "x"}', "no line of an export"),
        (json.dumps(EXPORTED | {"at": "yesterday"}), "'at' is no time"),
        (json.dumps(EXPORTED | {"server": "def"}), "lines of 2 servers"),
    ],
)
def test_a_broken_export_is_told_with_its_line(read, second, what):
    with pytest.raises(errors.UsageError, match=what) as caught:
        read(f"{json.dumps(EXPORTED)}\n{second}\n".encode())
    assert "latest.log" in (caught.value.where or "")
    if "servers" not in what:
        assert "line 2" in (caught.value.where or "")


def test_a_log_of_json_is_no_export(read):
    lines, survey = read(b'{"level":40,"time":1795435200000,"msg":"x"}\n')
    assert not survey.is_ndjson
    assert times(lines) == ["2026-11-23T12:00:00"]
