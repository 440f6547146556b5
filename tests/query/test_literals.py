import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from archiver.query import parser
from archiver.query.literals import literals
from archiver.query.matcher import Matcher
from archiver.query.words import DISGUISES


@given(st.data())
def test_each_line_that_fits_has_one_alternative_of_each_clause(queries, lines, data):
    node = data.draw(queries)
    for line in (data.draw(lines), data.draw(lines)._replace(text=str(node))):
        if Matcher(node).matches(line):
            # As a database compares: bytes.lower knows ASCII only.
            text = line.text.encode().lower()
            for clause in literals(node):
                letters = "".join(clause)
                is_disguised = any(
                    letter in letters and disguise in line.text
                    for letter, disguise in DISGUISES.items()
                )
                assert is_disguised or any(part.encode() in text for part in clause)


@given(st.data())
def test_alternatives_are_ascii_in_small_letters_and_never_empty(queries, data):
    for clause in literals(data.draw(queries)):
        assert clause
        for part in clause:
            assert part.isascii()
            assert part
            assert part == part.lower()


@given(st.data())
def test_the_whole_of_an_ascii_line_has_its_own_literals(texts, data):
    text = data.draw(texts)
    assume(text.isascii())
    for clause in literals(parser.parse_literal(text)):
        assert clause[0] in text.lower()


@pytest.mark.parametrize(
    ("query", "clauses"),
    [
        ("Lost", [("lost",)]),
        ("by Peer lost", [("peer",), ("lost",), ("by",)]),
        ('"by peer"', [("peer",), ("by",)]),
        ("conn*", [("conn",)]),
        ("*co?nect*", [("nect",), ("co",)]),
        ("lost~1", [("lo", "st", "lsot")]),
        ("ab~1", [("a", "b", "ba")]),
        ("a~1", []),
        ("`T, Not`", [("t, not",)]),
        ("case:`T%`", [("t%",)]),
        ("/a b|(c)/", []),
        ("/a b.*cde/", [("a b",), ("cde",)]),
        ("a OR bc OR a", [("a", "bc")]),
        ("(a bc) OR d", [("bc", "d")]),
        ("a OR NOT b", []),
        ("NOT a", []),
        ("a level:warn server:x", [("a",)]),
        ("größe lost", [("lost",), ("gr",)]),
        ("größe OR lost", [("gr", "lost")]),
        ("größe", [("gr",)]),
        ("жди OR lost", []),
        ("\N{KELVIN SIGN}ick İt mi\N{LATIN SMALL LETTER LONG S}s", [("kick",), ("miss",), ("it",)]),
        ("lost lost LOST", [("lost",)]),
        ("*", []),
    ],
)
def test_a_query_has_literals(query, clauses):
    assert list(literals(parser.parse(query))) == clauses


def test_databases_are_not_asked_for_more_than_they_take():
    clauses = literals(parser.parse(" ".join(f"word{n}" for n in range(2000)) + " " + "x" * 70_000))
    assert len(clauses) == 8
    assert clauses[0] == ("x" * 100,)
    assert literals(parser.parse(" OR ".join(f"word{n}" for n in range(2000)))) == ()
