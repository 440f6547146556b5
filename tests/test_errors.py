import inspect
import re

import pytest

from archiver import errors

CODES = {
    errors.ArchiverError: 70,
    errors.UsageError: 2,
    errors.ConfigError: 3,
    errors.StoreError: 3,
    errors.SchemaOutOfDateError: 3,
    errors.CollectorRunningError: 3,
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
def test_each_error_has_its_exit_code_and_one_sentence_of_three_parts(kind):
    error = kind("it happened", where="here", do="that")
    assert error.exit_code == CODES[kind]
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
