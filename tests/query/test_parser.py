import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archiver import errors
from archiver.query import nodes, parser
from archiver.query.matcher import Matcher
from archiver.query.nodes import (
    EVERY_LINE,
    Field,
    Fuzzy,
    Literal,
    Not,
    Phrase,
    Prefix,
    Regexp,
    Wildcard,
    Word,
)

# What is pasted means itself: each line is followed by how it is understood, and finds
# itself unless it is marked as an operator that says otherwise.
PASTED = [
    ("[14:07:12] [Server thread/INFO]: Foo left", '"14 07 12" server "thread info" foo left'),
    ("[/192.0.2.4:5]", '"192 0 2 4 5"'),
    ("net.minecraft.Foo$Bar", '"net minecraft foo bar"'),
    ("C:\\path\\to", '"c path to"'),
    ("http://x/y/?a=1", '"http x y" ?a 1'),
    ("/home/container/", '"home container"'),
    ("key:value", '"key value"'),
    ("Server:foo", '"server foo"'),
    ("server: foo", "server foo"),
    ('{"level":"info"}', '"level info"'),
    ("a-b", '"a b"'),
    ("- foo", "foo"),
    ("--foo", "foo"),
    ("[-Xmx]", "xmx"),
    ("at -12.5, -64 (-7)", 'at "12 5" 64 7'),
    ("(foo", "foo"),
    ("foo)", "foo"),
    (":( foo (bar", "foo bar"),
    ("foo(bar baz)", '"foo bar" baz'),
    ("(see foo(bar) now)", 'see "foo bar" now'),
    ("() foo (:)", "foo"),
    ('"quoted text"', '"quoted text"'),
    ('say "a" b" c', "say a b c"),
    ('5" pipe', "5 pipe"),
    ('"" foo "...', "foo"),
    ("don't", '"don t"'),
    ("don’t", '"don t"'),  # noqa: RUF001  # a console's apostrophe
    ("`/help` for more", "`/help` for more"),
    ("unknown `x", "unknown x"),
    ("```a`` b", "a b"),
    ('"a"-b', "a b"),
    ("a OR b", "a OR b"),
    ("a AND b", "a b"),
    ("TO BE OR", "to be or"),
    ("OR ELSE", "or else"),
    ("a OR OR b", "(a or) OR b"),
    ("DO NOT", "do not"),
    ("NOT ()", "not"),
    ("a OR (:)", "a or"),
    ("NOT", "not"),
    ("(OR)", "or"),
    ("OR NOT OR", "or not"),
    ("a or not b", "a or not b"),
    ("5*3", "5*3"),
    ("what? why?!", "what? why?"),
    ("**bold** text", "*bold* text"),
    ("foo * bar ?", "foo bar"),
    ("*.log", "log"),
    ("world*.dat", "world* dat"),
    ("a.b?c.d", "a b?c d"),
    ("~1", "1"),
    ("PROGRA~1", "progra~1"),
    ("PROGRA~2", '"progra 2"'),
    ("C:\\PROGRA~1\\x", '"c progra 1 x"'),
    ("/help me/", "regexp:`help me`"),
    ("Loading /world/ now", "loading /world/ now"),
    ("/a/b/", '"a b"'),
    ("//", "`//`"),
    ("level:3 level:4.2 run:#2 run:12a", '"level 3" "level 4 2" "run 2" "run 12a"'),
    ("source:a.jar source:https://x", '"source a jar" "source https x"'),
    (":)", "`:)`"),
    ("---", "`---`"),
    ('"---"', '`"---"`'),
    ("  -- `` --  ", "`-- `` --`"),
    ("***", "`***`"),
    ("*", "*"),
    ("", "*"),
    (" \t ", "*"),
    ("ΟΔΟΣ İ", "οδοσ i"),
    ("foo foo FOO", "foo"),
]

OPERATORS = [
    ("foo -bar", "foo NOT bar"),
    ("-foo", "NOT foo"),
    ("-foo.bar*", "NOT (foo bar*)"),
    ("-*wolf*", "NOT *wolf*"),
    ('-"a b"', 'NOT "a b"'),
    ("-`a b`", "NOT `a b`"),
    ("-(a b)", "NOT (a b)"),
    ("-(a b", "a b"),
    ("-/ab?/", "NOT /ab?/"),
    ("(-a OR b)", "NOT a OR b"),
    ("NOT a b", "NOT a b"),
    ("NOT NOT a", "a"),
    ("NOT -a", "a"),
    ("-(-a)", "a"),
    ("NOT 404", "NOT 404"),
    ("NOT (a OR b)", "NOT (a OR b)"),
    ("a -NOT b", "a NOT not b"),
    ("a OR b c OR d", "a OR (b c) OR d"),
    ("(a OR b) c", "(a OR b) c"),
    ("a (b (c d))", "a b c d"),
    ("a OR (b OR c)", "a OR b OR c"),
    ("server:foo", "server:foo"),
    ("(server:foo* OR server:foo(1))", 'server:foo* OR server:"foo(1)"'),
    ('server:"My Server" x', 'server:"My Server" x'),
    ("server:`My Server`", 'server:"My Server"'),
    ("source:replay", "source:replay"),
    ("run:007", "run:7"),
    ("level:WARNING", "level:warn"),
    ("-level:err", "NOT level:error"),
    ("conection~1", "conection~1"),
    ("/timed? out/", "regexp:`timed? out`"),
    (" /(?i)lost|reset/ ", "/(?i)lost|reset/"),
    ("a /lo(st|\\/)/ b", "a /lo(st|\\/)/ b"),
    ("regexp:`a b/` c", "regexp:`a b/` c"),
    ("case:`A`", "case:`A`"),
    ("`` a`b ``", "``a`b``"),
    ("`  a `", "` a`"),
]


