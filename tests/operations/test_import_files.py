"""Files of lines, imported beside what was recorded: what is stored then, and what is said."""

import asyncio
import gzip
import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archiver import errors
from archiver.console.records import (
    AtKind,
    Connection,
    Flag,
    Gap,
    Line,
    Records,
    Run,
    Source,
    StreamState,
)
from archiver.operations import import_files
from archiver.operations.file_lines import FileLines
from archiver.operations.import_files import Outcome, check_zone, choose_server, import_lines
from archiver.operations.log_files import LogFile
from archiver.operations.verify import verify
from archiver.store.checks import Checks
from archiver.store.imports import Imports
from archiver.store.reads import LineFilter, Reader
from archiver.store.rows import LineRow
from archiver.store.writer import Writer

SECOND = 1_000_000
STEP, JUMP = 65_536, 2**32
NOON = 1_795_435_200_000_000  # 2026-11-23 12:00:00 UTC
NOW = NOON + 7_200 * SECOND


def say(second: int, what: str = "", head: str = "[{:%H:%M:%S}] [Server thread/INFO]: ") -> str:
    """A line as the game writes it, so many seconds after noon."""
    moment = datetime(2026, 11, 23, 12, tzinfo=UTC) + timedelta(seconds=second)
    return head.format(moment) + (what or f"tick {second}")


PAPER = "[{:%H:%M:%S} INFO]: "  # as its console has it, and not its log


def live(seq: int, second: int, text: str | None = None, **more) -> Line:
    at = NOON + second * SECOND
    plain = Line(
        seq=seq,
        run_id=1,
        source=Source.LIVE,
        at=at,
        at_kind=AtKind.CLAIMED,
        observed_at=at + 20_000,
        earliest_at=None,
        timestamp=at,
        level=9,
        thread=None,
        flags=Flag.ASCII,
        connection_id=1,
        text=say(second) if text is None else text,
        raw=None,
    )
    return plain._replace(**more)


def replayed(seq: int, at: int, text: str, **more) -> Line:
    """A line of a replay: printed before *at*, nobody knows when."""
    plain = live(seq, at, text, source=Source.REPLAY, at_kind=AtKind.BEFORE, timestamp=None)
    return plain._replace(**more)


class Archive:
    """An archive of one server, to record into and to import into."""

    def __init__(self, url: str, tmp_path: Path) -> None:
        self.url = url
        self.data_dir = tmp_path / "data"
        self._files = tmp_path / "files"
        self._files.mkdir()
        with self._writer() as writer:
            writer.register(
                panel_origin="https://panel.example",
                panel_name="main",
                uuid="uuid-1",
                identifier="abc",
                name="Survival",
                node="node",
                seen_at=NOW,
            )

    def _writer(self) -> Writer:
        return Writer.open(self.url, self.data_dir, now=NOW)

    def record(self, lines: list[Line], gaps: tuple[Gap, ...] = (), confirmed: int = 2**60) -> None:
        next_seq = lines[-1].seq + STEP
        state = StreamState(next_seq, run_id=1, confirmed_seq=min(confirmed, next_seq))
        with self._writer() as writer:
            writer.next_run_id()
            writer.next_connection_id()
            for _ in gaps:
                writer.next_gap_id()
            writer.commit(
                [
                    Records(
                        1,
                        state,
                        lines=lines,
                        runs=[Run(1, NOON, "first")],
                        connections=[Connection(1, NOON, NOON)],
                        gaps=list(gaps),
                    )
                ]
            )

    def file(self, lines: list[str], name: str = "2026-11-23-1.log") -> Path:
        path = self._files / name
        text = "".join(f"{line}\n" for line in lines).encode()
        path.write_bytes(gzip.compress(text) if name.endswith(".gz") else text)
        return path

    def give(self, lines: list[str], name: str = "2026-11-23-1.log", **more) -> Outcome:
        """Import a file of these lines."""
        return self.give_file(self.file(lines, name), **more)

    def give_file(self, path: Path, day: int | None = None, advance=lambda _: None) -> Outcome:
        with Imports.open(self.url, self.data_dir) as archive, LogFile(path) as file:
            lines = FileLines(file, UTC, day, NOW)
            lines.look(lambda _: None)
            server = choose_server(archive.servers(), "survival")
            outcome = import_lines(archive, server, lines, zone=UTC, now=NOW, advance=advance)
        assert self.faults() == []
        return outcome

    def lines(self) -> list[LineRow]:
        with Reader.open(self.url) as reader:
            return list(reader.iter_lines(LineFilter(server_ids=(1,))))

    def texts(self) -> list[str]:
        return [line.text for line in self.lines()]

    def faults(self) -> list[tuple[str, str | None, str | None]]:
        with Checks.open(self.url) as checks:
            verdicts = list(verify(checks, lambda *_: None))
        return [(each.check, each.what, each.where) for each in verdicts if not each.is_ok]

    def gaps(self) -> list[int | None]:
        """When each gap was closed."""
        with Reader.open(self.url) as reader:
            return [gap.closed_at for gap in reader.gaps()]


