import pytest

from archiver.cli import bars
from archiver.cli.bars import Ticker, bar


def test_nothing_is_shown_where_nobody_looks(capsys):
    with bar("sealing") as watch:
        watch(1, 2)
    assert capsys.readouterr() == ("", "")


@pytest.mark.usefixtures("terminal")
def test_a_terminal_has_a_bar_that_goes_away(capsys):
    with bar("sealing") as watch:
        watch(1, 2)
    assert "sealing" in capsys.readouterr().err


@pytest.mark.usefixtures("terminal")
def test_a_ticker_comes_when_work_takes_its_time_and_leaves_no_trace(capsys, monkeypatch):
    with Ticker() as ticker:
        ticker.show("at once")
        assert capsys.readouterr().err == ""
        monkeypatch.setattr(bars, "_PATIENCE", -1)
        ticker.show("half")
        assert capsys.readouterr().err == "\r\x1b[2Khalf\r"
        ticker.end()
        assert capsys.readouterr().err == "\r\x1b[2K"
        ticker.show("more")
    assert capsys.readouterr().err == ""


@pytest.mark.usefixtures("terminal")
def test_a_ticker_is_gone_after_its_block(capsys, monkeypatch):
    monkeypatch.setattr(bars, "_PATIENCE", -1)
    with Ticker() as ticker:
        ticker.show("half")
    assert capsys.readouterr().err == "\r\x1b[2Khalf\r\r\x1b[2K"


def test_no_ticker_where_nobody_looks(capsys, monkeypatch):
    monkeypatch.setattr(bars, "_PATIENCE", -1)
    with Ticker() as ticker:
        ticker.show("half")
    assert capsys.readouterr() == ("", "")
