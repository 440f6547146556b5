"""
Read ``[[panels]]``, and what options and environment put over one of them.

The rule that matters here: a key never goes to another host than the one it was
written for.
"""

from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import urlsplit

from archiver import errors
from archiver.config import keys, layers
from archiver.config.layers import ConfigFile, Layer, Written
from archiver.config.settings import (
    NOT_SET,
    NodeSettings,
    PanelSettings,
    is_loopback,
    origin_of,
)
from archiver.config.table import NODE_SETTINGS, PANEL_SETTINGS, variable


class _Entry(NamedTuple):
    """One panel as it was written."""

    layer: Layer
    nodes: Mapping[str, NodeSettings]


class PanelReader:
    """
    Makes panels of what was written; gathers where it came from, and warnings.

    Args:
        file: The configuration file.
        environ: Where ``api_key_env`` looks.
        with_keys: Read the keys too, and refuse a panel without one.

    """

    def __init__(self, file: ConfigFile, environ: Mapping[str, str], *, with_keys: bool) -> None:
        self._file = file
        self._environ = environ
        self._with_keys = with_keys
        self.origins: dict[str, str] = {}
        self.warnings: list[str] = []

    def read(self, over: Layer) -> tuple[PanelSettings, ...]:
        """
        Return all panels.

        Args:
            over: One panel's settings from command line and environment.

        Raises:
            ConfigError: A setting is missing, unknown or unusable.

        """
        entries = self._entries()
        if over:
            entries = self._put_over(over, entries)
        panels: list[PanelSettings] = []
        for number, entry in enumerate(entries):
            panel = self._panel(number, entry)
            if any(panel.name == other.name or panel.base == other.base for other in panels):
                raise errors.ConfigError(
                    f"panel {panel.name!r} is there twice",
                    where=entry.layer["url"].where,
                    do="give keys of one panel as a list, and panels on one host a name each",
                )
            panels.append(panel)
        return tuple(panels)

    def _entries(self) -> list[_Entry]:
        tables = self._file.tables.get("panels", [])
        if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
            raise errors.ConfigError(
                "panels is not a list of tables",
                where=self._file.place("panels"),
                do="begin each panel with the line [[panels]]",
            )
        return [
            _Entry(
                layers.read_table(
                    self._file,
                    table,
                    PANEL_SETTINGS,
                    section="panels",
                    number=number,
                    also=("nodes",),
                ),
                self._nodes(table.get("nodes", {}), number),
            )
            for number, table in enumerate(tables)
        ]

    def _put_over(self, over: Layer, entries: list[_Entry]) -> list[_Entry]:
        """
        Put one panel's options and variables over the file.

        With a URL they are the only panel; the file's settings, its key above all,
        go with it only if the file's URL has the same origin. Without a URL they
        belong to the file's only panel.
        """
        if "url" in over:
            wanted = _origin(over["url"])
            for layer, nodes in entries:
                if "url" in layer and _origin(layer["url"]) == wanted:
                    return [_Entry(layers.override(layer, over), nodes)]
            return [_Entry(over, {})]
        if len(entries) > 1:
            name, (_, where) = next(iter(over.items()))
            raise errors.ConfigError(
                f"{where} is set, but the configuration has {len(entries)} panels",
                where=str(self._file.path),
                do=f"set {name!r} for each panel in the file, or {variable('url')} to use one",
            )
        return [_Entry(layers.override(layer, over), nodes) for layer, nodes in entries]

    def _panel(self, number: int, entry: _Entry) -> PanelSettings:
        layer, nodes = entry
        if "url" not in layer:
            raise errors.ConfigError(
                f"panel {number + 1} has no url", where=self._file.place("panels")
            )
        values = layers.read_values(PANEL_SETTINGS, layer, self._file)
        url = values["url"] = _checked_url(layer["url"], allow_http=values.get("allow_http", False))
        values.setdefault("name", urlsplit(url).hostname)
        values.setdefault("origin", origin_of(url))
        files, variables = values.pop("api_key_file", ()), values.pop("api_key_env", ())
        prefix = f"panels[{number}]."
        self.origins |= {prefix + name: written.where for name, written in layer.items()}
        places = [layer[name].where for name in layers.KEYS if name in layer]
        self.origins[prefix + "api_keys"] = ", ".join(places) or NOT_SET
        found = [keys.read_file(path, self.warnings) for path in files if self._with_keys]
        found += [
            keys.read_variable(name, self._environ, layer["api_key_env"].where)
            for name in variables
            if self._with_keys
        ]
        if self._with_keys and not found:
            raise errors.ConfigError(
                f"no API key for panel {values['name']!r}",
                where=layer["url"].where,
                do="set 'api_key_file' in the configuration, or ARCHIVER_API_KEY",
            )
        return PanelSettings(**values, api_keys=tuple(found), nodes=nodes)

    def _nodes(self, tables: object, number: int) -> Mapping[str, NodeSettings]:
        if not isinstance(tables, dict) or not all(isinstance(t, dict) for t in tables.values()):
            raise errors.ConfigError(
                "nodes is not a table of hosts",
                where=self._file.place("nodes", "panels", number),
                do='write [panels.nodes."node.example.com"] above its settings',
            )
        nodes = {}
        for host, table in tables.items():
            layer = layers.read_table(
                self._file, table, NODE_SETTINGS, section=f"panels.nodes.{host}", number=number
            )
            name = host.lower()
            nodes[name] = NodeSettings(**layers.read_values(NODE_SETTINGS, layer, self._file))
            prefix = f"panels[{number}].nodes.{name!r}."
            self.origins |= {prefix + key: written.where for key, written in layer.items()}
        return nodes


def _origin(url: Written) -> str | None:
    try:
        return origin_of(str(url.value))
    except ValueError:
        return None


def _checked_url(written: Written, *, allow_http: bool) -> str:
    url, where = str(written.value).rstrip("/"), written.where
    try:
        parts = urlsplit(url)
        origin_of(url)
        usable = parts.scheme in {"http", "https"}
    except ValueError:
        usable = False
    # No user, query or fragment: they may be secrets, and a panel has none.
    if not usable or "@" in parts.netloc or parts.query or parts.fragment:
        raise errors.ConfigError(
            "url is not a panel's address",
            where=where,
            do="write it as 'https://panel.example.com'",
        )
    if parts.scheme == "http" and not allow_http and not is_loopback(parts.hostname or ""):
        raise errors.ConfigError(
            f"url {url!r} would send the API key in the clear",
            where=where,
            do="use https://, or set allow_http = true if the way there is private",
        )
    return url
