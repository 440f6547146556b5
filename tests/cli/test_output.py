import io
import sys

import pytest

from archiver.cli import output


def test_what_is_told_keeps_its_lines_and_loses_its_controls(capsys):
    output.tell("one\x1b[2J\n  two\u202e")
    assert capsys.readouterr() == ("", "one\\u001b[2J\n  two\\u202e\n")


def test_only_a_terminal_gets_a_screen(monkeypatch):
    assert output.stdout() is sys.stdout
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    assert output.stdout(keep=True) is sys.stdout
    assert isinstance(output.stdout(), output.Screen)


def test_what_stands_for_standard_output_gets_what_it_would(monkeypatch):
    file = io.StringIO()
    assert output.stdout(file) is file
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    assert output.stdout(file, keep=True) is file
    output.stdout(file).write("\x1b[2J\n")
    assert file.getvalue() == "\\u001b[2J\n"


def test_a_screen_ends_lines_with_line_feeds_only(monkeypatch, capsys):
    output.Screen().write("a\rb\r\n\x1b[2J\n")
    assert capsys.readouterr().out == "a\\u000db\n\\u001b[2J\n"


@pytest.mark.parametrize(
    ("environ", "is_terminal", "coloured"),
    [
        ({}, True, True),
        ({}, False, False),
        ({"NO_COLOR": "1", "CLICOLOR_FORCE": "1"}, True, False),
        ({"NO_COLOR": ""}, True, True),
        ({"CLICOLOR_FORCE": "1"}, False, True),
        ({"CLICOLOR_FORCE": "0"}, False, False),
        ({"TERM": "dumb"}, True, False),
    ],
)
def test_colour_is_for_terminals_and_by_wish(environ, is_terminal, coloured):
    stream = io.StringIO()
    stream.isatty = lambda: is_terminal  # type: ignore[method-assign]
    assert output.has_colour(stream, environ) is coloured
