"""A search finds what a look at all lines would, whatever is sealed of them."""

import shutil
from itertools import islice

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from archiver.index.partitions import Index
from archiver.operations.search import Search
from archiver.query.matcher import Matcher
from archiver.query.parser import parse
from archiver.store.reads import LineFilter

NOW = 1_780_000_000_000_000
WORDS = ["joined", "left", "lost", "connection", "Steve", "ERROR", "wolf", "x1", "größe"]
QUERIES = [
    "lost", "connection lost", '"connection lost"', "st*", "*ol*", "-lost", "NOT (lost OR left)",
    "steve OR größe", "wolv~1", "/[A-Z]{5}/", "level:error", "source:replay lost", "*",
    "missing", "server:u1 lost", ":)", "connection -steve", "`n lost`",
]  # fmt: skip


@pytest.fixture
def search(reader, index_dir):
    def search_for(query: str, *, index: bool = True, **given) -> Search:
        newest = given.pop("newest", True)
        opened = Index(index_dir) if index else None
        return Search(reader, opened, parse(query), LineFilter(**given), newest=newest)

    return search_for


def key(row):
    return row.at, row.server_id, row.seq


texts = st.lists(st.sampled_from(WORDS), min_size=1, max_size=4).map(" ".join)
placed = st.tuples(st.sampled_from(["u1", "u2"]), st.integers(0, 999), texts)
commits = st.lists(
    st.tuples(st.lists(placed, max_size=12), st.sampled_from([None, 9, 17]), st.booleans()),
    max_size=6,
)


@pytest.mark.parametrize("archive_url", ["sqlite"], indirect=True)
@settings(
    max_examples=60,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    deadline=None,
)
@given(
    commits=commits,
    query=st.sampled_from(QUERIES),
    since=st.none() | st.integers(0, 999),
    newest=st.booleans(),
)
def test_answer_is_that_of_a_look_at_all_lines(
    fill, seal, search, reader, *, commits, query, since, newest
):
    """The archive grows from example to example; lines come at any place in the last."""
    base = max((row.seq // 1_000 + 1 for row in reader.iter_lines(LineFilter())), default=0)
    used = set()
    for rows, level, is_sealed in commits:
        fresh = {}
        for server, seq, text in rows:
            if (server, seq) not in used:
                used.add((server, seq))
                fresh[server, seq] = (server, 1_000 * base + seq, text)
        fill(*fresh.values(), level=level)
        if is_sealed:
            seal()
    since = None if since is None else NOW + 1_000 * base + since
    lines = list(reader.iter_lines(LineFilter()))
    matches = Matcher(parse(query)).matches

    found = list(search(query, since=since, newest=newest).hits())

    expected = [row for row in lines if matches(row) and (since is None or row.at >= since)]
    assert found == sorted(expected, key=key, reverse=newest)
    assert search(query, since=since).count() == len(expected)
    assert list(search(query, since=since, newest=newest, index=False).hits()) == found


def test_line_is_found_as_soon_as_it_is_committed(fill, seal, search):
    fill(("u1", 1, "connection lost"))
    seal()
    fill(("u1", 2, "connection lost again"), ("u2", 1, "late"))
    fill(("u1", -5, "lost before"))

    assert [row.seq for row in search("lost").hits()] == [2, 1, -5]
    assert [row.seq for row in search("lost", newest=False).hits()] == [-5, 1, 2]
    assert search("lost").count() == 3


def test_filters_narrow_before_lines_are_read(fill, seal, search):
    servers = fill(*(("u1", seq, f"lost {seq}") for seq in range(600)))
    fill(*(("u2", seq, "lost") for seq in range(600, 900)), level=17)
    seal()

    of_server = search("lost", server_ids=(servers["u2"],))
    assert len(list(of_server.hits())) == 300
    assert of_server.explanation.lines == 300

    of_named = search("server:u2 lost")
    assert len(list(of_named.hits())) == 300
    assert of_named.explanation.lines == 300

    of_level = search("*", level_from=13)
    assert len(list(of_level.hits())) == 300
    assert of_level.explanation.lines == 300

    of_time = search("lost", since=NOW + 590, until=NOW + 610)
    assert len(list(of_time.hits())) == 20

    of_source = search("*", sources=(3,))
    assert list(of_source.hits()) == []
    assert of_source.explanation.candidates == 0


def test_newest_hits_are_there_before_the_rest_is_read(fill, seal, search):
    fill(*(("u1", seq, "lost") for seq in range(5_000)))
    seal()

    found = search("lost")
    newest = list(islice(found.hits(), 100))

    assert [row.seq for row in newest] == list(range(4_999, 4_899, -1))
    assert found.explanation.lines <= 256


@pytest.mark.parametrize("query", ["lost", "7", "missing"])
def test_progress_rises_until_all_is_passed(fill, seal, reader, index_dir, query):
    for first in range(0, 6_000, 2_000):
        fill(*(("u1", seq, f"lost {seq % 9}") for seq in range(first, first + 2_000)))
        seal()
    fill(*(("u2", seq, "lost") for seq in range(6_000, 6_500)))
    passed = []

    def watch(done):
        assert done.within == 6_500
        passed.append(done.passed)

    search = Search(reader, Index(index_dir), parse(query), LineFilter(), watch=watch)
    list(search.hits())

    assert passed == sorted(passed)
    assert search.explanation.passed == search.explanation.within == 6_500


def test_rare_word_opens_few_blocks(fill, seal, search):
    fill(*(("u1", seq, "needle" if seq % 1_000 == 7 else f"hay {seq}") for seq in range(5_000)))
    seal()

    found = search("needle")

    assert len(list(found.hits())) == 5
    assert found.explanation.candidates == 5
    # Of the lines that are candidates SQL leaves out those without the word.
    assert found.explanation.lines == 5


@pytest.mark.parametrize("damage", ["delete a file", "flip a bit", "delete the directory"])
def test_damaged_index_is_told_and_changes_no_answer(fill, seal, search, index_dir, damage):
    fill(*(("u1", seq, f"lost {seq}") for seq in range(600)))
    seal()
    (partition,) = [path for path in index_dir.iterdir() if path.is_dir()]
    file = max(partition.iterdir(), key=lambda path: path.stat().st_size)
    if damage == "flip a bit":
        content = bytearray(file.read_bytes())
        content[len(content) // 2] ^= 1
        file.write_bytes(content)
    elif damage == "delete a file":
        file.unlink()
    else:
        shutil.rmtree(partition)

    found = search("599")

    assert [row.seq for row in found.hits()] == [599]
    (unusable,) = found.explanation.unusable
    assert unusable.do == "run 'archiver index update'"
    assert seal().mended == 1
    mended = search("599")
    assert [row.seq for row in mended.hits()] == [599]
    assert mended.explanation.unusable == []


def test_lines_that_come_during_a_search_are_not_in_it(fill, search):
    fill(*(("u1", seq, "lost") for seq in range(10)))
    hits = search("lost").hits()
    next(hits)
    fill(("u1", 20, "lost"), ("u1", -20, "lost"))
    assert len(list(hits)) == 9
