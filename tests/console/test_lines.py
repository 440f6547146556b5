import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archiver.console.lines import (
    PIECE_BYTES,
    comparison_key,
    exit_code,
    hash_key,
    is_daemon_line,
    line_flags,
    out_of_memory,
    scrub,
    searchable_text,
)
from archiver.console.records import Flag
from archiver.simulator import container

# Text as it may stand in a frame: everything JSON can say, with what matters often.
any_text = st.text(
    st.one_of(
        st.sampled_from(" \t\r\n\0\x07\x1b[]0;mK\\\x85\x90\x9b\x9c\x9d\u2028\u202e\u2066\ud800a"),
        st.characters(codec=None),
    ),
    max_size=40,
)
printed = st.binary(max_size=700) | st.lists(
    st.sampled_from([b" ", b"\r", b"a", b" \r", b"  \r", b"\xff", b"x" * 85, b" " * 255]),
    max_size=40,
).map(b"".join)


def split_live(line: bytes) -> list[bytes]:
    """
    Split as Wings' ScanReader does, of one line with its newline.

    Source: Wings f1c5bbd system/utils.go: reads of 256 bytes through
    bufio.Reader.ReadLine, which takes the line's own "\\r\\n" or "\\n" off and keeps a
    last "\\r" of a full buffer back; " \\r" becomes "\\r\\n" in each chunk by itself.
    """
    text = b""
    while line:
        end = line.find(b"\n", 0, 256)
        if end >= 0:
            chunk, line = line[: end + 1], line[end + 1 :]
            chunk = chunk[:-2] if chunk.endswith(b"\r\n") else chunk[:-1]
        else:
            chunk = line[:256].removesuffix(b"\r")
            line = line[len(chunk) :]
        text += chunk.replace(b" \r", b"\r\n")
    return [text] if text else []


def split_replayed(line: bytes) -> list[bytes]:
    """Split as bufio.ScanLines does: the newline and one carriage return before it go."""
    return [line.removesuffix(b"\n").removesuffix(b"\r")]


def reference_key(text: str) -> str:
    if "\r" not in text and "\n" not in text:
        return text
    return re.sub(r"[ \r\n]*[\r\n][ \r\n]*", "\n", text).strip("\n ")


def keys(pieces: list[bytes]) -> list[str]:
    texts = (scrub(piece.decode(errors="replace")) for piece in pieces)
    return [key for text in texts if (key := comparison_key(text))]


@pytest.mark.parametrize(
    ("received", "scrubbed"),
    [
        ("plain", "plain"),
        ("a\0b", "a\u2400b"),
        ("\ud83d", "\ufffd"),
        ("a\udfffb\0", "a\ufffdb\u2400"),
        ("\U0001f600 \ufffd\u2028\x1b", "\U0001f600 \ufffd\u2028\x1b"),
        ("", ""),
    ],
)
def test_scrub_replaces_only_what_databases_refuse(received, scrubbed):
    assert scrub(received) == scrubbed


@given(any_text)
def test_scrubbed_text_is_storable_and_stays_as_it_is(text):
    scrubbed = scrub(text)
    scrubbed.encode()
    assert "\0" not in scrubbed
    assert len(scrubbed) == len(text)
    assert scrub(scrubbed) == scrubbed


@pytest.mark.parametrize(
    ("live", "replayed"),
    [
        ("foo\r\nbar", "foo \rbar"),
        ("foo\r\n", "foo \r"),
        ("foo \rbar", "foo \rbar"),
        ("foo \r\nbar", "foo  \rbar"),
        ("10%\r20%", "10%\r20%"),
        ("\r\n\r\n", " \r \r"),
        ("   ", "   "),
        (" indented ", " indented "),
    ],
)
def test_key_is_the_same_for_both_forms_of_a_line(live, replayed):
    assert comparison_key(live) == comparison_key(replayed)


def test_key_keeps_what_makes_lines_different():
    texts = ["a", " a", "a ", "\x1b[31ma", "a\tb", "a\rb", "ab", "a\r\rb c"]
    assert len({comparison_key(text) for text in texts}) == len(texts)


@given(any_text)
def test_key_is_the_reference_expression(text):
    assert comparison_key(text) == reference_key(text)


@settings(max_examples=400, deadline=None)
@given(printed)
def test_both_splitters_of_the_same_bytes_give_equal_keys(written):
    line = written.replace(b"\n", b"") + b"\r\n"  # the container's terminal writes CR LF
    assert keys(split_live(line)) == keys(split_replayed(line))
    # The simulator's splitters, written by somebody else, agree.
    assert container.live_pieces(line) == split_live(line)
    assert container.replay_lines(line) == split_replayed(line)


