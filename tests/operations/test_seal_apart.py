"""Ranges that several processes write side by side."""

import pytest

from archiver.operations.seal_apart import Range, written


@pytest.fixture
def write_apart(fill, archive_url, index_dir, now):
    """Write five partitions of 6,000 lines each, two at a time."""
    fill(*(("u1", seq, f"line {seq}") for seq in range(30_000)))
    ranges = [Range(first, first + 5_999, (first,)) for first in range(1, 30_001, 6_000)]

    def begin(watch=lambda _: None):
        return written(archive_url, index_dir, ranges, workers=2, clock=lambda: now, watch=watch)

    return begin


@pytest.mark.parametrize("archive_url", ["sqlite"], indirect=True)
def test_all_ranges_are_written_and_what_was_read_is_told(write_apart):
    told: list[int] = []
    made = list(write_apart(told.append))
    assert sorted(files.first_id for files, _ in made) == [1, 6001, 12001, 18001, 24001]
    assert all(files.lines == 6_000 for files, _ in made)
    assert all(replaced == (files.first_id,) for files, replaced in made)
    assert told == sorted(told)
    assert told[-1] == 30_000


@pytest.mark.parametrize("archive_url", ["sqlite"], indirect=True)
def test_whoever_is_interrupted_does_not_wait_for_what_has_not_begun(write_apart, index_dir):
    def interrupt(_):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        next(write_apart(interrupt))

    # No more than the two that were at work: neither is a third there, nor half of one.
    assert len(list(index_dir.glob("[0-9]*"))) <= 2
    assert list(index_dir.glob(".*")) == []
