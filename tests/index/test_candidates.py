import re
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archiver import errors
from archiver.index.blocks import BlockRange, SealedLine, seal_blocks
from archiver.index.partitions import Index, write_partition
from archiver.query.blocks import (
    EVERY,
    NONE,
    AllOf,
    AnyOf,
    BlockQuery,
    HasMatch,
    HasPrefix,
    HasTerm,
)
from archiver.query.terms import block_terms

DAY = 86_400_000_000
LETTER = "[0-9a-z_\x80-\U0010ffff]"  # as query.patterns writes it
WORDS = ["wolf", "werewolf", "wolves", "w", "Straße", "straße", "ÅNGSTRÖM", "日本語", "日", "ß"]
WORDS += ["_", "x_1", "0", "00", "0a", "9z", "127", "i̇", "K", "k", "z" * 79, "z" * 80, "z" * 200]
TERMS = sorted({term for word in WORDS for term in block_terms([word], [])})


def is_true(query: BlockQuery, terms: set[str]) -> bool:
    """The meaning of a block query, in plain words."""
    words = [term for term in terms if not term.startswith(":")]
    match query:
        case HasTerm(term):
            return term in terms
        case HasPrefix(prefix):
            return any(word.startswith(prefix) for word in words)
        case HasMatch(pattern):
            return any(re.fullmatch(pattern, word) for word in words)
        case AllOf(parts):
            return all(is_true(part, terms) for part in parts)
        case AnyOf(parts):
            return any(is_true(part, terms) for part in parts)


def newest_first(ranges: list[BlockRange]) -> list[BlockRange]:
    return sorted(ranges, key=lambda each: -each.latest_at)


texts = st.lists(st.sampled_from(WORDS), max_size=5).map(" ".join)
leaves = (
    st.sampled_from([*TERMS, "none", ":level=9", ":level=17", ":source=2"]).map(HasTerm)
    | st.sampled_from([*TERMS, "", "wo", "stra", "none", ":", ":le"]).map(HasPrefix)
    | st.sampled_from(
        [
            *("none", "", "a|b|w", "wol(f|ves)", "[0-9]+", "日.", "(?:wolf|w?olf|w.lf|wo.f|wol.)"),
            *(
                f"{LETTER}*wolf{LETTER}*",
                f"{LETTER}*",
                LETTER,
                f"{LETTER}*ß{LETTER}*",
                f"{LETTER}{{80}}",
            ),
        ]
    ).map(HasMatch)
)
queries = st.recursive(
    leaves | st.sampled_from([EVERY, NONE]),
    lambda parts: (
        st.lists(parts, max_size=3).map(tuple).map(AllOf)
        | st.lists(parts, max_size=3).map(tuple).map(AnyOf)
    ),
    max_leaves=6,
)
moments = st.sampled_from([day * DAY + part for day in range(-2, 3) for part in range(4)])
times = st.none() | moments


@settings(deadline=None)  # each example is on the disk
@given(
    st.lists(
        st.tuples(
            st.integers(0, 3),
            moments,
            st.sampled_from([1, 2]),
            st.sampled_from([None, 9, 17]),
            texts,
        ),
        max_size=40,
    ),
    st.lists(queries, min_size=1, max_size=8),
    st.none() | st.sets(st.integers(0, 4)),
    times,
    times,
)
def test_the_candidates_are_the_blocks_that_the_query_is_true_of(
    drawn, asked, servers, since, until
):
    lines = [
        SealedLine(number, server, number, at, source, level, text)
        for number, (server, at, source, level, text) in enumerate(drawn, 1)
    ]
    blocks = list(seal_blocks(lines))
    with tempfile.TemporaryDirectory() as name:
        index_dir = Path(name) / "index"
        made = write_partition(index_dir, lines, first_id=1, last_id=100, generation=1)
        with Index(index_dir).open(made.directory, made.files) as partition:
            for query in asked:
                found = partition.candidates(query, servers, since, until)
                assert found == newest_first(found)
                assert sorted(found) == sorted(
                    where
                    for where, terms in blocks
                    if is_true(query, terms)
                    and (servers is None or where.server_id in servers)
                    and (since is None or where.latest_at >= since)
                    and (until is None or where.earliest_at < until)
                )


@pytest.mark.parametrize(
    ("since", "until", "found"),
    [
        (None, None, [20, 10]),
        (10, 11, [10]),
        (15, 21, [20, 10]),  # within the first block, before its last line
        (16, 20, []),
        (None, 10, []),
        (None, 11, [10]),
        (20, None, [20]),
        (26, None, []),
    ],
)
def test_a_block_counts_from_its_earliest_line_to_its_latest(index_dir, write, since, until, found):
    lines = [
        SealedLine(number, server, number, at, 1, None, "x")
        for number, (server, at) in enumerate([(1, 10), (1, 15), (2, 20), (2, 25)], 1)
    ]
    made = write(lines)
    with Index(index_dir).open(made.directory, made.files) as partition:
        blocks = partition.candidates(HasTerm("x"), None, since, until)
        assert [each.earliest_at for each in blocks] == found


def test_of_a_thousand_lines_each_term_prefix_and_pattern_has_its_blocks(
    index_dir, write, some_lines
):
    made = write(some_lines)
    blocks = list(seal_blocks(some_lines))
    terms = sorted(set().union(*(held for _, held in blocks)))
    asked: list[BlockQuery] = [HasTerm(term) for term in [*terms, "none"]]
    asked += [HasPrefix(term[:2]) for term in terms]
    asked += [HasMatch(f"{LETTER}*{term[1:3]}{LETTER}?") for term in terms[::7]]
    asked += [AllOf((HasMatch(f"{LETTER}*9"), HasTerm(term))) for term in terms[::7]]
    asked += [AnyOf((HasTerm(term), EVERY)) for term in terms[::100]]
    with Index(index_dir).open(made.directory, made.files) as partition:
        for query in asked:
            expected = [where for where, held in blocks if is_true(query, held)]
            assert sorted(partition.candidates(query)) == sorted(expected)


def test_a_file_that_is_cut_while_it_is_open_is_an_error(index_dir, write):
    everywhere = " ".join(f"w{number}" for number in range(400))
    lines = [
        SealedLine(day, 1, day, day * DAY, 1, None, f"{everywhere} {' '.join(map(str, unique))}")
        for day in range(300)
        for unique in [range(day * 20, day * 20 + 20)]
    ]
    made = write(lines)
    for kind, query in ((".often", HasTerm("w99")), (".seldom", HasTerm("999"))):
        with Index(index_dir).open(made.directory, made.files) as partition:
            (path,) = (index_dir / made.directory).glob(f"*{kind}")
            whole = path.read_bytes()
            path.write_bytes(b"")
            with pytest.raises(errors.IndexUnavailableError, match="cannot be read"):
                partition.candidates(query)
            path.write_bytes(whole)