def test_a_carriage_return_astride_two_reads_is_told_apart_by_no_key():
    line = b"x" * 255 + b" \rnext\r\n"
    live, replayed = split_live(line), split_replayed(line)
    assert live == replayed
    assert split_live(line[2:]) != split_replayed(line[2:])
    assert keys(split_live(line[2:])) == keys(split_replayed(line[2:]))


def test_hash_is_the_same_for_ever():
    assert [hash_key(key) for key in ("", "a", "\u00e4\n")] == [
        -5_426_141_060_434_712_860,
        3_405_396_810_240_292_928,
        -6_708_905_110_822_131_197,
    ]


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        ("plain text", "plain text"),
        ("\u00e4 \u4e2d \U0001f600", "\u00e4 \u4e2d \U0001f600"),
        ("\x1b[1;31mred\x1b[0m", "red"),
        ("\x9b31mred", "red"),
        ("\x1b]0;title\x07after", "after"),
        ("\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("\x9dtitle\x9cafter", "after"),
        ("\x1bPq#0\x1b\\after", "after"),
        ("\x1b(Bplain\x1b=", "plain"),
        ("a\tb", "a\tb"),
        ("10%\r20% \r\n 30%", "10% 20% 30%"),
        ("a\x85b\u2028c\u2029d", "a b c d"),
        ("\r\n", ""),
        ("bell\x07 nul\0 del\x7f csi\x9b", "bell nul del csi"),
        ("\u202egnp.exe\u202c \u2066x\u2069", "gnp.exe x"),
        ("\x1b]0;no end", "]0;no end"),
        ("\x1b\x1b[0m[31mx", "[31mx"),
    ],
)
def test_text_is_what_a_person_reads(raw, text):
    assert searchable_text(raw) == text


@given(any_text)
def test_text_has_no_control_character_but_tab(text):
    readable = searchable_text(text)
    assert not re.search("[\0-\x08\x0a-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]", readable)
    assert searchable_text(readable) == readable


@given(st.text(st.characters(codec="utf-8").filter(str.isprintable)))
def test_printable_text_is_left_alone(text):
    assert searchable_text(text) == text


@pytest.mark.parametrize("unit", [" ", "\x9d", "\x1b]", "\r", " \r", "\x1b[", "\x9b0", "\u202e"])
def test_hostile_lines_take_linear_time(unit):
    # Anything quadratic needs hours for this; the suite's timeout ends it.
    text = unit * (2**21 // len(unit)) + " 1"
    assert comparison_key(text).endswith("1")
    assert searchable_text(text).endswith("1")


@pytest.mark.parametrize(
    ("raw", "flags"),
    [
        ("ascii", Flag.ASCII),
        ("\u00e4", Flag(0)),
        ("x" * PIECE_BYTES, Flag.ASCII | Flag.TRUNCATED),
        ("x" * (PIECE_BYTES - 1), Flag.ASCII),
        ("x" * (PIECE_BYTES + 1), Flag.ASCII),
        ("\U0001f600" * (PIECE_BYTES // 4), Flag.TRUNCATED),
        ("\u4e2d" * PIECE_BYTES, Flag(0)),
    ],
)
def test_flags_say_what_is_seen_in_the_line_alone(raw, flags):
    assert line_flags(raw, raw) == flags


@pytest.mark.parametrize(
    ("text", "is_daemons"),
    [
        ("\x1b[33m\x1b[1m[Pterodactyl Daemon]:\x1b[39m Checking\x1b[0m", True),
        ("\x1b[33m\x1b[1m[pelican Daemon]:\x1b[39m x\x1b[0m", True),
        ("\x1b[33m\x1b[1m[My Host 2 Daemon]:\x1b[39m \x1b[0m", True),
        ("\x1b[33m\x1b[1m[Pterodactyl]:\x1b[39m x", False),
        ("[Pterodactyl Daemon]: x", False),
        ("container@pterodactyl~ java", False),
        (" \x1b[33m\x1b[1m[Pterodactyl Daemon]:\x1b[39m x", False),
    ],
)
def test_daemon_lines_are_known_by_their_form(text, is_daemons):
    assert is_daemon_line(text) is is_daemons


def test_daemon_lines_tell_how_a_run_ended():
    form = "\x1b[33m\x1b[1m[Pterodactyl Daemon]:\x1b[39m {}\x1b[0m"
    assert exit_code(form.format("Exit code: 137")) == 137
    assert exit_code(form.format("Exit code: -1")) == -1
    assert exit_code(form.format("Aborting automatic restart")) is None
    assert out_of_memory(form.format("Out of memory: true")) is True
    assert out_of_memory(form.format("Out of memory: false")) is False
    assert out_of_memory(form.format("Exit code: 1")) is None
