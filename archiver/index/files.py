"""
The files of a partition: durable when made, as they were made when opened.

Whoosh neither flushes its files to the disk nor checks them, and reads pickles: of
512 bytes zeroed at random, every tenth made an answer wrong without a word, and
whoever can write a pickle runs code as its reader. So sizes, owners and modes are
checked at each opening, the CRC-32 once while the computer is up.
"""

import os
import stat
import zlib
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

from archiver import errors

Described = dict[str, tuple[int, int]]  # name to size and CRC-32

_BOOT = Path("/proc/sys/kernel/random/boot_id")  # Linux: another one after each boot
_PIECE = 1 << 20  # bytes
_MEND = "run 'archiver index update'"


def unavailable(what: str, where: Path, do: str = _MEND) -> errors.IndexUnavailableError:
    """Return the error that says so, and what to do."""
    return errors.IndexUnavailableError(what, where=str(where), do=do)


def make_durable(folder: Path) -> Described:
    """Give the files of *folder* to their owner alone, flush them and it to the disk."""
    described = {}
    for path in sorted(folder.iterdir()):
        path.chmod(0o600)
        flush(path)
        described[path.name] = path.stat().st_size, _checksum(path)
    flush(folder)
    return described


def flush(path: Path) -> None:
    """Flush a file or directory to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def check_directory(index_dir: Path) -> None:
    """
    Prove that nobody else can change what is in the directory of the index.

    Raises:
        IndexUnavailableError: Somebody can; no update mends that.
        OSError: It cannot be looked at.

    """
    try:
        _check_owner(index_dir, index_dir.stat(), stat.S_ISDIR)
    except errors.IndexUnavailableError as exc:
        do = "let only this user own and write it (chown, chmod go-w)"
        raise unavailable(exc.what, index_dir, do) from None


def check(folder: Path, described: Mapping[str, tuple[int, int]]) -> None:
    """
    Prove that *folder* holds the files that were described, and nothing else.

    Raises:
        IndexUnavailableError: It does not, or another user could have changed them.

    """
    try:
        check_directory(folder.parent)
        _check_owner(folder, folder.lstat(), stat.S_ISDIR)
        found = {path.name: path for path in sorted(folder.iterdir())}
        if found.keys() != described.keys():
            names = ", ".join(sorted(found.keys() ^ described.keys()))
            raise unavailable(f"files of the index are missing or strange: {names}", folder)
        marks = []
        for name, path in found.items():
            fact = path.lstat()
            _check_owner(path, fact, stat.S_ISREG)
            size, checksum = described[name]
            if fact.st_size != size:
                raise unavailable(f"{fact.st_size} bytes are where {size} were written", path)
            marks.append(f"{name} {checksum} {fact.st_ino} {fact.st_ctime_ns}")
        if not _is_known(folder, marks):
            for name, path in found.items():
                if _checksum(path) != described[name][1]:
                    raise unavailable("the file is not as it was written", path)
            _remember(folder, marks)
    except OSError as exc:
        raise unavailable(f"the index cannot be read: {exc.strerror}", folder) from exc


def memory_of(folder: Path) -> Path:
    """Return the file that remembers that the files of *folder* were checked."""
    return folder.with_name(f".{folder.name}.checked")


def _check_owner(path: Path, fact: os.stat_result, is_kind: Callable[[int], bool]) -> None:
    if not is_kind(fact.st_mode):
        raise unavailable("something else is in the place of the index", path)
    if fact.st_uid not in (os.geteuid(), 0):
        raise unavailable("another user owns it", path)
    if fact.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise unavailable("other users can change it", path)


def _checksum(path: Path) -> int:
    found = 0
    with path.open("rb") as file:
        while piece := file.read(_PIECE):
            found = zlib.crc32(piece, found)
    return found


def _is_known(folder: Path, marks: list[str]) -> bool:
    """Tell whether these very files were checked since the computer was started."""
    memory = memory_of(folder)
    try:
        _check_owner(memory, memory.lstat(), stat.S_ISREG)
        return memory.read_text() == _memory(marks)
    except (OSError, UnicodeError, errors.IndexUnavailableError):
        return False


def _remember(folder: Path, marks: list[str]) -> None:
    """Save the next process the checksums; where that fails, it takes them again."""
    written = memory_of(folder).with_suffix(f".{os.getpid()}")
    with suppress(OSError):
        try:
            written.write_text(_memory(marks))
            written.chmod(0o600)
            written.replace(memory_of(folder))
        finally:
            written.unlink(missing_ok=True)


def _memory(marks: list[str]) -> str:
    return "\n".join([_BOOT.read_text().strip(), *marks])
