import pytest

from archiver.operations.compare import Stored, StoredGap, compare_lines

TRUTH = [f"line {number}" for number in range(10)]


def stored(*texts: str) -> list[Stored]:
    """Lines with the seqs 0, 10, 20 and so on."""
    return [Stored(number * 10, text) for number, text in enumerate(texts)]


def test_the_whole_truth_does_not_differ():
    assert compare_lines(stored(*TRUTH), [], TRUTH) == []


def test_an_archive_may_begin_later_than_the_truth():
    assert compare_lines(stored(*TRUTH[4:]), [], TRUTH) == []


@pytest.mark.parametrize(
    ("texts", "what"),
    [
        (TRUTH[:9], "1 lines are missing"),  # the end
        ([*TRUTH[:4], *TRUTH[5:]], "do not stand like this"),  # one in the middle
        ([*TRUTH[:4], TRUTH[3], *TRUTH[4:]], "do not stand like this"),  # one twice
        ([TRUTH[1], TRUTH[0], *TRUTH[2:]], "do not stand like this"),  # two swapped
        ([*TRUTH, "never printed"], "do not stand like this"),
        ([], "nothing is stored"),
    ],
)
def test_what_no_gap_accounts_for_is_a_difference(texts, what):
    (difference,) = compare_lines(stored(*texts), [], TRUTH)
    assert what in difference.what


def test_nothing_of_nothing_is_right():
    assert compare_lines([], [], []) == []


@pytest.mark.parametrize(
    ("lower", "upper", "fits"),
    [(3, 3, True), (0, None, True), (0, 3, True), (4, None, False), (0, 2, False), (0, 0, False)],
)
def test_a_gap_holds_as_many_lines_as_it_says(lower, upper, fits):
    lines = stored(*TRUTH[:4], *TRUTH[7:])
    differences = compare_lines(lines, [StoredGap(30, lower, upper)], TRUTH)
    assert (not differences) is fits


def test_a_gap_at_another_place_accounts_for_nothing():
    lines = stored(*TRUTH[:4], *TRUTH[7:])
    assert compare_lines(lines, [StoredGap(20, 0, None)], TRUTH)


def test_a_gap_behind_the_last_line_accounts_for_the_end():
    lines = stored(*TRUTH[:8])
    assert compare_lines(lines, [StoredGap(70, 2, 2)], TRUTH) == []
    (difference,) = compare_lines(lines, [StoredGap(70, 3, 3)], TRUTH)
    assert difference == ("at the end", "2 lines are missing, and gaps account for 3 to 3")


def test_the_bounds_of_two_gaps_at_one_place_add_up():
    lines = stored(*TRUTH[:4], *TRUTH[7:])
    assert compare_lines(lines, [StoredGap(30, 1, 1), StoredGap(35, 2, 2)], TRUTH) == []
    assert compare_lines(lines, [StoredGap(30, 1, 1), StoredGap(30, 1, 1)], TRUTH)
    assert compare_lines(lines, [StoredGap(30, 1, 1), StoredGap(30, 0, None)], TRUTH) == []


def test_a_gap_before_the_first_line_says_nothing_more():
    assert compare_lines(stored(*TRUTH[4:]), [StoredGap(None, 4, 4)], TRUTH) == []
    assert compare_lines(stored(*TRUTH[4:]), [StoredGap(-5, 1, 1)], TRUTH) == []


def test_lines_repeated_behind_a_gap_are_found():
    lines = stored(*TRUTH[:6], *TRUTH[4:])
    (difference,) = compare_lines(lines, [StoredGap(50, 0, None)], TRUTH)
    assert difference.where == "before line 60"
    assert difference.what.startswith("2 lines are repeated")


def test_a_text_that_repeats_is_read_as_what_is_right():
    truth = ["tick", "tock", "tick", "tick", "tock"]
    lines = stored("tick", "tock", "tick", "tock")
    assert compare_lines(lines, [StoredGap(10, 1, 1)], truth) == []
    assert compare_lines(lines, [StoredGap(10, 0, 0)], truth)
