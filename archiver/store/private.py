"""Files that only their owner may read, in directories that only their owner may enter."""

import os
from pathlib import Path

from archiver.store.refusals import RefusedError


def open_file(path: Path, name: str) -> int:
    """
    Open a file to read and write, and make it and its directory where they are not there.

    Args:
        path: What exists keeps its mode: an administrator may have given it a group.
        name: What it is to people.

    Returns:
        Its descriptor.

    Raises:
        RefusedError: It cannot be made.

    """
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        return os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as exc:
        raise _explain(path, name, exc) from exc


def _explain(path: Path, name: str, exc: OSError) -> RefusedError:
    what, where = exc.strerror, path
    do = "make the directory writable for this user"
    if isinstance(exc, (FileExistsError, NotADirectoryError, IsADirectoryError)):
        do = "move that away, or name another place: see 'archiver config show'"
        if isinstance(exc, IsADirectoryError):
            what = "a directory is in its place"
        else:
            where = next(each for each in path.parents if os.path.lexists(each))
            what = f"its directory is a {'file' if where.exists() else 'broken link'}"
    return RefusedError(f"{name} cannot be made: {what}", where=str(where), do=do, retryable=False)
