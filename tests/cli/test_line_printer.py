from dataclasses import replace
from datetime import UTC

import pytest

from archiver.cli.line_printer import LinePrinter, count_lost
from archiver.console.records import AtKind, Flag
from archiver.operations.follow import LateRow
from archiver.store.rows import GapRow, LineRow

DAY = 86_400_000_000
PRINTER = LinePrinter(zone=UTC, names=False, ansi="strip", bare=False, colour=False)
LINE = LineRow(1, 1, 7, None, 1, 1, 0, 1, 0, None, None, None, None, 0, "text", None, "a", "b")


@pytest.mark.parametrize(
    ("lower", "upper", "expected", "words"),
    [
        (1, 1, None, "1"),
        (7, 7, 7, "7"),
        (0, 0, 0, "0"),
        (12, None, None, "at least 12"),
        (12, None, 12, "at least 12"),
        (0, 3, None, "up to 3"),
        (0, 3, 3, "up to 3"),
        (1, 30, None, "1 to 30"),
        (1, 30, 30, "1 to 30"),
        (0, None, None, "unknown how many"),
        (0, None, 0, "unknown how many"),
        (0, None, 40, "about 40"),
        (12, None, 40, "about 40, at least 12"),
        (0, 150, 40, "about 40, up to 150"),
        (1, 150, 40, "about 40, 1 to 150"),
    ],
)
def test_a_gap_says_what_is_known_of_its_size(lower, upper, expected, words):
    assert count_lost(lower, upper, expected) == words


@pytest.mark.parametrize(
    ("lower", "upper", "words"),
    [
        (1, 1, "1 line"),
        (11, 11, "11 lines"),
        (1, None, "at least 1 line"),
        (0, None, "unknown how many lines"),
        (0, 0, "0 lines"),
    ],
)
def test_a_gap_among_lines_says_what_it_counts(lower, upper, words):
    row = GapRow(1, 1, None, 1, 2, 0, 0, "why", lower, upper, None, None, "a", "b")
    assert PRINTER.gap(row) == f"-- gap: {words}, 00:00:00 to 00:00:00, why --\n"


@pytest.mark.parametrize(
    ("at_kind", "flags", "mark"),
    [
        (AtKind.OBSERVED, 0, " "),
        (AtKind.OBSERVED, Flag.ASCII | Flag.TRUNCATED, " "),
        (AtKind.CLAIMED, 0, " "),
        (AtKind.BEFORE, Flag.ASCII, "~"),
        (AtKind.BEFORE, Flag.ASCII | Flag.UNCERTAIN, "?"),
        (AtKind.OBSERVED, Flag.UNCERTAIN, "?"),
    ],
)
def test_a_mark_behind_the_time_says_how_a_line_is_known(at_kind, flags, mark):
    row = LINE._replace(at_kind=at_kind, flags=flags)
    assert PRINTER.line(row) == f"1970-01-01 00:00:00.000{mark} text\n"
    assert PRINTER.line(LateRow(*row)) == f"1970-01-01 00:00:00.000{mark}^ text\n"


def test_what_was_found_is_in_colour():
    spans = {"text": [(0, 2), (3, 4)]}.__getitem__
    printer = replace(PRINTER, spans=spans, colour=True)
    assert "\x1b[91m\x1b[1mte\x1b[0mx\x1b[91m\x1b[1mt\x1b[0m\n" in printer.line(LINE)
    assert "\x1b" not in replace(printer, colour=False).line(LINE)


def test_a_seq_stands_before_the_text():
    printer = replace(PRINTER, names=True, seqs=True)
    assert printer.line(LINE) == "1970-01-01 00:00:00.000  [b] 7 text\n"


def test_one_line_can_be_pointed_at_in_a_margin():
    printer = replace(PRINTER, marked=frozenset({(LINE.server_id, 7)}))
    gap = GapRow(1, 1, None, 1, 2, 0, 0, "why", 1, 1, None, None, "a", "b")
    assert printer.line(LINE).startswith("> 1970")
    assert printer.line(LINE._replace(seq=8)).startswith("  1970")
    assert printer.gap(gap).startswith("  -- gap")
    assert replace(printer, bare=True).line(LINE) == "text\n"


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
    assert PRINTER.gap(row) == f"-- gap: unknown how many lines, {words}, why\\u001b --\n"
