import re
import tempfile
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

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
            *(f"{LETTER}*wolf{LETTER}*", f"{LETTER}*", LETTER, f"{LETTER}*ß{LETTER}*", "[^w].*"),
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
times = st.none() | st.integers(-DAY, 4 * DAY)


@given(
    st.lists(
        st.tuples(
            st.integers(0, 3),
            st.integers(-2, 2).map(lambda day: day * DAY + 5),
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
