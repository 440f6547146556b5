from datetime import UTC

import pytest

from archiver.cli.line_printer import LinePrinter, count_lost
from archiver.store.rows import GapRow

DAY = 86_400_000_000
PRINTER = LinePrinter(zone=UTC, names=False, ansi="strip", bare=False, colour=False)


@pytest.mark.parametrize(
    ("lower", "upper", "words"),
    [
        (1, 1, "1 line"),
        (7, 7, "7 lines"),
        (12, None, "at least 12 lines"),
        (1, 30, "at least 1 line, at most 30"),
        (0, 30, "at most 30 lines"),
        (0, 0, "0 lines"),
        (0, None, "unknown number of lines"),
    ],
)
def test_a_gap_says_what_is_known_of_its_size(lower, upper, words):
    assert count_lost(lower, upper) == words


@pytest.mark.parametrize(
    ("from_at", "to_at", "words"),
    [
        (0, 1_000_000, "00:00:00 to 00:00:01"),
        (0, DAY, "1970-01-01 00:00:00 to 1970-01-02 00:00:00"),
        (None, DAY, "until 1970-01-02 00:00:00"),
    ],
)
def test_a_gap_says_when(from_at, to_at, words):
    row = GapRow(1, 1, None, 1, 2, from_at, to_at, "why\x1b", 0, None, None, None, "a", "b")
    assert PRINTER.gap(row) == f"-- gap: unknown number of lines, {words}, why\\u001b --\n"
