"""What readers see, alone and while a writer writes."""

import json
import random
import subprocess
import sys
from collections.abc import Callable, Iterable
from typing import Any

import pytest

from archiver import errors
from archiver.console.records import (
    Connection,
    Flag,
    Gap,
    Line,
    Records,
    Run,
    StatusChange,
    StreamState,
)
from archiver.store import reads
from archiver.store.reads import LineFilter, Reader
from archiver.store.rows import CollectorRow, LineRow, ServerRow, StatusRow, TextRow
from archiver.store.writer import Writer

NOW = 1_780_000_000_000_000


@pytest.fixture
def servers(writer, register):
    return [register(writer, uuid) for uuid in ("u1", "u2", "u3")]


@pytest.fixture(params=[3, 5_000], ids=["small windows", "one window"])
def window(request, monkeypatch):
    monkeypatch.setattr(reads, "WINDOW", request.param)
    return request.param


# --- opening


def test_reading_needs_no_sqlalchemy(sqlite_url, tmp_path):
    with Writer.open(sqlite_url, tmp_path / "data", now=NOW):
        pass
    script = """
import sys
from archiver.store.reads import LineFilter, Reader
with Reader.open(sys.argv[1]) as reader:
    reader.lines(LineFilter(), limit=1), list(reader.iter_lines(LineFilter()))
    reader.status_of_all(0), reader.servers(), reader.counts()
print([name for name in ("sqlalchemy", "alembic", "psycopg") if name in sys.modules])
"""
    done = subprocess.run(
        [sys.executable, "-c", script, sqlite_url], capture_output=True, text=True, check=True
    )

    assert done.stdout == "[]\n"


def test_archive_of_another_revision_is_not_read(writer, archive_url):
    with writer._database.begin() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '0000'")

    with pytest.raises(errors.SchemaOutOfDateError, match="'0000'"):
        Reader.open(archive_url)


def test_missing_archive_says_how_to_make_one(tmp_path):
    with pytest.raises(errors.StoreError, match="archiver ingest"):
        Reader.open(f"sqlite:///{tmp_path}/archive.db")


def test_empty_archive_answers_with_nothing(reader):
    assert reader.last_batch() == 0
    assert reader.servers() == reader.runs() == reader.gaps() == reader.connections() == []
    assert reader.lines(LineFilter(), limit=9) == list(reader.iter_lines(LineFilter())) == []
    assert reader.status_of_all(0) == []
    assert set(reader.counts().values()) == {0}


# --- lines


def test_line_comes_back_with_its_server(writer, reader, servers, line):
    given = line(-5, run_id=3, level=9, thread="main", flags=8, text="naïve", raw="\x1b[1mnaïve")
    writer.commit([Records(servers[1], StreamState(), [given])])

    (found,) = reader.lines(LineFilter(), limit=9)

    values = {name: getattr(given, name) for name in LineRow._fields if name in given._fields}
    assert found == LineRow(
        id=1,
        server_id=servers[1],
        batch=1,
        identifier="u2",
        server_name="Lobby u2",
        **values,
    )


def scattered(line: Callable[..., Line], server_ids: list[int]) -> dict[int, list[Line]]:
    """Lines whose times and seqs disagree in places, several with one time."""
    dice = random.Random(7)
    return {
        server_id: [
            line(
                seq,
                at=NOW + seq + dice.randrange(-4, 5),
                source=dice.choice((1, 2, 3)),
                run_id=dice.choice((None, 1, 2)),
            )
            for seq in range(-30, 60)
        ]
        for server_id in server_ids
    }


FILTERS: dict[str, dict[str, Any]] = {
    "all": {},
    "since": {"since": NOW + 10},
    "until": {"until": NOW + 10},
    "range": {"since": NOW - 5, "until": NOW + 25},
    "empty range": {"since": NOW + 10, "until": NOW + 10},
    "sources": {"sources": (2, 3)},
    "runs": {"run_ids": (2,)},
    "no runs": {"run_ids": ()},
    "batch": {"batch_until": 1},
    "together": {"since": NOW, "until": NOW + 40, "sources": (1,), "run_ids": (1, 2)},
}


