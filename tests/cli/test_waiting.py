import os
import sys

import pytest

from archiver.cli import waiting
from archiver.cli.waiting import Waiting, tell_if_nothing_records
from archiver.store.reads import Reader
from archiver.store.refusals import RefusedError

REFUSED = RefusedError("disk is full", where="here", do="free space", retryable=True)


@pytest.fixture(autouse=True)
def at_once(monkeypatch):
    monkeypatch.setattr(waiting, "_INTERVAL", 0)


def test_a_refusal_is_said_once_and_its_end(capfd):
    wait = Waiting()
    for refused in (None, REFUSED, REFUSED, None, None):
        wait(refused)
    assert capfd.readouterr().err == (
        "Warning: disk is full\n  where: here\n  do:    free space\nthe archive answers again\n"
    )


def test_what_was_written_is_let_out(monkeypatch, capfd):
    with os.fdopen(os.dup(1), "w") as output:
        monkeypatch.setattr(sys, "stdout", output)
        output.write("a line\n")
        Waiting()(None)
        assert capfd.readouterr().out == "a line\n"


def test_a_reader_that_has_gone_is_not_waited_for(monkeypatch):
    ours, theirs = os.pipe()
    with os.fdopen(theirs, "w") as output:
        monkeypatch.setattr(sys, "stdout", output)
        Waiting()(None)
        os.close(ours)
        with pytest.raises(BrokenPipeError):
            Waiting()(None)


def test_that_nothing_records_is_said(archive, open_writer, capfd):
    with Reader.open(f"sqlite:///{archive}/archive.db") as reader:
        with open_writer():
            tell_if_nothing_records(reader)
            assert capfd.readouterr().err == ""
        tell_if_nothing_records(reader)
    assert capfd.readouterr().err.startswith("nothing is recorded now")
