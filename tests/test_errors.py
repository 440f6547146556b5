import inspect
import re

import pytest

from archiver import errors

CODES = {
    errors.ArchiverError: 70,
    errors.UsageError: 2,
    errors.QuerySyntaxError: 2,
    errors.ConfigError: 3,
    errors.StoreError: 3,
    errors.SchemaOutOfDateError: 3,
    errors.CollectorRunningError: 3,
    errors.IndexUnavailableError: 3,
    errors.AuthError: 4,
    errors.IncompleteError: 5,
    errors.RemoteError: 6,
    errors.CheckFailedError: 7,
}


def test_every_error_is_in_the_table_and_in_the_drawing():
    there = {kind for _, kind in inspect.getmembers(errors, inspect.isclass)}
    drawn = re.findall(r"^\s*[*+-] (\w+)\s+(\d)?", errors.__doc__ or "", re.MULTILINE)
    assert there == set(CODES)
    assert {name for name, _ in drawn} == {kind.__name__ for kind in there}
    for name, code in drawn:
        assert not code or CODES[getattr(errors, name)] == int(code)


@pytest.mark.parametrize("kind", CODES, ids=lambda kind: kind.__name__)
def test_each_error_has_its_exit_code(kind):
    assert kind.exit_code == CODES[kind]


@pytest.mark.parametrize(
    "kind",
    [kind for kind in CODES if kind is not errors.QuerySyntaxError],
    ids=lambda kind: kind.__name__,
)
def test_each_error_has_one_sentence_of_three_parts(kind):
    error = kind("it happened", where="here", do="that")
    assert str(error) == "it happened\n  where: here\n  do:    that"
    assert (error.what, error.where, error.do) == ("it happened", "here", "that")


@pytest.mark.parametrize(
    ("parts", "text"),
    [
        ({}, "it happened"),
        ({"where": "here"}, "it happened\n  where: here"),
        ({"do": "that"}, "it happened\n  do:    that"),
    ],
)
def test_parts_that_are_not_known_are_left_out(parts, text):
    assert str(errors.ArchiverError("it happened", **parts)) == text


def test_an_error_in_a_query_shows_where():
    error = errors.QuerySyntaxError("it happened", query="a\tlevel:b", column=8, do="that")
    assert str(error) == (
        "it happened\n"
        "  query: a level:b\n"
        "                 ^ column 8\n"
        "  do:    that"
    )  # fmt: skip
    assert (error.query, error.column, error.where) == ("a\tlevel:b", 8, "column 8")


def test_an_error_shows_the_part_of_a_long_query_that_it_is_about():
    error = errors.QuerySyntaxError("it happened", query=f"{'a' * 500} x", column=501, do="that")
    _, query, place, _ = str(error).splitlines()
    assert query.endswith("a x")
    assert place == f"{' ' * (len(query) - 1)}^ column 501"
    assert len(query) < 80
