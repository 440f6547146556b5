"""API keys, from the files and variables that hold them."""

import stat
from collections.abc import Mapping
from pathlib import Path

from archiver import errors
from archiver.config.secret import Secret

_MOST_BYTES = 4096  # more is no key, and may be a device without an end


def read_file(path: Path, warnings: list[str]) -> Secret:
    """
    Return the key in the file at *path*; add to *warnings* if everyone can read it.

    Raises:
        ConfigError: It cannot be read, or is no key.

    """
    try:
        with path.open("rb") as file:
            mode = stat.S_IMODE(path.stat().st_mode)
            content = file.read(_MOST_BYTES)
    except OSError as exc:
        raise errors.ConfigError(
            f"file with the API key cannot be read: {exc.strerror}",
            where=str(path),
            do="write the key into it, and let only this user read it: chmod 600",
        ) from exc
    if mode & stat.S_IROTH:
        warnings.append(f"everyone can read the API key in {path}: chmod 600 {path}")
    return _check(content.decode("ascii", "replace"), str(path))


def read_variable(name: str, environ: Mapping[str, str], where: str) -> Secret:
    """
    Return the key in the variable *name*.

    Raises:
        ConfigError: It is not set, or holds no key.

    """
    value = environ.get(name)
    if not value:
        # The name is not shown: it may be the key itself, written in its place.
        raise errors.ConfigError(
            "environment variable with the API key is not set",
            where=where,
            do="name a variable there, and set it to the key",
        )
    return _check(value, name)


def _check(text: str, where: str) -> Secret:
    key = text.strip()
    # Printable ASCII and no blanks: anything else would end or split the header.
    if not key or not key.isascii() or not key.isprintable() or " " in key:
        raise errors.ConfigError(
            "this is no API key",  # its content is not shown: it may be another secret
            where=where,
            do="write the key as the panel shows it, one line and nothing else",
        )
    return Secret(key)
