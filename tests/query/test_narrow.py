import re

import pytest
import re2
from hypothesis import given
from hypothesis import strategies as st

from archiver.query import parser
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
from archiver.query.matcher import Matcher
from archiver.query.narrow import may_match, narrow
from archiver.query.patterns import LETTER
from archiver.query.terms import block_terms, fact

CUT = f"{LETTER}{{80}}"


def terms(*words: str) -> BlockQuery:
    return AllOf(tuple(map(HasTerm, words)))


def ends(word: str) -> BlockQuery:
    return HasMatch(f"{LETTER}*{word}|{CUT}")


def is_true(query: BlockQuery, terms: set[str]) -> bool:
    words = {term for term in terms if not term.startswith(":")}
    match query:
        case HasTerm(term):
            return term in terms
        case HasPrefix(prefix):
            return any(word.startswith(prefix) for word in words)
        case HasMatch(pattern):
            by_re = {word for word in words if re.fullmatch(pattern, word)}
            assert by_re == {word for word in words if re2.fullmatch(pattern, word)}
            return bool(by_re)
        case AllOf(parts):
            return all(is_true(part, terms) for part in parts)
        case AnyOf(parts):
            return any(is_true(part, terms) for part in parts)


def terms_of(lines) -> set[str]:
    facts = {fact("source", line.source) for line in lines}
    facts |= {fact("level", line.level) for line in lines if line.level is not None}
    return block_terms((line.text for line in lines), facts)


@given(st.data())
def test_no_block_that_holds_a_hit_is_left_out(queries, lines, data):
    node = data.draw(queries)
    block = data.draw(st.lists(lines, max_size=3))
    block.append(data.draw(lines)._replace(text=str(node)))
    if any(map(Matcher(node).matches, block)):
        assert is_true(narrow(node), terms_of(block))


@given(st.data())
def test_no_block_of_a_pasted_line_is_left_out(texts, lines, data):
    some = data.draw(st.lists(lines, min_size=1, max_size=3))
    node = parser.parse_literal(data.draw(st.sampled_from(some)).text)
    assert is_true(narrow(node), terms_of(some))


@pytest.mark.parametrize(
    ("query", "narrowed"),
    [
        ("Lost", HasTerm("lost")),
        ("a" * 90, HasTerm("a" * 80)),
        ('"connection lost"', terms("connection", "lost")),
        ("lost OR reset", AnyOf((HasTerm("lost"), HasTerm("reset")))),
        ("a (b OR a)", AllOf((HasTerm("a"), AnyOf((HasTerm("b"), HasTerm("a")))))),
        ("lost NOT reset", HasTerm("lost")),
        ("lost OR NOT reset", EVERY),
        ("NOT (lost reset)", EVERY),
        ("conn*", HasPrefix("conn")),
        ("*conn", AnyOf((HasMatch(f"{LETTER}*conn|{CUT}"), HasTerm("conn")))),
        ("co?n", AnyOf((HasMatch(f"co{LETTER}n|co{LETTER}{{78}}"), terms("co", "n")))),
        ("?" * 81 + "a", AnyOf((HasMatch(CUT), HasTerm("a")))),
        ("source:daemon", HasTerm(":source=3")),
        ("level:fatal", AnyOf(tuple(HasTerm(f":level={n}") for n in (21, 22, 23, 24)))),
        ("run:7", EVERY),
        ("server:survival", EVERY),
        ("server:survival lost", HasTerm("lost")),
        (
            "`connection lost by peer`",
            AllOf((ends("connection"), HasTerm("lost"), HasTerm("by"), HasPrefix("peer"))),
        ),
        ("`!Lost!`", HasTerm("lost")),
        ("`lost`", HasMatch(f"{LETTER}*lost{LETTER}*|{CUT}")),
        ("`t l`", EVERY),
        (":)", EVERY),
        ("/ lost .* reset!/", terms("lost", "reset")),
        ("/(lost|reset)/", EVERY),
        ("/ lost | reset /", AnyOf((HasTerm("lost"), HasTerm("reset")))),
        ("*", EVERY),
    ],
)
def test_a_query_is_narrowed(query, narrowed):
    assert narrow(parser.parse(query)) == narrowed


def test_a_fuzzy_word_is_narrowed_to_words_one_edit_away():
    query = narrow(parser.parse("lost~1"))
    assert is_true(query, {"last"})
    assert not is_true(query, {"lists", "lo__"})


def test_a_word_that_was_cut_is_not_left_out(line):
    long = line("a" * 100 + "b")
    for query in ("*b", "a*b", "`aab`", "a" * 90 + "*", "a" * 100 + "b", "?" * 100 + "b"):
        node = parser.parse(query)
        assert Matcher(node).matches(long)
        assert is_true(narrow(node), terms_of([long]))
        assert not is_true(narrow(node), {"c" * 79, "ac"})


def test_no_query_is_narrowed_to_nothing(real_texts):
    for text in real_texts:
        assert narrow(parser.parse_literal(text)) != NONE


@pytest.mark.parametrize(
    ("query", "can"),
    [
        ("lost", True),
        ("server:survival lost", True),
        ("server:creative lost", False),
        ("server:creative OR server:surv*", True),
        ("server:creative OR lost", True),
        ("server:creative OR server:lobby", False),
        ("NOT server:creative", True),
        ("NOT server:survival", False),
        ("NOT (server:survival lost)", True),
        ("NOT (server:survival OR lost)", False),
        ("NOT (lost OR reset)", True),
        ("*", True),
    ],
)
def test_a_server_can_hold_a_hit(query, can):
    assert may_match(parser.parse(query), "1a2b3c4d", "Survival") is can


@given(st.data())
def test_no_server_that_holds_a_hit_is_left_out(queries, lines, data):
    node, line = data.draw(queries), data.draw(lines)
    if Matcher(node).matches(line):
        assert may_match(node, line.identifier, line.server_name)
