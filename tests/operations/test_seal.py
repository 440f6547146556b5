"""The index follows the archive: all lines up to a mark are sealed, each in one partition."""

import os
import shutil
import signal
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archiver import errors
from archiver.index.partitions import Index
from archiver.operations import seal as sealing
from archiver.operations.seal import find_neighbours
from archiver.operations.verify_index import verify_index
from archiver.store import partitions
from archiver.store.rows import PartitionRow


@pytest.fixture
def rows(reader):
    return lambda: [(row.first_id, row.last_id, row.lines) for row in reader.partitions().rows()]


@pytest.fixture
def complete(reader, index_dir):
    """Hold every line against the index."""

    def check() -> int:
        found = verify_index(reader, index_dir, full=True)
        assert found.faults == []
        return found.lines

    return check


def numbered(count: int, first: int = 0):
    return [("u1", seq, f"line {seq}") for seq in range(first, first + count)]


def test_update_seals_what_is_new(fill, seal, rows, complete):
    fill(*numbered(10))
    assert seal() == sealing.Sealed(lines=10, again=0, mended=0)
    fill(*numbered(5, 10), ("u2", 0, "other"))
    assert seal().lines == 6
    assert rows() == [(1, 10, 10), (11, 16, 6)]
    assert seal().lines == 0
    assert complete() == 16


def test_few_lines_can_wait(fill, seal, rows):
    fill(*numbered(10))
    assert seal(least=11).lines == 0
    assert rows() == []
    assert seal(least=10).lines == 10


def test_archive_without_lines_has_nothing_to_seal(writer, seal, rows):
    assert seal().lines == 0
    assert rows() == []


def test_neighbours_of_one_size_become_one(fill, seal, rows, complete):
    for number in range(5):
        fill(*numbered(10, 10 * number))
        seal()
    assert rows() == [(1, 40, 40), (41, 50, 10)]
    assert complete() == 50


def test_large_ranges_are_more_than_one_partition(fill, seal, rows, complete, monkeypatch):
    monkeypatch.setattr(sealing, "LARGEST", 10)
    fill(*numbered(25))
    seal()
    assert rows() == [(1, 10, 10), (11, 20, 10), (21, 25, 5)]
    assert complete() == 25


def partition(key: int, lines: int) -> PartitionRow:
    return PartitionRow(key, 0, 0, lines, 1, 0, 0, "", "{}", 0)


def test_a_large_partition_is_not_sealed_again_for_a_few_lines():
    few = [partition(key, 20_000) for key in range(2, 5)]
    assert find_neighbours([partition(1, 900_000), *few]) == ()
    assert len(find_neighbours([partition(1, 60_000), *few])) == 4


@given(st.lists(st.integers(1, 50_000), min_size=1, max_size=400))
def test_there_are_few_partitions_and_lines_are_sealed_seldom(new):
    rows: list[PartitionRow] = []
    again = 0
    for lines in new:
        rows.append(partition(0, lines))
        while found := find_neighbours(rows):
            place = next(n for n, row in enumerate(rows) if row is found[0])
            together = sum(row.lines for row in found)
            again += together
            rows[place : place + len(found)] = [partition(0, together)]
    assert len(rows) <= 24 + 6 * sum(new) / sealing.LARGEST
    assert again <= 12 * sum(new)
    assert all(row.lines <= sealing.LARGEST for row in rows)


def test_rebuild_replaces_all_and_joins_what_is_small(fill, seal, open_sealer, rows, complete):
    for number in range(3):
        fill(*numbered(10, 10 * number))
        seal()
    fill(*numbered(1, 100))
    told = []
    with open_sealer(watch=lambda *done: told.append(done)) as sealer:
        done = sealer.rebuild(workers=2)
    assert (done.lines, done.again) == (1, 30)
    assert rows() == [(1, 30, 30), (31, 31, 1)]
    assert complete() == 31
    assert told[-1] == (1, 1)