def passes(wanted: dict[str, Any], batch: int, found: Line) -> bool:
    return bool(
        wanted.get("since", -(2**62)) <= found.at < wanted.get("until", 2**62)
        and found.source in wanted.get("sources", (1, 2, 3))
        and found.run_id in wanted.get("run_ids", (None, 1, 2))
        and batch <= wanted.get("batch_until", 9)
    )


@pytest.fixture
def expected(writer, servers, line):
    """What a filter lets through of the lines of these servers, in their order."""
    stored = scattered(line, servers)
    for part in (slice(None, None, 2), slice(1, None, 2)):  # batch 2 fills in between
        writer.commit([Records(each, StreamState(), stored[each][part]) for each in servers])

    def lines(wanted, server_ids):
        found = [
            (each.at, server_id, each.seq)
            for server_id in server_ids
            for index, each in enumerate(stored[server_id])
            if passes(wanted, 1 + index % 2, each)
        ]
        return sorted(found, key=None if len(server_ids) > 1 else lambda place: place[2])

    return lines


def places(rows: Iterable[LineRow]) -> list[tuple[int, int, int]]:
    return [(row.at, row.server_id, row.seq) for row in rows]


@pytest.mark.parametrize("wanted", FILTERS.values(), ids=FILTERS)
def test_filter_lets_the_same_lines_through_whoever_asks(wanted, reader, servers, expected, window):
    for server_ids in (None, tuple(servers), (servers[0], servers[2]), (servers[1],), ()):
        right = expected(wanted, servers if server_ids is None else server_ids)
        asked = LineFilter(server_ids=server_ids, **wanted)

        assert places(reader.iter_lines(asked)) == right
        assert places(reader.lines(asked, limit=1000)) == right
        assert places(reader.lines(asked, limit=1000, newest=True)) == right
        assert sorted(places(reader.lines(asked, after=0, limit=1000))) == sorted(right)


@pytest.mark.parametrize("limit", [1, 2, 7, 1000])
def test_limit_takes_from_the_end_that_is_asked_for(reader, servers, expected, window, limit):
    for since, server_ids in ((None, (servers[0],)), (None, None), (NOW, None)):
        wanted = {} if since is None else {"since": since}
        right = expected(wanted, servers if server_ids is None else server_ids)
        asked = LineFilter(server_ids=server_ids, since=since)

        assert places(reader.lines(asked, limit=limit)) == right[:limit]
        assert places(reader.lines(asked, limit=limit, newest=True)) == right[-limit:]


def test_newest_of_one_server_in_a_range_are_newest_by_time_and_ordered_by_seq(
    writer, reader, servers, line
):
    late = line(10, at=NOW + 100)
    writer.commit([Records(servers[0], StreamState(), [late, line(20), line(30), line(40)])])
    asked = LineFilter(server_ids=(servers[0],), since=NOW)

    assert [row.seq for row in reader.lines(asked, limit=2, newest=True)] == [10, 40]
    assert [row.seq for row in reader.lines(asked, limit=2)] == [20, 30]


def test_follower_gets_every_line_once_in_order_of_commit(writer, reader, servers, line, window):
    seen, after = [], 0
    for batch in range(1, 6):
        writer.commit(
            [
                Records(servers[0], StreamState(), [line(1000 - batch)]),
                Records(servers[1], StreamState(), [line(seq) for seq in (batch, -batch)]),
            ]
        )
        while found := reader.lines(LineFilter(), after=after, limit=2):
            seen += [(row.batch, row.server_id, row.seq) for row in found]
            after = found[-1].id

    assert seen == [
        (batch, server_id, seq)
        for batch in range(1, 6)
        for server_id, seq in (
            (servers[0], 1000 - batch),
            (servers[1], batch),
            (servers[1], -batch),
        )
    ]


def test_whoever_wants_few_lines_does_not_wait_for_many(writer, reader, servers, line, monkeypatch):
    writer.commit([Records(servers[0], StreamState(), [line(seq) for seq in range(1_000)])])
    sizes = []
    real = reader._session.rows

    def rows(sql, parameters=()):
        found = real(sql, parameters)
        sizes.append(len(found))
        return found

    monkeypatch.setattr(reader._session, "rows", rows)

    (found,) = reader.lines(LineFilter(), after=500, limit=1)
    assert found.id == 501
    assert max(sizes) <= 8

    assert len(reader.lines(LineFilter(), after=0, limit=1_000)) == 1_000


