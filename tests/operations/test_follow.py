"""Lines as they are committed; what happens while nothing is read is a step of the script."""

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from random import Random

import psycopg
import pytest

from archiver.console.records import Gap, Records, Source, StreamState
from archiver.operations import follow
from archiver.operations.follow import LateRow, show_and_follow
from archiver.store.reads import LineFilter, Reader
from archiver.store.refusals import RefusedError
from archiver.store.rows import GapRow, LineRow
from archiver.store.session import Session

ALL = LineFilter()
RETRYABLE = RefusedError("disk is full", where="here", do="free space", retryable=True)
FATAL = RefusedError("archive is damaged", where="here", do="restore it", retryable=False)


class EndError(Exception):
    """The script is at its end."""


class Script:
    """Takes the next step whenever the follower waits; it then looks once more and ends."""

    def __init__(self, *steps: Callable[[], object]) -> None:
        self.told: list[RefusedError | None] = []
        self._steps = list(steps)

    def __call__(self, refused: RefusedError | None) -> None:
        self.told.append(refused)
        if not self._steps:
            raise EndError
        self._steps.pop(0)()


def collect(rows) -> list[LineRow | GapRow]:
    """All that comes until the script ends."""
    found: list[LineRow | GapRow] = []
    with pytest.raises(EndError):
        found.extend(rows)
    return found


def shown(rows) -> list[object]:
    """Lines as seq, late ones as text, gaps as their reason."""
    return [
        row.reason
        if isinstance(row, GapRow)
        else f"late {row.seq}"
        if isinstance(row, LateRow)
        else row.seq
        for row in rows
    ]


@pytest.fixture(params=[1, 3, 5_000])
def page(request, monkeypatch) -> int:
    """Lines that are read at once."""
    monkeypatch.setattr(follow, "WINDOW", request.param)
    size: int = request.param
    return size


@pytest.fixture
def servers(writer, register) -> list[int]:
    return [register(writer, uuid) for uuid in ("u1", "u2")]


@pytest.fixture
def add(writer, line, servers):
    """A step: one transaction that adds lines of one server by seq, and gaps."""

    def make(*seqs: int, server: int = 0, gaps: tuple[Gap, ...] = (), **given):
        lines = [line(seq, **given) for seq in seqs]
        records = Records(servers[server], StreamState(), lines=lines, gaps=list(gaps))
        return lambda: writer.commit([records])

    return make


@pytest.fixture
def gap(writer, now):
    """A gap with the next number, as a collector gives it."""

    def make(after: int | None, before: int | None, **given) -> Gap:
        number = writer.next_gap_id()
        found = Gap(number, after, before, now, now, f"gap {number}", 1, None)
        return replace(found, **given)

    return make


def test_the_newest_lines_come_first_and_then_what_is_committed(reader, add):
    add(1, 2, 3)()
    rows = show_and_follow(reader, ALL, limit=2, wait=Script(add(4), add(5, 6)))

    assert shown(collect(rows)) == [2, 3, 4, 5, 6]


@pytest.mark.parametrize(("limit", "first"), [(0, []), (1, [3]), (None, [1, 2, 3])])
def test_as_many_lines_come_first_as_were_asked_for(reader, add, limit, first):
    add(1, 2, 3)()
    rows = show_and_follow(reader, ALL, limit=limit, wait=Script(add(4)))

    assert shown(collect(rows)) == [*first, 4]


def test_an_empty_archive_is_followed_and_servers_that_are_new(reader, writer, register, line):
    def add_server():
        server_id = register(writer, "new")
        writer.commit([Records(server_id, StreamState(), [line(1)])])

    rows = collect(show_and_follow(reader, ALL, limit=9, wait=Script(add_server)))

    assert [(row.seq, row.identifier) for row in rows if isinstance(row, LineRow)] == [(1, "new")]


@pytest.fixture
def racing(archive_url, writer):
    """A reader, and steps that another process takes right behind each of its marks."""
    steps: list[Callable[[], object]] = []

    class Racing(Reader):
        def mark(self):
            found = super().mark()
            if steps:
                steps.pop(0)()
            return found

    with Racing.open(archive_url) as reader:
        yield reader, steps


