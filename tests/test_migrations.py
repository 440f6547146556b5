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

from archiver.console import records
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
    "0002": """
        INSERT INTO partitions
            (id, first_id, last_id, lines, blocks, earliest_at, latest_at, directory, files,
            created_at)
            VALUES (1, 1, 1, 1, 1, 10, 10, '1-1-1', '{}', 30)
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


VIEWED = """
    INSERT INTO panels (id, origin, name) VALUES (1, 'https://panel.example', 'main');
    INSERT INTO servers
        (id, panel_id, uuid, identifier, name, node, first_seen_at, last_seen_at)
        VALUES (7, 1, 'u1', 'abc', 'Lobby', 'node1', 1780000000000001, 1780000059999999);
    INSERT INTO lines
        (id, server_id, seq, run_id, batch, source, at, at_kind, observed_at, earliest_at,
        timestamp, level, flags, text, raw)
        VALUES (1, 7, -5, 3, 1, 2, 1780000000000000, 3, 1780000000500000, 1779999999000000,
        NULL, 17, 0, 'red', 'RED'),
        (2, 7, 0, NULL, 1, 1, 1780000001000000, 1, 1780000001000000, NULL,
        1780000000000000, NULL, 0, 'plain', NULL);
    INSERT INTO gaps (id, server_id, run_id, after_seq, before_seq, from_at, to_at, reason, lower)
        VALUES (1, 7, 3, -5, 0, 1780000000000000, 1780000001000000, 'reconnect', 1);
    INSERT INTO status_changes (id, server_id, run_id, at, status, inferred)
        VALUES (1, 7, 3, 1780000000000000, 'running', (1 = 1)),
        (2, 7, 3, 1780000000000000, 'stopping', (1 = 0));
    INSERT INTO stats_samples
        (server_id, at, run_id, memory_bytes, memory_limit_bytes, cpu_absolute, rx_bytes,
        tx_bytes, disk_bytes, uptime_ms, state)
        VALUES (7, 1780000000000000, 3, 1, 2, 0.5, 3, 4, 5, 60000, 'running');
    INSERT INTO runs (id, server_id, first_seen_at, noticed, exit_code, out_of_memory)
        VALUES (3, 7, 1780000000000000, 'uptime', 137, (1 = 1)),
        (4, 7, 1780000000000000, 'status', NULL, NULL);
    INSERT INTO connections
        (id, server_id, opened_at, lines_live, lines_recovered, lines_repeated, renewals)
        VALUES (1, 7, 1780000000000000, 1, 2, 3, 4);
    INSERT INTO events (id, server_id, at, event, args, count)
        VALUES (1, 7, 1780000000000000, 'backup completed', '[]', 2)
"""
AT = "2026-05-28T20:26:40.000000Z"
NEXT = "2026-05-28T20:26:41.000000Z"
SERVER: dict[str, object] = {"server": "abc", "server_name": "Lobby"}


VIEWS: dict[str, list[dict[str, object]]] = {
    "v_lines": [
        SERVER
        | {"seq": -5, "run": 3, "observed_at": "2026-05-28T20:26:40.500000Z"}
        | {"earliest_at": "2026-05-28T20:26:39.000000Z", "timestamp": None, "at": AT}
        | {"at_kind": "before", "source": "replay", "level": "error", "text": "red", "raw": "RED"},
        SERVER
        | {"seq": 0, "run": None, "observed_at": NEXT, "earliest_at": None, "timestamp": AT}
        | {"at": NEXT, "at_kind": "observed", "source": "live", "level": None}
        | {"text": "plain", "raw": None},
    ],
    "v_gaps": [
        SERVER
        | {"run": 3, "after_seq": -5, "before_seq": 0, "from_at": AT, "to_at": NEXT}
        | {"reason": "reconnect", "lower": 1, "upper": None, "expected": None, "closed_at": None}
    ],
    "v_status": [
        SERVER
        | {"run": 3, "at": AT, "earliest_at": None, "status": status, "previous": None}
        | {"inferred": inferred}
        for status, inferred in (("running", 1), ("stopping", 0))
    ],
    "v_stats": [
        SERVER
        | {"run": 3, "at": AT, "memory_bytes": 1, "memory_limit_bytes": 2, "cpu_absolute": 0.5}
        | {"rx_bytes": 3, "tx_bytes": 4, "disk_bytes": 5, "disk_read_bytes": None}
        | {"disk_write_bytes": None, "uptime_ms": 60000, "state": "running"}
    ],
    "v_runs": [
        SERVER
        | {"run": run, "first_seen_at": AT, "noticed": noticed, "started_at": None}
        | {"ended_at": None, "exit_code": code, "out_of_memory": out_of_memory}
        for run, noticed, code, out_of_memory in ((3, "uptime", 137, 1), (4, "status", None, None))
    ],
    "v_connections": [
        SERVER
        | {"connection": 1, "opened_at": AT, "authenticated_at": None, "closed_at": None}
        | {"close_code": None, "close_reason": None, "lines_live": 1, "lines_recovered": 2}
        | {"lines_repeated": 3, "renewals": 4}
    ],
    "v_events": [
        SERVER
        | {"at": AT, "event": "backup completed", "args": "[]", "connection": None}
        | {"count": 2, "last_at": None}
    ],
    "v_servers": [
        SERVER
        | {"panel": "main", "panel_origin": "https://panel.example", "uuid": "u1"}
        | {"node": "node1", "first_seen_at": "2026-05-28T20:26:40.000001Z"}
        | {"last_seen_at": "2026-05-28T20:27:39.999999Z", "deleted_at": None}
    ],
}


def test_views_show_names_and_times_as_text(archive):
    archive.upgrade()
    with archive.begin() as connection:
        for statement in VIEWED.split(";"):
            connection.exec_driver_sql(statement)
        for view, rows in VIEWS.items():
            found = connection.exec_driver_sql(f"SELECT * FROM {view}").mappings()
            assert [list(row.items()) for row in found] == [list(row.items()) for row in rows]


@pytest.mark.parametrize(
    ("members", "column", "names"),
    [
        (list(records.Source), "source", "live replay daemon message install transfer import"),
        (list(records.AtKind), "at_kind", "observed claimed before"),
    ],
)
def test_every_number_has_a_name_in_the_view(archive, members, column, names):
    archive.upgrade()
    with archive.begin() as connection:
        for statement in VIEWED.split(";"):
            connection.exec_driver_sql(statement)
        for member, name in zip(members, names.split(), strict=True):
            connection.exec_driver_sql(f"UPDATE lines SET {column} = {int(member)}")
            found = connection.exec_driver_sql(f"SELECT DISTINCT {column} FROM v_lines").scalar()
            assert found == name
