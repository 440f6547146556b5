"""What really happened on a server, whoever listened: what an archive is measured against."""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from archiver.simulator.recovery import Witness


class TrueLine(NamedTuple):
    """One line that a game printed."""

    at: int
    run: int  # its number, from 1
    text: str  # whole, as a replay would have it; "" for a blank line
    live: tuple[str, ...]  # what a viewer who listens gets; empty for a blank line


class TrueEvent(NamedTuple):
    """One change of the status, one daemon line, or one command that reached the game."""

    at: int
    text: str


@dataclass(slots=True)
class TrueRun:
    """One life of the game process."""

    number: int  # from 1
    started_at: int
    ended_at: int | None = None
    exit_code: int | None = None
    out_of_memory: bool = False


class KnownLine(NamedTuple):
    """One line that a game printed, and whether a good client could have had it."""

    server: str  # its identifier
    n: int  # its place among the server's lines, from 1
    run: int
    at: int
    text: str
    live: tuple[str, ...]
    heard: bool  # a socket was handed it live
    recoverable: bool
    first_possible: int | None  # when; None: it was not


def known_lines(
    server: str,
    lines: Sequence[TrueLine],
    witness: Witness,
    runs: Sequence[TrueRun],
    *,
    now: int,
    grace: int,
    interval: int,
) -> list[KnownLine]:
    """
    Return the lines with what became of them.

    Args:
        server: Its identifier.
        lines: What it printed, oldest first.
        witness: Saw the same lines.
        runs: All of the server's, by number.
        now: The time.
        grace: See `recovery`; microseconds.
        interval: See `recovery`; microseconds.

    """
    ends = (runs[line.run - 1].ended_at for line in lines)
    firsts = witness.first_possible(now, ends, grace, interval)
    return [
        KnownLine(
            server,
            n,
            line.run,
            line.at,
            line.text,
            line.live,
            heard=fate.heard_at is not None,
            recoverable=first is not None,
            first_possible=first,
        )
        for n, (line, fate, first) in enumerate(
            zip(lines, witness.fates, firsts, strict=True), start=1
        )
    ]


def write_rows(lines: Iterable[KnownLine]) -> Iterator[str]:
    """Yield each line as a row of NDJSON, with its newline."""
    for line in lines:
        yield json.dumps(line._asdict(), ensure_ascii=False, separators=(",", ":")) + "\n"


def read_rows(rows: Iterable[str]) -> Iterator[KnownLine]:
    """
    Yield the lines of NDJSON rows.

    Raises:
        ValueError: A row is no line of the truth.

    """
    for number, row in enumerate(rows, start=1):
        try:
            fields = json.loads(row)
            yield KnownLine(**fields | {"live": tuple(fields["live"])})
        except (ValueError, TypeError, KeyError) as error:
            raise ValueError(f"row {number} is no line of the truth: {error}") from error
