"""An archive with a little of everything, and the program to ask it."""

import os
import pty
import shutil
import subprocess
import sys
import termios
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from archiver.cli import main
from archiver.console.records import (
    AtKind,
    Connection,
    Gap,
    Line,
    Records,
    Run,
    Source,
    StreamState,
)
from archiver.store.writer import Writer

# 2026-11-19 14:00:00 UTC
BEGIN = 1_795_096_800_000_000
SECOND = 1_000_000
EVIL = "\x1b[2J\x1b]0;owned\x07\u202e\x9b31m\u2028"
STEP = 65_536


class Result(NamedTuple):
    code: int
    out: str
    err: str


Archiver = Callable[..., Result]


@pytest.fixture
def line(line: Callable[..., Line]) -> Callable[..., Line]:
    """Make a live line: seq, at, text, and what is special about it."""

    def make(seq: int, at: int, text: str, **more: Any) -> Line:
        return line(seq, **({"run_id": 1, "connection_id": 1} | more), at=at, text=text)

    return make


@pytest.fixture
def evil() -> str:
    """What the second server has in its name and its line."""
    return EVIL


@pytest.fixture
def data_dir(sqlite_template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data directory with an empty archive, which the environment names."""
    path = tmp_path / "data"
    path.mkdir(mode=0o700)
    shutil.copy(sqlite_template, path / "archive.db")
    monkeypatch.setenv("ARCHIVER_DATA_DIR", str(path))
    return path


@pytest.fixture
def open_writer(data_dir: Path) -> Callable[[], Writer]:
    return lambda: Writer.open(f"sqlite:///{data_dir}/archive.db", data_dir, now=BEGIN)


@pytest.fixture
def archive(open_writer: Callable[[], Writer], line: Callable[..., Line], data_dir: Path) -> Path:
    """Two servers: one with two runs and a gap, one whose name and lines are an attack."""
    with open_writer() as writer:
        common = {"panel_origin": "https://panel.example", "panel_name": "main", "node": "node1"}
        for number, name in enumerate(("Survival", f"evil{EVIL}"), 1):
            server_id = writer.register(
                uuid=f"{number}a2b3c4d-0000-4000-8000-000000000000",
                identifier=f"{number}a2b3c4d",
                name=name,
                seen_at=BEGIN,
                **common,
            )
            assert server_id == number
        lines = [
            line(0, BEGIN, "[14:00:00 INFO]: Starting", level=9, raw="\x1b[32mStarting\x1b[0m"),
            line(STEP, BEGIN + SECOND, "Done"),
            line(
                2**32,
                BEGIN + 160 * SECOND,
                "Notch joined the game",
                source=Source.REPLAY,
                at_kind=AtKind.BEFORE,
                earliest_at=BEGIN + 12 * SECOND,
                run_id=2,
            ),
            line(2**32 + STEP, BEGIN + 161 * SECOND + 500_000, "Notch left", run_id=2),
        ]
        writer.commit(
            [
                Records(
                    1,
                    StreamState(next_seq=2**33, run_id=2),
                    lines=lines,
                    runs=[
                        Run(1, BEGIN, "first", ended_at=BEGIN + 2 * SECOND, exit_code=0),
                        Run(2, BEGIN + 3 * SECOND, "uptime", started_at=BEGIN + 3 * SECOND),
                    ],
                    connections=[
                        Connection(
                            1, BEGIN, BEGIN + 1, BEGIN + 12 * SECOND, 1006, "lost", lines_live=2
                        ),
                        Connection(2, BEGIN + 160 * SECOND, BEGIN + 160 * SECOND + 1),
                    ],
                    gaps=[
                        Gap(
                            id=1,
                            after_seq=STEP,
                            before_seq=2**32,
                            from_at=BEGIN + 12 * SECOND,
                            to_at=BEGIN + 160 * SECOND,
                            reason="reconnect after 148 s",
                            lower=12,
                            upper=None,
                        ),
                        Gap(
                            id=2,
                            after_seq=0,
                            before_seq=STEP,
                            from_at=BEGIN,
                            to_at=BEGIN + SECOND,
                            reason="found again",
                            lower=1,
                            upper=1,
                            closed_at=BEGIN + SECOND,
                        ),
                    ],
                ),
                Records(
                    2,
                    StreamState(next_seq=STEP),
                    lines=[
                        line(0, BEGIN + SECOND // 2, f"hello{EVIL}", run_id=3, raw=f"\x00hi{EVIL}")
                    ],
                ),
            ]
        )
    return data_dir


@pytest.fixture
def long(open_writer: Callable[[], Writer], line: Callable[..., Line]) -> None:
    """One server, long, whose 60 lines are more than a terminal has rows."""
    with open_writer() as writer:
        server_id = writer.register(
            panel_origin="https://panel.example",
            panel_name="main",
            uuid="u",
            identifier="i",
            name="long",
            node="node1",
            seen_at=BEGIN,
        )
        lines = [line(number, number, f"line {number}") for number in range(60)]
        writer.commit([Records(server_id, StreamState(), lines=lines)])


@pytest.fixture
def archiver(capsys: pytest.CaptureFixture[str]) -> Archiver:
    """Run one command line in this process."""

    def run(*arguments: str) -> Result:
        capsys.readouterr()
        code = main.main(arguments)
        return Result(code, *capsys.readouterr())

    return run


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Let standard output and standard error be terminals of 80 columns, without colours."""
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "80")
    # On its class: pytest makes new ones after fixtures are set up.
    monkeypatch.setattr(type(sys.stdout), "isatty", lambda _: True)


@pytest.fixture
def on_terminal() -> Callable[..., Result]:
    """
    Run one command line as a process on a terminal of 80 columns and 24 rows.

    What it says on stderr is on the terminal, too; what is typed is ``typed``.
    """

    def run(*arguments: str, typed: str = "", **environ: str) -> Result:
        ours, theirs = pty.openpty()
        termios.tcsetwinsize(theirs, (24, 80))
        os.write(ours, typed.encode())
        process = subprocess.Popen(
            [sys.executable, "-m", "archiver", *arguments],
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
            env={**os.environ, "TERM": "xterm", **environ},
        )
        os.close(theirs)
        shown = b""
        # At the end of a terminal nobody has open any more there is an error on Linux.
        with suppress(OSError):
            while piece := os.read(ours, 65_536):
                shown += piece
        os.close(ours)
        return Result(process.wait(20), shown.decode().replace("\r\n", "\n"), "")

    return run