def test_listing_leaves_out_what_is_committed_after_it_began(
    writer, reader, servers, line, monkeypatch
):
    monkeypatch.setattr(reads, "WINDOW", 2)
    for server_ids in ((servers[0],), tuple(servers)):
        base = writer.commit([Records(servers[0], StreamState())])
        first = [line(base * 100 + seq) for seq in (10, 20, 30, 40)]
        writer.commit([Records(servers[0], StreamState(), first)])
        asked = LineFilter(server_ids=server_ids, since=NOW + base * 100)
        listing = reader.iter_lines(asked)
        begun = [next(listing).seq]

        late = [line(base * 100 + seq) for seq in (5, 25, 50)]
        writer.commit([Records(servers[0], StreamState(), late)])

        assert begun + [row.seq for row in listing] == [each.seq for each in first]
        assert len(list(reader.iter_lines(asked))) == 7


def test_sqlite_finds_the_lines_of_a_window_by_the_index_of_its_key(sqlite_url, monkeypatch):
    plans = []
    with Reader.open(sqlite_url) as reader:
        real = reader._session.rows

        def rows(sql, parameters=()):
            if " lines" in sql:
                steps = [row[3] for row in real(f"EXPLAIN QUERY PLAN {sql}", parameters)]
                plans.append(next(step for step in steps if step.split()[1] in {"lines", "t"}))
            return real(sql, parameters)

        monkeypatch.setattr(reader._session, "rows", rows)
        monkeypatch.setattr(reader, "_counter", lambda name: 9)
        everything = LineFilter((1,), NOW, NOW + 5, (1,), (1,), 3)
        list(reader.iter_lines(everything))
        for plan in plans[:2]:
            assert "INDEX ix_lines_server_id_at (server_id=? AND at>? AND at<?)" in plan
        for plan in plans[2:]:
            assert "INDEX sqlite_autoindex_lines_1 (server_id=? AND seq>? AND seq<?)" in plan
        assert len(plans) == 4
        plans.clear()
        reader.lines(everything, limit=9, newest=True)
        for plan in plans:
            assert "INDEX ix_lines_server_id_at (server_id=? AND at>? AND at<?)" in plan
        assert len(plans) == 2
        plans.clear()
        reader.lines(everything, after=0, limit=9)
        assert len(plans) == 1
        assert "INTEGER PRIMARY KEY (rowid>? AND rowid<?)" in plans[0]
        plans.clear()
        reader.lines_around(1, 5, 1, 1)
        reader.last_seq(1, before_id=9)
        for plan, bound in zip(plans, ("seq<?", "seq>?", "server_id=?"), strict=True):
            assert "INDEX sqlite_autoindex_lines_1 (server_id=?" in plan
            assert bound in plan


def test_a_mark_is_how_far_is_committed(writer, reader, servers, line):
    assert reader.mark() == (0, 0, 0)

    gap = Gap(5, None, 1, None, NOW, "", 0, None)
    writer.commit([Records(servers[0], StreamState(), [line(1), line(2)])])
    writer.commit([Records(servers[0], StreamState(), gaps=[gap])])

    assert reader.mark() == (2, 2, 5)


def test_lines_around_a_place_are_its_neighbours_by_seq(writer, reader, servers, line):
    # Their times go the other way, and another server has the same places.
    lines = [line(seq, at=NOW - seq) for seq in (40, 10, 30, 20)]
    writer.commit([Records(server_id, StreamState(), lines) for server_id in servers[:2]])

    def found(seq: int, before: int, after: int) -> list[int]:
        rows = reader.lines_around(servers[0], seq, before, after)
        assert {row.server_id for row in rows} <= {servers[0]}
        return [row.seq for row in rows]

    assert found(20, 0, 0) == [20]
    assert found(20, 1, 1) == [10, 20, 30]
    assert found(20, 9, 9) == [10, 20, 30, 40]
    assert found(25, 1, 0) == [20, 30]
    assert found(5, 1, 0) == [10]
    assert found(50, 1, 0) == [40]
    assert reader.lines_around(servers[2], 20, 1, 1) == []


