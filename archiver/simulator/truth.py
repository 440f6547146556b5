"""What really happened on a server, whoever listened: what an archive is measured against."""

from dataclasses import dataclass
from typing import NamedTuple


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
