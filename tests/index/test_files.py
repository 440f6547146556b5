import os
import random
from pathlib import Path

import pytest

from archiver import errors
from archiver.index import files
from archiver.index.partitions import Index
from archiver.query.blocks import EVERY

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")


@pytest.fixture
def made(write, some_lines):
    return write(some_lines)


@pytest.fixture
def folder(index_dir, made):
    return index_dir / made.directory


def largest(folder: Path) -> Path:
    return max(folder.iterdir(), key=lambda path: path.stat().st_size)


def overwrite(path: Path, offset: int, new: bytes) -> None:
    with path.open("r+b") as file:
        file.seek(offset)
        file.write(new)


def truncate(folder: Path) -> None:
    path = largest(folder)
    os.truncate(path, path.stat().st_size - 1)


def grow(folder: Path) -> None:
    with largest(folder).open("ab") as file:
        file.write(b"x")


def delete(folder: Path) -> None:
    largest(folder).unlink()


def add(folder: Path) -> None:
    (folder / "_blocks1_9.toc").write_bytes(b"")


def link(folder: Path) -> None:
    path = largest(folder)
    path.rename(folder.parent / "elsewhere")
    path.symlink_to(folder.parent / "elsewhere")


def replace_by_directory(folder: Path) -> None:
    path = largest(folder)
    path.unlink()
    path.mkdir()


def share_file(folder: Path) -> None:
    largest(folder).chmod(0o620)


def share_folder(folder: Path) -> None:
    folder.chmod(0o702)


def share_index(folder: Path) -> None:
    folder.parent.chmod(0o770)


def give_away(folder: Path) -> None:
    os.chown(largest(folder), 65534, -1)


def give_folder_away(folder: Path) -> None:
    os.chown(folder, 65534, -1)


@pytest.mark.parametrize(
    ("spoil", "what"),
    [
        (truncate, "bytes are where"),
        (grow, "bytes are where"),
        (delete, "missing or strange"),
        (add, "missing or strange: _blocks1_9.toc"),
        (link, "something else"),
        (replace_by_directory, "something else"),
        (share_file, "other users can change it"),
        (share_folder, "other users can change it"),
        (share_index, "other users can change it"),
        pytest.param(give_away, "another user owns it", marks=as_root),
        pytest.param(give_folder_away, "another user owns it", marks=as_root),
    ],
)
def test_files_that_are_not_as_written_are_refused(index_dir, folder, made, spoil, what):
    Index(index_dir).open(made.directory, made.files).close()
    spoil(folder)
    with pytest.raises(errors.IndexUnavailableError, match=what) as caught:
        Index(index_dir).open(made.directory, made.files)
    assert str(caught.value.where).startswith(str(index_dir))
    mends = "chmod go-w" if spoil is share_index else "run 'archiver index update'"
    assert mends in str(caught.value.do)


def test_no_changed_byte_goes_unseen(index_dir, folder, made):
    chance = random.Random(5)
    for path in sorted(folder.iterdir()):
        whole = path.read_bytes()
        for _ in range(10 if whole else 0):
            offset = chance.randrange(len(whole))
            bit = bytes([whole[offset] ^ 1 << chance.randrange(8)])
            zeros = bytes(min(512, len(whole) - offset))
            for new in (bit, zeros):
                if whole[offset : offset + len(new)] == new:
                    continue
                overwrite(path, offset, new)
                with pytest.raises(errors.IndexUnavailableError, match="not as it was written"):
                    Index(index_dir).open(made.directory, made.files)
                path.write_bytes(whole)
                Index(index_dir).open(made.directory, made.files).close()


def test_checksums_are_taken_once_while_the_computer_is_up(
    index_dir, folder, made, monkeypatch, tmp_path
):
    boot = tmp_path / "boot_id"
    boot.write_text("this one")
    monkeypatch.setattr(files, "_BOOT", boot)
    taken = []
    checksum = files._checksum

    def note(path: Path) -> int:
        taken.append(path)
        return checksum(path)

    monkeypatch.setattr(files, "_checksum", note)

    def open_and_count() -> int:
        taken.clear()
        Index(index_dir).open(made.directory, made.files).close()
        return len(taken)

    assert open_and_count() == len(made.files)
    assert open_and_count() == 0
    boot.write_text("the next one")
    assert open_and_count() == len(made.files)
    assert open_and_count() == 0
    files.memory_of(folder).chmod(0o666)
    assert open_and_count() == len(made.files)
    boot.unlink()  # as on other systems than Linux
    assert open_and_count() == open_and_count() == len(made.files)


def test_where_nothing_can_be_remembered_an_index_can_be_read(index_dir, folder, made):
    files.memory_of(folder).mkdir()
    with Index(index_dir).open(made.directory, made.files) as partition:
        assert partition.candidates(EVERY)
    assert sorted(path.name for path in index_dir.iterdir()) == [
        files.memory_of(folder).name,
        made.directory,
    ]


def test_an_index_directory_may_be_a_link(index_dir, made, tmp_path):
    moved = index_dir.rename(tmp_path / "other disk")
    index_dir.symlink_to(moved)
    Index(index_dir).open(made.directory, made.files).close()


def test_a_description_is_of_names_sizes_and_sums(tmp_path):
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "a").write_bytes(b"123456789")
    assert files.make_durable(folder) == {"a": (9, 0xCBF43926)}  # the sum of CRC-32's catalogue
    assert Path(folder / "a").stat().st_mode & 0o777 == 0o600
