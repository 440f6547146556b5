import pytest

from archiver.cli.bars import bar


def test_nothing_is_shown_where_nobody_looks(capsys):
    with bar("sealing") as watch:
        watch(1, 2)
    assert capsys.readouterr() == ("", "")


@pytest.mark.usefixtures("terminal")
def test_a_terminal_has_a_bar_that_goes_away(capsys):
    with bar("sealing") as watch:
        watch(1, 2)
    assert "sealing" in capsys.readouterr().err
