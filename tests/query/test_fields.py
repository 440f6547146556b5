import pytest

from archiver.console.records import Source
from archiver.query import fields


def test_each_source_has_a_name():
    assert sorted(fields.SOURCES.values()) == sorted(Source)


def test_levels_rise():
    assert list(fields.LEVELS.values()) == sorted(fields.LEVELS.values())
    assert max(fields.LEVELS.values()) < fields.MOST_SEVERE
    assert set(fields.OTHER_NAMES_OF_LEVELS.values()) <= set(fields.LEVELS)


@pytest.mark.parametrize(
    ("name", "fits"),
    [
        ("1a2b3c4d", True),
        ("1A2B3C4D", True),
        ("my survival", True),
        ("MY SURVIVAL", True),
        ("my*", True),
        ("*survival", True),
        ("1a2b?c4d", True),
        ("[lm]y survival", True),
        ("survival", False),
        ("my surviva", False),
        ("my survival ", False),
        ("1a2b", False),
    ],
)
def test_a_server_is_named_by_identifier_name_or_glob(name, fits):
    assert fields.server_test(name)("1a2b3c4d", "My Survival") is fits


def test_a_server_whose_name_looks_like_a_glob_can_be_named():
    assert fields.server_test("[EU] Survival")("1a2b3c4d", "[EU] Survival")


def test_capitals_of_an_identifier_do_not_count():
    assert fields.server_test("de305d54")("DE305D54", "My Survival")


def test_names_with_odd_capitals_fit():
    assert fields.server_test("istanbul*")("1a2b3c4d", "İSTANBUL 1")
