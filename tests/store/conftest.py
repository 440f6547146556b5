"""Rows to write, and writers to write them with."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from archiver.store.writer import Writer

NOW = 1_780_000_000_000_000


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