def test_the_last_place_is_that_of_what_was_committed_before(writer, reader, servers, line):
    for seqs in ((10, 30), (20,), (40,)):
        writer.commit([Records(servers[0], StreamState(), [line(seq) for seq in seqs])])

    assert [reader.last_seq(servers[0], before_id=each) for each in range(1, 6)] == [
        *(None, 10, 30, 30, 40)
    ]
    assert reader.last_seq(servers[1], before_id=9) is None


def test_a_reader_can_be_connected_again(writer, reader, servers, line):
    writer.commit([Records(servers[0], StreamState(), [line(1)])])
    reader.close()
    reader.reopen()

    assert [row.seq for row in reader.lines(LineFilter(), limit=9)] == [1]


# --- everything else


def test_servers_are_listed_by_name(writer, reader, register):
    second = register(writer, "u2", name="b", panel_name="main", node="node2")
    first = register(writer, "u1", name="a", panel_name="main", identifier="abc")
    writer.mark_deleted(second, NOW + 5)

    listed = ServerRow(first, "main", "abc", "u1", "a", "node1", NOW, NOW, None)
    assert reader.servers(deleted=False) == [listed]
    assert reader.servers() == [
        listed,
        ServerRow(second, "main", "u2", "u2", "b", "node2", NOW, NOW, NOW + 5),
    ]


def test_runs_are_listed_oldest_first(writer, reader, servers):
    writer.commit(
        [
            Records(servers[0], StreamState(), runs=[Run(1, NOW + 9, "uptime", NOW)]),
            Records(
                servers[1],
                StreamState(),
                runs=[Run(2, NOW, "first", None, NOW + 1, 137, out_of_memory=True)],
            ),
        ]
    )

    late = (1, servers[0], NOW + 9, "uptime", NOW, None, None, None, "u1", "Lobby u1")
    early = (2, servers[1], NOW, "first", None, NOW + 1, 137, True, "u2", "Lobby u2")
    assert reader.runs() == [early, late]
    assert reader.runs([servers[0]]) == [late]
    assert reader.runs(()) == []
    assert reader.runs()[0].out_of_memory is True


def test_connections_are_the_newest_listed_oldest_first(writer, reader, servers):
    made = [Connection(number, NOW + number, close_code=1000) for number in (1, 2, 3)]
    writer.commit(
        [
            Records(servers[0], StreamState(), connections=made[:2]),
            Records(servers[1], StreamState(), connections=made[2:]),
        ]
    )

    assert reader.connections(limit=1) == [
        (3, servers[1], NOW + 3, None, None, 1000, None, 0, 0, 0, 0, "u2", "Lobby u2")
    ]
    assert [row.id for row in reader.connections(limit=2)] == [2, 3]
    assert [row.id for row in reader.connections([servers[0]])] == [1, 2]
    assert [row.id for row in reader.connections(None, NOW + 2)] == [2, 3]


def test_gaps_are_those_that_touch_the_time(writer, reader, servers):
    gaps = [
        Gap(1, None, 10, None, NOW + 10, "recording began", 0, None),
        Gap(2, 10, 20, NOW + 20, NOW + 30, "reconnect", 1, 5, 3, 7, NOW + 40),
    ]
    writer.commit([Records(servers[0], StreamState(), gaps=gaps)])

    def found(**asked: Any) -> list[int]:
        return [row.id for row in reader.gaps(**asked)]

    assert reader.gaps()[1] == (
        *(2, servers[0], 7, 10, 20, NOW + 20, NOW + 30, "reconnect", 1, 5, 3, NOW + 40),
        *("u1", "Lobby u1"),
    )
    assert found() == [1, 2]
    assert found(since=NOW + 10) == [1, 2]
    assert found(since=NOW + 11) == found(since=NOW + 30) == [2]
    assert found(since=NOW + 31) == []
    assert found(until=NOW + 20) == found(until=NOW) == [1]
    assert found(until=NOW + 21) == [1, 2]
    assert found(server_ids=[servers[1]]) == []
    assert found(since=NOW + 31, before=[(servers[0], 20)]) == [2]
    assert found(since=NOW + 30, before=[(servers[1], 10), (servers[0], 10)]) == [1, 2]
    assert found(since=NOW + 31, before=[(servers[1], 10), (servers[1], 20)]) == []
    assert found(server_ids=[servers[1]], since=NOW, before=[(servers[0], 10)]) == []
    assert found(before=[(servers[0], 20)]) == [1, 2]


