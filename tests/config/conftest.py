from collections.abc import Callable
from pathlib import Path

import pytest

from archiver.config.load import load
from archiver.config.settings import Settings

Loading = Callable[..., Settings]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home directory with nothing in it."""
    path = tmp_path / "home"
    path.mkdir()
    return path


@pytest.fixture
def loading(home: Path) -> Loading:
    """Load a configuration file's text, variables and options."""

    def run(text: str | None = None, *, options=None, with_keys=False, **environ: str) -> Settings:
        file = None
        if text is not None:
            file = home / "given.toml"
            file.write_text(text, encoding="utf-8")
        return load(
            environ={"HOME": str(home), **environ},
            file=file,
            options=options,
            with_keys=with_keys,
        )

    return run