@pytest.fixture
def stream(archive_url: str, tmp_path: Path) -> Archive:
    return Archive(archive_url, tmp_path)


@pytest.fixture
def sqlite(sqlite_url: str, tmp_path: Path) -> Archive:
    """The same on one engine, for what is no matter of SQL."""
    return Archive(sqlite_url, tmp_path)


def counts(outcome: Outcome) -> dict[str, int]:
    """What is not 0."""
    names = ("new", "there", "uncertain", "later", "crowded", "closed")
    return {name: getattr(outcome, name) for name in names if getattr(outcome, name)}


# What was recorded: seconds 0 to 9, a gap, seconds 60 to 69.
RECORDED = [live(n * STEP, n) for n in range(10)] + [
    live(JUMP + n * STEP, 60 + n) for n in range(10)
]
LOST = Gap(1, 9 * STEP, JUMP, NOON + 9 * SECOND, NOON + 60 * SECOND, "lost", 1, None)


def test_history_goes_below_0_in_its_order(stream):
    stream.record([live(n * STEP, n) for n in range(10)])
    history = [say(n) for n in range(-300, 0)]
    assert counts(stream.give(history)) == {"new": 300}

    lines = stream.lines()
    assert [line.text for line in lines[:300]] == history
    assert all(line.seq < 0 for line in lines[:300])
    first = lines[0]
    assert (first.source, first.at_kind, first.at) == (7, AtKind.CLAIMED, NOON - 300 * SECOND)
    assert (first.timestamp, first.observed_at, first.level) == (first.at, NOW, 9)
    assert first.run_id is None


def test_a_gap_is_filled_between_its_two_lines_and_what_is_recorded_stays(stream):
    stream.record(RECORDED, (LOST,))
    before = {line.seq: line for line in stream.lines()}
    outcome = stream.give([say(n) for n in range(-5, 75)])

    # 5 before the first, 50 in the gap; the last 5 are newer than all that is recorded.
    assert counts(outcome) == {"new": 55, "there": 20, "later": 5, "closed": 1}
    assert stream.texts() == [say(n) for n in range(-5, 70)]
    after = {line.seq: line for line in stream.lines()}
    assert before.items() <= after.items()
    assert [line.run_id for line in stream.lines()] == [None] * 5 + [1] * 70
    assert stream.gaps() == [NOW]


def test_a_gap_that_a_file_shows_in_part_stays_open(stream):
    stream.record(RECORDED, (LOST,))
    assert counts(stream.give([say(n) for n in range(5, 40)])) == {"new": 30, "there": 5}
    assert stream.gaps() == [None]
    assert counts(stream.give([say(n) for n in range(30, 70)], "b.log", day=20_780)) == {
        "new": 20,
        "there": 20,
    }
    assert stream.texts() == [say(n) for n in range(70)]


def test_a_gap_that_a_replay_may_still_fill_is_left_alone(stream):
    stream.record(RECORDED, (LOST,), confirmed=9 * STEP)
    outcome = stream.give([say(n) for n in range(-1, 70)])
    assert counts(outcome) == {"new": 1, "there": 20, "later": 50}