def test_gaps_to_follow_are_those_with_a_larger_number(writer, reader, servers):
    gaps = [Gap(number, None, 10, None, NOW - number, "", 0, None) for number in (3, 1, 2)]
    writer.commit([Records(servers[0], StreamState(), gaps=gaps)])

    assert [row.id for row in reader.gaps_after(1)] == [2, 3]
    assert reader.gaps_after(0, servers[1:]) == []
    assert len(reader.gaps_after(0, servers[:1])) == 3


def test_gaps_among_lines_lie_between_them_or_touch_them(writer, reader, servers):
    among = [(None, 20), (10, 20), (10, 30), (20, 30), (30, 40), (30, None)]
    apart = [(None, 10), (40, 50), (40, None), (10, None), (None, None)]
    gaps = [
        Gap(number, *sides, NOW, NOW, "", 0, None) for number, sides in enumerate(among + apart, 1)
    ]
    writer.commit([Records(servers[0], StreamState(), gaps=gaps)])

    found = reader.gaps_among(servers[0], 20, 30)
    assert [(row.after_seq, row.before_seq) for row in found] == among
    assert reader.gaps_among(servers[1], 20, 30) == []


def test_status_tells_how_each_server_stands(writer, reader, servers, line):
    live, lost, new = servers
    writer.mark_deleted(new, NOW + 5)
    change = StatusChange(1, NOW + 1, None, "running", "starting", inferred=False)
    writer.commit(
        [
            Records(
                live,
                StreamState(run_id=1, last_frame_at=NOW + 8),
                [line(-1), line(0), line(1)],
                runs=[Run(1, NOW, "uptime", NOW - 5), Run(2, NOW, "uptime", NOW - 99)],
                connections=[
                    Connection(1, NOW - 9, NOW - 8, NOW - 7),
                    Connection(2, NOW - 6, NOW - 5),
                ],
                status_changes=[change._replace(status="stopping", at=NOW), change],
                gaps=[
                    Gap(1, None, None, None, NOW - 1, "before today", 0, None),
                    Gap(2, None, None, None, NOW, "today", 0, None),
                    Gap(3, None, None, None, NOW, "closed", 0, None, closed_at=NOW),
                ],
            ),
            Records(
                lost,
                StreamState(run_id=3),
                runs=[Run(3, NOW, "first", NOW - 5, ended_at=NOW)],
                connections=[
                    Connection(3, NOW - 9, NOW - 8),
                    Connection(4, NOW, NOW, NOW + 1),
                ],
            ),
        ]
    )

    assert reader.status_of_all(NOW) == [
        StatusRow(
            live, "u1", "Lobby u1", "node1", "running", NOW - 5, connected=True,
            connection_opened_at=NOW - 6, last_line_at=NOW + 1, last_frame_at=NOW + 8,
            lines_today=2, gaps_today=1, deleted_at=None,
        ),
        StatusRow(
            lost, "u2", "Lobby u2", "node1", None, None, connected=False,
            connection_opened_at=None, last_line_at=None, last_frame_at=None,
            lines_today=0, gaps_today=0, deleted_at=None,
        ),
        StatusRow(
            new, "u3", "Lobby u3", "node1", None, None, connected=False,
            connection_opened_at=None, last_line_at=None, last_frame_at=None,
            lines_today=0, gaps_today=0, deleted_at=NOW + 5,
        ),
    ]  # fmt: skip
    assert reader.status_of_all(NOW)[0].connected is True


def test_open_connection_that_is_not_authenticated_is_not_connected(writer, reader, servers):
    writer.commit([Records(servers[0], StreamState(), connections=[Connection(1, NOW)])])

    found = reader.status_of_all(NOW)[0]
    assert (found.connected, found.connection_opened_at) == (False, NOW)


def test_collector_is_who_opened_the_archive(writer, reader):
    found = reader.collector()

    assert isinstance(found, CollectorRow)
    assert found.since == NOW


