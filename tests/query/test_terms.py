from hypothesis import given
from hypothesis import strategies as st

from archiver.query import terms, words


def test_a_block_is_known_by_its_words_and_its_facts():
    facts = [terms.fact("level", 17), terms.fact("source", 3)]
    found = terms.block_terms(["Connection lost", "connection reset"], facts)
    assert found == {"connection", "lost", "reset", ":level=17", ":source=3"}


def test_long_words_are_cut():
    text = f"{'a' * 80} {'b' * 81} {'b' * 90} c"
    assert terms.block_terms([text], []) == {"a" * 80, "b" * 80, "c"}


@given(st.text(), st.integers())
def test_no_word_is_a_fact(text, value):
    assert terms.fact("level", value) not in words.words(f"{text} {terms.fact('level', value)}")
    assert terms.fact("level", value) not in terms.block_terms([text], [])
