"""Rows to write, and writers to write them with."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from archiver.console.records import AtKind, Line, Records, Source, StreamState
from archiver.store.reads import Reader
from archiver.store.writer import Writer

NOW = 1_780_000_000_000_000


@pytest.fixture
def now() -> int:
    return NOW


@pytest.fixture
def open_writer(archive_url: str, tmp_path: Path) -> Iterator[Callable[[], Writer]]:
    """Open the archive for recording, as a new collector would; closed at the end."""
    opened: list[Writer] = []

    def open_one() -> Writer:
        opened.append(Writer.open(archive_url, tmp_path / "data", now=NOW))
        return opened[-1]

    yield open_one
    for writer in opened:
        writer.close()


@pytest.fixture
def writer(open_writer: Callable[[], Writer]) -> Writer:
    return open_writer()


@pytest.fixture
def reader(writer: Writer, archive_url: str) -> Iterator[Reader]:
    with Reader.open(archive_url) as opened:
        yield opened


@pytest.fixture
def register() -> Callable[..., int]:
    """Register a server; facts that are not given are made up."""

    def register_one(writer: Writer, uuid: str = "uuid-1", **given: Any) -> int:
        facts: dict[str, Any] = {
            "panel_origin": "https://panel.example",
            "panel_name": "main",
            "identifier": uuid,
            "name": f"Lobby {uuid}",
            "node": "node1",
            "seen_at": NOW,
        }
        return writer.register(uuid=uuid, **(facts | given))

    return register_one


@pytest.fixture
def line() -> Callable[..., Line]:
    """Make a live line; its time follows its seq."""

    def make(seq: int, **given: Any) -> Line:
        at = given.pop("at", NOW + seq)
        plain = Line(
            seq=seq,
            run_id=None,
            source=Source.LIVE,
            at=at,
            at_kind=AtKind.OBSERVED,
            observed_at=at,
            earliest_at=None,
            timestamp=None,
            level=None,
            thread=None,
            flags=0,
            connection_id=None,
            text=f"line {seq}",
            raw=None,
        )
        return plain._replace(**given)

    return make


@pytest.fixture
def commit() -> Callable[..., int]:
    """Commit records of one server."""

    def commit_one(writer: Writer, server_id: int, **given: Any) -> int:
        given.setdefault("state", StreamState())
        return writer.commit([Records(server_id, **given)])

    return commit_one
