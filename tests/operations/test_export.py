import csv
import io
import json
import os
import stat
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archiver import errors
from archiver.console.records import AtKind, Source
from archiver.operations.export import (
    COLUMNS,
    SOURCES,
    values,
    whole_file,
    write_lines,
    write_records,
)
from archiver.store.rows import LineRow

ROW = LineRow(
    id=1,
    server_id=1,
    seq=65_536,
    run_id=7,
    batch=1,
    source=Source.REPLAY,
    at=1_795_096_800_000_001,
    at_kind=AtKind.BEFORE,
    observed_at=1_795_096_800_000_001,
    earliest_at=1_795_096_799_000_000,
    timestamp=None,
    level=17,
    thread=None,
    flags=0,
    text='say "hi", all',
    raw=None,
    identifier="1a2b3c4d",
    server_name="Survival",
)
TEXTS = st.text(st.characters(codec="utf-8"))


def test_ndjson_is_the_public_interface():
    file = io.StringIO()
    assert write_lines([ROW], "ndjson", file) == 1
    assert file.getvalue() == (
        '{"server": "1a2b3c4d", "server_name": "Survival", "seq": 65536, "run": 7, '
        '"observed_at": "2026-11-19T14:00:00.000001Z", '
        '"earliest_at": "2026-11-19T13:59:59.000000Z", "timestamp": null, '
        '"at": "2026-11-19T14:00:00.000001Z", "at_kind": "before", "source": "replay", '
        '"level": "error", "text": "say \\"hi\\", all", "raw": null}\n'
    )


def test_csv_has_the_same_columns():
    file = io.StringIO(newline="")
    assert write_lines([ROW], "csv", file) == 1
    assert file.getvalue() == (
        ",".join(COLUMNS) + "\r\n"
        "1a2b3c4d,Survival,65536,7,2026-11-19T14:00:00.000001Z,2026-11-19T13:59:59.000000Z,,"
        '2026-11-19T14:00:00.000001Z,before,replay,error,"say ""hi"", all",\r\n'
    )


def test_each_time_has_its_own_column():
    row = ROW._replace(observed_at=1, earliest_at=2, timestamp=3, at=4)
    record = dict(zip(COLUMNS, map(str, values(row)), strict=True))
    names = ("observed_at", "earliest_at", "timestamp", "at")
    assert [record[name][-3:] for name in names] == ["01Z", "02Z", "03Z", "04Z"]


@pytest.mark.parametrize("source", Source)
@pytest.mark.parametrize("at_kind", AtKind)
def test_every_source_and_kind_has_a_word(source, at_kind):
    record = dict(zip(COLUMNS, values(ROW._replace(source=source, at_kind=at_kind)), strict=True))
    assert record["source"] == SOURCES[source]
    assert record["at_kind"] == at_kind.name.lower()


@pytest.mark.parametrize(
    ("level", "word"),
    [(None, None), (1, "trace"), (4, "trace"), (5, "debug"), (9, "info"), (16, "warn"),
     (17, "error"), (21, "fatal"), (24, "fatal"), (0, "trace"), (99, "fatal")],
)  # fmt: skip
def test_levels_are_the_words_of_opentelemetry(level, word):
    assert values(ROW._replace(level=level))[COLUMNS.index("level")] == word


def test_words_are_those_of_the_archive_s_own_views(sqlite_url):
    """One word for one thing: v_lines is public as well."""
    import sqlite3  # noqa: PLC0415  # to look at the views as a stranger would

    path = sqlite_url.removeprefix("sqlite:///")
    with sqlite3.connect(path) as connection:
        (sql,) = connection.execute(
            "SELECT sql FROM sqlite_schema WHERE name = 'v_lines'"
        ).fetchone()
    connection.close()
    for number, word in SOURCES.items():
        assert f"WHEN {int(number)} THEN '{word}'" in sql
    for level in (1, 5, 9, 13, 17, 21):
        assert f"'{values(ROW._replace(level=level))[COLUMNS.index('level')]}'" in sql


@given(st.lists(st.tuples(TEXTS, TEXTS)))
def test_csv_is_faithful(rows):
    file = io.StringIO(newline="")
    write_records(("a", "b"), rows, "csv", file)
    assert list(map(tuple, csv.reader(io.StringIO(file.getvalue(), newline="")))) == [
        ("a", "b"),
        *rows,
    ]


