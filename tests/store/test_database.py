import os
import sqlite3
import stat

import psycopg
import pytest

import archiver
from archiver import errors
from archiver.store import database, refusals, revision, writes
from archiver.store.database import Database
from archiver.store.location import parse
from archiver.store.session import Session


@pytest.fixture
def archive(archive_url):
    opened = Database.open(archive_url)
    yield opened
    opened.close()


@pytest.fixture
def sqlite_archive(sqlite_url):
    opened = Database.open(sqlite_url)
    yield opened
    opened.close()


def test_new_sqlite_archive_is_private_with_all_its_files(tmp_path):
    path = tmp_path / "new" / "archive.db"
    old = os.umask(0)
    try:
        database.upgrade(f"sqlite:///{path}")
        archive = Database.open(f"sqlite:///{path}")
        with archive.begin() as connection:
            connection.exec_driver_sql("UPDATE counters SET value = 1")
        modes = {found.name: stat.S_IMODE(found.stat().st_mode) for found in path.parent.iterdir()}
        archive.close()
    finally:
        os.umask(old)

    assert modes == {"archive.db": 0o600, "archive.db-wal": 0o600, "archive.db-shm": 0o600}
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_mode_that_an_administrator_gave_is_kept(sqlite_archive):
    path = sqlite_archive.location.path
    path.chmod(0o640)
    path.parent.chmod(0o750)

    Database.open(f"sqlite:///{path}")

    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o750


@pytest.mark.parametrize(
    ("pragma", "value"),
    [
        ("auto_vacuum", 2),  # incremental
        ("journal_mode", "wal"),
        ("synchronous", 2),  # full
        ("wal_autocheckpoint", 20_000),
        ("journal_size_limit", 100_000_000),
        ("secure_delete", 1),
        ("busy_timeout", 30_000),
    ],
)
def test_sqlite_is_set_up_for_one_writer_and_many_readers(tmp_path, pragma, value):
    database.upgrade(f"sqlite:///{tmp_path}/archive.db")
    archive = Database.open(f"sqlite:///{tmp_path}/archive.db")

    with archive.begin() as connection:
        assert connection.exec_driver_sql(f"PRAGMA {pragma}").scalar() == value
    archive.close()


def test_transaction_is_written_whole_or_not_at_all(archive, archive_url):
    def write_and_fail() -> None:
        with archive.begin() as connection:
            connection.exec_driver_sql("CREATE TABLE half (id INTEGER)")
            connection.exec_driver_sql("UPDATE counters SET value = 7")
            raise ValueError

    with pytest.raises(ValueError):  # noqa: PT011  # the test's own
        write_and_fail()
    with archive.begin() as connection:
        connection.exec_driver_sql("UPDATE counters SET value = 8 WHERE name = 'run'")

    session = Session.open(parse(archive_url))
    assert session.rows("SELECT sum(value) FROM counters") == [(8,)]
    session.close()


def test_sqlite_writer_holds_the_write_lock_from_the_beginning(sqlite_archive, monkeypatch):
    monkeypatch.setattr(database, "_BUSY_TIMEOUT", 0.01)
    other = Database.open(f"sqlite:///{sqlite_archive.location.path}")

    with (
        sqlite_archive.begin(),
        pytest.raises(refusals.RefusedError, match="locked") as caught,
        other.begin(),
    ):
        pass
    assert caught.value.retryable
    with other.begin():
        pass
    other.close()


def test_deleted_sqlite_archive_is_noticed_at_the_next_transaction(sqlite_archive):
    with sqlite_archive.begin():
        pass
    path = sqlite_archive.location.path
    path.rename(path.with_name("elsewhere.db"))

    with (
        pytest.raises(refusals.RefusedError, match="moved or deleted") as caught,
        sqlite_archive.begin(),
    ):
        pass
    assert not caught.value.retryable
    assert not path.exists()


def test_deleted_sqlite_archive_is_not_made_anew_by_a_new_connection(sqlite_archive):
    path = sqlite_archive.location.path
    path.unlink()

    with pytest.raises(refusals.RefusedError, match="cannot be opened"), sqlite_archive.begin():
        pass
    assert not path.exists()


def test_replaced_sqlite_archive_is_noticed(sqlite_archive):
    with sqlite_archive.begin():
        pass
    path = sqlite_archive.location.path
    path.rename(path.with_name("elsewhere.db"))
    sqlite3.connect(path).close()

    with pytest.raises(refusals.RefusedError, match="moved or deleted"), sqlite_archive.begin():
        pass


def test_directory_that_cannot_be_made_is_refused(tmp_path):
    (tmp_path / "file").touch()

    with pytest.raises(refusals.RefusedError, match="cannot be made"):
        Database.open(f"sqlite:///{tmp_path}/file/archive.db")


def test_connection_lost_in_a_transaction_is_made_anew(postgresql_url):
    archive = Database.open(postgresql_url)
    with archive.begin() as connection:
        pid = connection.exec_driver_sql("SELECT pg_backend_pid()").scalar()
    with psycopg.connect(postgresql_url, autocommit=True) as other:
        other.execute("SELECT pg_terminate_backend(%s, 5000)", [pid])

    with pytest.raises(refusals.RefusedError) as caught, archive.begin() as connection:
        connection.exec_driver_sql("SELECT 1")
    assert caught.value.retryable
    with archive.begin() as connection:
        assert connection.exec_driver_sql("SELECT pg_backend_pid()").scalar() != pid
    archive.close()


def test_errors_and_engines_show_neither_password_nor_rows(tmp_path):
    archive = Database.open(f"postgresql://ann:s3cret@/console?host={tmp_path}")

    with pytest.raises(refusals.RefusedError) as caught, archive.begin():
        pass
    told = f"{caught.value} {caught.value.__cause__!r} {archive.engine!r} {archive.location!r}"
    assert "s3cret" not in told


def test_failed_statement_does_not_quote_what_was_to_be_written(archive):
    sql = "INSERT INTO counters (name, value) VALUES ('run', length(?))"
    with pytest.raises(Exception, match="counters") as caught, archive.begin() as connection:
        writes.execute(connection, sql, [("s3cret",)])
    assert "s3cret" not in str(caught.value)


def test_upgrade_makes_an_archive_of_this_revision(empty_postgresql_url, tmp_path):
    for url in (empty_postgresql_url, f"sqlite:///{tmp_path}/archive.db"):
        database.upgrade(url)
        database.upgrade(url)

        assert database.current(url) == revision.REVISION
        database.check_revision(url)


def test_archive_of_an_unknown_revision_is_refused_and_left_alone(archive, archive_url):
    with archive.begin() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")

    with pytest.raises(errors.SchemaOutOfDateError, match="'9999'"):
        database.check_revision(archive_url)
    with pytest.raises(errors.SchemaOutOfDateError, match="newer archiver"):
        database.upgrade(archive_url)
    assert database.current(archive_url) == "9999"


def test_archive_that_is_not_there_is_not_made_by_looking(tmp_path):
    with pytest.raises(errors.StoreError, match="archiver ingest"):
        database.check_revision(f"sqlite:///{tmp_path}/archive.db")
    assert not (tmp_path / "archive.db").exists()


def test_migrations_inside_the_package_come_first(tmp_path, monkeypatch):
    beside = database._migrations_folder()
    assert (beside / "env.py").is_file()

    package = tmp_path / "site" / "archiver"
    (package / "migrations").mkdir(parents=True)
    monkeypatch.setattr(archiver, "__file__", str(package / "__init__.py"))
    assert database._migrations_folder() == package / "migrations"
