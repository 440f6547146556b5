import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from archiver.simulator.container import (
    ENTRY,
    Container,
    DockerLog,
    decode,
    live_pieces,
    replay_lines,
)

CARRIAGE = re.compile(r"[ \r\n]*[\r\n][ \r\n]*")


def comparison_key(text: str) -> str:
    return CARRIAGE.sub("\n", text).strip("\n ") if re.search("[\r\n]", text) else text


@pytest.mark.parametrize(
    ("raw", "live", "replayed"),
    [
        pytest.param(b"a", [b"a"], b"a", id="plain"),
        pytest.param(b"", [], b"", id="blank lines are never live"),
        pytest.param(b"   ", [b"   "], b"   ", id="blanks"),
        pytest.param(b"foo \rbar", [b"foo\r\nbar"], b"foo \rbar", id="blank and carriage return"),
        pytest.param(b"foo \r", [b"foo\r\n"], b"foo \r", id="the same at the end"),
        pytest.param(b"10%\r20%", [b"10%\r20%"], b"10%\r20%", id="progress"),
        pytest.param(b"\x1b[1mx\x00\t", [b"\x1b[1mx\x00\t"], b"\x1b[1mx\x00\t", id="controls"),
        pytest.param(
            b"x" * 255 + b" \rb", [b"x" * 255 + b" \rb"], b"x" * 255 + b" \rb", id="astride 256"
        ),
        pytest.param(
            b"x" * 254 + b" \rb", [b"x" * 254 + b" \rb"], b"x" * 254 + b" \rb", id="kept back"
        ),
        pytest.param(
            b"x" * 253 + b" \rb", [b"x" * 253 + b"\r\nb"], b"x" * 253 + b" \rb", id="just inside"
        ),
    ],
)
def test_one_line_differs_between_live_and_replay_as_wings_has_it(raw, live, replayed):
    line = raw + b"\r\n"
    assert live_pieces(line) == live
    assert replay_lines(line) == [replayed]


@pytest.mark.parametrize("size", [65_534, 65_536])
def test_a_line_of_up_to_64_kib_is_whole_when_live(size):
    assert live_pieces(b"x" * size + b"\r\n") == [b"x" * size]


def test_a_longer_line_comes_in_pieces_that_lack_256_bytes_each():
    line = b"".join(b"%07d\n" % n for n in range(25_000)).replace(b"\n", b" ")
    pieces = live_pieces(line + b"\r\n")
    starts = [0, 65_792, 2 * 65_792, 3 * 65_792]
    assert pieces == [line[start : start + 65_536] for start in starts]


def test_a_replay_holds_a_line_of_65534_bytes_and_ends_before_a_longer_one():
    log = b"before\r\n" + b"x" * 65_534 + b"\r\n" + b"y" * 65_535 + b"\r\nafter\r\n"
    assert replay_lines(log) == [b"before", b"x" * 65_534]


@given(st.lists(st.text("ab \r\x00é", max_size=700), max_size=6))
@example(["x" * 254 + " \rb"])
def test_both_splitters_agree_on_the_comparison_key(texts):
    written = "".join(f"{text}\n" for text in texts).encode()
    lines = Container(DockerLog(150, 10**6)).print(written)
    live = [decode(piece) for line in lines for piece in live_pieces(line)]
    replayed = [decode(line) for line in replay_lines(b"".join(lines))]
    assert list(filter(None, map(comparison_key, live))) == list(
        filter(None, map(comparison_key, replayed))
    )


@given(st.lists(st.binary(max_size=40), max_size=8), st.integers(1, 9))
def test_lines_do_not_depend_on_how_the_game_writes_them(texts, step):
    written = b"\n".join(texts) + b"\n"
    whole = Container(DockerLog(150, 10**6)).print(written)
    container = Container(DockerLog(150, 10**6))
    pieces = [written[n : n + step] for n in range(0, len(written), step)]
    assert [line for piece in pieces for line in container.print(piece)] == whole


@pytest.mark.parametrize(
    ("raw", "text"),
    [(b"\xff", "\ufffd"), (b"a\xe2\x82", "a\ufffd\ufffd"), ("😀".encode()[1:], "\ufffd" * 3)],
)
def test_each_byte_that_is_not_utf_8_becomes_one_replacement_character(raw, text):
    assert decode(raw) == text


def fill(log: DockerLog, lines: list[bytes]) -> None:
    for line in lines:
        log.append(line, 0, 0)


def test_a_replay_reaches_back_by_entries_of_16_kib_and_may_begin_inside_a_line():
    log = DockerLog(4, 10**7)
    long = bytes(range(97, 123)) * 1500  # 39,000 bytes: three entries
    fill(log, [b"gone\r\n", long + b"\r\n", b"one\r\n", b"two\r\n"])
    assert replay_lines(log.tail(0)) == [long[ENTRY:], b"one", b"two"]


def test_only_what_the_log_writer_has_written_is_replayed():
    log = DockerLog(2, 10**7)
    for n in range(6):
        log.append(b"%d\r\n" % n, n * 10, n * 10)
    log.append(b"late\r\n", 900, 50)
    assert replay_lines(log.tail(50)) == [b"4", b"5"]
    assert replay_lines(log.tail(900)) == [b"5", b"late"]


def test_nothing_older_than_the_rotation_is_left():
    log = DockerLog(150, 1000)
    fill(log, [b"%04d\r\n" % n for n in range(60)])  # 36 bytes each in the file
    assert replay_lines(log.tail(0)) == [b"%04d" % n for n in range(54, 60)]