@pytest.mark.parametrize("limit", [2, None])
def test_what_is_committed_while_lines_are_read_comes_once(racing, add, gap, page, limit):
    reader, steps = racing
    add(1, 2)()
    steps += [add(3, 4, gaps=(gap(2, 3),)), add(5, 6), add(7)]

    rows = show_and_follow(reader, ALL, limit=limit, wait=Script(*[lambda: None] * 5))

    assert shown(collect(rows)) == [1, 2, "gap 1", 3, 4, 5, 6, 7]


def test_whatever_is_committed_comes_once_in_order_of_commit_and_late_if_it_is(reader, add, page):
    random = Random(page)
    places = [(server, seq) for server in (0, 1) for seq in random.sample(range(90), 30)]
    random.shuffle(places)
    cuts = sorted(random.choices(range(len(places) + 1), k=20))
    batches = [places[first:last] for first, last in pairwise([0, *cuts, len(places)])]

    def step(batch: list[tuple[int, int]]) -> Callable[[], object]:
        return lambda: [add(seq, server=server)() for server, seq in batch]

    for batch in batches[:5]:
        step(batch)()
    rows = collect(show_and_follow(reader, ALL, limit=0, wait=Script(*map(step, batches[5:]))))

    before = [place for batch in batches[:5] for place in batch]
    expected = places[len(before) :]
    lines = [row for row in rows if isinstance(row, LineRow)]
    assert [(row.server_id - 1, row.seq) for row in lines] == expected
    for row, (server, seq) in zip(lines, expected, strict=True):
        earlier = places[: places.index((server, seq))]
        is_late = any(other == server and seq < place for other, place in earlier)
        assert isinstance(row, LateRow) == is_late


def test_a_late_line_is_late_though_a_filter_hid_those_below_it(reader, add):
    add(10)()
    wanted = LineFilter(sources=(Source.REPLAY,))
    steps = Script(add(5, source=Source.REPLAY), add(20, source=Source.REPLAY))

    rows = show_and_follow(reader, wanted, limit=9, wait=steps)

    assert shown(collect(rows)) == ["late 5", 20]


def test_filters_choose_what_comes_and_a_predicate_too(reader, add, servers, now):
    wanted = LineFilter(server_ids=(servers[0],), since=now + 3)
    steps = Script(add(1, 2, 9), add(4, 5, 6), add(7, server=1))
    mark = reader.mark()

    found = collect(follow.follow(reader, wanted, mark, wait=steps, keep=lambda row: row.seq != 5))

    assert shown(found) == [9, "late 4", "late 6"]


def test_a_gap_stands_before_its_lines_and_is_shown_once(reader, add, gap):
    add(1, 2, gaps=(gap(None, 1),))()
    first = gap(2, 5)
    steps = [
        add(5, 6, gaps=(first,)),
        add(gaps=(replace(first, upper=9),)),
        add(7, gaps=(gap(5, 6),)),
        add(gaps=(gap(7, None),)),
        add(9),
    ]

    rows = show_and_follow(reader, ALL, limit=9, wait=Script(*steps))

    assert shown(collect(rows)) == ["gap 1", 1, 2, "gap 2", 5, 6, "gap 3", 7, "gap 4", 9]


def test_gaps_are_those_of_the_servers_in_question_that_are_open(reader, add, gap, servers, now):
    steps = [
        add(gaps=(gap(1, 2),), server=1),
        add(gaps=(gap(1, 2, closed_at=now),)),
        add(gaps=(gap(1, 2),)),
    ]
    wanted = LineFilter(server_ids=servers[:1])

    assert shown(collect(show_and_follow(reader, wanted, limit=9, wait=Script(*steps)))) == [
        "gap 3"
    ]


def test_gaps_of_other_runs_are_not_of_the_one_that_is_followed(reader, add, gap):
    steps = [add(gaps=(gap(1, 2, run_id=6),)), add(gaps=(gap(2, 3, run_id=7),))]
    rows = show_and_follow(reader, LineFilter(run_ids=(7,)), limit=9, wait=Script(*steps))

    assert shown(collect(rows)) == ["gap 2"]


