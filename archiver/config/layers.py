"""
Where settings are written: command line, environment, one TOML file.

Each layer becomes a mapping from a setting's name to the value as written and the
place it was written at.
"""

import os
import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from archiver import errors
from archiver.config.table import KEY_VARIABLE, Setting, option, variable

SYSTEM_FILE = Path("/etc/archiver/config.toml")


class Written(NamedTuple):
    """A value as somebody wrote it, and where."""

    value: object
    where: str


Layer = Mapping[str, Written]

KEYS = ("api_key_file", "api_key_env")


@dataclass(frozen=True, slots=True)
class ConfigFile:
    """One TOML file; an empty one stands for none."""

    path: Path | None = None
    text: str = field(default="", repr=False)
    tables: Mapping[str, Any] = field(default_factory=dict, repr=False)

    def place(self, name: str, section: str | None = None, number: int | None = 0) -> str:
        """
        Say where a key stands, with its line where that is plain to see.

        Args:
            name: The key.
            section: The table it stands in, without quotes; None: above all tables.
            number: Which ``[[panels]]`` the table belongs to, from 0; None: to none.

        """
        current, panel = None, -1
        for count, line in enumerate(self.text.splitlines(), 1):
            text = line.strip()
            if text.startswith("["):
                current = re.sub(r"[\s\"'\[\]]", "", text.split("#")[0])
                panel += text.startswith("[[")
            elif (
                current == section
                and (section is None or number is None or panel == number)
                and re.match(rf"[\"']?{re.escape(name)}[\"']?\s*[=.]", text)
            ):
                return f"{self.path}, line {count}"
        return str(self.path)


def user_file(environ: Mapping[str, str]) -> Path:
    """Return where this user's configuration belongs, whether it exists or not."""
    return _base(environ, "XDG_CONFIG_HOME", ".config") / "archiver" / "config.toml"


def default_data_dir(environ: Mapping[str, str]) -> Written:
    """Return where the archive belongs if nobody says otherwise."""
    # systemd gives a list if the unit names several; the first is the archive's.
    state = environ.get("STATE_DIRECTORY", "").split(":")[0]
    if state:
        return Written(Path(state), "STATE_DIRECTORY")
    return Written(_base(environ, "XDG_DATA_HOME", ".local/share") / "archiver", "default")


def _base(environ: Mapping[str, str], name: str, otherwise: str) -> Path:
    # "All paths must be absolute; a relative one is to be ignored": XDG Base
    # Directory 0.8. It would also be a file from the current directory.
    value = environ.get(name, "")
    if value.startswith("/"):
        return Path(value)
    return Path(environ.get("HOME") or Path.home()) / otherwise


def find_file(explicit: Path | None, environ: Mapping[str, str]) -> Path | None:
    """
    Return the one file that counts, None if there is none.

    Never one from the current directory: somebody else's could send the key to a
    stranger. A file that was named need not exist yet; reading it says so.
    """
    named = explicit or Path(environ.get("ARCHIVER_CONFIG", ""))
    if named != Path():
        return named.expanduser()
    for path in (user_file(environ), SYSTEM_FILE):
        if os.path.lexists(path):
            return path
    return None


def read_file(path: Path | None) -> ConfigFile:
    """
    Read the TOML file at *path*.

    Raises:
        ConfigError: It cannot be read, or is not TOML.

    """
    if path is None:
        return ConfigFile()
    try:
        text = path.read_text(encoding="utf-8")
        return ConfigFile(path, text, tomllib.loads(text))
    except OSError as exc:
        raise errors.ConfigError(
            f"configuration cannot be read: {exc.strerror}",
            where=str(path),
            do="run 'archiver config init' to make one, or name another with --config",
        ) from exc
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as exc:
        raise errors.ConfigError(f"configuration is not TOML: {exc}", where=str(path)) from exc


def read_environment(settings: Iterable[Setting], environ: Mapping[str, str]) -> Layer:
    """Return what ARCHIVER_* says; an empty variable says nothing."""
    layer = {}
    for setting in settings:
        name = variable(setting.name)
        if environ.get(name):
            layer[setting.name] = Written(environ[name], name)
    if environ.get(KEY_VARIABLE):
        layer["api_key_env"] = Written(KEY_VARIABLE, KEY_VARIABLE)
    return layer


def read_options(settings: Iterable[Setting], options: Mapping[str, object]) -> Layer:
    """Return what the command line says; None is an option that was not given."""
    return {
        setting.name: Written(options[setting.name], f"--{option(setting.name)}")
        for setting in settings
        if options.get(setting.name) is not None
    }


def read_table(
    file: ConfigFile,
    table: Mapping[str, Any],
    settings: Iterable[Setting],
    *,
    section: str | None = None,
    number: int = 0,
    also: tuple[str, ...] = (),
) -> Layer:
    """
    Return what one table of *file* says.

    Args:
        file: The file, for places.
        table: The table.
        settings: What may stand in it.
        section: Its name; None: the top of the file.
        number: Which ``[[panels]]`` it belongs to, from 0.
        also: Tables inside it, which are somebody else's to read.

    Raises:
        ConfigError: It holds a key that is not known.

    """
    known = [setting.name for setting in settings]
    layer = {}
    for name, value in table.items():
        where = file.place(name, section, number)
        if name in known:
            layer[name] = Written(value, where)
        elif name not in also:
            raise errors.ConfigError(
                f"unknown setting {name!r}", where=where, do=_advice(name, [*known, *also])
            )
    return layer


def override(lower: Layer, upper: Layer) -> Layer:
    """Put *upper* over *lower*; keys go together, one place must not add to another's."""
    if any(name in upper for name in KEYS):
        lower = {name: written for name, written in lower.items() if name not in KEYS}
    return {**lower, **upper}


def read_values(settings: Iterable[Setting], layer: Layer, file: ConfigFile) -> dict[str, Any]:
    """
    Make values of what was written; paths in the file are relative to the file.

    Raises:
        ConfigError: A value is not what the setting may be.

    """
    values: dict[str, Any] = {}
    for setting in settings:
        if setting.name not in layer:
            continue
        value, where = layer[setting.name]
        try:
            read = setting.read(value)
        except ValueError as exc:
            raise errors.ConfigError(
                f"{setting.name} is {value!r}, not {exc}", where=where
            ) from None
        base = file.path.parent if file.path and where.startswith(str(file.path)) else Path()
        if isinstance(read, tuple):
            read = tuple(_absolute(base, item) for item in read)
        values[setting.name] = _absolute(base, read)
    return values


def _absolute(base: Path, value: Any) -> Any:
    return (base / value.expanduser()).absolute() if isinstance(value, Path) else value


def _advice(name: str, known: list[str]) -> str:
    import difflib  # noqa: PLC0415  # only for this error

    if name in {"api_key", "key", "token"}:
        return "write the key into a file of its own, and its path here as 'api_key_file'"
    close = difflib.get_close_matches(name, known, 1)
    return f"did you mean {close[0]!r}?" if close else "known here: " + ", ".join(known)
