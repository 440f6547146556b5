import io
from collections.abc import Callable

import pytest


@pytest.fixture
def answer(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Say what is given to the questions."""

    def give(*answers: str) -> None:
        monkeypatch.setattr("sys.stdin", io.StringIO("".join(f"{line}\n" for line in answers)))

    return give


def test_an_address_that_is_none_is_refused_before_the_key_is_asked_for(archiver, answer):
    answer("ftp://panel.example.com", "ptlc_x")
    result = archiver("setup")
    assert (result.code, result.out) == (3, "")
    assert "  where: the address that you gave\n" in result.err
    assert "Client API key" not in result.err


def test_a_key_that_is_none_is_refused_by_the_name_of_the_question(archiver, answer):
    answer("http://127.0.0.1:1", "two words")
    result = archiver("setup")
    assert result.code == 3
    assert "  where: the key that you gave\n" in result.err
    assert "two words" not in result.err


def test_a_panel_that_does_not_answer_is_told_and_nothing_is_written(archiver, answer, tmp_path):
    answer("http://127.0.0.1:1", "ptlc_x")
    result = archiver("setup")
    assert result.code == 6
    assert "Error: the panel cannot be reached" in result.err
    assert list((tmp_path / "xdg-config").iterdir()) == []


def test_a_configuration_is_never_written_over(archiver, answer, tmp_path):
    path = tmp_path / "config.toml"
    path.touch()
    result = archiver("--config", str(path), "setup")
    assert result.code == 3
    assert "there is a configuration already" in result.err
