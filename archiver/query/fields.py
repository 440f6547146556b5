"""The fields of a line that a query can ask for, and the names of their values."""

import fnmatch
import re
from collections.abc import Callable
from functools import lru_cache

from archiver.console.records import Source
from archiver.query import words

# The least OpenTelemetry severity number of each level; it ends where the next begins.
LEVELS = {"trace": 1, "debug": 5, "info": 9, "warn": 13, "error": 17, "fatal": 21}
MOST_SEVERE = 24

# How others call them: Java, syslog, Python.
OTHER_NAMES_OF_LEVELS = {
    "warning": "warn",
    "err": "error",
    "severe": "error",
    "critical": "fatal",
    "crit": "fatal",
}

SOURCES = {
    "live": Source.LIVE,
    "replay": Source.REPLAY,
    "daemon": Source.DAEMON,
    "message": Source.DAEMON_MESSAGE,
    "install": Source.INSTALL,
    "transfer": Source.TRANSFER,
    "import": Source.IMPORT,
}


def server_test(name: str) -> Callable[[str, str], bool]:
    """
    Return the test whether a server is meant by *name*.

    Args:
        name: An identifier or a name, in any case; ``*``, ``?`` and ``[`` as in a shell.

    Returns:
        What says, of a server's identifier and its name, whether one of them fits.

    """
    folded = words.fold(name)
    fits = re.compile(fnmatch.translate(folded)).match

    @lru_cache(maxsize=1024)  # one answer for each server, not for each of its lines
    def test(identifier: str, server_name: str) -> bool:
        folds = words.fold(identifier), words.fold(server_name)
        return folded in folds or any(map(fits, folds))

    return test