@given(st.lists(st.tuples(st.text(), st.text() | st.none() | st.integers())))
def test_ndjson_is_faithful_one_line_each_and_safe_to_look_at(rows):
    file = io.StringIO()
    assert write_records(("a", "b"), rows, "ndjson", file) == len(rows)
    lines = file.getvalue().splitlines()
    assert [tuple(json.loads(line).values()) for line in lines] == rows
    assert not any(0x7F <= ord(each) < 0xA0 for each in file.getvalue())


def test_a_file_appears_when_it_is_whole(tmp_path):
    path = tmp_path / "lines.ndjson"
    with whole_file(path, force=False) as file:
        file.write("one\n")
        assert not path.exists()
    assert path.read_text(encoding="utf-8") == "one\n"
    assert [each.name for each in tmp_path.glob("*lines*")] == ["lines.ndjson"]


@pytest.mark.parametrize("before", [None, "old"])
def test_after_an_error_everything_is_as_before(tmp_path, before):
    path = tmp_path / "lines.ndjson"
    if before:
        path.write_text(before, encoding="utf-8")

    def fail() -> None:
        with whole_file(path, force=True) as file:
            file.write("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert (path.read_text(encoding="utf-8") if path.exists() else None) == before
    assert len(list(tmp_path.glob("*lines*"))) == bool(before)


def test_a_file_that_exists_is_written_over_only_by_force(tmp_path):
    path = tmp_path / "lines.ndjson"
    path.write_text("old", encoding="utf-8")
    with pytest.raises(errors.UsageError, match="exists already"), whole_file(path, force=False):
        pass
    assert path.read_text(encoding="utf-8") == "old"
    with whole_file(path, force=True) as file:
        file.write("new")
    assert path.read_text(encoding="utf-8") == "new"


def test_a_link_stays_a_link(tmp_path):
    (tmp_path / "real").write_text("old", encoding="utf-8")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    with whole_file(tmp_path / "link", force=True) as file:
        file.write("new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real").read_text(encoding="utf-8") == "new"


def test_a_pipe_is_written_to_as_it_is(tmp_path):
    path = tmp_path / "pipe"
    os.mkfifo(path)
    found: list[str] = []
    reader = threading.Thread(target=lambda: found.append(path.read_text(encoding="utf-8")))
    reader.start()
    with whole_file(path, force=False) as file:
        file.write("through")
    reader.join()
    assert found == ["through"]
    assert stat.S_ISFIFO(path.stat().st_mode)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("no/lines", "No such file or directory"),
        ("file/lines", "Not a directory"),
        ("loop/lines", "Too many levels of symbolic links"),
        ("loop", "Too many levels of symbolic links"),
        ("x" * 300, "File name too long"),
        ("x" * 250, "File name too long"),  # no room for what it is called until it is whole
    ],
)
def test_a_place_that_cannot_be_reached_is_a_usage_error(tmp_path, name, said):
    (tmp_path / "file").touch()
    (tmp_path / "loop").symlink_to("loop")

    with (
        pytest.raises(errors.UsageError, match=said) as caught,
        whole_file(tmp_path / name, force=False),
    ):
        pass
    assert caught.value.where == str(tmp_path / name)
    assert caught.value.do == "name a file in a directory that you may write to"


def test_a_directory_is_told_as_one(tmp_path):
    with (
        pytest.raises(errors.UsageError, match="Is a directory") as caught,
        whole_file(tmp_path, force=True),
    ):
        pass
    assert caught.value.do == "name a file in it"


def test_a_full_disk_is_an_incomplete_result():
    with (
        pytest.raises(errors.IncompleteError, match="No space left"),
        whole_file(Path("/dev/full"), force=False) as file,
    ):
        file.write("x")


def test_what_utf_8_cannot_hold_is_written_as_its_number(tmp_path):
    path = tmp_path / "lines.csv"
    with whole_file(path, force=False) as file:
        write_records(("a",), [("\udc80",)], "csv", file)
    assert path.read_bytes() == b"a\r\n\\udc80\r\n"
