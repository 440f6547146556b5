"""Archives that are whole, and archives broken on purpose in each way that a check names."""

import os
import shutil
import socket
import sqlite3
from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from archiver.console.records import (
    AtKind,
    Connection,
    Frame,
    Gap,
    Line,
    Records,
    Run,
    Source,
    StatsSample,
    StatusChange,
    StreamState,
)
from archiver.operations.verify import Verdict, verify
from archiver.store import checks
from archiver.store.checks import Checks
from archiver.store.database import Database
from archiver.store.session import Session
from archiver.store.streams import keep_keys
from archiver.store.writer import Writer

Make = Callable[..., Line]

NOW = 1_795_096_800_000_000
SECOND = 1_000_000
STEP = 65_536
JUMP = 2**32

CHECKS = [
    "database",
    "servers",
    "batches",
    "places",
    "origins",
    "order",
    "run_order",
    "times",
    "imports",
    "runs",
    "gaps",
    "status",
    "streams",
    "frames",
    "counters",
]


def change(second: float, status: str, previous: str | None, run: int = 1) -> StatusChange:
    return StatusChange(run, NOW + round(second * SECOND), None, status, previous, inferred=False)


SAMPLE = StatsSample(NOW, 1, 1, 2, 0.5, 3, 4, 5, None, None, None, None)
# Seqs: two pieces of a stream, with an open gap between them.
OLD = [0, STEP, 2 * STEP, 3 * STEP, 4 * STEP]
NEW = [JUMP + 5 * STEP, JUMP + 6 * STEP, JUMP + 7 * STEP, JUMP + 8 * STEP]
FIRST, SECOND_ONE = 1, 2  # servers


@pytest.fixture
def live(line: Callable[..., Line]) -> Make:
    """Make a live line: seq, second, run and connection."""

    def make(seq: int, second: float, run: int, connection: int, **more: Any) -> Line:
        at = NOW + round(second * SECOND)
        return line(seq, at=at, **({"run_id": run, "connection_id": connection} | more))

    return make


@pytest.fixture
def replayed(live: Make) -> Make:
    """Make a line that a replay showed, likewise."""
    more = {"source": Source.REPLAY, "at_kind": AtKind.BEFORE, "earliest_at": NOW + 5 * SECOND}
    return partial(live, **more)


