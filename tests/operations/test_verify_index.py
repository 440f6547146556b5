"""A line that a search would miss is found, and deleted lines are no fault."""

import json
from random import Random

import pytest

from archiver.operations.verify_index import verify_index
from archiver.store.database import Database


@pytest.fixture
def verify(reader, index_dir):
    return lambda **given: verify_index(reader, index_dir, **given)


@pytest.fixture
def execute(archive_url):
    """Change the archive behind the index's back."""

    def run(sql: str) -> None:
        database = Database.open(archive_url)
        with database.begin() as connection:
            connection.exec_driver_sql(sql)
        database.close()

    return run


@pytest.fixture
def sealed(fill, seal):
    fill(*((server, seq, f"word{seq} of {server}") for seq in range(300) for server in ("a", "b")))
    fill(("a", -7, "late"))
    seal()


@pytest.mark.parametrize("full", [True, False])
def test_whole_index_has_no_faults(sealed, verify, full):
    told = []
    found = verify(full=full, watch=lambda *done: told.append(done))
    assert (found.faults, found.partitions) == ([], 1)
    assert found.lines == 601 if full else found.lines > 900
    assert told[-1:] == ([(601, 601)] if full else [])


def test_line_with_a_word_that_the_index_lacks_is_named(sealed, verify, execute):
    execute("UPDATE lines SET text = 'changed' WHERE seq = 77 AND server_id = 2")
    found = verify(full=True)
    (fault,) = found.faults
    assert fault.startswith("a search would miss seq 77 of 'Lobby b'")


def test_sample_finds_what_is_wrong_everywhere(sealed, verify, execute):
    execute("UPDATE lines SET text = 'changed'")
    assert verify(full=False, random=Random(1)).faults


def test_line_outside_of_all_blocks_is_counted(sealed, verify, execute):
    execute("UPDATE lines SET seq = 5000 WHERE seq = 299 AND server_id = 1")
    assert "1 lines are in no block" in verify(full=True).faults[-1]


def test_deleted_lines_are_no_fault(sealed, verify, execute):
    execute("DELETE FROM lines WHERE seq BETWEEN 20 AND 200")
    assert verify(full=True).faults == []
    assert verify(full=False).faults == []


def test_damaged_files_are_a_fault(sealed, verify, execute, reader):
    (row,) = reader.partitions().rows()
    wrong = {name: [size + 1, crc] for name, (size, crc) in row.described().items()}
    execute(f"UPDATE partitions SET files = '{json.dumps(wrong)}'")
    (fault,) = verify(full=True).faults
    assert "were written" in fault


def test_index_that_is_not_there_has_no_faults(fill, verify):
    fill(("a", 1, "x"))
    found = verify(full=True)
    assert (found.partitions, found.lines, found.faults) == (0, 0, [])
