"""The settings in force, as values: what the rest of the program is given."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import urlsplit

from archiver.config.secret import Secret

NOT_SET = "not set"  # the origin of what has no default
_DEFAULT_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeSettings:
    """How to trust one node of a panel."""

    verify: bool = True
    ca_file: Path | None = None  # None: the panel's


@dataclass(frozen=True, slots=True, kw_only=True)
class PanelSettings:
    """One panel and how it may be used."""

    name: str
    url: str  # without a slash at its end
    origin: str  # header of the sockets
    api_keys: tuple[Secret, ...] = ()  # empty: keys were not asked for
    servers: tuple[str, ...] = ("*",)  # globs over identifiers and names
    scope: str = "all"  # one of table.SCOPES
    ca_file: Path | None = None  # None: the system's certificates
    allow_http: bool = False
    allow_control: bool = False
    nodes: Mapping[str, NodeSettings] = field(default_factory=dict)  # by host, in lower case

    @property
    def base(self) -> str:
        """The origin of the URL: what the archive knows the panel by."""
        return origin_of(self.url)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """
    All settings.

    Args:
        file: The file that was read; None: none was there.
        origins: Where a value came from, by its name as in :meth:`rows`; what is
            missing is a default.
        warnings: What the user should change, each a sentence for stderr.

    """

    data_dir: Path
    database_url: str = field(repr=False)  # may hold a password
    commit_interval: float = 1.0
    stats_interval: float = 10.0
    discovery_interval: float = 180.0
    audit_interval: float = 900.0  # 0: none without evidence
    compression: bool = False
    trust_env: bool = False
    panels: tuple[PanelSettings, ...] = ()
    queries: Mapping[str, str] = field(default_factory=dict)  # saved ones by name
    file: Path | None = None
    origins: Mapping[str, str] = field(default_factory=dict, repr=False)
    warnings: tuple[str, ...] = ()

    @property
    def index_dir(self) -> Path:
        """Where the search index is: a cache, made anew from the archive at will."""
        return self.data_dir / "index"

    def rows(self) -> Iterator[tuple[str, str, str]]:
        """Yield name, value and origin of each setting, secrets masked."""
        for item in fields(self):
            if item.name not in {"panels", "queries", "file", "origins", "warnings"}:
                value = getattr(self, item.name)
                yield self._row(item.name, mask(value) if item.name == "database_url" else value)
        for number, panel in enumerate(self.panels):
            for item in fields(panel):
                name, value = f"panels[{number}].{item.name}", getattr(panel, item.name)
                if item.name == "api_keys" and self.origins.get(name, NOT_SET) != NOT_SET:
                    value = "***"  # whether they were read or not: there are some
                if item.name != "nodes":
                    yield self._row(name, value)
            for host, node in panel.nodes.items():
                for item in fields(node):
                    name = f"panels[{number}].nodes.{host!r}.{item.name}"
                    yield self._row(name, getattr(node, item.name))

        for name, query in self.queries.items():
            yield f"queries.{name}", query, str(self.file)

    def _row(self, name: str, value: object) -> tuple[str, str, str]:
        return name, _show(value), self.origins.get(name, "default")


def _show(value: object) -> str:
    if isinstance(value, tuple):
        return ", ".join(map(str, value)) or "-"
    if isinstance(value, bool):
        return "true" if value else "false"
    return "-" if value is None else str(value)


def mask(database_url: str) -> str:
    """Return *database_url* with stars for its password."""
    # To the last @: a password that should have been percent-encoded may hold one.
    masked = re.sub(r"(://[^:/@]*):.*@", r"\1:***@", database_url, flags=re.DOTALL)
    return re.sub(r"(password=)[^&]*", r"\1***", masked, flags=re.IGNORECASE)


def origin_of(url: str) -> str:
    """
    Return scheme, host and port of *url* as a browser would send them.

    The scheme and the host are in lower case, a default port is left out.

    Raises:
        ValueError: It has no host, or its port is no number.

    """
    parts = urlsplit(url)
    if not parts.hostname:
        raise ValueError("no host")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    port = parts.port
    if port is None or port == _DEFAULT_PORTS.get(parts.scheme):
        return f"{parts.scheme}://{host}"
    return f"{parts.scheme}://{host}:{port}"


def is_loopback(host: str) -> bool:
    """Return whether *host* can only be this machine."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
