from datetime import UTC

import pytest

from archiver.cli.listing import print_lines
from archiver.cli.options import LineStyle
from archiver.store.rows import GapRow, LineRow

LINE = LineRow(1, 1, 7, None, 1, 1, 0, 1, 0, None, None, None, None, 0, "text", None, "a", "b")
GAP = GapRow(1, 1, None, 1, 2, 0, 0, "why", 1, 1, None, None, "a", "b")
TOLD = "-- gap: 1 line, 00:00:00 to 00:00:00, why --"


def show(kind: str, **how) -> int | None:
    style = LineStyle(UTC, kind)
    return print_lines([LINE, GAP, LINE], style, environ={}, names=False, **how)


def test_text_has_gaps_among_its_lines(capsys):
    assert show("text") == 2
    assert capsys.readouterr() == (
        f"1970-01-01 00:00:00.000  text\n{TOLD}\n1970-01-01 00:00:00.000  text\n",
        "",
    )


@pytest.mark.parametrize(("kind", "lines"), [("raw", 2), ("ndjson", 2), ("csv", 3)])
def test_other_formats_have_lines_alone_and_gaps_are_told(capsys, kind, lines):
    assert show(kind) == 2
    out, err = capsys.readouterr()
    assert (out.count("\n"), err) == (lines, "1 gap among them, see 'archiver gaps'\n")


@pytest.mark.parametrize("kind", ["raw", "ndjson", "csv"])
def test_where_there_is_no_end_a_gap_is_told_when_it_comes(capsys, kind):
    assert show(kind, follows=True) == 2
    assert capsys.readouterr().err == f"{TOLD}\n"