@pytest.mark.parametrize("name", ["2026-11-23-1.log", "again.log.gz"])
def test_the_same_file_adds_nothing(stream, name):
    stream.record(RECORDED, (LOST,))
    text = [say(n // 3, f"{n % 7}") for n in range(-300, 300)]
    first = stream.give(text)
    stored = stream.lines()
    again = stream.give(text, name, day=20_780)

    assert first.new > 100
    assert (again.new, again.closed) == (0, 0)
    assert stream.lines() == stored


def test_of_a_rotation_with_more_lines_the_rest_is_added(stream):
    stream.record([live(0, 0)])
    text = [say(n // 5, f"{n % 3}") for n in range(-1_000, -5)]
    stream.give(text[:713], "latest.log", day=20_780)
    outcome = stream.give(text, "2026-11-23-1.log.gz")

    assert counts(outcome) == {"new": len(text) - 713, "there": 713}
    assert stream.texts()[:-1] == text


def test_of_a_part_that_begins_later_the_rest_is_added_too(stream):
    text = [say(n // 5, f"{n % 3}") for n in range(-1_000, 0)]
    stream.give(text[500:800], "tail.log", day=20_780)
    assert counts(stream.give(text)) == {"new": 700, "there": 300}
    assert stream.texts() == text


def test_files_may_come_in_any_order(stream):
    text = [say(100 * n + k, f"{k}") for n in range(-9, 0) for k in range(40)]
    for n in (3, 8, 0, 1, 7, 2, 5, 4, 6):
        stream.give(text[40 * n : 40 * n + 40], f"{n}.log", day=20_780)
    assert stream.texts() == text


def test_lines_without_a_time_have_that_of_the_line_before(stream):
    text = ["no time yet", say(-5, "oops"), "java.lang.Error", "\tat a.B.c(B.java:1)", say(-3)]
    assert counts(stream.give(text)) == {"new": 5}
    ats = [NOON + n * SECOND for n in (-5, -5, -5, -5, -3)]
    lines = stream.lines()
    assert [(line.at, line.text) for line in lines] == list(zip(ats, text, strict=True))
    assert [line.timestamp is None for line in lines] == [True, False, True, True, False]
    assert counts(stream.give(text)) == {"there": 5}


@pytest.fixture
def in_small_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let few lines be looked at at once, so that anything lies across a border."""
    monkeypatch.setattr(import_files, "BATCH", 10)


def test_equal_lines_of_one_second_are_stored_as_often_as_they_are_there(stream, in_small_steps):
    text = [say(-2, "spam")] * 70 + [say(-1, "spam")] * 30
    stream.give(text[:40], "a.log", day=20_780)
    assert counts(stream.give(text)) == {"new": 60, "there": 40}
    assert stream.texts() == text


def test_lines_a_little_out_of_order_are_known_again(stream, in_small_steps):
    text = [say(-n - 30 * (n % 7 == 0), f"{n % 5}") for n in range(300, 0, -1)]
    stream.give(text)
    stored = stream.lines()
    assert counts(stream.give(text)) == {"there": 300}
    assert stream.lines() == stored


def test_a_file_that_goes_back_in_time_meets_each_stored_line_once(stream, in_small_steps):
    stream.give([say(-500, "x")], "a.log", day=20_780)
    later = [say(n) for n in (*range(-490, -480), *range(-200, -180))]
    outcome = stream.give([*later, say(-500, "x"), say(-500, "x")])
    assert counts(outcome) == {"new": len(later) + 1, "there": 1}


def test_a_file_that_goes_back_while_it_goes_on_meets_each_stored_line_once(stream, in_small_steps):
    stream.give([say(-200, "x")], "a.log", day=20_780)
    other = [*(say(n) for n in range(-205, -195)), say(-800)]
    outcome = stream.give([*other, say(-200, "x"), say(-200, "x")])
    assert counts(outcome) == {"new": len(other) + 1, "there": 1}


def test_lines_that_are_about_to_be_stored_keep_their_numbers(stream):
    """Where a second has one number, five lines of it take those of the next ones."""
    gap = Gap(1, 0, 1_000, NOON, NOON + 1_000 * SECOND, "lost", 1, None)
    stream.record([live(0, 0), live(1_000, 1_000)], (gap,))
    text = [say(500, letter) for letter in "abcde"] + [say(100), say(502)]
    assert counts(stream.give(text)) == {"new": 7}
    assert stream.texts()[1:-1] == [say(100), *text[:5], say(502)]


def test_the_beginning_of_a_recording_is_not_seen_in_one_line(stream, in_small_steps):
    """Yesterday a line was printed like the first one recorded, where a step ends."""
    recorded = [say(n, f"{n}") for n in range(20)]
    stream.record([replayed(n * STEP, 30, text) for n, text in enumerate(recorded)])
    yesterday = [say(n, f"{n}") for n in range(-9, 0)] + [recorded[0]]
    yesterday += [say(n, "another") for n in range(1, 20)]
    assert counts(stream.give(yesterday, "2026-11-22-1.log")) == {"new": 29}
    assert counts(stream.give(recorded)) == {"there": 20}


def test_a_line_new_among_known_ones_of_its_second_stands_between_them(stream):
    stream.give([say(-2, "one"), say(-2, "three")], "a.log", day=20_780)
    stream.give([say(-2, "one"), say(-2, "two"), say(-2, "three"), say(-1, "four")])
    assert stream.texts() == [
        say(-2, "one"), say(-2, "two"), say(-2, "three"), say(-1, "four"),
    ]  # fmt: skip


def test_a_file_in_another_format_than_the_console_fills_gaps_only(stream):
    recorded = [
        line._replace(text=say((line.at - NOON) // SECOND, head=PAPER)) for line in RECORDED
    ]
    stream.record(recorded, (LOST,))
    outcome = stream.give([say(n) for n in range(70)])
    assert counts(outcome) == {"new": 50, "there": 20, "closed": 1}


def test_in_a_second_that_is_half_recorded_the_text_decides(stream):
    stream.record(RECORDED, (LOST,))
    text = [say(9), say(9, "more"), say(30), say(60, "earlier"), say(60), say(61)]
    outcome = stream.give(text)
    assert counts(outcome) == {"new": 3, "there": 3, "uncertain": 2, "closed": 1}
    lines = [line for line in stream.lines() if line.source == Source.IMPORT]
    assert [line.text for line in lines] == [say(9, "more"), say(30), say(60, "earlier")]
    assert [bool(line.flags & Flag.UNCERTAIN) for line in lines] == [True, False, True]


@pytest.mark.parametrize("days", [0, 3])
def test_the_replayed_lines_with_which_a_recording_began_are_known_again(stream, days):
    """Their times were never resolved, and days may lie between two of them."""
    printed = [say(n, f"player {n % 4} says {n}") for n in range(-600, 0, 4)]
    shown = printed[:75] + printed[75:]
    stream.record([replayed(n * STEP, 5, text) for n, text in enumerate(shown)])
    early = [say(n) for n in range(-700, -600)]
    stream.give([*early, *printed[:75]], f"2026-11-{23 - days}-1.log")
    if days:
        stream.give(printed[75:], "2026-11-23-1.log")
    else:
        stream.give(printed[75:], "2026-11-23-2.log")
    assert stream.texts() == [*early, *printed]


def test_lines_of_a_console_without_times_are_known_by_their_texts(stream):
    printed = [f"something happened to {n}" for n in range(40)]
    stream.record([replayed(n * STEP, 5, text) for n, text in enumerate(printed)])
    file = [say(n - 60, f"before {n}", "{:%Y-%m-%d %H:%M:%S} ") for n in range(20)]
    outcome = stream.give([*file, *printed])
    assert outcome.new == 20
    assert stream.texts() == [*file, *printed]


def test_nothing_is_stored_that_is_newer_than_what_is_recorded(stream):
    stream.record([live(n * STEP, n) for n in range(10)])
    assert counts(stream.give([say(n) for n in range(5, 20)])) == {"there": 5, "later": 10}


def test_lines_of_a_server_that_was_never_recorded_are_all_new(stream):
    outcome = stream.give([say(n) for n in range(-10, 10)])
    assert counts(outcome) == {"new": 20}
    assert outcome.is_first
    assert all(line.seq < 0 for line in stream.lines())


def test_a_clock_that_is_set_back_does_not_mix_lines_up(stream):
    text = [say(n) for n in (-500, -499, -300, -299, -498, -497, -296)]
    assert counts(stream.give(text)) == {"new": 7}
    assert stream.texts() == [say(n) for n in (-500, -499, -498, -497, -300, -299, -296)]
    assert counts(stream.give(text)) == {"there": 7}


def test_two_clocks_in_one_file_are_both_in_order(stream, monkeypatch):
    monkeypatch.setattr(import_files, "BATCH", 16)
    text = [say(n if n % 2 else n - 3_600) for n in range(-100, 0)]
    assert counts(stream.give(text)) == {"new": 100}
    assert stream.texts() == sorted(text)
    assert counts(stream.give(text)) == {"there": 100}


def test_more_lines_than_numbers_are_counted_not_stored(stream):
    gap = Gap(1, 0, 8, NOON, NOON + 60 * SECOND, "lost", 1, None)
    stream.record([live(0, 0), live(8, 60)], (gap,))
    outcome = stream.give([say(0), *(say(n) for n in range(1, 60)), say(60)])
    assert outcome.crowded >= 59 - 7
    assert outcome.new == 59 - outcome.crowded
    assert stream.texts() == sorted(stream.texts())


def test_an_import_that_is_cut_goes_on_where_it_was(sqlite, monkeypatch):
    monkeypatch.setattr(import_files, "BATCH", 50)
    sqlite.record(RECORDED, (LOST,))
    text = [say(n // 7, f"{n % 3}") for n in range(-700, 350)]

    def cut(done: int) -> None:
        if done > 400:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        sqlite.give(text, advance=cut)
    assert 300 < len(sqlite.lines()) < 600
    sqlite.give(text)
    whole = sqlite.texts()
    assert whole[:700] == text[:700]
    assert sqlite.give(text).new == 0
    assert sqlite.texts() == whole


def test_transactions_are_short_and_not_one_behind_the_other(sqlite, monkeypatch):
    monkeypatch.setattr(import_files, "PAUSE", 0.0)
    sqlite.give([say(-1, f"{n}") for n in range(12_000)])
    with closing(sqlite3.connect(sqlite.url.removeprefix("sqlite:///"))) as connection:
        sizes = connection.execute("SELECT count(*) FROM lines GROUP BY batch").fetchall()
    assert len(sizes) >= 3
    assert max(size for (size,) in sizes) <= 5_000


def test_a_second_import_is_refused(stream):
    with (
        Imports.open(stream.url, stream.data_dir),
        pytest.raises(errors.StoreError, match="another import"),
    ):
        Imports.open(stream.url, stream.data_dir)
    Imports.open(stream.url, stream.data_dir).__exit__()


@pytest.mark.parametrize(
    ("zone", "is_right"),
    [(UTC, True), (ZoneInfo("Europe/Lisbon"), True), (ZoneInfo("Europe/Berlin"), False)],
    ids=str,
)
def test_a_zone_that_recorded_lines_contradict_is_refused(sqlite, zone, is_right):
    sqlite.record(RECORDED, (LOST,))
    with Imports.open(sqlite.url, sqlite.data_dir) as opened:
        (server,) = opened.servers()
        if is_right:
            check_zone(opened, server, zone)
        else:
            with pytest.raises(errors.UsageError, match=r"UTC\+00:00.*UTC\+01:00") as caught:
                check_zone(opened, server, zone)
            assert "--tz" in str(caught.value)


def test_a_name_must_name_one_server(sqlite):
    with Imports.open(sqlite.url, sqlite.data_dir) as opened:
        (server,) = opened.servers()
        assert choose_server([server], "abc") is server
        with pytest.raises(errors.UsageError, match="no server is called"):
            choose_server([server], "creative")
        twin = server._replace(id=2, uuid="uuid-2", identifier="def", name="Survival 2")
        with pytest.raises(errors.UsageError, match="fits 2 servers"):
            choose_server([server, twin], "Survi*")


async def test_a_collector_joins_its_replays_as_ever_beside_an_import(serving, recording, tmp_path):
    """What a gap lost is imported while it records; then a connection breaks again."""
    printed: list[str] = []

    def print_lines(count: int) -> None:
        for _ in range(count):
            text = f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S.%f} line {len(printed)}"
            printed.append(text)
            panel.world.print_line("Silent", text)

    async with serving() as panel, recording(panel) as collector:
        archive = collector.archive
        await collector.until_live()
        print_lines(20)
        await collector.until_right(panel.world)
        panel.world.drop_sockets("Silent")
        print_lines(380)
        await collector.until_right(panel.world)
        print_lines(500)  # so many that no replay reaches the gap
        await collector.until_right(panel.world)
        lost = len(printed) - len(archive.texts("Silent"))
        assert lost > 100
        path = tmp_path / "x.log"
        path.write_text("\n".join(["1999-12-31 23:59:59 history", *printed]))

        def give() -> Outcome:
            url = collector.ingest._settings.database_url
            with Imports.open(url, tmp_path / "data") as opened, LogFile(path) as file:
                lines = FileLines(file, UTC, None, NOW)
                lines.look(lambda _: None)
                (server,) = opened.servers()
                return import_lines(
                    opened, server, lines, zone=UTC, now=NOW, advance=lambda _: None
                )

        outcome = counts(await asyncio.to_thread(give))
        assert outcome == {"new": 1 + lost, "there": len(printed) - lost, "closed": 1}
        panel.world.drop_sockets("Silent")
        print_lines(50)
        await collector.until(lambda: len(archive.texts("Silent")) == 1 + len(printed))
        assert archive.texts("Silent")[1:] == printed
        assert archive.gaps("Silent") == []


@pytest.fixture(scope="module")
def make(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[], Archive]:
    def make_one() -> Archive:
        path = tmp_path_factory.mktemp("archive")
        (path / "archive.db").write_bytes(sqlite_template.read_bytes())
        return Archive(f"sqlite:///{path / 'archive.db'}", path)

    return make_one


@settings(max_examples=40, deadline=None)
@given(
    seconds=st.lists(st.integers(-60, 70), min_size=1, max_size=60).map(sorted),
    recorded=st.sets(st.integers(0, 59)),
    cuts=st.lists(st.tuples(st.integers(-60, 70), st.integers(-60, 70)), max_size=4),
)
def test_whatever_was_recorded_and_imported_each_line_is_there_once_and_in_order(
    make, seconds, recorded, cuts
):
    """
    A log with distinct lines, several to a second; of those from second 0 on some were
    recorded. Parts of it are imported, cut between two seconds, then all of it. What
    is there then is all but what came after the last line recorded.
    """
    truth = [(second, say(second, f"{n}")) for n, second in enumerate(seconds)]
    kept = [n for n, (second, _) in enumerate(truth) if second >= 0 and n in recorded]
    archive = make()
    lines: list[Line] = []
    gaps: list[Gap] = []
    seq = 0
    for place, n in enumerate(kept):
        if place and kept[place - 1] != n - 1:
            left, seq = lines[-1], seq + JUMP
            at, until = left.at, NOON + truth[n][0] * SECOND
            gaps.append(Gap(len(gaps) + 1, left.seq, seq, at, until, "lost", 1, None))
        lines.append(live(seq, *truth[n]))
        seq += STEP
    if lines:
        archive.record(lines, tuple(gaps))
    for first, last in cuts:
        part = [text for second, text in truth if min(first, last) <= second < max(first, last)]
        archive.give(part, "part.log", day=20_780)
    archive.give([text for _, text in truth])
    newest = max(kept, default=len(truth))
    assert archive.texts() == [text for _, text in truth[: newest + 1]]
    assert None not in archive.gaps()  # the last file shows both sides of each
