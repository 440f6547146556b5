import builtins
import sqlite3

import psycopg
import pytest

from archiver import errors
from archiver.store import refusals
from archiver.store.location import parse
from archiver.store.session import Session


@pytest.fixture
def session(archive_url):
    opened = Session.open(parse(archive_url))
    yield opened
    opened.close()


def test_question_mark_is_a_parameter_on_both_engines(session):
    assert session.rows("SELECT name FROM counters WHERE name = ? AND value < ?", ("run", 1)) == [
        ("run",)
    ]


def test_nothing_can_be_written(session):
    with pytest.raises(refusals.RefusedError, match="read-only"):
        session.rows("UPDATE counters SET value = 1")


def test_missing_file_is_not_created(tmp_path):
    path = tmp_path / "none.db"

    with pytest.raises(errors.StoreError, match="there is no archive yet"):
        Session.open(parse(f"sqlite:///{path}"))
    assert not path.exists()


def test_path_with_signs_of_a_url_opens(tmp_path):
    path = tmp_path / "50% ?mode=memory#.db"
    sqlite3.connect(path).close()

    Session.open(parse(f"sqlite:///{path}")).close()


def test_file_that_is_no_database_is_refused(tmp_path):
    path = tmp_path / "notes.txt"
    path.write_text("not a database, but long enough to be looked at\n" * 100)
    session = Session.open(parse(f"sqlite:///{path}"))

    with pytest.raises(refusals.RefusedError, match="not an archive"):
        session.revision()
    session.close()


def test_unreachable_postgresql_is_retryable_and_keeps_the_password(tmp_path):
    with pytest.raises(refusals.RefusedError) as caught:
        Session.open(parse(f"postgresql://ann:s3cret@/console?host={tmp_path}"))

    assert caught.value.retryable
    assert "s3cret" not in f"{caught.value} {caught.value.__cause__}"


def test_missing_database_is_refused(postgresql_server):
    where = parse(postgresql_server.replace("/postgres?", "/nowhere?"))

    with pytest.raises(refusals.RefusedError, match='"nowhere" does not exist'):
        Session.open(where)


def test_unknown_option_in_the_url_is_named():
    with pytest.raises(errors.ConfigError, match="sslmodus"):
        Session.open(parse("postgresql:///console?sslmodus=require"))


def test_missing_driver_names_the_extra(monkeypatch):
    real = builtins.__import__

    def without_psycopg(name, *more):
        if name == "psycopg":
            raise ImportError(name)
        return real(name, *more)

    monkeypatch.setattr(builtins, "__import__", without_psycopg)
    with pytest.raises(errors.ConfigError, match=r"console-archiver\[postgres\]"):
        Session.open(parse("postgresql:///console"))


def test_revision_of_a_database_without_tables_is_none(empty_postgresql_url, tmp_path):
    path = tmp_path / "empty.db"
    sqlite3.connect(path).close()
    for url in (empty_postgresql_url, f"sqlite:///{path}"):
        session = Session.open(parse(url))
        assert session.revision() is None
        session.close()


def test_lost_connection_is_a_retryable_refusal(postgresql_url):
    session = Session.open(parse(postgresql_url))
    pid = session.rows("SELECT pg_backend_pid()")[0][0]
    with psycopg.connect(postgresql_url, autocommit=True) as other:
        other.execute("SELECT pg_terminate_backend(%s, 5000)", [pid])

    with pytest.raises(refusals.RefusedError) as caught:
        session.rows("SELECT 1")
    assert caught.value.retryable
    session.close()
