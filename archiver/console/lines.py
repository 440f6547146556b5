"""
The text of one console line: scrubbed, compared, made searchable.

Three forms of the same line, made in this order. *Scrubbed*: what databases and
JSON refuse is replaced, once, before anything is compared. *Key*: equal for the
live and the replayed form of the same bytes. *Text*: what is searched and
printed, without escape sequences, control characters and bidirectional overrides.
"""

import hashlib
import re

from archiver.console.records import Flag

# Wings f1c5bbd system/utils.go ScanReader cuts a live line into pieces of so many
# bytes; 256 bytes are lost after each piece.
PIECE_BYTES = 65_536

# Wings f1c5bbd server/console.go: every daemon line has exactly this form; only
# the name of the application is the host's to choose.
_DAEMON_LINE = re.compile(r"\x1b\[33m\x1b\[1m\[[^\]\x1b]* Daemon\]:\x1b\[39m ")
_EXIT_CODE = re.compile(r"Exit code: (-?\d{1,9})\b")
_OUT_OF_MEMORY = re.compile(r"Out of memory: (true|false)\b")

_LONE_SURROGATE = re.compile("[\ud800-\udfff]")
_LINE_BREAKS = re.compile(r"[\r\n]+")

# ECMA-48: control sequences, control strings with their terminator, other escapes.
_ESCAPE_SEQUENCE = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]"
    r"|(?:\x1b[\]PX^_]|[\x90\x98\x9d\x9e\x9f])[^\x07\x1b\x90-\x9f]*(?:\x07|\x1b\\|\x9c)"
    r"|\x1b[ -/]*[0-Z\\^-~]"
)
_BREAK = re.compile(r"[\r\n\x85\u2028\u2029]+")
_UNPRINTABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


def scrub(text: str) -> str:
    """
    Replace what PostgreSQL or UTF-8 cannot hold: NUL and lone surrogates.

    NUL becomes U+2400 (its picture), a lone surrogate U+FFFD, as Go's encoder
    does. Everything else stays.
    """
    if "\0" in text:
        text = text.replace("\0", "\u2400")
    if not text.isascii():
        text = _LONE_SURROGATE.sub("\ufffd", text)
    return text


def comparison_key(text: str) -> str:
    r"""
    Return what the live and the replayed form of one line have in common.

    The live splitter turns blank + CR into CR LF, but not where the pair lies
    across a border of its 256-byte reads; the replay never does. So blanks around
    a line break do not count, and a run of breaks is one. An empty key means that
    the live path would not have sent the line at all.

    Source:
        Wings f1c5bbd system/utils.go ScanReader; Go's bufio.Scanner.

    """
    if "\r" not in text and "\n" not in text:
        return text
    pieces = (piece.strip(" ") for piece in _LINE_BREAKS.split(text))
    return "\n".join(piece for piece in pieces if piece)


def hash_key(key: str) -> int:
    """Return a signed 64-bit hash of *key*, the same in every process and version."""
    digest = hashlib.blake2b(key.encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little", signed=True)


def searchable_text(text: str) -> str:
    """
    Return *text* as a person would read it: one line, no control characters but tab.

    Line breaks within it become one blank; escape sequences, other control
    characters and bidirectional overrides vanish.
    """
    if text.isprintable():
        return text
    if "\x1b" in text or not text.isascii():
        text = _ESCAPE_SEQUENCE.sub("", text)
    if _BREAK.search(text):
        pieces = (piece.strip(" ") for piece in _BREAK.split(text))
        text = " ".join(piece for piece in pieces if piece)
    return _UNPRINTABLE.sub("", text)


def line_flags(raw: str, text: str) -> Flag:
    """Return what can be seen in one line alone: ASCII, and a piece of a longer line."""
    flags = Flag.ASCII if text.isascii() else Flag(0)
    # Cheap test first: a character has at most 4 bytes.
    if len(raw) * 4 >= PIECE_BYTES and len(raw.encode()) == PIECE_BYTES:
        flags |= Flag.TRUNCATED
    return flags


def is_daemon_line(text: str) -> bool:
    """Return whether *text* is the daemon's own: live only, never replayed."""
    return text.startswith("\x1b[33m") and _DAEMON_LINE.match(text) is not None


def exit_code(text: str) -> int | None:
    """Return the exit code that a daemon line tells, None if it tells none."""
    match = _EXIT_CODE.search(text)
    return int(match[1]) if match else None


def out_of_memory(text: str) -> bool | None:
    """Return whether a daemon line says that memory ran out, None if it says neither."""
    match = _OUT_OF_MEMORY.search(text)
    return match[1] == "true" if match else None