@pytest.fixture
def fill(live: Make, replayed: Make) -> Callable[[Writer], None]:
    """Record two servers: one with two runs, a gap that was filled and one that was not."""

    def record(writer: Writer) -> None:
        for number in (1, 2):
            writer.register(
                panel_origin="https://panel.example",
                panel_name="main",
                uuid=f"uuid-{number}",
                identifier=str(number),
                name=f"Lobby {number}",
                node="node",
                seen_at=NOW,
            )
        for _ in range(3):
            writer.next_run_id()
            writer.next_connection_id()
            writer.next_gap_id()
        state = StreamState(next_seq=JUMP + 9 * STEP, run_id=2, confirmed_seq=OLD[2])
        other = StreamState(next_seq=2 * STEP, run_id=3)
        filled = Gap(2, OLD[0], OLD[1], NOW, NOW + SECOND, "found", 1, 1, 1, 1, closed_at=NOW)
        writer.commit(
            [
                Records(
                    FIRST,
                    state,
                    lines=[live(seq, n, 1, 1) for n, seq in enumerate(OLD[:3])],
                    runs=[Run(1, NOW, "first", NOW - 5 * SECOND)],
                    connections=[Connection(1, NOW, NOW)],
                    gaps=[filled],
                    status_changes=[change(0, "running", None)],
                    stats_samples=[SAMPLE],
                ),
                Records(
                    SECOND_ONE,
                    other,
                    lines=[live(0, 0, 3, 3), live(STEP, 1, 3, 3)],
                    runs=[Run(3, NOW, "first")],
                    connections=[Connection(3, NOW, NOW)],
                    gaps=[Gap(3, STEP, None, NOW, NOW + SECOND, "lost", 0, None)],
                    status_changes=[change(0, "running", None, 3)],
                ),
            ]
        )
        daemon = live(OLD[4], 4, 1, 1, source=Source.DAEMON)
        writer.commit([Records(FIRST, state, lines=[live(OLD[3], 3, 1, 1), daemon])])
        writer.commit(
            [
                Records(
                    FIRST,
                    state,
                    lines=[
                        replayed(NEW[0], 30, 2, 2),
                        live(NEW[1], 31, 2, 2),
                        live(NEW[2], 32, 2, 2),
                        live(NEW[3], 33, 2, 2),
                        replayed(OLD[0] + STEP // 2, 30, 1, 2),
                    ],
                    runs=[
                        Run(1, NOW, "first", NOW - 5 * SECOND, NOW + 10 * SECOND, 0),
                        Run(2, NOW + 20 * SECOND, "status", NOW + 21 * SECOND),
                    ],
                    connections=[Connection(2, NOW + 29 * SECOND, NOW + 29 * SECOND)],
                    gaps=[Gap(1, OLD[4], NEW[0], NOW, NOW + SECOND, "lost", 1, 9, 5, 2)],
                    status_changes=[
                        change(10, "offline", "running"),
                        change(20, "starting", "offline", 2),
                        change(25, "running", "starting", 2),
                    ],
                )
            ]
        )

    return record


@pytest.fixture
def archive(archive_url: str, tmp_path: Path, fill: Callable[[Writer], None]) -> str:
    """URL of an archive that is whole."""
    with Writer.open(archive_url, tmp_path / "data", now=NOW) as writer:
        fill(writer)
    return archive_url


def execute(url: str, *statements: str) -> None:
    database = Database.open(url)
    with database.begin() as connection:
        for statement in statements:
            connection.exec_driver_sql(statement.replace("%", "%%"))
    database.close()


def ask(url: str, advance: Callable[[str, float], object] = lambda *_: None) -> list[Verdict]:
    with Checks.open(url) as opened:
        return list(verify(opened, advance))


def faults(url: str) -> list[tuple[str, str | None]]:
    """The checks that failed, each with its first fault."""
    return [(verdict.check, verdict.what) for verdict in ask(url) if not verdict.is_ok]


@pytest.fixture
def paged_faults(
    archive: str, monkeypatch: pytest.MonkeyPatch
) -> Callable[[], list[tuple[str, str | None]]]:
    """The faults of the archive, the same whether or not they lie across the border of two pages."""

    def ask_twice() -> list[tuple[str, str | None]]:
        found = faults(archive)
        with monkeypatch.context() as patch:
            patch.setattr(checks, "PAGE", 2)
            patch.setattr(checks, "GAP_PAGE", 2)
            assert faults(archive) == found
        return found

    return ask_twice


def test_an_archive_that_is_whole_passes_all_checks(archive, paged_faults):
    assert paged_faults() == []
    verdicts = ask(archive)
    assert [verdict.check for verdict in verdicts if verdict.is_ok] == CHECKS
    assert all(verdict.claim for verdict in verdicts)
    assert "12 lines in the order of 3 batches" in [verdict.claim for verdict in verdicts]
    assert "each of 12 lines of 2 servers has a place of its own" in [v.claim for v in verdicts]


def test_an_empty_archive_passes_all_checks(archive_url):
    assert faults(archive_url) == []


SWAP = [(10, -9), (9, 10), (-9, 9)]
FRAME = """
    INSERT INTO frames (id, server_id, connection_id, asked, received_at, frame)
    VALUES (1, 1, 1, (1 = 1), 10, '{}')
"""

BROKEN = {
    "a sample of no server": (
        "UPDATE stats_samples SET server_id = 99",
        ("servers", "stats_samples has rows of a server that is not there"),
    ),
    "a server is gone": (
        "DELETE FROM servers WHERE id = 2",
        ("servers", "streams has rows of a server that is not there"),
    ),
    "a panel is gone": ("DELETE FROM panels", ("servers", "a server's panel is not there")),
    "a batch goes back": (
        "UPDATE lines SET batch = 2 WHERE id = 1",
        ("batches", "batch 1 comes after batch 2"),
    ),
    "a batch was never given": (
        "UPDATE lines SET batch = 4 WHERE id = 12",
        ("batches", "batch 4 is above the last one that was given, 3"),
    ),
    "no batch": (
        "UPDATE lines SET batch = 0 WHERE id = 1",
        ("batches", "batch 0 comes after batch 0"),
    ),
    "more commits than batches": (
        "UPDATE counters SET value = 4 WHERE name = 'commit'",
        ("batches", "there are 4 commits, but 3 batches"),
    ),
    "a line of no run": (
        f"UPDATE lines SET run_id = 77 WHERE seq = {NEW[3]}",
        ("origins", "run 77 of a line is not there"),
    ),
    "a line of another server's run": (
        f"UPDATE lines SET run_id = 3 WHERE seq = {NEW[3]}",
        ("origins", "run 3 of a line is not there"),
    ),
    "a line of no connection": (
        f"UPDATE lines SET connection_id = 77 WHERE seq = {NEW[3]}",
        ("origins", "connection 77 of a line is not there"),
    ),
    "live lines in another order than they were committed": (
        "; ".join(f"UPDATE lines SET id = {new} WHERE id = {old}" for old, new in SWAP),
        ("order", "line with id 9 comes after id 10"),
    ),
    "a connection after a later one": (
        "UPDATE lines SET connection_id = 2 WHERE server_id = 1 AND seq = 0",
        ("order", "connection 1 comes after 2"),
    ),
    "a line observed before the one in front of it": (
        f"UPDATE lines SET at = at - 1500000, observed_at = at - 1500000 WHERE seq = {NEW[2]}",
        ("order", f"seq {NEW[2]} came 0.500 s before one in front of it"),
    ),
    "runs are mixed": (
        f"UPDATE lines SET run_id = 1 WHERE seq = {NEW[2]}",
        ("run_order", "a line of run 1 comes after one of run 2"),
    ),
    "a live line at another time": (
        f"UPDATE lines SET at = at + 1 WHERE seq = {NEW[2]}",
        ("times", "a live line has another time than when it came"),
    ),
    "a replayed line after it was seen": (
        f"UPDATE lines SET at = at + 10100000 WHERE seq = {NEW[0]}",
        ("times", "a replayed line is dated 10.1 s later than it was observed"),
    ),
    "a replayed line before it can have been printed": (
        f"UPDATE lines SET at = earliest_at - 100000 WHERE seq = {NEW[0]}",
        ("times", "a replayed line is dated 0.1 s earlier than it can have been printed"),
    ),
    "an imported line among recorded ones": (
        f"UPDATE lines SET source = 7, connection_id = NULL, run_id = NULL WHERE seq = {OLD[2]}",
        ("imports", "an imported line lies among recorded ones"),
    ),
    "an imported line that came through a connection": (
        f"UPDATE lines SET source = 7, run_id = NULL WHERE seq = {OLD[0] + STEP // 2}",
        ("imports", "an imported line has a connection"),
    ),
    "a run ends before it begins": (
        f"UPDATE runs SET ended_at = {NOW + 15 * SECOND} WHERE id = 2",
        ("runs", "run 2 ended 6.0 s before it began"),
    ),
    "a run ends before it was seen": (
        f"UPDATE runs SET ended_at = {NOW - 6 * SECOND} WHERE id = 1",
        ("runs", "run 1 ended 6.0 s before it was first seen"),
    ),
    "a gap ends where it begins": (
        f"UPDATE gaps SET before_seq = {OLD[4]} WHERE id = 1",
        ("gaps", f"gap 1 begins behind seq {OLD[4]} and ends before seq {OLD[4]}"),
    ),
    "a gap begins nowhere": (
        f"UPDATE gaps SET after_seq = {OLD[4] + 1} WHERE id = 1",
        ("gaps", f"gap 1 names seq {OLD[4] + 1}, which is not there, and no line was ever deleted"),
    ),
    "a gap ends nowhere": (
        f"UPDATE gaps SET before_seq = {NEW[0] - 1} WHERE id = 1",
        ("gaps", f"gap 1 names seq {NEW[0] - 1}, which is not there, and no line was ever deleted"),
    ),
    "a gap behind all numbers": (
        f"UPDATE gaps SET after_seq = {2 * STEP} WHERE id = 3",
        ("gaps", f"gap 3 names seq {2 * STEP}, which was never given"),
    ),
    "a line in a gap": (
        f"UPDATE gaps SET before_seq = {NEW[1]} WHERE id = 1",
        ("gaps", f"gap 1 is open, but seq {NEW[0]} lies in it"),
    ),
    "a line behind the end": (
        "UPDATE gaps SET after_seq = 0 WHERE id = 3",
        ("gaps", f"gap 3 is open, but seq {STEP} lies in it"),
    ),
    "a line before the beginning": (
        "UPDATE gaps SET after_seq = NULL WHERE id = 1",
        ("gaps", "gap 1 is open, but seq 0 lies in it"),
    ),
    "a gap that was filled is open again": (
        "UPDATE gaps SET closed_at = NULL WHERE id = 2",
        ("gaps", f"gap 2 is open, but seq {STEP // 2} lies in it"),
    ),
    "less than nothing is missing": (
        "UPDATE gaps SET lower = -1 WHERE id = 3",
        ("gaps", "gap 3 misses at least -1, likely ?, at most ? lines"),
    ),
    "fewer are likely than are missing": (
        "UPDATE gaps SET expected = 0 WHERE id = 1",
        ("gaps", "gap 1 misses at least 1, likely 0, at most 9 lines"),
    ),
    "more are likely than can be": (
        "UPDATE gaps SET expected = 10 WHERE id = 1",
        ("gaps", "gap 1 misses at least 1, likely 10, at most 9 lines"),
    ),
    "more are missing than can be": (
        "UPDATE gaps SET upper = 0, expected = NULL WHERE id = 1",
        ("gaps", "gap 1 misses at least 1, likely ?, at most 0 lines"),
    ),
    "a status from nowhere": (
        "UPDATE status_changes SET previous = 'running' WHERE status = 'starting'",
        ("status", "change 4 to 'starting' is from 'running', but the one before was to 'offline'"),
    ),
    "a number would be given twice": (
        f"UPDATE streams SET next_seq = {NEW[3]} WHERE server_id = 1",
        ("streams", f"next seq is {NEW[3]}, but there is {NEW[3]}"),
    ),
    "confirmed beyond the end": (
        f"UPDATE streams SET confirmed_seq = {2 * STEP + 1} WHERE server_id = 2",
        ("streams", f"confirmed mark {2 * STEP + 1} is above next seq {2 * STEP}"),
    ),
    "a current run that is not there": (
        "UPDATE streams SET run_id = 77 WHERE server_id = 2",
        ("streams", "current run 77 is not there"),
    ),
    "a current run of another server": (
        "UPDATE streams SET run_id = 3 WHERE server_id = 1",
        ("streams", "current run 3 is not there"),
    ),
    "lines without a stream": (
        "DELETE FROM streams WHERE server_id = 2",
        ("streams", "a server has lines but no stream"),
    ),
    "a replay that nobody resolved": (
        f"{FRAME}; UPDATE counters SET value = 1 WHERE name = 'frame'",
        ("frames", "1 frames of a replay are left"),
    ),
    "a counter is gone": (
        "DELETE FROM counters WHERE name = 'gap'",
        ("counters", "gaps go up to 3, but the last number given is None"),
    ),
} | {
    f"the counter of {table} is low": (
        f"UPDATE counters SET value = {highest - 1} WHERE name = '{counter}'",
        ("counters", f"{table} go up to {highest}, but the last number given is {highest - 1}"),
    )
    for table, counter, highest in (
        ("panels", "panel", 1),
        ("servers", "server", 2),
        ("runs", "run", 3),
        ("connections", "connection", 3),
        ("gaps", "gap", 3),
        ("status_changes", "status_change", 5),
        ("lines", "line", 12),
    )
}


@pytest.mark.parametrize("how", BROKEN)
def test_what_is_broken_is_found_by_its_check_alone(archive, paged_faults, how):
    statements, (check, what) = BROKEN[how]
    execute(archive, *statements.split("; "))
    assert paged_faults() == [(check, what)]


def test_every_check_is_broken_by_one_of_these_tests():
    here = {check for _, (check, _) in BROKEN.values()}
    assert set(CHECKS) - here == {"places", "database"}


def test_two_lines_with_one_place_are_found(archive, paged_faults):
    if archive.startswith("sqlite"):
        # A constraint cannot be dropped here: put another table into the place.
        statements = [
            "PRAGMA legacy_alter_table = ON",
            "CREATE TABLE free AS SELECT * FROM lines",
            "DROP TABLE lines",
            "ALTER TABLE free RENAME TO lines",
        ]
    else:
        statements = ["ALTER TABLE lines DROP CONSTRAINT uq_lines_server_id_seq"]
    moved = f"UPDATE lines SET seq = {NEW[1]} WHERE seq = {NEW[2]}"
    execute(archive, *statements, moved)
    assert paged_faults() == [("places", "two lines have one place")]


def test_an_index_that_is_damaged_is_found(archive):
    if archive.startswith("sqlite"):
        damage(Path(archive.removeprefix("sqlite:///")), "sqlite_autoindex_panels_1")
    else:
        execute(
            archive,
            "UPDATE pg_index SET indisvalid = false"
            " WHERE indexrelid = 'uq_panels_origin'::regclass",
        )
    ((check, what),) = faults(archive)
    assert check == "database"
    assert what == "index uq_panels_origin is not valid" or archive.startswith("sqlite")


def damage(path: Path, name: str) -> None:
    """Write over the root page of a table or index."""
    with closing(sqlite3.connect(path)) as connection:
        sql = "SELECT rootpage FROM sqlite_schema WHERE name = ?"
        number = connection.execute(sql, (name,)).fetchone()[0]
        size = connection.execute("PRAGMA page_size").fetchone()[0]
    with path.open("r+b") as file:
        file.seek((number - 1) * size)
        file.write(b"\x00" * size)


def test_a_table_that_cannot_be_read_is_a_fault_of_all_that_needs_it(sqlite_url, tmp_path, fill):
    with Writer.open(sqlite_url, tmp_path / "data", now=NOW) as writer:
        fill(writer)
    damage(Path(sqlite_url.removeprefix("sqlite:///")), "lines")
    found = dict(faults(sqlite_url))
    assert {"database", "batches", "places", "order", "times"} <= set(found)
    assert {"servers", "runs", "status", "frames"}.isdisjoint(found)
    assert "damaged" in str(found["times"])


def test_faults_are_counted_and_the_first_is_told_with_what_to_do(archive):
    execute(archive, "UPDATE gaps SET lower = -1")
    (verdict,) = [verdict for verdict in ask(archive) if not verdict.is_ok]
    assert (verdict.check, verdict.found) == ("gaps", 3)
    assert str(verdict.what).startswith("gap 1 misses")
    assert verdict.where == "server 'Lobby 1'"
    assert "keep a copy" in str(verdict.do)


def delete(url: str, where: str) -> None:
    database = Database.open(url)
    with database.begin() as connection:
        keep_keys(connection, FIRST)
        connection.exec_driver_sql(f"DELETE FROM lines WHERE {where}")
    database.close()


@pytest.mark.parametrize(
    "where", [f"seq >= {NEW[1]}", f"seq IN ({OLD[4]}, {NEW[0]})", "server_id = 1", "1 = 1"]
)
def test_deleted_lines_are_no_fault(archive, paged_faults, where):
    delete(archive, where)
    assert paged_faults() == []
    assert "are deleted" in next(v.claim for v in ask(archive) if v.check == "batches")


@pytest.mark.parametrize("keys", ["02", "0100", "01" + "00" * 66])
def test_keys_of_deleted_lines_that_cannot_be_used_are_found(archive, keys):
    value = f"x'{keys}'" if archive.startswith("sqlite") else f"'\\x{keys}'"
    execute(archive, f"UPDATE streams SET keys = {value} WHERE server_id = 1")
    ((check, what),) = faults(archive)
    assert check == "streams"
    assert str(what).startswith("keys of deleted lines")


def test_keys_of_lines_that_were_never_numbered_are_found(archive):
    delete(archive, f"seq = {NEW[3]}")
    execute(archive, f"UPDATE streams SET next_seq = {NEW[3]} WHERE server_id = 1")
    assert faults(archive) == [("streams", "keys of deleted lines are not in order")]


def commit(url: str, tmp_path: Path, **given) -> None:
    state = StreamState(next_seq=JUMP + 20 * STEP, run_id=2)
    with Writer.open(url, tmp_path / "data", now=NOW) as writer:
        writer.commit([Records(FIRST, state, **given)])


def test_a_clock_that_was_set_back_is_no_fault(archive, tmp_path, live):
    seqs = [JUMP + number * STEP for number in range(9, 13)]
    # Set back between two batches; the second one takes long.
    lines = [live(seq, 2 + 20 * n, 2, 2) for n, seq in enumerate(seqs)]
    commit(archive, tmp_path, lines=lines, status_changes=[change(2, "stopping", "running", 2)])
    # Set back within a batch, for good.
    lines = [live(seqs[-1] + STEP * n, 63 - n, 2, 2) for n in range(1, 4)]
    # A new collector took the latest change by time for the last one.
    commit(archive, tmp_path, lines=lines, status_changes=[change(40, "offline", "running", 2)])
    assert faults(archive) == []


def test_daemon_lines_and_imported_ones_may_stand_where_they_like(archive, tmp_path, live):
    old = live(OLD[4] + 1, 900, 1, 1, source=Source.IMPORT, run_id=None, connection_id=None)
    daemon = live(JUMP + 9 * STEP, 40, 1, 2, source=Source.DAEMON)
    commit(archive, tmp_path, lines=[old, daemon])
    assert faults(archive) == []


def test_what_a_collector_needs_while_it_records_is_no_fault(archive, tmp_path, monkeypatch):
    frames = [Frame(1, True, NOW, "{}")]
    state = StreamState(next_seq=JUMP + 9 * STEP, run_id=2)
    with Writer.open(archive, tmp_path / "data", now=NOW) as writer:
        writer.commit([Records(FIRST, state, frames=frames)])
        assert faults(archive) == []
        quick = ask(archive)[0].claim
        monkeypatch.setattr(checks, "QUICK_BYTES", 0)
        large = ask(archive)[0].claim
    if archive.startswith("sqlite"):
        assert "quick_check" in quick
        assert "not asked while a collector records" in large
    assert faults(archive) == [("frames", "1 frames of a replay are left")]


def test_a_collector_that_died_does_not_hinder_a_whole_check(sqlite_url):
    dead = 2**22 + 1  # above every process id
    execute(
        sqlite_url,
        f"INSERT INTO collectors (id, pid, host, since) VALUES (1, {dead},"
        f" '{socket.gethostname()}', 1)",
    )
    assert "integrity_check" in ask(sqlite_url)[0].claim
    execute(sqlite_url, f"UPDATE collectors SET pid = {os.getpid()}")
    assert "quick_check" in ask(sqlite_url)[0].claim
    execute(sqlite_url, f"UPDATE collectors SET host = 'elsewhere', pid = {dead}")
    assert "quick_check" in ask(sqlite_url)[0].claim


def test_an_archive_that_is_recorded_into_meanwhile_is_whole(
    archive, tmp_path, monkeypatch, live, replayed
):
    monkeypatch.setattr(checks, "PAGE", 2)
    with Writer.open(archive, tmp_path / "data", now=NOW) as writer:
        committed = 0

        def record(*_: object) -> None:
            nonlocal committed
            if committed == 20:
                return
            committed += 1
            seq = JUMP + (20 + committed) * STEP
            server = writer.register(
                panel_origin="https://panel.example",
                panel_name="main",
                uuid=f"another {committed}",
                identifier="x",
                name="x",
                node="node",
                seen_at=NOW,
            )
            run, connection = writer.next_run_id(), writer.next_connection_id()
            into_gap = replayed(NEW[0] - 100 * committed, 30, 2, 2)
            writer.commit(
                [
                    Records(
                        FIRST,
                        StreamState(next_seq=seq + STEP, run_id=2),
                        lines=[live(seq, 50 + committed, 2, 2), into_gap],
                        gaps=[Gap(1, OLD[4], into_gap.seq, NOW, NOW, "lost", 1, 9, 5, 2)],
                    ),
                    Records(
                        server,
                        StreamState(STEP, run),
                        [live(0, 0, run, connection)],
                        [Run(run, NOW, "first")],
                        [Connection(connection, NOW)],
                    ),
                ]
            )

        verdicts = ask(archive, record)
    assert committed > 5
    assert [(v.check, v.what) for v in verdicts if not v.is_ok] == []


def test_progress_is_told_and_never_goes_back(archive, monkeypatch):
    monkeypatch.setattr(checks, "PAGE", 2)
    told: list[float] = []
    ask(archive, lambda what, done: told.append(done))
    assert told == sorted(told)
    assert len(told) > 10
    assert (told[0], told[-1]) == (0.0, 1.0)


@pytest.fixture
def sizes(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many rows each statement gave."""
    found: list[int] = []
    rows = Session.rows

    def counted(self, sql, parameters=()):
        answer = rows(self, sql, parameters)
        found.append(len(answer))
        return answer

    monkeypatch.setattr(Session, "rows", counted)
    return found


def test_no_statement_reads_more_than_a_page_and_nothing_is_changed(
    sqlite_url, tmp_path, monkeypatch, sizes, fill
):
    monkeypatch.setattr(checks, "PAGE", 3)
    monkeypatch.setattr(checks, "GAP_PAGE", 3)
    with Writer.open(sqlite_url, tmp_path / "data", now=NOW) as writer:
        fill(writer)
    path = Path(sqlite_url.removeprefix("sqlite:///"))
    copy = shutil.copy(path, tmp_path / "copy.db")
    sizes.clear()
    assert faults(sqlite_url) == []
    assert max(sizes) == 3
    assert path.read_bytes() == Path(copy).read_bytes()
