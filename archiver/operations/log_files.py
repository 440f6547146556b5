"""
Log files as they lie on disk: plain, gzip or Zstandard, one line at a time.

What a file is, its first bytes say; its name may say anything. Memory is constant,
whatever the file holds: a line without an end is cut where a daemon would cut it.
"""

import os
import re
import sys
import tempfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from shutil import copyfileobj
from typing import BinaryIO, Protocol, Self

from archiver import errors
from archiver.console.lines import PIECE_BYTES

_BLOCK = 2**18  # bytes of a plain file read at once
_PACKED = 2**14  # bytes of a compressed one: text shrinks to a tenth, zeros to a thousandth
_TEXT_BYTES = 4_096  # looked at to see whether it is text
_MOST_WINDOW = 2**31  # what `zstd --long=31` takes

_DATE = re.compile(r"(?<!\d)(\d{4})([-_.]?)(\d\d)\2(\d\d)(?!\d)", re.ASCII)
_EPOCH = date(1970, 1, 1).toordinal()


class DamagedError(Exception):
    """A compressed file that cannot be read on; its message says why."""


class _Decompressor(Protocol):
    """What zlib and zstandard have in common."""

    @property
    def eof(self) -> bool: ...

    @property
    def unused_data(self) -> bytes: ...

    def decompress(self, data: bytes, /) -> bytes: ...


class LogFile:
    """
    One file, which can be read several times.

    Args:
        path: Where it is; ``-``: standard input, which is copied to a temporary file.

    Raises:
        UsageError: It is not there, cannot be read, or is not text.

    """

    def __init__(self, path: Path) -> None:
        self.is_stdin = str(path) == "-"
        self.name = "standard input" if self.is_stdin else str(path)
        self.read = 0  # bytes of the file, this time
        with self._telling():
            self._file: BinaryIO = _spool(sys.stdin.buffer) if self.is_stdin else path.open("rb")
            try:
                self._look()
            except BaseException:
                self.close()
                raise

    def _look(self) -> None:
        status = os.fstat(self._file.fileno())
        self.size = status.st_size  # bytes
        self.modified_at = status.st_mtime_ns // 1_000  # microseconds
        try:
            start = next(self._blocks(), b"")[:_TEXT_BYTES]
        except DamagedError:
            start = b""  # whoever reads it is told
        if b"\0" in start:
            raise errors.UsageError(
                "file is not text",
                where=self.name,
                do="name a log file: plain, .gz, .zst, or NDJSON of 'archiver export lines'",
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; a second time is harmless."""
        self._file.close()

    @property
    def day(self) -> int | None:
        """The date in its name, in days since 1970; None: there is none."""
        match = _DATE.search(Path(self.name).name)
        if match is None or self.is_stdin:
            return None
        try:
            return date(int(match[1]), int(match[3]), int(match[4])).toordinal() - _EPOCH
        except ValueError:
            return None

    def lines(self) -> Iterator[bytes]:
        """
        Yield its lines from the first on, without their ends; the last may have none.

        Raises:
            DamagedError: It is compressed and damaged; all whole lines were yielded.
            UsageError: It cannot be read.

        """
        rest = b""
        is_first = True
        with self._telling():
            for block in self._blocks():
                if is_first and block:
                    block = block.removeprefix(b"\xef\xbb\xbf")  # noqa: PLW2901  # a byte order mark
                    is_first = False
                *lines, rest = (rest + block).split(b"\n")
                for line in lines:
                    if len(line) <= PIECE_BYTES:
                        yield line.removesuffix(b"\r")
                    else:
                        yield from _pieces(line.removesuffix(b"\r"))
                while len(rest) > PIECE_BYTES:
                    yield rest[:PIECE_BYTES]
                    rest = rest[PIECE_BYTES:]
        if rest:
            yield rest.removesuffix(b"\r")

    def _blocks(self) -> Iterator[bytes]:
        """Yield what is in it, decompressed."""
        self._file.seek(0)
        self.read = 0
        start = self._file.read(4)
        make = _decompressor(start)
        if make is None:
            self._file.seek(0)
            while block := self._file.read(_BLOCK):
                self.read += len(block)
                yield block
            return
        self._file.seek(0)
        decompressor = make()
        try:
            while packed := self._file.read(_PACKED):
                self.read += len(packed)
                while packed:
                    if decompressor.eof:
                        packed = packed.lstrip(b"\0")  # as tapes and gzip pad
                        decompressor = make() if packed else decompressor
                    if packed:
                        yield decompressor.decompress(packed)
                        packed = decompressor.unused_data if decompressor.eof else b""
        except _refusals() as exc:
            raise DamagedError(str(exc)) from exc
        if not decompressor.eof:
            raise DamagedError("it ends before its compressed data does")

    @contextmanager
    def _telling(self) -> Iterator[None]:
        try:
            yield
        except OSError as exc:
            raise errors.UsageError(
                f"file cannot be read: {exc.strerror}",
                where=self.name,
                do="name a file that is there and that you may read",
            ) from exc


def _spool(stream: BinaryIO) -> BinaryIO:
    file = tempfile.TemporaryFile(prefix="archiver-import-")  # noqa: SIM115  # LogFile closes it
    copyfileobj(stream, file)
    file.flush()  # its size is asked for
    return file


def _pieces(line: bytes) -> Iterator[bytes]:
    for start in range(0, len(line), PIECE_BYTES):
        yield line[start : start + PIECE_BYTES]


def _decompressor(start: bytes) -> Callable[[], _Decompressor] | None:
    """Return what makes a decompressor for a file that begins so; None: it is plain."""
    if start.startswith(b"\x1f\x8b"):
        return lambda: zlib.decompressobj(zlib.MAX_WBITS | 16)
    if start == b"\x28\xb5\x2f\xfd":
        import zstandard  # noqa: PLC0415  # 15 ms that few files need

        return zstandard.ZstdDecompressor(max_window_size=_MOST_WINDOW).decompressobj
    return None


def _refusals() -> tuple[type[Exception], ...]:
    zstandard = sys.modules.get("zstandard")
    return (zlib.error,) if zstandard is None else (zlib.error, zstandard.ZstdError)
