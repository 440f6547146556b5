import pytest
from hypothesis import given
from hypothesis import strategies as st

from archiver.query import nodes, parser, words
from archiver.query.matcher import Matcher

LONG_S = "\N{LATIN SMALL LETTER LONG S}"
TEXT = "[14:07:12] [Server thread/WARN]: Can't keep up! Running 2003ms behind"


@given(st.data())
def test_the_matcher_means_what_the_words_of_a_line_say(queries, lines, plain_fits, data):
    node = data.draw(queries)
    some = [*data.draw(st.lists(lines, max_size=3)), data.draw(lines)._replace(text=str(node))]
    matcher = Matcher(node)
    for line in some:
        assert matcher.matches(line) == plain_fits(node, line)


@pytest.mark.parametrize(
    "query",
    [
        "server",
        "SERVER WARN",
        "14:07:12",
        '"keep up running"',
        '"can t"',
        "run*",
        "*ing",
        "r?nning",
        "*e*v*",
        "s*r",
        "?0*3*",
        "keep?up",
        "keep*up*running",
        "server?",
        "runing~1",
        "runnings~1",
        "rumning~1",
        "urnning~1",
        "unning~1",
        "running~1",
        "xserver~1",
        "/Can't keep up!.*behind$/",
        "/(?i)^\\[14.*WARN/",
        "`AN'T K`",
        "case:`Can't k`",
        "nothing OR behind",
        "behind NOT nothing",
        "level:warn",
        "level:debug",
        "source:daemon",
        "run:7",
        "server:survival",
        "server:1A2B*",
        "*",
    ],
)
def test_a_line_fits(query, line):
    assert Matcher(parser.parse(query)).matches(line(TEXT, source=3, run_id=7, level=13))


@pytest.mark.parametrize(
    "query",
    [
        "serve",
        "erver",
        '"thread server"',
        '"server warn"',
        '"keep running"',
        "unn*",
        "r?ning",
        "run?",
        "*eep?",
        "keep*behind",
        "runin~1",
        "unrning~1",
        "rnunnig~1",
        "/can't/",
        "/server$/",
        "case:`can't`",
        "nothing OR never",
        "server NOT behind",
        "level:error",
        "source:live",
        "run:8",
        "server:surviva",
    ],
)
def test_a_line_does_not_fit(query, line):
    assert not Matcher(parser.parse(query)).matches(line(TEXT, source=3, run_id=7, level=13))


def test_an_edit_leaves_something_of_a_word(line):
    assert Matcher(parser.parse("a~1")).matches(line("- x"))
    assert not Matcher(parser.parse("a~1")).matches(line("- xy"))


def test_a_line_without_level_fits_no_level(line):
    assert not Matcher(parser.parse("level:trace")).matches(line("a", level=None))
    assert Matcher(parser.parse("NOT level:trace")).matches(line("a", level=None))


@pytest.mark.parametrize(
    ("query", "text", "marked"),
    [
        ("lost", "Lost, not losts; LOST", ["Lost", "LOST"]),
        ('"a b"', "a - b ab a  b", ["a - b", "a  b"]),
        ("conn*", "Connection reconnect CONN", ["Connection", "CONN"]),
        ("*nec*", "a reconnect", ["reconnect"]),
        ("what?", "What whats whatss", ["What", "whats"]),
        ("5*3", "5*3 543 53 54", ["5*3", "543", "53"]),
        ("lost~1", "lots last most lost list lists", ["lots", "last", "most", "lost", "list"]),
        ("/l[ao]st/", "last lost Lost", ["last", "lost"]),
        ("/x*/", "axxb", ["xx"]),
        ("`T, N`", "lost, not", ["t, n"]),
        ("case:`o`", "O o", ["o"]),
        ("a OR b", "b c a", ["b", "a"]),
        ("a -b NOT (c d) level:info", "a b c d level info", ["a"]),
        ('"a b" "b c"', "x a b c", ["a b c"]),
        ('"a b c" b', "a b c", ["a b c"]),
        ("/bc/ `ab` cd*", "abcd", ["abc"]),
        ("/ab/ /cd/", "abcd", ["abcd"]),
        (f"İ {LONG_S}", f"x İ i {LONG_S} S", ["İ", "i", LONG_S, "S"]),
        ("/é./", "ééé", ["éé"]),
        ("*", "a", []),
        ("a", "b", []),
    ],
)
def test_what_is_asked_for_is_marked(query, text, marked):
    spans = Matcher(parser.parse(query)).spans(text)
    assert [text[start:end] for start, end in spans] == marked


@given(st.data())
def test_marks_are_in_order_and_apart_and_say_why_a_line_fits(queries, texts, line, data):
    node, text = data.draw(queries), data.draw(texts)
    spans = Matcher(node).spans(text)
    ends = [place for span in spans for place in span]
    assert ends == sorted(set(ends))
    assert not ends or 0 <= ends[0] < ends[-1] <= len(text)
    for leaf in nodes.leaves(node):
        matcher = Matcher(leaf)
        if isinstance(leaf, nodes.Regexp | nodes.Field):  # may fit at nothing, nowhere
            continue
        assert bool(matcher.spans(text)) == matcher.matches(line(text))


def test_a_mark_of_a_word_is_the_word():
    text = "Straße ΟΔΟΣ"
    assert Matcher(parser.parse("οδος")).spans(text) == [(7, 11)]
    assert words.words(text)[1] == words.fold(text[7:11])


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ("*a*a*a*a*a*a*a*a*b", "a" * 60_000),
        ("a*a*a*a*a*a*a*a*b?", "a" * 60_000),
        ('"a b a b c"', "a-b-" * 15_000),
        ('"a b"', f"a{'.' * 60_000}c " * 2),
        ("aaaaaaaaab~1", "a" * 60_000),
        ("/(a+)+b/", "a" * 60_000),
        ("/(a|aa)*c|(.*a){20}b/", "a" * 60_000),
    ],
)
@pytest.mark.timeout(5)
def test_no_query_hangs_on_any_line(query, text, line):
    matcher = Matcher(parser.parse(query))
    assert not matcher.matches(line(text))
    assert matcher.spans(text) == []
