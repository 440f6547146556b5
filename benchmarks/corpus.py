"""
An archive filled with console lines for a benchmark, as collectors would have left it.

The lines are one of:

    replicated   what ``shared/corpus/replicate.py`` beside the repository makes of real
                 consoles: any number, for any servers, in the order of time
    real         those consoles themselves, each as a server: 900,000 lines
    games        what the simulator's games say, where that corpus is not there
"""

import gzip
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from itertools import accumulate, islice
from pathlib import Path
from random import Random
from typing import NamedTuple

from archiver.console.claims import read_claim
from archiver.console.lines import is_daemon_line, line_flags, scrub, searchable_text
from archiver.console.log import SEQ_STEP
from archiver.console.records import AtKind, Line, Records, Source, StreamState
from archiver.simulator.games import GAMES, MIXED
from archiver.store.writer import Writer

CORPUS = Path(__file__).parents[2] / "shared" / "corpus"
SEED = 7
COMMIT = 5_000  # lines
TOGETHER = 40  # lines that a real console prints before another one has its turn
SECOND = 1_000_000
DAY = 86_400 * SECOND
BEGIN = round(datetime(2026, 1, 1, tzinfo=UTC).timestamp()) * SECOND


class Printed(NamedTuple):
    """A line as it was received."""

    at: int  # microseconds since the epoch
    server: int  # from 0
    raw: str


def replicate(lines: int, servers: int, days: int) -> Iterator[Printed]:
    """Yield replicated lines, in the order of time."""
    command = [sys.executable, str(CORPUS / "replicate.py"), "-n", str(lines), "-s", str(servers)]
    command += ["--days", str(days), "--seed", str(SEED)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603  # as the caller named it
        assert process.stdout is not None
        for row in process.stdout:
            event = json.loads(row)
            if event["event"] == "console output":
                at = round(datetime.fromisoformat(event["at"]).timestamp() * SECOND)
                yield Printed(at, event["server"], event["args"][0])


def read_real(lines: int, _servers: int, days: int) -> Iterator[Printed]:
    """Yield the real consoles, which take turns."""
    streams = {
        server: _read_stream(path)
        for server, path in enumerate(sorted((CORPUS / "public").glob("*.jsonl.gz")))
    }
    number = 0
    while streams and number < lines:
        for server, stream in list(streams.items()):
            some = list(islice(stream, TOGETHER))
            for raw in some:
                yield Printed(BEGIN + number * days * DAY // lines, server, raw)
                number += 1
            if not some:
                del streams[server]


def _read_stream(path: Path) -> Iterator[str]:
    with gzip.open(path, "rt") as file:
        for row in file:
            yield json.loads(row)["line"]


def play(lines: int, servers: int, days: int) -> Iterator[Printed]:
    """Yield what games say, some servers more than others."""
    random = Random(SEED)  # noqa: S311  # the same lines in each run
    weights = list(accumulate(1 / (1 + server) for server in range(servers)))
    numbers = range(servers)
    number = 0
    while number < lines:
        at = BEGIN + number * days * DAY // lines
        server = random.choices(numbers, cum_weights=weights)[0]
        for raw in GAMES[MIXED[server % len(MIXED)]].say(random, at, number):
            yield Printed(at, server, raw)
            number += 1


KINDS: dict[str, Callable[[int, int, int], Iterator[Printed]]] = {
    "replicated": replicate,
    "real": read_real,
    "games": play,
}
USUAL = "replicated" if CORPUS.is_dir() else "games"


class Stream:
    """One server's lines, on their way into the archive."""

    def __init__(self, server_id: int) -> None:
        self.records = Records(server_id, StreamState())

    def append(self, printed: Printed) -> None:
        """Add a line that was seen live."""
        raw = scrub(printed.raw)
        text = searchable_text(raw)
        claim = read_claim(text)
        line = Line(
            seq=self.records.state.next_seq,
            run_id=None,
            source=Source.DAEMON if is_daemon_line(raw) else Source.LIVE,
            at=printed.at,
            at_kind=AtKind.OBSERVED,
            observed_at=printed.at,
            earliest_at=None,
            timestamp=None,
            level=claim.level if claim else None,
            thread=claim.thread if claim else None,
            flags=line_flags(raw, text),
            connection_id=None,
            text=text,
            raw=None if raw == text else raw,
        )
        self.records.lines.append(line)
        self.records.state.next_seq += SEQ_STEP


def fill(directory: Path, kind: str, lines: int, servers: int, days: int) -> None:
    """
    Write lines into a new archive.

    Args:
        directory: Of the archive.
        kind: One of KINDS.
        lines: So many.
        servers: That print them; the real ones are given.
        days: That they take.

    """
    printed = islice(KINDS[kind](lines, servers, days), lines)
    url = f"sqlite:///{directory.resolve()}/archive.db"
    streams: dict[int, Stream] = {}
    with Writer.open(url, directory, now=BEGIN) as writer:
        while some := list(islice(printed, COMMIT)):
            for line in some:
                if line.server not in streams:
                    streams[line.server] = Stream(_register(writer, line.server))
                streams[line.server].append(line)
            fresh = [stream.records for stream in streams.values() if stream.records.lines]
            writer.commit(fresh)
            for each in fresh:
                each.lines.clear()


def _register(writer: Writer, server: int) -> int:
    return writer.register(
        panel_origin="https://panel.example",
        panel_name="panel",
        uuid=f"00000000-0000-4000-8000-{server:012}",
        identifier=f"s{server:03}",
        name=f"Server {server}",
        node="node",
        seen_at=BEGIN,
    )
