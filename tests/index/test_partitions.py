import os
import pickle
import random
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from archiver import errors
from archiver.index import files
from archiver.index.blocks import BlockRange, SealedLine, seal_blocks
from archiver.index.partitions import Index, retire, sweep, write_partition
from archiver.query.blocks import EVERY, HasTerm

LATER = 1 << 60  # microseconds: long after any test


def test_a_partition_tells_sql_what_is_in_it(index_dir, write, some_lines):
    made = write(some_lines, generation=3)
    blocks = [where for where, _ in seal_blocks(some_lines)]
    assert made.directory == "1-1000-3"
    assert (made.first_id, made.last_id) == (1, 1000)
    assert (made.lines, made.blocks) == (1000, len(blocks))
    assert (made.earliest_at, made.latest_at) == (some_lines[0].at, some_lines[-1].at)
    folder = index_dir / made.directory
    assert {path.name: path.stat().st_size for path in folder.iterdir()} == {
        name: size for name, (size, _) in made.files.items()
    }
    with Index(index_dir).open(made.directory, made.files) as partition:
        assert sorted(partition.candidates(EVERY)) == sorted(blocks)


def test_a_range_whose_lines_are_gone_is_a_partition_too(index_dir, write):
    made = write([])
    assert (made.lines, made.blocks, made.earliest_at, made.latest_at) == (0, 0, None, None)
    with Index(index_dir).open(made.directory, made.files) as partition:
        assert partition.candidates(EVERY) == []
        assert partition.candidates(HasTerm("word"), [1], 0, 1) == []


def test_only_the_owner_may_read_an_index(index_dir, write, some_lines):
    before = os.umask(0)
    try:
        made = write(some_lines)
    finally:
        os.umask(before)
    folder = index_dir / made.directory
    assert {stat.S_IMODE(path.stat().st_mode) for path in (index_dir, folder)} == {0o700}
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}


@pytest.mark.parametrize(
    "spoil",
    [
        pytest.param(lambda lines: lines[::-1], id="out of order"),
        pytest.param(lambda lines: [*lines, lines[-1]], id="twice"),
        pytest.param(lambda lines: [*lines, lines[-1]._replace(id=1001)], id="beyond the range"),
        pytest.param(lambda lines: [lines[0]._replace(id=0), *lines], id="before the range"),
    ],
)
def test_lines_that_are_not_of_the_range_are_refused(index_dir, some_lines, spoil):
    with pytest.raises(ValueError, match="in a partition up to 1000"):
        write_partition(index_dir, spoil(some_lines), first_id=1, last_id=1000, generation=1)
    assert list(index_dir.iterdir()) == []


def test_what_cannot_be_read_to_its_end_leaves_nothing(index_dir, some_lines):
    def broken() -> Iterator[SealedLine]:
        yield from some_lines
        raise errors.StoreError("the database is gone")

    with pytest.raises(errors.StoreError, match="the database is gone"):
        write_partition(index_dir, broken(), first_id=1, last_id=1000, generation=1)
    assert list(index_dir.iterdir()) == []


def test_an_index_that_cannot_be_written_is_an_error_with_its_place(index_dir, write, some_lines):
    index_dir.write_text("in the way")
    with pytest.raises(errors.IndexUnavailableError, match="cannot be written") as caught:
        write(some_lines)
    assert caught.value.where == str(index_dir)


def test_a_partition_is_never_overwritten(index_dir, write, some_lines):
    made = write(some_lines)
    with pytest.raises(errors.IndexUnavailableError, match="cannot be written"):
        write(some_lines)
    Index(index_dir).open(made.directory, made.files).close()
    assert [path.name for path in index_dir.iterdir() if path.is_dir()] == [made.directory]


def test_all_is_on_the_disk_before_it_has_its_name(index_dir, write, some_lines, monkeypatch):
    """Whether fsync does its work no test can see; that it is asked, in order, this one does."""
    steps: list[int | str] = []
    fsync, rename = os.fsync, os.rename

    def note_fsync(descriptor: int) -> None:
        steps.append(os.fstat(descriptor).st_ino)
        fsync(descriptor)

    def note_rename(source: Path, target: Path) -> None:
        if Path(target).parent == index_dir:
            steps.append("rename")
        rename(source, target)

    monkeypatch.setattr(os, "fsync", note_fsync)
    monkeypatch.setattr(os, "rename", note_rename)
    folder = index_dir / write(some_lines).directory
    assert set(steps[: steps.index("rename") - 1]) == {
        path.stat().st_ino for path in folder.iterdir()
    }
    assert steps[steps.index("rename") - 1] == folder.stat().st_ino
    assert steps[steps.index("rename") + 1 :] == [index_dir.stat().st_ino]


