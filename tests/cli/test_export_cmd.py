import csv
import json

import pytest


def test_lines_go_to_standard_output(archiver, archive):
    result = archiver("export", "lines")
    assert result.code == 0
    assert [json.loads(line)["at"][14:19] for line in result.out.splitlines()] == [
        "00:00", "00:00", "00:01", "02:40", "02:41",
    ]  # fmt: skip
    assert result.err == "5 lines; 1 known gap among them, see 'archiver gaps'\n"


@pytest.mark.parametrize("option", ["-o", "--format", "--output"])
def test_lines_go_to_a_file(archiver, archive, tmp_path, option):
    path = tmp_path / "lines.csv"
    result = archiver("export", "lines", "-s", "survival", option, "csv", "-O", str(path))
    assert (result.code, result.out) == (0, "")
    assert result.err.startswith(f"4 lines to {path};")
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["text"] for row in rows][1:] == ["Done", "Notch joined the game", "Notch left"]


def test_a_file_that_exists_is_kept_until_forced(archiver, archive, tmp_path):
    path = tmp_path / "lines"
    path.write_text("mine", encoding="utf-8")
    refused = archiver("export", "lines", "-O", str(path))
    assert refused.code == 2
    assert "--force" in refused.err
    assert path.read_text(encoding="utf-8") == "mine"
    assert archiver("export", "lines", "-O", str(path), "--force").code == 0
    assert path.read_text(encoding="utf-8").startswith("{")


def test_filters_choose_lines(archiver, archive):
    def count(*arguments: str) -> int:
        return len(archiver("export", "lines", "--utc", *arguments).out.splitlines())

    assert count("-n", "2") == 2
    assert count("-S", "2026-11-19 14:02") == 2
    assert count("-U", "2026-11-19 14:02", "survival") == 2
    assert count("--source", "replay") == 1


def test_nothing_to_export_is_exit_code_1(archiver, archive):
    assert archiver("export", "lines", "-S", "2030-01-01").code == 1
