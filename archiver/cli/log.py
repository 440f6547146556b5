"""The program's own log, on stderr: a constant sentence, then its facts as key=value."""

import logging
import sys

from archiver.operations.visible import visible

# What every record has; anything else in it was given as a fact.
_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


class _Formatter(logging.Formatter):
    """Writes a record on one line, and its traceback below."""

    def format(self, record: logging.LogRecord) -> str:
        facts = [
            f"{key}={value}"
            for key, value in vars(record).items()
            if key not in _STANDARD and value is not None
        ]
        lines = [visible(" ".join([record.levelname.lower(), record.getMessage(), *facts]))]
        if record.exc_info:
            lines += map(visible, self.formatException(record.exc_info).splitlines())
        # On a terminal a line of progress may stand where this goes.
        return ("\r\x1b[2K" if sys.stderr.isatty() else "") + "\n".join(lines)


def configure(verbosity: int) -> None:
    """Log warnings; from 1 on also what happens, from 2 on also each batch."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Formatter())
    logger = logging.getLogger("archiver")
    logger.handlers = [handler]
    logger.propagate = False
    logger.setLevel((logging.WARNING, logging.INFO, logging.DEBUG)[min(verbosity, 2)])