_DYING = """
import os, pickle, signal, sys
from pathlib import Path
from archiver.index.partitions import write_partition

left = int(sys.argv[3])
lines = pickle.loads(Path(sys.argv[2]).read_bytes())

def count(event, args):
    global left
    if event.startswith(("open", "os.")):
        left -= 1
        if not left:
            os.kill(os.getpid(), signal.SIGKILL)

sys.addaudithook(count)
left_at_first = left
write_partition(Path(sys.argv[1]), lines, first_id=1, last_id=1000, generation=1)
print(left_at_first - left)
"""


def test_a_writer_that_is_killed_leaves_a_whole_partition_or_none(
    index_dir, write, some_lines, tmp_path
):
    pickled = tmp_path / "lines"
    pickled.write_bytes(pickle.dumps(some_lines))

    def run(folder: Path, kill_at: int) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-c", _DYING, folder, pickled, str(kill_at)]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    def answer(folder: Path) -> tuple[list[BlockRange], list[BlockRange]]:
        described = files.make_durable(folder / "1-1000-1")
        with Index(folder).open("1-1000-1", described) as partition:
            return partition.candidates(HasTerm("wolf")), partition.candidates(EVERY)

    steps = int(run(tmp_path / "whole", -1).stdout)
    expected = answer(tmp_path / "whole")
    anywhere = random.Random(3).sample(range(1, steps - 2), 3)
    whole = none = 0
    for kill_at in [*anywhere, *range(steps - 2, steps + 1)]:
        folder = tmp_path / f"killed-{kill_at}"
        assert run(folder, kill_at).returncode == -signal.SIGKILL
        left = sorted(path.name for path in folder.iterdir()) if folder.exists() else []
        if "1-1000-1" in left:
            whole += 1
            assert answer(folder) == expected
            left.insert(0, ".1-1000-1.checked")
        else:
            none += 1
        assert sweep(folder, [], LATER) == left
    assert whole
    assert none


def test_a_sweep_takes_what_sql_does_not_name_unless_it_is_new(index_dir, write, some_lines):
    kept, orphan = write(some_lines, 1), write(some_lines, 2)
    for made in (kept, orphan):
        Index(index_dir).open(made.directory, made.files).close()
    (index_dir / ".1-1000-3.abcdefgh").mkdir()
    (index_dir / "lost+found").mkdir()
    assert sweep(index_dir, [kept.directory], older_than=0) == []
    assert sweep(index_dir, [kept.directory], older_than=LATER) == [
        ".1-1000-2.checked",
        ".1-1000-3.abcdefgh",
        orphan.directory,
    ]
    Index(index_dir).open(kept.directory, kept.files).close()
    assert sorted(path.name for path in index_dir.iterdir()) == [
        ".1-1000-1.checked",
        "1-1000-1",
        "lost+found",
    ]
    assert sweep(index_dir / "nowhere", [], LATER) == []


def test_what_is_named_no_more_is_swept_as_if_it_was_made_then(index_dir, write, some_lines):
    made = write(some_lines)
    then = 2_000_000_000_000_000
    retire(index_dir, made.directory, then)
    assert sweep(index_dir, [], older_than=then) == []
    assert sweep(index_dir, [], older_than=then + 1) == [made.directory]
    retire(index_dir, made.directory, then)  # gone: no error


def test_who_has_opened_a_partition_can_ask_it_after_its_removal(index_dir, write, some_lines):
    made = write(some_lines)
    with Index(index_dir).open(made.directory, made.files) as partition:
        before = partition.candidates(HasTerm("wolf"))
        retire(index_dir, made.directory, 0)
        assert made.directory in sweep(index_dir, [], older_than=2**62)
        assert partition.candidates(HasTerm("wolf")) == before != []
    assert list(index_dir.iterdir()) == []
    with pytest.raises(errors.IndexUnavailableError, match="No such file"):
        Index(index_dir).open(made.directory, made.files)


@pytest.mark.parametrize("name", ["", ".", "..", "../x", "1-2-3/..", "lost+found"])
def test_nothing_but_a_partition_is_opened(index_dir, write, some_lines, name):
    made = write(some_lines)
    with pytest.raises(errors.IndexUnavailableError, match="names no partition"):
        Index(index_dir).open(name, made.files)
    Index(index_dir).open(made.directory, made.files).close()
