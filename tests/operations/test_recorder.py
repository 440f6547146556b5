import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from functools import partial
from pathlib import Path

import pytest

from archiver.console.lines import searchable_text
from archiver.console.messages import ConsoleOutput
from archiver.console.stream import Stream
from archiver.operations import recorder as module
from archiver.operations.recorder import Committed, Recorder, Steps
from archiver.store import database
from archiver.store.reads import LineFilter, Reader
from archiver.store.refusals import RefusedError
from archiver.store.streams import keep_keys
from archiver.store.writer import Writer

NOW = 1_795_096_800_000_000


class Running:
    """A recorder on its thread."""

    def __init__(self, url: str, data_dir: Path, timing) -> None:
        self.writer = Writer.open(url, data_dir, now=NOW)
        self.commits: list[Committed] = []
        self.recorder = Recorder(self.writer, timing, self.commits.append)
        self._pool = ThreadPoolExecutor(1)
        self.end = self._pool.submit(self.recorder.run)

    @property
    def error(self) -> BaseException | None:
        """What it ended with; waits for that."""
        return self.end.exception(15)

    def register(self, name: str) -> int:
        return self.recorder.call(partial(register, name=name)).result(10)

    def say(self, server_id: int, *texts: str, first: int = 0) -> None:
        steps = [
            partial(
                Stream.receive,
                message=ConsoleOutput(text),
                frame="",
                at=NOW + number,
                mono=number / 1e6,
            )
            for number, text in enumerate(texts, first)
        ]
        self.recorder.tell(Steps(server_id, steps, len(steps), 10 * len(steps)))

    def stop(self) -> None:
        self.recorder.stop()
        wait([self.end], 15)
        self._pool.shutdown(cancel_futures=True)


def register(writer: Writer, name: str) -> int:
    return writer.register(
        panel_origin="https://panel.example",
        panel_name="main",
        uuid=f"uuid of {name}",
        identifier=name,
        name=name,
        node="node",
        seen_at=NOW,
    )


def until(claim: Callable[[], object]) -> None:
    deadline = time.monotonic() + 15
    while not claim():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.fixture
def running(data_dir, timing, monkeypatch) -> Iterator[Running]:
    # Ours, so that a refusal need not be waited for by the half minute.
    monkeypatch.setattr(database, "_BUSY_TIMEOUT", 0.05)
    monkeypatch.setattr(module, "RETRY_FIRST", 0.05)
    monkeypatch.setattr(module, "RETRY_MOST", 0.1)
    monkeypatch.setattr(module, "LAST_TRIES", 0.3)
    running = Running(f"sqlite:///{data_dir / 'archive.db'}", data_dir, timing)
    yield running
    running.stop()


def test_what_is_told_is_committed_in_order_and_counted(running, archive):
    one, two = running.register("one"), running.register("two")
    running.say(one, "a", "b")
    running.say(two, "c")
    running.say(one, "d", first=2)
    until(lambda: sum(commit.lines for commit in running.commits) == 4)
    assert archive.texts("one") == ["a", "b", "d"]
    assert archive.texts("two") == ["c"]
    assert sum(commit.frames for commit in running.commits) == 4
    assert sum(commit.size for commit in running.commits) == 40
    assert sum(commit.recovered for commit in running.commits) == 0


def test_a_stop_commits_what_was_told_before_it_and_lets_others_record(running, archive, data_dir):
    server_id = running.register("one")
    running.say(server_id, *(f"line {number}" for number in range(500)))
    running.stop()
    assert len(archive.texts("one")) == 500
    assert running.error is None
    assert archive.rows("SELECT * FROM collectors") == []
    Writer.open(f"sqlite:///{data_dir / 'archive.db'}", data_dir, now=NOW).close()


def test_a_bug_met_by_one_server_does_not_end_the_recording_of_others(running, archive, said):
    def fail(stream: Stream) -> None:
        raise ZeroDivisionError("provoked")

    one, two = running.register("one"), running.register("two")
    running.recorder.tell(Steps(one, [fail], 1, 1))
    running.say(two, "goes on")
    running.say(one, "here too")
    until(lambda: archive.texts("two") == ["goes on"] and archive.texts("one") == ["here too"])
    (record,) = said("step_failed")
    assert (record.levelname, record.server_id) == ("ERROR", one)
    assert "provoked" in str(record.exc_info[1])


def test_a_bug_in_taking_up_one_stream_does_not_end_the_recording(
    running, archive, said, monkeypatch
):
    def fail(*_: object) -> None:
        raise ZeroDivisionError("provoked")

    server_id = running.register("one")
    monkeypatch.setattr(Stream, "restore", fail)
    running.say(server_id, "recorded all the same")
    until(lambda: archive.texts("one") == ["recorded all the same"])
    assert len(said("restore_failed")) == 1