@pytest.mark.parametrize(("text", "understood"), PASTED + OPERATORS)
def test_a_query_is_understood(text, understood):
    assert str(parser.parse(text)) == understood
    assert parser.parse(understood) == parser.parse(text)


@pytest.mark.parametrize("text", [text for text, _ in PASTED])
def test_what_is_pasted_finds_its_line(text, line):
    assert Matcher(parser.parse(text)).matches(line(text))


@pytest.mark.parametrize(
    ("text", "node"),
    [
        ("Lost", Word("lost")),
        ("a.b", Phrase(("a", "b"))),
        ('"a"', Word("a")),
        ("Conn*", Prefix("conn")),
        ("conn**", Prefix("conn")),
        ("*conn", Wildcard("*conn")),
        ("conn?", Wildcard("conn?")),
        ("Conn~1", Fuzzy("conn")),
        ("/Conn/", Regexp("Conn")),
        ("`Conn`", Literal("Conn")),
        ("case:`Conn`", Literal("Conn", case=True)),
        ("-conn", Not(Word("conn"))),
        ("level:Info", Field("level", "info")),
        ("source:message", Field("source", "message")),
        ("run:12", Field("run", "12")),
        ("server:Survival*", Field("server", "Survival*")),
    ],
)
def test_each_kind_of_query_is_a_kind_of_node(text, node):
    assert parser.parse(text) == node


@given(st.data())
def test_what_a_query_prints_is_the_same_query(queries, data):
    node = data.draw(queries)
    assert parser.parse(str(node)) == node


@given(st.data())
def test_any_text_is_a_query_that_finds_its_line(texts, line, data):
    text = data.draw(texts)
    finds_itself(text, line)


def test_real_lines_find_themselves(real_texts, line):
    found = [finds_itself(text, line) for text in real_texts]
    assert sum(found) / len(found) > 0.9  # this sample is full of -flags and NOT


def finds_itself(text: str, line) -> bool:
    try:
        node = parser.parse(text)
    except errors.QuerySyntaxError:
        assert re.search(r"(?:level|source|run):[^\W\d_]|/.+/|regexp:`", text, re.DOTALL)
        return False
    assert parser.parse(str(node)) == node
    found = Matcher(node).matches(line(text))
    if not found:
        assert re.search(r"\b(Not|Field|Regexp)\(", repr(node))
    return found


@pytest.mark.parametrize(
    ("text", "what", "column"),
    [
        ("level:nonsense", "'nonsense' is no level", 6),
        ("(a -level:Loud)", "'Loud' is no level", 10),
        ("a source:disk b", "'disk' is no source", 9),
        ("run:last", "'last' is no run", 4),
        ("/(?<!a)b/", "look-behind, which RE2 does not know", 1),
        (" /a (?=b)/", "look-ahead, which RE2 does not know", 4),
        ("a /(b)\\1/", "a backreference, which RE2 does not know", 6),
        ("a regexp:`` `( ``", "missing )", 12),
        ("/a++/", "bad repetition operator: ++", 2),
    ],
)
def test_what_cannot_be_meant_is_refused_with_its_column(text, what, column):
    with pytest.raises(errors.QuerySyntaxError, match=re.escape(what)) as caught:
        parser.parse(text)
    assert (caught.value.query, caught.value.column) == (text, column)


def test_an_error_names_what_can_be_written():
    with pytest.raises(errors.QuerySyntaxError) as caught:
        parser.parse("lost level:loud")
    assert str(caught.value) == (
        "'loud' is no level\n"
        "  query: lost level:loud\n"
        "                    ^ column 11\n"
        "  do:    write level: and trace, debug, info, warn, error or fatal; "
        'or write "level:loud" in quotes to find these words'
    )


@pytest.mark.parametrize(
    "text",
    [
        "(" * 2000 + "a" + ")" * 2000,
        "(a OR (b " * 500 + "c" + "))" * 500,
        "-(a OR " * 1000 + "b" + ")" * 1000,
        "NOT " * 5000 + "a",
        "a OR " * 5000 + "b",
        "(" * 50_000,
        ")" * 50_000,
        '"' * 50_001,
        "`" * 50_001,
        "`a ``b ```c " * 5000,
        "/a" * 50_000,
        "a*" * 5000,
        "~1" * 5000,
        "run:" + "9" * 5000,
        "a" * 5000 + "~1",
        "?" * 5000 + "a",
        "?" * 50_000 + " a",
        "*" * 50_000 + ".a",
    ],
    ids=lambda text: f"{text[:6]}~{text[-3:]}",
)
def test_long_queries_are_neither_slow_nor_too_deep(text):
    node = parser.parse(text)
    assert parser.parse(str(node)) == node


def test_a_literal_query_is_one_literal():
    assert parser.parse_literal('-a "OR') == Literal('-a "OR')
    assert parser.parse_literal("A", case=True) == Literal("A", case=True)
    assert parser.parse_literal("") == EVERY_LINE


def test_a_regexp_query_is_one_regexp():
    assert parser.parse_regexp("/a b|c/") == Regexp("/a b|c/")
    assert parser.parse_regexp("") == EVERY_LINE
    with pytest.raises(errors.QuerySyntaxError, match="look-ahead") as caught:
        parser.parse_regexp("ab(?!c)")
    assert caught.value.column == 2


def test_what_was_understood_beyond_words_is_not_plain():
    assert nodes.is_plain(parser.parse("[14:07:12] connection AND lost"))
    assert not nodes.is_plain(parser.parse("connection -lost"))
