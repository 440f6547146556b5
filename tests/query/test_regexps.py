import re

import pytest
import re2
from hypothesis import given
from hypothesis import strategies as st

from archiver.query import parser, regexps
from archiver.query.matcher import Matcher
from archiver.query.nodes import EVERY_LINE, Regexp


@pytest.mark.parametrize(
    ("pattern", "refused"),
    [
        ("b(?=a)", "look-ahead"),
        ("b(?!a)", "look-ahead"),
        ("b(?<=a)", "look-behind"),
        ("b(?<!a)", "look-behind"),
        (r"b\1(a)", "a backreference"),
        (r"b\k<a>(?<a>a)", "a backreference to a name"),
        ("b(?P=a)(?P<a>a)", "a backreference to a name"),
        ("b(?>a)", "an atomic group"),
        ("b(?(1)a)", "a condition"),
        ("b(?#a)", "a comment"),
        ("b(?x)a", "free spacing"),
        (r"b\Z", r"\Z (write \z or $)"),
    ],
)
def test_what_re2_leaves_out_is_named(pattern, refused):
    assert regexps.fault(pattern) == (f"{refused}, which RE2 does not know", 1)


@pytest.mark.parametrize(
    ("pattern", "fault"),
    [
        ("a(b", ("missing ): a(b", 0)),
        ("ab[c", ("missing ]: [c", 2)),
        ("a**", ("bad repetition operator: **", 1)),
        ("a{1001}", ("invalid repetition size: {1001}", 1)),
        ("a\\", ("trailing \\", 0)),
        ("a\udc96", ("a byte that is no UTF-8", 1)),
        ("((a{100}){100}){100}", ("invalid repetition size: {100}", 3)),
    ],
)
def test_what_is_wrong_is_said_and_where(pattern, fault):
    assert regexps.fault(pattern) == fault


def test_what_re2_takes_has_no_fault(capfd):
    assert regexps.fault(r"(?i)^\[\d+:\d+\].*(lost|reset)\b$") is None
    assert regexps.fault("(?=a)")
    assert capfd.readouterr() == ("", "")


def test_case_counts_unless_the_pattern_says_otherwise():
    assert regexps.test("Lost")("Lost")
    assert not regexps.test("Lost")("lost")
    assert regexps.test("(?i)Lost")("LOST")


def test_matches_are_found_in_order_in_characters():
    assert list(regexps.finder("é.")("éé aé b")) == [(0, 2), (4, 6)]


@pytest.mark.parametrize(
    ("pattern", "parts"),
    [
        ("lost", "`lost`"),
        (r"Can't keep up!.* Running: \d+ms", "`Can't keep up!` `  Running:  ` `ms`"),
        (r"\[Server thread/WARN\]", "`[Server thread/WARN]`"),
        ("lost|reset by peer", "`lost` OR `reset by peer`"),
        ("lost|", "*"),
        ("a|b.c", "`a` OR (`b` `c`)"),
        ("lost (by|at) peer", "`lost ` ` peer`"),
        ("(lost)", "*"),
        ("(?i)lost É", "`lost `"),
        ("losts?", "`lost`"),
        ("lost+ed", "`los` `ed`"),
        ("los{2}t", "`lo` `t`"),
        ("a{,2}b", "`a` `,2` `b`"),
        ("[lost]ed[]x]", "`ed`"),
        (r"[^\]a]b[[:alpha:]\]]c", "`b` `c`"),
        (r"a\.b\/c\\", "`a.b/c\\`"),
        (r"\pLa\p{Greek}b\x41c\x{41}d\101e\bf", "`a` `b` `c` `d` `e` `f`"),
        (r"\Qa|b\E", "*"),
        (".*", "*"),
        ("a.a", "`a`"),
    ],
)
def test_a_pattern_holds_literals(pattern, parts):
    assert regexps.fault(pattern) is None
    assert str(regexps.literal_parts(pattern)) == parts


@given(st.data())
def test_the_literals_of_a_pattern_stand_wherever_it_matches(patterns, texts, line, data):
    pattern = data.draw(patterns)
    text = data.draw(
        st.one_of(texts, st.text("abceré1_K\N{KELVIN SIGN}-{},2 ]"), matching(pattern))
    )
    if re2.search(pattern, text):
        assert Matcher(regexps.literal_parts(pattern)).matches(line(text))


def matching(pattern: str) -> st.SearchStrategy[str]:
    """Return texts that a pattern matches, where Python's own engine takes it too."""
    try:
        return st.from_regex(re.compile(pattern))
    except (re.error, FutureWarning):
        return st.nothing() | st.just(pattern)


@given(st.data())
def test_the_literals_of_a_pattern_are_query_text(patterns, data):
    parts = regexps.literal_parts(data.draw(patterns))
    assert parser.parse(str(parts)) == parts


def test_a_pattern_without_literals_fits_every_line():
    assert regexps.literal_parts(Regexp("^$").pattern) is EVERY_LINE
