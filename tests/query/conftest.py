"""Lines of real consoles."""

from pathlib import Path

import pytest

REAL_LINES = Path(__file__).parent.parent / "data" / "lines.tsv"


@pytest.fixture(scope="session")
def real_texts() -> list[str]:
    rows = REAL_LINES.read_text("utf-8").splitlines()
    return [text for _, _, text in (row.partition("\t") for row in rows)]