def test_a_gap_stands_right_where_much_came_at_once(reader, add, gap, page):

    def suspended():
        add(1, 2, gaps=(gap(None, 1),))()
        add(10, server=1)()
        add(5, 6, gaps=(gap(2, 5),))()
        add(gaps=(gap(6, None),))()

    rows = show_and_follow(reader, ALL, limit=9, wait=Script(suspended))

    assert shown(collect(rows)) == ["gap 1", 1, 2, 10, "gap 2", 5, 6, "gap 3"]


def test_a_collector_may_end_and_another_start(reader, writer, open_writer, line, add):
    def restart():
        writer.close()
        again = open_writer()
        again.commit([Records(1, StreamState(), [line(3)])])
        again.close()
        open_writer().commit([Records(1, StreamState(), [line(4)])])

    rows = show_and_follow(reader, ALL, limit=9, wait=Script(add(1), add(2), restart))

    assert shown(collect(rows)) == [1, 2, 3, 4]


@pytest.mark.parametrize("archive_url", ["postgresql"], indirect=True)
def test_a_lost_connection_is_made_again(archive_url, reader, add):
    def cut():
        with psycopg.connect(archive_url) as connection:
            pid = reader._session._connection.info.backend_pid
            connection.execute("SELECT pg_terminate_backend(%s, 10000)", (pid,))

    script = Script(add(1), cut, add(2))
    assert shown(collect(show_and_follow(reader, ALL, limit=9, wait=script))) == [1, 2]
    assert [refused is not None for refused in script.told] == [False, False, True, False]


def test_after_a_refusal_nothing_is_missing_or_repeated(reader, add, gap, monkeypatch, page):
    """Whichever statement is refused, the next look goes on where the last one was."""
    real = Session.rows
    refused = 0
    for number in range(30):
        base = 100 * number
        add(base)()
        mark = reader.mark()
        statements = iter(range(number, -99, -1))

        def rows(*question, statements=statements):
            if next(statements) == 0:
                raise RETRYABLE
            return real(*question)

        between = add(base + 10, base + 5, gaps=(gap(base, base + 10),))
        with monkeypatch.context() as patch:
            patch.setattr(Session, "rows", rows)
            script = Script(between, lambda: None)
            found = shown(collect(follow.follow(reader, ALL, mark, wait=script)))
        refused += RETRYABLE in script.told

        assert [f"gap {number + 1}", base + 10, f"late {base + 5}"] == found
    assert refused > 3


def test_a_refusal_that_stays_ends_it(reader, add, monkeypatch):
    def refuse(*_):
        raise FATAL

    def break_it():
        monkeypatch.setattr(Session, "rows", refuse)

    rows = show_and_follow(reader, ALL, limit=9, wait=Script(add(1), break_it))

    assert shown([next(rows)]) == [1]
    with pytest.raises(RefusedError, match="damaged"):
        next(rows)


@pytest.fixture
def statements(monkeypatch):
    """The parameters of all statements of readers."""
    real, found = Session.rows, []

    def rows(session, sql, parameters=()):
        found.append(list(parameters))
        return real(session, sql, parameters)

    monkeypatch.setattr(Session, "rows", rows)
    return found


def test_a_look_that_finds_nothing_is_one_statement(reader, add, statements):
    add(1)()
    mark = reader.mark()
    statements.clear()
    nothing = [lambda: None] * 5

    assert collect(follow.follow(reader, ALL, mark, wait=Script(*nothing))) == []
    assert len(statements) == 5


def test_what_a_filter_holds_back_is_read_once(reader, add, statements):
    steps = Script(add(1, 2, 3), add(4, 5), add(6))
    wanted = LineFilter(sources=(Source.IMPORT,))

    assert collect(show_and_follow(reader, wanted, limit=0, wait=steps)) == []
    ranges = [tuple(each[1:]) for each in statements if Source.IMPORT in each]
    assert ranges == [(1, 3), (4, 5), (6, 6)]
