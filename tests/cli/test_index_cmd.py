import json
import shutil

import pytest

from archiver.index.lock import UpdateLock

pytestmark = pytest.mark.usefixtures("archive")


def test_update_seals_and_status_shows_it(archiver):
    assert "0 lines are sealed in 0 partitions, 5 are not yet" in archiver("index", "status").err
    assert archiver("index", "update").err == "5 new lines sealed\n"
    assert archiver("index", "update").err == "0 new lines sealed\n"
    shown = archiver("index", "status", "-o", "ndjson")
    (row,) = map(json.loads, shown.out.splitlines())
    assert row["lines"] == 5
    assert row["bytes"] > 0
    assert row["earliest_at"].startswith("2026-11-19T14:00:00")
    assert "5 lines are sealed in 1 partition, 0 are not yet" in shown.err


def test_few_new_lines_wait_if_asked_to(archiver):
    assert archiver("index", "update", "--least", "6").err == "0 new lines sealed\n"


def test_damage_is_found_by_verify_and_mended_by_update(archiver, data_dir):
    archiver("index", "update")
    assert archiver("index", "verify").code == 0
    assert "5 lines are found by each of their words" in archiver("index", "verify", "--full").err
    for path in (data_dir / "index").iterdir():
        if path.is_dir():
            shutil.rmtree(path)
    assert "1 partition cannot be used" in archiver("index", "status").err
    result = archiver("index", "verify", "--full")
    assert result.code == 7
    assert "archiver index update" in result.err
    assert archiver("index", "update").err == (
        "0 new lines sealed, 5 sealed again, 1 damaged partition mended\n"
    )
    assert archiver("index", "verify", "--full").code == 0
    assert "Warning" not in archiver("index", "status").err


def test_rebuild_makes_it_anew(archiver):
    archiver("index", "update")
    assert archiver("index", "rebuild", "--jobs", "1").err == (
        "0 new lines sealed, 5 sealed again\n"
    )
    assert archiver("index", "verify", "--full").code == 0


def test_index_that_is_deleted_costs_nothing_but_time(archiver, data_dir):
    archiver("index", "update")
    shutil.rmtree(data_dir / "index")
    result = archiver("search", "notch", "--count")
    assert result.out == "2\n"


def test_what_another_process_changes_is_left_to_it(archiver, data_dir):
    lock = UpdateLock(data_dir / "index")
    result = archiver("index", "update")
    lock.release()
    assert result.code == 3
    assert "another process updates the index" in result.err


@pytest.mark.usefixtures("terminal")
def test_a_bar_is_shown_on_a_terminal(archiver):
    assert "sealing" in archiver("index", "update").err
