"""
Where an archive is: the one reading of a database URL, for writers and readers.

SQLAlchemy's own URL class is not used: readers do without SQLAlchemy, and the
drivers get their options one by one, because libpq quotes parts of a URL that it
cannot parse, password included.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from archiver import errors

_EXAMPLES = "use 'sqlite:////path/archive.db' or 'postgresql://user:password@host/name'"


@dataclass(frozen=True, slots=True)
class Location:
    """
    One archive. Neither ``str`` nor ``repr`` shows a password.

    Args:
        name: The URL without its password and options, for people.
        path: The SQLite file; None on PostgreSQL.
        options: Keyword arguments for ``psycopg.connect``; empty on SQLite.

    """

    name: str
    path: Path | None
    options: dict[str, Any] = field(default_factory=dict, repr=False)

    def __str__(self) -> str:
        return self.name

    @property
    def engine(self) -> str:
        """Either ``sqlite`` or ``postgresql``."""
        return "postgresql" if self.path is None else "sqlite"


def parse(url: str) -> Location:
    """
    Read a database URL.

    A SQLite path is taken as it stands, without percent-decoding: a path is what
    people paste there.

    Raises:
        ConfigError: It is not the URL of an archive.

    """
    scheme, _, rest = url.partition("://")
    if scheme == "sqlite" and rest.startswith("/") and len(rest) > 1:
        path = Path(rest[1:])
        return Location(str(path), path)
    if scheme in {"postgresql", "postgres", "postgresql+psycopg"}:
        return _parse_postgresql(url)
    # What was given is not quoted: without its "://" it may be all password.
    what = "names no file" if scheme == "sqlite" else "is neither SQLite's nor PostgreSQL's"
    raise errors.ConfigError(f"database URL {what}", where="database_url", do=_EXAMPLES)


def _parse_postgresql(url: str) -> Location:
    try:
        parts = urlsplit(url)
        host = parts.netloc.rpartition("@")[2]  # urlsplit's own is in lower case; it may be a path
        if parts.port is not None:
            host = host.rpartition(":")[0]
        options: dict[str, Any] = {
            "user": unquote(parts.username or ""),
            "password": unquote(parts.password or ""),
            "host": unquote(host.strip("[]")),
            "port": parts.port,
            "dbname": unquote(parts.path[1:]),
        } | dict(parse_qsl(parts.query))
    except ValueError:
        # The error's own text may quote the password.
        raise errors.ConfigError(
            "database URL does not parse",
            where="database_url",
            do="percent-encode '@', ':', '/' and '#' inside user and password",
        ) from None
    options = {key: value for key, value in options.items() if value}
    user = f"{options['user']}@" if "user" in options else ""
    port = f":{options['port']}" if "port" in options else ""
    name = f"postgresql://{user}{options.get('host', '')}{port}/{options.get('dbname', '')}"
    return Location(name, None, options)