def test_while_the_archive_is_locked_lines_are_kept_and_then_committed(
    running, archive, said, data_dir, locked
):
    server_id = running.register("one")
    with locked(data_dir / "archive.db"):
        running.say(server_id, "a", "b")
        until(lambda: running.recorder.refused_since is not None)
        running.say(server_id, "c", first=2)
        until(lambda: len(said("commit_refused")) > 2)
    until(lambda: archive.texts("one") == ["a", "b", "c"])
    assert running.recorder.refused_since is None
    assert len(said("commit_resumed")) == 1
    assert "locked" in said("commit_refused")[0].reason


def test_a_server_is_registered_once_the_lock_is_gone(running, archive, data_dir, locked):
    with locked(data_dir / "archive.db"):
        future = running.recorder.call(partial(register, name="one"))
        until(lambda: running.recorder.refused_since is not None)
        assert not future.done()
    assert future.result(10) == archive.id_of("one")


def test_a_call_that_was_cancelled_is_left_out(running, archive, data_dir, locked):
    with locked(data_dir / "archive.db"):
        running.recorder.call(partial(register, name="one"))
        until(lambda: running.recorder.refused_since is not None)
        future = running.recorder.call(partial(register, name="two"))
        assert future.cancel()
    assert running.register("three") == 2
    assert archive.id_of("two") == 0


def test_a_stop_does_not_wait_for_ever_for_a_store_that_refuses(running, data_dir, locked):
    server_id = running.register("one")
    with locked(data_dir / "archive.db"):
        running.say(server_id, "never committed")
        running.stop()
        assert isinstance(running.error, RefusedError)
        assert "locked" in running.error.what


def test_what_will_go_on_refusing_ends_the_recording(running, data_dir):
    server_id = running.register("one")
    (data_dir / "archive.db").rename(data_dir / "moved.db")
    running.say(server_id, "has no place")
    assert isinstance(running.error, RefusedError)
    assert "moved or deleted" in running.error.what


def test_a_bug_in_a_call_is_told_to_both(running):
    def fail(writer: Writer) -> None:
        raise ZeroDivisionError("provoked")

    with pytest.raises(ZeroDivisionError):
        running.recorder.call(fail).result(10)
    assert isinstance(running.error, ZeroDivisionError)


def replay(stream: Stream, texts: list[str], *, at: int) -> None:
    """Connect, take a replay of *texts*, and lose the connection."""
    mono = at / 1e6
    stream.open_connection(at)
    stream.authenticate(at, mono)
    stream.begin_replay()
    for number, text in enumerate(texts):
        received = at + 10_000 + number
        stream.receive_asked(ConsoleOutput(text), "{}", received, mono + 0.01 + number / 1e6)
    stream.end_replay(at + 500_000, asked_at=mono)
    stream.close_connection(1006, "lost", at + 600_000)


def test_deleted_lines_do_not_come_back_with_a_replay(archive_url, tmp_path, timing):
    texts = [
        f"line {number} " + "\x1b[32mgreen\x1b[0m" * (number % 3 == 0) for number in range(170)
    ]

    def record(first: int, last: int, at: int) -> None:
        running = Running(archive_url, tmp_path / "data", timing)
        server_id = running.register("one")
        steps = [partial(replay, texts=texts[first:last], at=at)]
        running.recorder.tell(Steps(server_id, steps, 1, 1))
        running.stop()
        assert running.error is None

    record(0, 140, NOW)
    writing = database.Database.open(archive_url)
    with writing.begin() as connection:
        keep_keys(connection, 1)
        connection.exec_driver_sql(
            "DELETE FROM lines WHERE seq >= (SELECT seq FROM lines ORDER BY seq LIMIT 1 OFFSET 40)"
        )
    writing.close()
    record(10, 160, NOW + 10_000_000)  # all of the deleted ones, and twenty new
    record(20, 170, NOW + 20_000_000)

    with Reader.open(archive_url) as reader:
        stored = [row.text for row in reader.iter_lines(LineFilter())]
        gaps = [gap for gap in reader.gaps() if gap.before_seq is None or gap.after_seq is not None]
        counted = [(row.lines_recovered, row.lines_repeated) for row in reader.connections()]
    assert stored == [searchable_text(text) for text in texts[:40] + texts[140:]]
    assert gaps == []
    assert counted == [(140, 0), (20, 130), (10, 140)]