def test_counts_are_of_every_table_with_records(writer, reader, servers, line):
    writer.commit([Records(servers[0], StreamState(), [line(1), line(2)], runs=[Run(1, NOW, "x")])])

    assert {table: count for table, count in reader.counts().items() if count} == {
        "servers": 3,
        "lines": 2,
        "runs": 1,
    }


# --- beside a writer

FOLLOWER = """
import json, sys
from archiver.store.reads import LineFilter, Reader
with Reader.open(sys.argv[1]) as reader:
    for _ in sys.stdin:
        found = reader.lines(LineFilter(), limit=1000)
        print(json.dumps([reader.last_batch(), [row.seq for row in found]]), flush=True)
"""


def test_another_process_reads_each_batch_as_soon_as_commit_returns(
    writer, servers, line, archive_url
):
    with subprocess.Popen(
        [sys.executable, "-c", FOLLOWER, archive_url],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        for number in range(1, 6):
            writer.commit([Records(servers[0], StreamState(), [line(number)])])
            process.stdin.write("\n")
            process.stdin.flush()
            batch, seqs = json.loads(process.stdout.readline())
            assert (batch, seqs) == (number, list(range(1, number + 1)))
        process.stdin.close()
    assert process.returncode == 0


def test_reading_within_the_writers_transaction_shows_nothing_of_it(writer, reader, servers, line):
    writer.commit([Records(servers[0], StreamState(), [line(1)])])
    with writer._database.begin() as connection:
        connection.exec_driver_sql("DELETE FROM lines")

        assert [row.seq for row in reader.lines(LineFilter(), limit=9)] == [1]
    assert reader.lines(LineFilter(), limit=9) == []


# --- narrowing by text


@pytest.mark.parametrize(
    ("literals", "expected"),
    [
        ((), [1, 2, 3, 4, 5, 6]),
        ((("lost",),), [1, 2, 5, 6]),
        ((("LoSt",),), [1, 2, 5, 6]),
        ((("lost",), ("connection",)), [1, 6]),
        ((("lost",), ("found",)), [2]),
        ((("lost",), ("kick",)), [6]),
        ((("lost", "percent"),), [1, 2, 3, 5, 6]),
        ((("100%",),), [3]),
        ((("a_b",),), [4]),
        ((("\\",),), [2]),
        ((("x" * 60_000,),), []),
        (((),), []),
    ],
)
def test_text_holds_a_literal_of_each_clause(writer, reader, register, line, *, literals, expected):
    server = register(writer, "u1")
    texts = [
        "Connection lost",
        "LOST \\ and found",
        "100% percent",
        "a_b",
        "Größe: LOST",
        "to judge: \N{KELVIN SIGN}İck lo\N{LATIN SMALL LETTER LONG S}t",
    ]
    flags = [Flag.ASCII if text.isascii() else 0 for text in texts]
    rows = [
        line(seq, text=text, flags=flag)
        for seq, (text, flag) in enumerate(zip(texts, flags, strict=True), 1)
    ]
    writer.commit([Records(server, lines=rows, state=StreamState())])

    wanted = LineFilter(literals=literals)

    assert [row.seq for row in reader.iter_lines(wanted)] == expected
    assert [row.seq for row in reader.between(server, 2, 4, wanted)] == [
        seq for seq in expected if 2 <= seq <= 4
    ]


def test_level_or_worse(writer, reader, register, line):
    server = register(writer, "u1")
    rows = [line(1, level=None), line(2, level=9), line(3, level=13), line(4, level=17)]
    writer.commit([Records(server, lines=rows, state=StreamState())])

    assert [row.seq for row in reader.iter_lines(LineFilter(level_from=13))] == [3, 4]


def test_texts_and_counts_are_those_of_the_lines(writer, reader, register, line):
    server = register(writer, "u1")
    rows = [line(seq, level=9 if seq % 2 else None) for seq in range(10)]
    writer.commit([Records(server, lines=rows, state=StreamState())])
    wanted = LineFilter(level_from=9)

    lines = reader.between(server, 2, 7, wanted)
    assert [row.seq for row in lines] == [3, 5, 7]
    assert reader.texts_between(server, 2, 7, wanted) == [
        TextRow(*(getattr(row, name) for name in TextRow._fields)) for row in lines
    ]
    assert reader.count_between(server, 2, 7, wanted) == 3
