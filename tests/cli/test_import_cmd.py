"""``archiver import`` as somebody meets it."""

import gzip
import io
import json
import os
import re
import sys
from pathlib import Path
from typing import Any

import pytest

from archiver.cli.main import main

TEXT = "[13:00:00 INFO]: one\n[13:00:01 INFO]: two\n\tat a.b.C\n"


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "2026-11-19-1.log"
    path.write_text(TEXT)
    return path


def imported(archiver) -> list[dict[str, Any]]:
    shown = archiver("logs", "survival", "--source", "import", "-n", "all", "-o", "ndjson")
    return [json.loads(line) for line in shown.out.splitlines()]


def test_lines_are_imported_and_shown_at_their_places(archiver, archive, log):
    result = archiver("import", str(log), "-s", "survival", "--utc")
    assert (result.code, result.out) == (0, "")
    assert result.err == (f"{log}: 3 new of 3 lines, 2026-11-19 13:00:00 to 2026-11-19 13:00:01\n")
    shown = archiver("logs", "survival", "--utc", "-n", "all").out.splitlines()
    assert shown[:3] == [
        "2026-11-19 13:00:00.000  [13:00:00 INFO]: one",
        "2026-11-19 13:00:01.000  [13:00:01 INFO]: two",
        "2026-11-19 13:00:01.000  \\u0009at a.b.C".replace("\\u0009", "\t"),
    ]
    assert "Starting" in shown[3]


def test_several_files_are_told_one_by_one_and_together(archiver, archive, log, tmp_path):
    other = tmp_path / "2026-11-18-1.log.gz"
    other.write_bytes(gzip.compress(b"[12:00:00 INFO]: caf\xe9\n"))
    result = archiver("import", str(other), str(log), str(log), "-s", "survival", "--utc")
    assert result.code == 0
    whole = "2026-11-18 12:00:00 to 2026-11-19 13:00:01"
    assert result.err.splitlines() == [
        f"{other}: 1 new of 1 lines, 1 not valid UTF-8, 2026-11-18 12:00:00 to 2026-11-18 12:00:00",
        f"{log}: 3 new of 3 lines, 2026-11-19 13:00:00 to 2026-11-19 13:00:01",
        f"{log}: 0 new of 3 lines, 3 already there, 2026-11-19 13:00:00 to 2026-11-19 13:00:01",
        f"3 files: 4 new of 7 lines, 3 already there, 1 not valid UTF-8, {whole}",
    ]


def test_nothing_is_imported_if_one_of_the_files_is_wrong(archiver, archive, log, tmp_path):
    for wrong, what in (("missing.log", "cannot be read"), ("archive.db", "not text")):
        path = (archive if "db" in wrong else tmp_path) / wrong
        result = archiver("import", str(log), str(path), "-s", "survival", "--utc")
        assert result.code == 2
        assert what in result.err
        assert str(path) in result.err
        assert imported(archiver) == []


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("-s", "creative"), "archiver servers"),
        (("-s", "*"), "fits 2 servers"),
        (("-s", "survival", "--utc", "--tz", "Europe/Berlin"), "contradict"),
        (("-s", "survival", "--tz", "Mars"), "no time zone"),
        (("-s", "survival", "--date", "yesterday"), "%Y-%m-%d"),
        ((), "missing option '-s'"),
    ],
)
def test_a_wrong_command_says_what_to_do(archiver, archive, log, arguments, said):
    result = archiver("import", str(log), *arguments)
    assert result.code == 2
    assert said in result.err


def test_without_an_archive_there_is_nothing_to_import_into(archiver, tmp_path, log):
    result = archiver("--data-dir", str(tmp_path / "none"), "import", str(log), "-s", "x")
    assert result.code == 3
    assert "archiver ingest" in result.err


def test_of_a_damaged_file_the_rest_is_imported_and_its_end_told(archiver, archive, tmp_path):
    path = tmp_path / "2026-11-19-2.log.gz"
    lines = "".join(f"[12:{n // 60 % 60:02}:{n % 60:02} INFO]: {n * n}\n" for n in range(3_600))
    path.write_bytes(gzip.compress(lines.encode())[:-3_000])
    result = archiver("import", str(path), "-s", "survival", "--utc")
    assert result.code == 5
    count = len(imported(archiver))
    assert 0 < count < 3_600
    assert f"where: {path}, after line {count}\n" in result.err
    assert "file is damaged" in result.err
    assert f"{count:,} new" in result.err


