import sys

import pytest

from archiver.cli.pager import paged


@pytest.fixture
def at_terminal(monkeypatch, capsys):
    """Standard input and output are terminals of 20 columns and 5 rows."""
    for name in ("stdin", "stdout"):
        monkeypatch.setattr(type(getattr(sys, name)), "isatty", lambda _: True)
    monkeypatch.setenv("COLUMNS", "20")
    monkeypatch.setenv("LINES", "5")
    monkeypatch.setenv("TERM", "xterm")


@pytest.fixture
def pager(tmp_path, monkeypatch):
    """What a pager was given; None: it was not started."""
    file = tmp_path / "paged"
    monkeypatch.setenv("PAGER", f"sh -c 'cat > {file}'")
    monkeypatch.setenv("LESS", "-R")
    return lambda: file.read_text() if file.exists() else None


def write(*texts: str, wanted: bool = True, **environ: str) -> None:
    with paged(environ, wanted=wanted) as file:
        for text in texts:
            file.write(text)


@pytest.mark.parametrize(
    "texts",
    [
        [],
        ["x\n"] * 4,
        ["x" * 20 + "\n"] * 4,
        ["x\nx\n"] * 2,
        ["\x1b[31m" + "x" * 20 + "\x1b[0m\n"] * 4,
        ["x" * 41 + "\n", "x\n"],
    ],
)
def test_what_fits_is_printed(at_terminal, pager, capsys, texts):
    write(*texts)
    assert (capsys.readouterr().out, pager()) == ("".join(texts), None)


@pytest.mark.parametrize(
    "texts",
    [["x\n"] * 5, ["x\n"] * 9, ["x" * 21 + "\n", *["x\n"] * 3], ["x\n" * 5], ["x" * 81 + "\n"]],
)
def test_what_is_longer_goes_all_to_the_pager(at_terminal, pager, capsys, texts):
    write(*texts)
    assert (capsys.readouterr().out, pager()) == ("", "".join(texts))


@pytest.mark.parametrize("environ", [{"PAGER": ""}, {"PAGER": " "}, {"PAGER": "cat"}], ids=str)
def test_an_empty_pager_or_cat_is_none(at_terminal, pager, capsys, environ):
    write("x\n" * 9, **environ)
    assert (capsys.readouterr().out, pager()) == ("x\n" * 9, None)


def test_nobody_gets_a_pager_who_wants_none_or_has_no_terminal(
    at_terminal, pager, monkeypatch, capsys
):
    coloured = "\x1b[31mx\x1b[0m\n" * 9
    write(coloured, wanted=False)
    for name in ("stdin", "stdout"):
        with monkeypatch.context() as patch:
            patch.setattr(type(getattr(sys, name)), "isatty", lambda _: False)
            write(coloured)
    assert (capsys.readouterr().out, pager()) == (coloured * 3, None)


def test_a_pager_that_is_left_early_ends_the_writing_quietly(at_terminal, monkeypatch):
    monkeypatch.setenv("PAGER", "true")
    written = 0
    with paged({"PAGER": "true"}, wanted=True) as file:
        for number in range(10**6):
            file.write("x\n")
            written = number
    assert 3 < written < 10**6 - 1


def test_an_error_on_the_way_is_not_hidden(at_terminal, pager, capsys):
    for count in (1, 9):
        with pytest.raises(KeyError), paged({}, wanted=True) as file:  # noqa: PT012  # in the context
            file.write("x\n" * count)
            raise KeyError
    assert capsys.readouterr().out == "x\n"


@pytest.mark.parametrize(("own", "less"), [(None, "-FRX +G"), ("-i", "-i")])
def test_less_is_told_how_unless_the_user_has_said(at_terminal, tmp_path, monkeypatch, own, less):
    file = tmp_path / "less"
    monkeypatch.setenv("LESS", "")  # what the test changes is put back
    monkeypatch.delenv("LESS")
    if own is not None:
        monkeypatch.setenv("LESS", own)
    monkeypatch.setenv("PAGER", f"sh -c 'cat > /dev/null; echo \"$LESS\" > {file}'")
    with paged({}, wanted=True, begin="+G") as screen:
        screen.write("x\n" * 9)
    assert file.read_text() == less + "\n"
