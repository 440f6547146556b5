import pytest

from archiver.store.where import Where, pattern


def test_without_conditions_there_is_no_clause():
    where = Where().least("a", None).among("b", None)
    assert (str(where), where.parameters) == ("", [])


def test_conditions_are_all_demanded_with_their_parameters_in_order():
    where = Where().least("a", 3).among("b", [1, 2]).add("c = ? OR d = ?", 5, 6)
    assert str(where) == " WHERE a >= ? AND b IN (?, ?) AND c = ? OR d = ?"
    assert where.parameters == [3, 1, 2, 5, 6]


def test_of_no_values_none_is_one():
    assert str(Where().among("a", [])) == " WHERE 1 = 0"


@pytest.mark.parametrize(
    ("literal", "found"),
    [
        ("lost", "%lost%"),
        ("100%", r"%100\%%"),
        ("a_b", r"%a\_b%"),
        ("\\", r"%\\%"),
        ("x" * 60_000, f"%{'x' * 1_000}%"),
    ],
)
def test_what_is_special_in_a_pattern_stands_for_itself(literal, found):
    assert pattern(literal) == found