def test_interrupted_rebuild_goes_on_where_it_was(
    fill, seal, open_sealer, reader, monkeypatch, *, complete
):
    monkeypatch.setattr(sealing, "LARGEST", 10)
    fill(*numbered(30))
    seal()
    before = {row.first_id: row.id for row in reader.partitions().rows()}

    def interrupt(done, total):
        if done == 20:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), open_sealer(watch=interrupt) as sealer:
        sealer.rebuild()
    between = {row.first_id: row.id for row in reader.partitions().rows()}
    assert [between[first] == before[first] for first in (1, 11, 21)] == [False, True, True]
    assert complete() == 30

    with open_sealer() as sealer:
        assert sealer.rebuild().again == 20
    after = {row.first_id: row.id for row in reader.partitions().rows()}
    assert after[1] == between[1]
    assert not {after[11], after[21]} & set(before.values())
    assert complete() == 30
    with open_sealer() as sealer:
        assert sealer.rebuild().again == 30


def test_rebuild_begins_anew_where_an_update_has_done_what_an_earlier_one_left(
    fill, seal, open_sealer, reader, index_dir
):
    fill(*numbered(10))
    seal()

    def interrupt(done, total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), open_sealer(watch=interrupt) as sealer:
        sealer.rebuild()
    (row,) = reader.partitions().rows()
    shutil.rmtree(index_dir / row.directory)
    assert seal().mended == 1

    with open_sealer() as sealer:
        assert sealer.rebuild().again == 10


def test_one_process_at_a_time_changes_the_index(writer, open_sealer, seal):
    with (
        open_sealer(),
        pytest.raises(errors.IndexUnavailableError, match="another process updates the index"),
    ):
        seal()
    seal()


def test_files_that_nobody_names_are_swept_when_nobody_can_read_them(
    fill, seal, index_dir, *, complete
):
    for number in range(5):
        fill(*numbered(10, 10 * number))
        seal()
    for path in index_dir.iterdir():
        os.utime(path, ns=(0, 0))
    assert len([path for path in index_dir.iterdir() if path.is_dir()]) == 6
    seal()
    assert len([path for path in index_dir.iterdir() if path.is_dir()]) == 2
    assert complete() == 50


def test_a_search_goes_on_with_files_that_were_replaced_long_after_they_were_made(
    fill, seal, open_sealer, reader, index_dir, *, now
):
    fill(*numbered(10))
    seal()
    (row,) = reader.partitions().rows()
    long_ago = (now - 48 * 3_600_000_000) * 1_000
    os.utime(index_dir / row.directory, ns=(long_ago, long_ago))

    with open_sealer() as sealer:
        sealer.rebuild()
    seal()  # sweeps

    assert [each.id for each in reader.partitions().rows()] != [row.id]
    Index(index_dir).open(row.directory, row.described()).close()


UPDATE = """
import sys
from pathlib import Path
from archiver.operations import seal
from archiver.operations.seal import Sealer
seal.LARGEST = 300
number = 0
def clock():
    global number
    number += 1
    return int(sys.argv[3]) + number
with Sealer(sys.argv[1], Path(sys.argv[2]), clock=clock) as sealer:
    print("began", flush=True)
    sealer.update()
    sealer.rebuild()
"""


@pytest.mark.timeout(200)
@pytest.mark.parametrize("kills", [3, pytest.param(50, marks=pytest.mark.slow)])
@pytest.mark.parametrize("archive_url", ["sqlite"], indirect=True)
def test_killed_indexer_is_gone_on_from(
    fill, archive_url, index_dir, rows, *, complete, kills, reader
):
    """At random points: the time until the kill grows from one to the next."""
    for kill in range(kills):
        fill(*numbered(100, 100 * kill))
        with subprocess.Popen(
            [sys.executable, "-c", UPDATE, archive_url, str(index_dir), str(1_000_000 * kill)],
            stdout=subprocess.PIPE,
        ) as process:
            assert process.stdout is not None
            process.stdout.readline()
            try:
                process.wait(timeout=0.01 * (kill % 20))
            except subprocess.TimeoutExpired:
                process.send_signal(signal.SIGKILL)
        complete()
    done = subprocess.run(
        [sys.executable, "-c", UPDATE, archive_url, str(index_dir), "900000000"], check=False
    )
    assert done.returncode == 0
    assert list(partitions.unsealed(reader.partitions().rows(), 100 * kills)) == []
    assert sum(lines for _, _, lines in rows()) == 100 * kills
    assert complete() == 100 * kills
