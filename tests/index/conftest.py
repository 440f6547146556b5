"""Lines, and a partition of them."""

import random
from collections.abc import Callable
from pathlib import Path

import pytest

from archiver.index.blocks import SealedLine
from archiver.index.partitions import PartitionFiles, write_partition

DAY = 86_400_000_000


@pytest.fixture
def index_dir(tmp_path: Path) -> Path:
    return tmp_path / "index"


@pytest.fixture
def some_lines() -> list[SealedLine]:
    """A thousand lines of three servers and fifty days; words rare, frequent, not of ASCII."""
    chance = random.Random(7)
    words = [f"w{number}" for number in range(200)] + ["wolf", "Straße", "ÅNGSTRÖM", "日本語"]
    return [
        SealedLine(
            id=number,
            server_id=number % 3,
            seq=number << 16,
            at=number * DAY // 20,
            source=1,
            level=chance.choice([None, 9, 17]),
            text=" ".join([*chance.choices(words, k=6), f"Nr{number % 331}"]),
        )
        for number in range(1, 1001)
    ]


@pytest.fixture
def write(index_dir: Path) -> Callable[..., PartitionFiles]:
    """A function that writes lines as a partition."""

    def write(lines: list[SealedLine], generation: int = 1) -> PartitionFiles:
        first, last = (lines[0].id, lines[-1].id) if lines else (1, 1)
        return write_partition(
            index_dir, lines, first_id=first, last_id=last, generation=generation
        )

    return write