def test_standard_input_is_a_file_too(archiver, archive, monkeypatch):
    data = io.TextIOWrapper(io.BytesIO(TEXT.encode()))
    monkeypatch.setattr(sys, "stdin", data)
    result = archiver("import", "-", "-s", "survival", "--date", "2026-11-18", "--utc")
    assert result.code == 0
    assert "standard input: 3 new" in result.err
    assert imported(archiver)[0]["at"] == "2026-11-18T13:00:00.000000Z"


def test_what_was_exported_can_be_imported_into_another_archive(
    archiver, archive, tmp_path, monkeypatch, open_writer
):
    path = tmp_path / "lines.ndjson"
    assert archiver("export", "lines", "survival", "-O", str(path)).code == 0
    again = archiver("import", str(path), "-s", "survival")
    assert "0 new of 4 lines, 4 already there" in again.err
    shown = archiver("logs", "survival", "-o", "csv").out
    monkeypatch.setenv("ARCHIVER_DATA_DIR", str(tmp_path / "other"))
    assert archiver("db", "upgrade").code == 0
    _register(tmp_path / "other")
    result = archiver("import", str(path), "-s", "survival")
    assert result.code == 0
    assert "4 new of 4 lines" in result.err
    assert "its first replay may repeat" in result.err
    columns = [0, 1, 4, 5, 6, 7, 8, 10, 11, 12]

    def comparable(csv: str) -> list[list[str]]:
        return [[row.split(",")[n] for n in columns] for row in csv.splitlines() if row]

    moved = archiver("logs", "survival", "-o", "csv").out
    assert comparable(moved) == comparable(shown)
    assert [row.split(",")[9] for row in moved.splitlines()[1:]] == ["import"] * 4


def _register(data_dir: Path) -> None:
    from archiver.store.writer import Writer  # noqa: PLC0415  # beside its use

    with Writer.open(f"sqlite:///{data_dir}/archive.db", data_dir, now=1) as writer:
        writer.register(
            panel_origin="https://panel.example",
            panel_name="main",
            uuid="1a2b3c4d-0000-4000-8000-000000000000",
            identifier="1a2b3c4d",
            name="Survival",
            node="node1",
            seen_at=1,
        )


def test_what_is_too_recent_or_without_times_is_explained(archiver, archive, log, tmp_path):
    log.write_text("[23:00:00 INFO]: later\n")
    result = archiver("import", str(log), "-s", "survival", "--utc")
    assert result.code == 0
    assert "0 new of 1 lines, 1 too recent" in result.err
    assert "import again later" in result.err
    plain = tmp_path / "plain.log"
    plain.write_text("no time\n")
    os.utime(plain, (1_790_000_000, 1_790_000_000))
    result = archiver("import", str(plain), "-s", "survival", "--utc")
    assert f"{plain}: no line claims a time; all are dated by the file (?)" in result.err


def test_a_bar_is_shown_on_a_terminal_only(archiver, archive, log, request):
    log.write_text("".join(f"[12:00:00 INFO]: {n}\n" for n in range(12_000)))
    result = archiver("import", str(log), "-s", "survival", "--utc")
    assert "%" not in result.err
    request.getfixturevalue("terminal")
    log.write_text("".join(f"[12:00:01 INFO]: {n}\n" for n in range(12_000)))
    result = archiver("import", str(log), "-s", "survival", "--utc")
    assert result.code == 0
    assert re.search(r"\d+%", result.err)
    assert "lines/s" in result.err
    assert "12,000 new" in result.err


def test_control_characters_in_names_do_not_reach_a_terminal(archiver, archive, tmp_path):
    path = tmp_path / "evil\x1b[2J.log"
    path.write_text("2026-11-18 12:00:00 INFO x\n")
    result = archiver("import", str(path), "-s", "survival", "--utc")
    assert result.code == 0
    assert "\x1b" not in result.err
    assert main(["import", "--help"]) == 0
