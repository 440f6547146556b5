from pathlib import Path

import pytest

from archiver import errors
from archiver.store import location


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("sqlite:////var/lib/archiver/archive.db", "/var/lib/archiver/archive.db"),
        ("sqlite:///archive.db", "archive.db"),
        ("sqlite:////srv/50% full/a?b#c.db", "/srv/50% full/a?b#c.db"),
    ],
)
def test_sqlite_url_is_a_path_as_it_stands(url, path):
    found = location.parse(url)

    assert (found.path, found.engine, str(found)) == (Path(path), "sqlite", path)


@pytest.mark.parametrize(
    ("url", "options"),
    [
        (
            "postgresql://ann:p%40ss@db.example:5433/console",
            {
                "user": "ann",
                "password": "p@ss",
                "host": "db.example",
                "port": 5433,
                "dbname": "console",
            },
        ),
        ("postgres:///console", {"dbname": "console"}),
        (
            "postgresql+psycopg://%2Ftmp%2FRun/console?sslmode=require",
            {"host": "/tmp/Run", "dbname": "console", "sslmode": "require"},
        ),
        (
            "postgresql://ann:@/console?host=/tmp/Run",
            {"user": "ann", "host": "/tmp/Run", "dbname": "console"},
        ),
        ("postgresql://[2001:db8::1]:5432/c", {"host": "2001:db8::1", "port": 5432, "dbname": "c"}),
    ],
)
def test_postgresql_url_becomes_the_drivers_options(url, options):
    found = location.parse(url)

    assert (found.path, found.engine, found.options) == (None, "postgresql", options)


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://ann:s3cret@db.example/console",
        "postgresql://ann@db.example/console?password=s3cret",
        "postgresql://ann:s3cret%zz@db.example/console",
    ],
)
def test_password_is_never_shown(url):
    found = location.parse(url)

    assert "s3cret" not in f"{found} {found!r}"
    assert "db.example" in str(found)


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://ann:s3cret@db.example:port/console",
        "postgresql://ann:s3cret@[db.example/console",
        "mysql://ann:s3cret@db.example/console",
        "ann:s3cret@db.example",
        "sqlite://",
        "sqlite:///",
        "",
    ],
)
def test_url_of_no_archive_is_a_configuration_error_without_the_password(url):
    with pytest.raises(errors.ConfigError) as caught:
        location.parse(url)

    assert "s3cret" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.do is not None
