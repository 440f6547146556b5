import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archiver.index.lexicon import Lexicon, pack, pages

LETTER = "[0-9a-z_\x80-\U0010ffff]"
WORDS = ["wolf", "werewolf", "w", "ß", "日本", "日", "\U0001d49c", "_", "0", "9", "z" * 80, "é"]
FACTS = [":level=9", ":source=1", ":", ":z"]
# Some sets are longer than a page, so that there are several.
many = st.sets(st.from_regex(r"[0-9a-cy-zß日]{1,3}", fullmatch=True), max_size=200)
terms = st.tuples(many, st.sets(st.sampled_from(WORDS + FACTS))).map(
    lambda sets: set().union(*sets)
)


def numbers(found: object) -> list[int]:
    ranges = list(found)  # type: ignore[call-overload]  # any iterable of ranges
    assert all(ranges)  # none is empty
    assert ranges == sorted(ranges, key=lambda each: each.start)
    return [number for each in ranges for number in each]


def lexicon(words: list[str]) -> Lexicon:
    text, marks = pack(words)
    assert len(marks) == pages(len(words)) + 1
    return Lexicon(text, marks)


@given(terms, st.sampled_from([*WORDS, *FACTS, "", "nowhere", "a", "b1", "日本語"]))
def test_a_term_is_found_at_its_place_or_nowhere(drawn, term):
    words = sorted(drawn)
    packed = lexicon(words)
    assert numbers(packed.find(term)) == ([words.index(term)] if term in drawn else [])
    for place in range(0, len(words), 7):
        assert numbers(packed.find(words[place])) == [place]


@given(
    terms,
    st.sampled_from(["", "w", "we", "a", "z", "zz", "日", "日本", "日本語", "\U0001d49c", ":"]),
)
def test_what_begins_like_this_is_found_but_for_facts(drawn, prefix):
    words = sorted(drawn)
    assert numbers(lexicon(words).with_prefix(prefix)) == [
        number
        for number, word in enumerate(words)
        if word.startswith(prefix) and not word.startswith(":")
    ]


@given(
    terms,
    st.sampled_from(
        [
            "",
            "w",
            "w|wolf",
            f"{LETTER}*wolf",
            f"{LETTER}*",
            LETTER,
            f"{LETTER}{{2}}",
            "日.",
            ".*l.*",
        ]
    ),
)
def test_what_matches_as_a_whole_is_found_but_for_facts(drawn, pattern):
    words = sorted(drawn)
    assert numbers(lexicon(words).matching(pattern)) == [
        number
        for number, word in enumerate(words)
        if re.fullmatch(pattern, word) and not word.startswith(":")
    ]


def test_a_term_with_a_line_end_would_be_two_and_is_refused():
    with pytest.raises(ValueError, match="holds a line end"):
        pack(["a", "b\nc"])
