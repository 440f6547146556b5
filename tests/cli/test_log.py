import logging
from collections.abc import Iterator

import pytest

from archiver.cli import log


@pytest.fixture(autouse=True)
def logger() -> Iterator[logging.Logger]:
    """The program's logger, as it was before."""
    found = logging.getLogger("archiver")
    before = found.handlers, found.propagate, found.level
    yield found
    found.handlers, found.propagate, found.level = before


@pytest.mark.parametrize(("verbosity", "said"), [(0, "w"), (1, "iw"), (2, "diw"), (9, "diw")])
def test_each_level_says_more(capsys, verbosity, said):
    log.configure(verbosity)
    logger = logging.getLogger("archiver.client")
    logger.debug("d")
    logger.info("i")
    logger.warning("w")
    out, err = capsys.readouterr()
    assert out == ""
    assert "".join(line[-1] for line in err.splitlines()) == said


def test_a_record_is_one_line_with_its_facts(capsys):
    log.configure(1)
    facts = {"action": "gap_found", "server": "evil\x1b[2J\nname"}
    logging.getLogger("archiver").info("gap found", extra=facts)
    assert capsys.readouterr().err == (
        "info gap found action=gap_found server=evil\\u001b[2J\\u000aname\n"
    )


def test_a_fact_that_nobody_knows_is_left_out(capsys):
    log.configure(1)
    logging.getLogger("archiver").info("lost", extra={"where": "node1", "do": None})
    assert capsys.readouterr().err == "info lost where=node1\n"


def raise_one() -> None:
    raise ValueError("\x1b[2J")


def test_a_traceback_is_safe_to_look_at(capsys):
    log.configure(0)
    try:
        raise_one()
    except ValueError:
        logging.getLogger("archiver").exception("failed")
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "error failed"
    assert lines[-1] == "ValueError: \\u001b[2J"


def test_on_a_terminal_the_line_of_progress_is_cleared_first(capsys, terminal):
    log.configure(0)
    logging.getLogger("archiver").warning("careful")
    assert capsys.readouterr().err == "\r\x1b[2Kwarning careful\n"
