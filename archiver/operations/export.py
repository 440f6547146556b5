"""
Lines as NDJSON and CSV: the public interface, for other programs.

Keys and their order are stable within a major version. Times are ISO 8601 in UTC
with microseconds, null (in CSV: empty) where unknown; ``raw`` is null where it is
the same as ``text``. NDJSON can be shown on a terminal: what acts on one is escaped,
as JSON allows. CSV has no escapes and is as faithful as it is unsafe.
"""

import csv
import json
import os
import stat
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal, Protocol

from archiver import errors
from archiver.console.records import AtKind, Source
from archiver.operations.visible import visible
from archiver.query.times import format_iso
from archiver.store.rows import LineRow

Format = Literal["ndjson", "csv"]

SOURCES: dict[int, str] = {
    Source.LIVE: "live",
    Source.REPLAY: "replay",
    Source.DAEMON: "daemon",
    Source.DAEMON_MESSAGE: "message",
    Source.INSTALL: "install",
    Source.TRANSFER: "transfer",
    Source.IMPORT: "import",
}
_AT_KINDS = {int(kind): kind.name.lower() for kind in AtKind}
# OpenTelemetry severity numbers: four to a word, from 1.
_LEVELS = ("trace", "debug", "info", "warn", "error", "fatal")

COLUMNS = (
    "server",
    "server_name",
    "seq",
    "run",
    "observed_at",
    "earliest_at",
    "timestamp",
    "at",
    "at_kind",
    "source",
    "level",
    "text",
    "raw",
)


class Sink(Protocol):
    """What lines are written to."""

    def write(self, text: str, /) -> object:
        """Write *text*."""


def values(row: LineRow) -> tuple[object, ...]:
    """Return what :data:`COLUMNS` name, for one line."""
    observed_at = format_iso(row.observed_at)
    return (
        row.identifier,
        row.server_name,
        row.seq,
        row.run_id,
        observed_at,
        None if row.earliest_at is None else format_iso(row.earliest_at),
        None if row.timestamp is None else format_iso(row.timestamp),
        observed_at if row.at == row.observed_at else format_iso(row.at),
        _AT_KINDS[row.at_kind],
        SOURCES[row.source],
        None if row.level is None else _LEVELS[min(5, max(0, row.level - 1) // 4)],
        row.text,
        row.raw,
    )


def write_lines(rows: Iterable[LineRow], kind: Format, file: Sink) -> int:
    """Write all lines and return how many there were; CSV begins with the names."""
    return write_records(COLUMNS, map(values, rows), kind, file)


def write_records(
    names: tuple[str, ...], records: Iterable[tuple[object, ...]], kind: Format, file: Sink
) -> int:
    """Write *records*, each as long as *names*, and return how many there were."""
    write: Callable[[tuple[object, ...]], object]
    if kind == "csv":
        # With the default line ending both CR and LF are quoted inside a field; with
        # a bare LF a CR would not be, below Python 3.13, and would end a row.
        write = csv.writer(file).writerow
        write(names)
    else:
        encode = json.JSONEncoder(ensure_ascii=False).encode

        def write(record: tuple[object, ...]) -> object:
            return file.write(visible(encode(dict(zip(names, record, strict=True)))) + "\n")

    count = 0
    for record in records:
        write(record)
        count += 1
    return count


@contextmanager
def whole_file(path: Path, *, force: bool) -> Iterator[Sink]:
    """
    Give a file to write to that appears at *path* only when all is written.

    It is written beside its place and renamed; after any error nothing is left and
    what was there before still is. A pipe or device is written to as it is.

    Args:
        path: Where it belongs.
        force: Write over a file that exists.

    Raises:
        UsageError: The file exists, or its directory refuses.
        IncompleteError: It could not be written whole.

    """
    try:
        # Through a symbolic link: what it names is replaced, not the link.
        path = Path(os.path.realpath(path))
        part = path.with_name(f".{path.name}.{os.getpid()}.part")
        kind = _kind(path)
        is_special = kind not in {None, stat.S_IFREG}
        if kind == stat.S_IFREG and not force:
            raise errors.UsageError(
                "file exists already", where=str(path), do="name another one, or add --force"
            )
        file = (path if is_special else part).open(
            "w" if is_special else "x", encoding="utf-8", errors="backslashreplace", newline=""
        )
    except OSError as exc:
        place = "it" if isinstance(exc, IsADirectoryError) else "a directory that you may write to"
        raise errors.UsageError(
            f"file cannot be written: {exc.strerror}",
            where=str(path),
            do=f"name a file in {place}",
        ) from exc
    try:
        with file:
            yield file
            file.flush()
            if not is_special:
                os.fsync(file.fileno())
        if not is_special:
            part.replace(path)
    except OSError as exc:
        raise errors.IncompleteError(
            f"file could not be written whole: {exc.strerror}",
            where=str(path),
            do="free space, or name a file elsewhere",
        ) from exc
    finally:
        if not is_special:
            part.unlink(missing_ok=True)


def _kind(path: Path) -> int | None:
    """Return the type of what is at *path*; None: nothing is."""
    try:
        return stat.S_IFMT(path.stat().st_mode)
    except FileNotFoundError:
        return None
