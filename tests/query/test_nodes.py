import pytest

from archiver.query import nodes
from archiver.query.nodes import (
    EVERY_LINE,
    And,
    Field,
    Fuzzy,
    Literal,
    Not,
    Or,
    Phrase,
    Prefix,
    Regexp,
    Wildcard,
    Word,
)

A, B, C = Word("a"), Word("b"), Word("c")


@pytest.mark.parametrize(
    ("node", "text"),
    [
        (Word("lost"), "lost"),
        (Phrase(("connection", "lost")), '"connection lost"'),
        (Prefix("conn"), "conn*"),
        (Wildcard("*n?ct"), "*n?ct"),
        (Fuzzy("conection"), "conection~1"),
        (Regexp(r"lo(st|\/)"), r"/lo(st|\/)/"),
        (Regexp("a b"), "regexp:`a b`"),
        (Regexp("a/b"), "regexp:`a/b`"),
        (Literal("a b"), "`a b`"),
        (Literal("A", case=True), "case:`A`"),
        (Literal("a`b"), "``a`b``"),
        (Literal("`a"), "`` `a ``"),
        (Literal("a``b`"), "``` a``b` ```"),
        (Literal(" a "), "`  a  `"),
        (Literal(" a"), "` a`"),
        (Literal("  "), "`  `"),
        (Field("level", "warn"), "level:warn"),
        (Field("server", "My Server"), 'server:"My Server"'),
        (Field("server", 'a"b c'), 'server:`a"b c`'),
        (And((A, B)), "a b"),
        (Or((A, And((B, C)))), "a OR (b c)"),
        (And((A, Or((B, C)))), "a (b OR c)"),
        (Not(A), "NOT a"),
        (Not(And((A, B))), "NOT (a b)"),
        (EVERY_LINE, "*"),
    ],
)
def test_a_node_prints_itself_as_query_text(node, text):
    assert str(node) == text


def test_the_words_of_a_wildcard_lie_between_its_wildcards():
    assert Wildcard("*ab?c*d").words == ("ab", "c", "d")


def test_leaves_come_from_left_to_right():
    query = And((A, Not(Or((B, Field("run", "1")))), C))
    assert list(nodes.leaves(query)) == [A, B, Field("run", "1"), C]


@pytest.mark.parametrize(
    ("node", "is_plain"),
    [
        (A, True),
        (Phrase(("a", "b")), True),
        (And((A, Phrase(("a", "b")))), True),
        (Or((A, B)), False),
        (And((A, Not(B))), False),
        (Prefix("a"), False),
        (Literal(":)"), False),
        (Field("run", "1"), False),
    ],
)
def test_words_and_phrases_are_plain(node, is_plain):
    assert nodes.is_plain(node) is is_plain
