"""Files on disk, as lines: whatever they are packed in, and whatever is wrong with them."""

import gzip
import io
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from archiver import errors
from archiver.operations import log_files
from archiver.operations.log_files import DamagedError, LogFile

PACKED: dict[str, Callable[[bytes], bytes]] = {
    "plain": lambda data: data,
    "gzip": gzip.compress,
    "gzip members": lambda data: gzip.compress(data[:100]) + gzip.compress(data[100:]),
    "gzip padded": lambda data: gzip.compress(data) + bytes(512),
    "zstd": zstandard.compress,
    "zstd frames": lambda data: zstandard.compress(data[:100]) + zstandard.compress(data[100:]),
}


def make(tmp_path: Path, data: bytes, name: str = "latest.log") -> Path:
    path = tmp_path / name
    path.write_bytes(data)
    return path


def read(path: Path) -> list[bytes]:
    with LogFile(path) as file:
        found = list(file.lines())
        assert list(file.lines()) == found  # it can be read again
        assert file.read == file.size
    return found


@pytest.mark.parametrize("how", PACKED)
def test_a_file_is_what_its_first_bytes_say(tmp_path, how):
    lines = [b"line %d" % n for n in range(20_000)]
    path = make(tmp_path, PACKED[how](b"\n".join(lines) + b"\n"), "any.name")
    assert read(path) == lines


@pytest.mark.parametrize("how", PACKED)
def test_an_empty_file_has_no_lines(tmp_path, how):
    assert read(make(tmp_path, PACKED[how](b""))) == []


@given(st.lists(st.binary(max_size=9).filter(lambda line: not {0, 10, 13} & {*line})))
def test_lines_are_what_lies_between_line_feeds(tmp_path_factory, lines):
    path = tmp_path_factory.mktemp("log") / "x"
    for end in (b"\n", b"\r\n"):
        path.write_bytes(b"".join(line + end for line in [b"\xef\xbb\xbffirst", *lines]) + b"last")
        assert read(path) == [b"first", *lines, b"last"]  # without the mark of byte order


def test_a_line_without_an_end_is_cut_as_a_daemon_does(tmp_path, monkeypatch):
    monkeypatch.setattr(log_files, "_BLOCK", 1_000)
    line = bytes(range(32, 127)) * 2_000
    (first, second, third, rest) = read(make(tmp_path, line + b"\nx"))
    assert [len(piece) for piece in (first, second)] == [65_536, 65_536]
    assert first + second + third == line
    assert rest == b"x"
    monkeypatch.setattr(log_files, "_BLOCK", 2**20)
    assert read(make(tmp_path, line + b"\nx")) == [first, second, third, rest]


@pytest.mark.parametrize("how", ["gzip", "zstd"])
@pytest.mark.parametrize("harm", ["cut", "broken"])
def test_of_a_damaged_file_whole_lines_are_read_up_to_there(tmp_path, how, harm):
    lines = [b"line %d of many %d" % (n, n * n * 7_919) for n in range(50_000)]
    packed = PACKED[how](b"\n".join(lines))
    middle = len(packed) // 2
    damaged = (
        packed[:middle] if harm == "cut" else packed[:middle] + b"\0" * 64 + packed[middle + 64 :]
    )
    path = make(tmp_path, damaged)
    found: list[bytes] = []
    with LogFile(path) as file, pytest.raises(DamagedError):
        found.extend(file.lines())
    assert 1_000 < len(found) < 50_000
    # A checksum at the end may be all that tells.
    assert found[:1_000] == lines[:1_000]
    if harm == "cut":
        assert found == lines[: len(found)]


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (b"\x7fELF\x02\x01\x01\0\0", "file is not text"),
        (b"PK\x03\x04\x14\0\0\0\x08\0", "file is not text"),
        (gzip.compress(b"\0" * 100), "file is not text"),
    ],
    ids=["program", "zip", "packed zeros"],
)
def test_what_is_no_text_is_refused(tmp_path, data, what):
    with pytest.raises(errors.UsageError, match=what) as caught:
        LogFile(make(tmp_path, data))
    assert ".gz, .zst" in str(caught.value)


def test_zeros_behind_a_crash_are_no_reason_to_refuse_a_log(tmp_path):
    assert len(read(make(tmp_path, b"x" * 60 + b"\n" + b"y\n" * 5_000 + bytes(4_096)))) == 5_002


@pytest.mark.parametrize("name", ["missing.log", "."])
def test_what_cannot_be_read_is_told(tmp_path, name):
    with pytest.raises(errors.UsageError, match="cannot be read") as caught:
        LogFile(tmp_path / name)
    assert str(tmp_path) in (caught.value.where or "")


def test_standard_input_can_be_read_twice_too(monkeypatch):
    data = gzip.compress(b"one\ntwo\n")
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(data)))
    assert read(Path("-")) == [b"one", b"two"]


@pytest.mark.parametrize(
    ("name", "day"),
    [
        ("2026-11-23-1.log.gz", 20_780),
        ("server_2026_11_23.log", 20_780),
        ("console-20261123.txt", 20_780),
        ("2026.11.23", 20_780),
        ("latest.log", None),
        ("2026-13-23-1.log", None),
        ("202611231.log", None),
        ("2026-11_23.log", None),
        ("1970-01-02", 1),
    ],
)
def test_a_date_in_the_name_is_the_file_s(tmp_path, name, day):
    with LogFile(make(tmp_path, b"x", name)) as file:
        assert file.day == day
