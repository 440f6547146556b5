import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from archiver.store.revision import REVISION


def test_an_archive_is_made_and_says_its_revision(archiver, tmp_path):
    where = ("--data-dir", str(tmp_path / "new"))
    assert archiver(*where, "db", "current").code == 3
    assert archiver(*where, "db", "upgrade") == (
        0,
        "",
        f"the archive is at revision {REVISION}\n",
    )
    assert archiver(*where, "db", "current") == (0, f"{REVISION}\n", "")
    assert archiver(*where, "logs").code == 1


def test_another_revision_is_told_with_what_to_do(archiver, archive):
    connection = sqlite3.connect(archive / "archive.db")
    connection.execute("UPDATE alembic_version SET version_num = 'abcd'")
    connection.commit()
    connection.close()
    found = archiver("db", "current")
    assert (found.code, found.out) == (1, "abcd\n")
    assert "archiver db upgrade" in found.err
    refused = archiver("logs")
    assert refused.code == 3
    assert "'abcd'" in refused.err
    assert repr(REVISION) in refused.err
    assert "archiver db upgrade" in refused.err


@pytest.fixture
def whole(archive: Path) -> Path:
    """The archive with what is not there in other tests: its streams would go on wrongly."""
    execute(
        archive,
        "INSERT INTO runs (id, server_id, first_seen_at, noticed) VALUES (3, 2, 1, 'first')",
        "INSERT INTO connections (id, server_id, opened_at, lines_live, lines_recovered,"
        " lines_repeated, renewals) VALUES (3, 2, 1, 0, 0, 0, 0)",
        "UPDATE lines SET connection_id = server_id + 1 WHERE run_id > 1",
        "UPDATE counters SET value = 3 WHERE name IN ('run', 'connection', 'gap')",
    )
    return archive


def execute(archive: Path, *statements: str) -> None:
    with closing(sqlite3.connect(archive / "archive.db")) as connection:
        for statement in statements:
            connection.execute(statement)
        connection.commit()


def test_an_archive_that_is_whole_is_said_to_be_so_check_by_check(archiver, whole):
    result = archiver("db", "verify")
    assert (result.code, result.err) == (0, "all 15 checks passed\n")
    lines = result.out.splitlines()
    assert len(lines) == 15
    assert all(line.startswith("ok      ") for line in lines)
    assert "ok      places: each of 5 lines of 2 servers has a place of its own" in lines


def test_a_fault_is_told_with_where_it_is_and_what_to_do_and_exit_code_7(archiver, whole, evil):
    execute(whole, "UPDATE gaps SET lower = -1", "UPDATE streams SET next_seq = 0")
    result = archiver("db", "verify")
    assert result.code == 7
    assert result.err.startswith("Error: 2 of 15 checks failed\n  where: /")
    failed = [line for line in result.out.splitlines() if not line.startswith("ok ")]
    assert failed[:2] == [
        "FAILED  gaps: gap 1 misses at least -1, likely ?, at most ? lines (and 1 more)",
        "        where: server 'Survival'",
    ]
    assert failed[2].startswith("        do:    keep a copy and report")
    assert failed[3].startswith("FAILED  streams: next seq is 0, but there is 42")
    assert len(failed) == 6


def test_programs_get_one_object_for_each_check(archiver, whole):
    execute(whole, "UPDATE gaps SET lower = -1 WHERE id = 1")
    result = archiver("db", "verify", "-o", "ndjson")
    rows = {row["check"]: row for row in map(json.loads, result.out.splitlines())}
    assert (result.code, len(rows)) == (7, 15)
    assert rows["frames"] == {
        "check": "frames",
        "ok": True,
        "found": 0,
        "what": "no replay is left unresolved by a collector that ended",
        "where": None,
        "do": None,
    }
    assert (rows["gaps"]["ok"], rows["gaps"]["found"]) == (False, 1)
    assert rows["gaps"]["where"] == "server 'Survival'"


def test_names_of_strangers_do_not_act_on_the_terminal(archiver, whole, terminal):
    execute(whole, "UPDATE streams SET next_seq = 0 WHERE server_id = 2")
    result = archiver("db", "verify")
    assert "evil" in result.out
    assert not set("\x1b\x07\x9b\u202e\u2028") & set(result.out)


def test_a_bar_is_for_terminals_and_leaves_nothing_behind(archiver, whole, terminal):
    result = archiver("db", "verify")
    assert "[####################] 100%  lines at their places" in result.err
    assert result.err.endswith("\r\x1b[2Kall 15 checks passed\n")
    assert max(map(len, result.err.split("\r\x1b[2K"))) < 80
    assert "\r" not in result.out


def test_colours_are_for_terminals_and_by_force(archiver, whole, monkeypatch):
    assert "\x1b" not in archiver("db", "verify").out
    monkeypatch.setenv("CLICOLOR_FORCE", "1")
    assert archiver("db", "verify").out.startswith("\x1b[32mok\x1b[0m      database: ")


def test_there_is_nothing_to_verify_without_an_archive(archiver, tmp_path):
    result = archiver("--data-dir", str(tmp_path / "none"), "db", "verify")
    assert (result.code, result.out) == (3, "")
