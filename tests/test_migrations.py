"""The schema's history: every revision, with rows in it, on both engines."""

import ast
from contextlib import closing
from pathlib import Path

import alembic.command
import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import main
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from archiver.store import database, revision, tables
from archiver.store.database import Database
from archiver.store.location import parse
from archiver.store.session import Session

ROOT = Path(__file__).parent.parent

# Rows as a program of that revision wrote them: inserted when an upgrade has reached
# it, and still there at the end. A new revision adds its own; none is ever changed.
ROWS = {
    "0001": """
        INSERT INTO panels (id, origin, name) VALUES (1, 'https://panel.example', 'main');
        INSERT INTO servers
            (id, panel_id, uuid, identifier, name, node, first_seen_at, last_seen_at)
            VALUES (1, 1, 'u1', 'abc', 'Lobby', 'node1', 10, 20);
        INSERT INTO streams (server_id, next_seq, run_id) VALUES (1, 65536, 1);
        INSERT INTO runs (id, server_id, first_seen_at, noticed) VALUES (1, 1, 10, 'first');
        INSERT INTO connections
            (id, server_id, opened_at, lines_live, lines_recovered, lines_repeated, renewals)
            VALUES (1, 1, 10, 1, 0, 0, 0);
        INSERT INTO frames (id, server_id, connection_id, asked, received_at, frame)
            VALUES (1, 1, 1, (1 = 1), 10, '{}');
        INSERT INTO lines
            (id, server_id, seq, batch, source, at, at_kind, observed_at, flags, text)
            VALUES (1, 1, 0, 1, 1, 10, 1, 10, 0, 'hello');
        INSERT INTO gaps (id, server_id, to_at, reason, lower) VALUES (1, 1, 10, 'began', 0);
        INSERT INTO status_changes (id, server_id, at, status, inferred)
            VALUES (1, 1, 10, 'running', (1 = 0));
        INSERT INTO stats_samples
            (server_id, at, memory_bytes, memory_limit_bytes, cpu_absolute, rx_bytes, tx_bytes,
            disk_bytes)
            VALUES (1, 10, 1, 2, 0.5, 3, 4, 5);
        INSERT INTO events (id, server_id, at, event, args, count) VALUES (1, 1, 10, 'x', '[]', 1)
    """,
}


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """URL of a database without tables."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/archive.db"
    url: str = request.getfixturevalue("empty_postgresql_url")
    return url


@pytest.fixture
def archive(empty_url):
    opened = Database.open(empty_url)
    yield opened
    opened.close()


def move(archive: Database, command: str, target: str) -> None:
    with archive.begin() as connection:
        getattr(alembic.command, command)(database.alembic_config(connection), target)


def revisions() -> list[str]:
    scripts = ScriptDirectory(str(ROOT / "migrations"))
    return [found.revision for found in reversed(list(scripts.walk_revisions()))]


def test_program_needs_the_newest_revision():
    assert revisions()[-1] == revision.REVISION


def test_every_revision_has_rows_to_upgrade_with():
    assert list(ROWS) == revisions()


def test_tables_are_what_the_migrations_make(archive):
    archive.upgrade()

    with archive.begin() as connection:
        context = MigrationContext.configure(
            connection, opts={"compare_type": True, "target_metadata": tables.metadata}
        )
        assert compare_metadata(context, tables.metadata) == []


def test_rows_of_every_revision_outlive_the_upgrades(archive, empty_url):
    filled = set()
    for name, text in ROWS.items():
        move(archive, "upgrade", name)
        with archive.begin() as connection:
            for statement in text.split(";"):
                connection.exec_driver_sql(statement)
                filled.add(statement.split()[2])
    archive.upgrade()

    with closing(Session.open(parse(empty_url))) as session:
        for table in filled:
            assert session.rows(f"SELECT count(*) FROM {table}")[0][0] >= 1
        assert session.rows("SELECT text FROM lines WHERE id = 1") == [("hello",)]


def test_each_revision_can_be_taken_back_and_made_again(archive, empty_url):
    archive.upgrade()
    for _ in revisions():
        move(archive, "downgrade", "-1")
        move(archive, "upgrade", "+1")
        move(archive, "downgrade", "-1")

    with closing(Session.open(parse(empty_url))) as session:
        left = (
            "SELECT name FROM sqlite_schema WHERE type IN ('table', 'view')"
            if session.location.path
            else "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace"
            " AND relkind IN ('r', 'v')"
        )
        assert session.rows(left) == [("alembic_version",)]


def test_failed_upgrade_leaves_nothing_behind(archive, empty_url):
    with archive.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE events (id INTEGER)")  # in the way of ours

    with pytest.raises(Exception, match="events"):
        archive.upgrade()
    assert database.current(empty_url) is None
    with (
        closing(Session.open(parse(empty_url))) as session,
        pytest.raises(Exception, match="lines"),
    ):
        session.rows("SELECT * FROM lines")


def test_migrations_import_nothing_that_goes_on_changing():
    for path in (ROOT / "migrations" / "versions").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [alias.name for alias in getattr(node, "names", []) if hasattr(alias, "name")]
            names.append(getattr(node, "module", None) or "")
            assert not any(name.startswith("archiver") for name in names), path


def test_alembic_command_checks_the_archive_that_the_environment_names(
    empty_url, archive, monkeypatch
):
    archive.upgrade()
    archive.close()
    monkeypatch.setenv("ARCHIVER_DATABASE_URL", empty_url)
    main(["-c", str(ROOT / "alembic.ini"), "check"])
    monkeypatch.delenv("ARCHIVER_DATABASE_URL")
    main(["-c", str(ROOT / "alembic.ini"), "-x", f"url={empty_url}", "check"])
    with pytest.raises(SystemExit):
        main(["-c", str(ROOT / "alembic.ini"), "check"])
