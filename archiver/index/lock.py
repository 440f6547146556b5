"""One process changes an index at a time; any number read it meanwhile."""

import fcntl
import os
from pathlib import Path

from archiver import errors
from archiver.index import files

_FILE_NAME = "update.lock"


class UpdateLock:
    """
    The right to change the index of one archive, held until :meth:`release`.

    The kernel drops it however the process ends.

    Args:
        index_dir: Made where it is not there, for its owner alone.

    Raises:
        IndexUnavailableError: Another process holds it, the directory refuses, or another
            user could change it: what is made there would not be read.

    """

    def __init__(self, index_dir: Path) -> None:
        path = index_dir / _FILE_NAME
        try:
            index_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
            files.check_directory(index_dir)
            self._file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as exc:
            raise errors.IndexUnavailableError(
                f"the index cannot be written: {exc.strerror}",
                where=str(index_dir),
                do="make the directory writable for this user",
            ) from exc
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as exc:
            os.close(self._file)
            raise errors.IndexUnavailableError(
                "another process updates the index",
                where=str(path),
                do="wait until it has ended",
            ) from exc

    def release(self) -> None:
        """Let others change it. The file stays: to remove it would unlock it for a third."""
        os.close(self._file)
