import re
import sys

import pytest
import re2
from hypothesis import given
from hypothesis import strategies as st

from archiver.query import patterns, words

WORDS = st.text("ab_é", min_size=1, max_size=4)


@pytest.mark.parametrize("engine", [re, re2], ids=["re", "re2"])
def test_a_letter_is_every_character_of_folded_words_and_no_other_of_ascii(engine):
    every = words.fold("".join(map(chr, range(sys.maxunicode + 1))))
    assert engine.fullmatch(f"{patterns.LETTER}+", "".join(re.findall(r"\w", every)))
    letters = [char for char in every[:128] if engine.fullmatch(patterns.LETTER, char)]
    assert letters == re.findall(r"\w", every[:128])


@given(WORDS, WORDS)
def test_one_edit_is_the_same_in_both_engines(word, other):
    pattern = patterns.one_edit(word, patterns.LETTER)
    assert bool(re.fullmatch(pattern, other)) == bool(re2.fullmatch(pattern, other))


@pytest.mark.parametrize(
    ("other", "edit"),
    [
        ("lost", "none"),
        ("lots", "swap at the end"),
        ("olst", "swap at the beginning"),
        ("lsot", "swap of the halves"),
        ("ost", "first out"),
        ("los", "last out"),
        ("last", "one for another"),
        ("xlost", "one more at the beginning"),
        ("losts", "one more at the end"),
        ("loést", "one more within"),
    ],
)
def test_a_word_is_one_edit_away(other, edit):
    assert re.fullmatch(patterns.one_edit("lost", patterns.LETTER), other)


@pytest.mark.parametrize("other", ["", "lo", "st", "tsol", "stlo", "losxyt", "xlosty", "olts"])
def test_a_word_is_more_than_one_edit_away(other):
    assert not re.fullmatch(patterns.one_edit("lost", patterns.LETTER), other)


@given(st.text("ab*?", min_size=1, max_size=12), WORDS)
def test_a_glob_lets_through_what_fits_whatever_it_leaves_out(pattern, word):
    exact = re.compile(pattern.replace("?", r"\w").replace("*", r"\w*"))
    glob = patterns.glob(pattern, patterns.LETTER)
    for engine in (re, re2):
        if exact.fullmatch(word):
            assert engine.fullmatch(glob, word)
        elif pattern.count("*") <= 3:
            assert not engine.fullmatch(glob, word)


def test_a_glob_of_many_stars_keeps_its_ends_and_its_longest_part():
    assert patterns.glob("a*b*cd*e*f", ".") == "a.*cd.*f"
