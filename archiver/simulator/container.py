r"""
One container's console: the bytes a game writes, the docker log, the two line splitters.

The same bytes become text twice in Wings. Live, ``ScanReader`` takes them from the
attached stream in reads of 256 bytes; for a replay, Go's ``bufio.Scanner`` reads the
tail of the docker log. Both are here as they are, so that what differs on the wire
differs here: blank lines, ``" \r"``, long lines, tails that start inside a line.

Source: Wings f1c5bbd system/utils.go and environment/docker/container.go; Go 1.22
bufio; moby b985e23 daemon/logger/copier.go and loggerutils/logfile.go.
"""

import codecs
from collections import deque

CHUNK = 256  # bytes ScanReader takes at once
LONGEST = 64 * 1024  # bytes: ScanReader's largest line, and bufio.MaxScanTokenSize
ENTRY = 16 * 1024  # bytes docker's log copier puts into one entry at most
ENTRY_OVERHEAD = 30  # bytes around each entry in the `local` driver's file, about


def live_pieces(line: bytes) -> list[bytes]:
    """
    Return what a viewer gets of one line as it is printed, in order.

    Nothing for a blank line; several pieces for one of more than 64 KiB, with the 256
    bytes after each piece missing.

    Args:
        line: The line as the terminal wrote it, with its end.

    """
    if len(line) <= CHUNK:
        text = line.removesuffix(b"\n").removesuffix(b"\r").replace(b" \r", b"\r\n")
        return [text] if text else []
    pieces: list[bytes] = []
    piece = bytearray()
    position = 0
    while position < len(line):
        end = line.find(b"\n", position, position + CHUNK)
        if end >= 0:
            chunk = line[position:end].removesuffix(b"\r")
            position = end + 1
        else:
            # bufio.Reader.ReadLine keeps a last "\r" back: it may begin the line's end.
            chunk = line[position : position + CHUNK].removesuffix(b"\r")
            position += len(chunk)
        full = len(piece) + len(chunk) > LONGEST
        if not full:
            piece += chunk.replace(b" \r", b"\r\n")  # a pair astride two chunks stays
        if full or end >= 0:
            if piece:
                pieces.append(bytes(piece))
            piece.clear()  # and with it, when full, the chunk that had no room
    return pieces


def replay_lines(log: bytes) -> list[bytes]:
    """
    Return the lines of a log as a replay has them.

    It ends before the first line that does not fit into 64 KiB with its end; the
    scanner's error is ignored in Wings.
    """
    lines: list[bytes] = []
    ended = log.split(b"\n")
    rest = ended.pop()
    for line in ended:
        if len(line) >= LONGEST:
            return lines
        lines.append(line.removesuffix(b"\r"))
    if 0 < len(rest) < LONGEST:
        lines.append(rest.removesuffix(b"\r"))
    return lines


def _replace_each_byte(error: UnicodeError) -> tuple[str, int]:
    # encoding/json: every byte that is not UTF-8 becomes one U+FFFD; Python's own
    # 'replace' writes one for several bytes of a cut character.
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return "\ufffd" * (error.end - error.start), error.end


codecs.register_error("go", _replace_each_byte)


def decode(text: bytes) -> str:
    """Return the text as Go's JSON encoder has it."""
    return text.decode("utf-8", "go")


class DockerLog:
    """
    The log of one container, as much of it as a replay can reach.

    Args:
        reach: Entries a replay asks for.
        size: Bytes, after which the only file is removed and begun anew.

    """

    def __init__(self, reach: int, size: int) -> None:
        self.rotations = 0
        self._reach = reach
        self._limit = size
        self._size = 0
        self._entries: deque[tuple[int, bytes]] = deque()  # readable from, bytes

    def append(self, line: bytes, readable_at: int, now: int) -> None:
        """
        Log one line, split into entries.

        Args:
            line: The line with its end.
            readable_at: When the log's writer has it in the file.
            now: The time.

        """
        while len(line) > ENTRY:
            self._append(line[:ENTRY], readable_at)
            line = line[ENTRY:]
        self._append(line, readable_at)
        entries, reach = self._entries, self._reach
        while len(entries) > reach and entries[reach][0] <= now:
            entries.popleft()  # enough newer ones are readable

    def _append(self, entry: bytes, readable_at: int) -> None:
        self._size += len(entry) + ENTRY_OVERHEAD
        if self._size > self._limit:
            self.rotate()
            self._size = len(entry) + ENTRY_OVERHEAD
        self._entries.append((readable_at, entry))

    def rotate(self) -> None:
        """Remove the file; with ``max-file 1`` nothing older is left."""
        self._entries.clear()
        self._size = 0
        self.rotations += 1

    def tail(self, now: int) -> bytes:
        """Return the last entries that are readable now."""
        readable = [entry for at, entry in self._entries if at <= now]
        return b"".join(readable[-self._reach :]) if self._reach else b""


class Container:
    """
    One life of the game process: its terminal and its log. A new one at every boot.

    Args:
        log: Its docker log, empty.

    """

    def __init__(self, log: DockerLog) -> None:
        self.log = log
        self.running = True
        self._unended = b""

    def print(self, written: bytes) -> list[bytes]:
        r"""
        Return the lines that end in what the game wrote, each with its end.

        The container has a terminal, which writes every newline as ``\r\n``.
        """
        *lines, self._unended = (self._unended + written).split(b"\n")
        return [line + b"\r\n" for line in lines]
