"""
The pieces of a query's text, each with what it means alone.

The language, and why it takes what it takes for words, is told in
:mod:`archiver.query.parser`, which puts the pieces together.
"""

import re
from collections.abc import Iterable, Iterator
from enum import Enum, auto
from typing import NamedTuple

from archiver.errors import QuerySyntaxError
from archiver.query import fields, regexps, words
from archiver.query.nodes import (
    EVERY_LINE,
    And,
    Field,
    Fuzzy,
    Literal,
    Node,
    Phrase,
    Prefix,
    Regexp,
    Wildcard,
    Word,
    joined,
)

LONGEST_FUZZY = 40  # characters: the expression for it grows by the square

_TOKEN = re.compile(
    r"""
    (?P<minus>(?<![^\s(])-(?!\d))?
    (?: (?P<open>\()
      | "(?P<phrase>[^"]*)"
      | (?:(?P<kind>case|regexp|server):)?(?P<ticks>`++)(?P<ticked>.+?)(?<!`)(?P=ticks)(?!`)
      | server:"(?P<server>[^"]+)"
      | /(?P<regexp>(?:[^/\\\s]|\\\S)+)/(?![^\s)])
      | (?P<run>(?=[*?]*\w)\S+)
    )
  | (?P<close>\))
  | (?P<other>\S+)
    """,
    re.VERBOSE | re.DOTALL,
)
_FIELD = re.compile(
    r"(source|run|level):([^\W\d_]+)|run:([0-9]{1,18})|server:([^\"`].*)", re.DOTALL
)
_FUZZY = re.compile(rf"(\w{{1,{LONGEST_FUZZY}}})~1")
_PIECE = re.compile(r"[\w*?]+")
_STARS = re.compile(r"\*+")


class Kind(Enum):
    """What a token is."""

    NODE = auto()
    OPEN = auto()
    CLOSE = auto()
    AND = auto()
    OR = auto()
    NOT = auto()


OPERATORS = {"AND": Kind.AND, "OR": Kind.OR, "NOT": Kind.NOT}


class Token(NamedTuple):
    """A piece of a query."""

    kind: Kind
    node: Node = EVERY_LINE  # of a NODE; of an operator: itself as a word
    is_negated: bool = False


def tokens(text: str) -> Iterator[Token]:
    """
    Yield what *text* consists of, without what holds no word.

    Raises:
        QuerySyntaxError: As from ``parser.parse``.

    """
    for match in _TOKEN.finditer(text):
        is_negated = match["minus"] is not None
        run = match["run"] or match["other"]
        if match["open"]:
            yield Token(Kind.OPEN, is_negated=is_negated)
        elif match["close"]:
            yield Token(Kind.CLOSE)
        elif run:
            surplus = min(run.count(")") - run.count("("), len(run) - len(run.rstrip(")")))
            run = run[: len(run) - surplus] if surplus > 0 else run
            if run in OPERATORS and not is_negated:
                yield Token(OPERATORS[run], Word(words.fold(run)))
            elif node := _leaf(text, match.start("run"), run):
                yield Token(Kind.NODE, node, is_negated)
            yield from [Token(Kind.CLOSE)] * surplus
        elif node := _delimited(text, match):
            yield Token(Kind.NODE, node, is_negated)


def _delimited(text: str, match: re.Match[str]) -> Node | None:
    """Return what stands between quotes, backticks or slashes; None: no word."""
    if match["phrase"] is not None:
        return _in_a_row(words.words(match["phrase"]))
    if match["server"]:
        return Field("server", match["server"])
    if match["regexp"]:
        return regexp(text, match.start("regexp"), match["regexp"])
    ticked, start = match["ticked"], match.start("ticked")
    if ticked[0] + ticked[-1] == "  " and ticked.strip(" "):
        ticked, start = ticked[1:-1], start + 1
    match match["kind"]:
        case "server":
            return Field("server", ticked)
        case "regexp":
            return regexp(text, start, ticked)
        case kind:
            return Literal(ticked, case=kind == "case")


def _leaf(text: str, start: int, run: str) -> Node | None:
    """Return what is meant by a run of characters that are not blank; None: no word."""
    if match := _FIELD.fullmatch(run):
        name, value, run_id, server = match.groups()
        if server:
            return Field("server", server)
        if run_id:
            return Field("run", str(int(run_id)))
        return _named_field(text, start + match.start(2), name, value)
    if match := _FUZZY.fullmatch(run):
        return Fuzzy(words.fold(match[1]))
    parts: list[Node] = []
    row: list[str] = []
    for piece in _PIECE.findall(words.fold(run)):
        if "*" not in piece and "?" not in piece:
            row.append(piece)
        elif piece.strip("*?"):
            parts += filter(None, [_in_a_row(row), _wildcard(_STARS.sub("*", piece))])
            row = []
    parts += filter(None, [_in_a_row(row)])
    return joined(And, parts) if parts else None


def _wildcard(pattern: str) -> Node:
    text = pattern.removesuffix("*")
    return Wildcard(pattern) if "*" in text or "?" in text else Prefix(text)


def _in_a_row(row: list[str]) -> Node | None:
    if len(row) > 1:
        return Phrase(tuple(row))
    return Word(row[0]) if row else None


def _named_field(text: str, column: int, name: str, value: str) -> Field:
    folded = words.fold(value)
    known: Iterable[str] = ()
    if name == "level":
        folded = fields.OTHER_NAMES_OF_LEVELS.get(folded, folded)
        known = fields.LEVELS
    elif name == "source":
        known = fields.SOURCES
    if folded in known:
        return Field(name, folded)
    *others, last = known or ("a number, see 'archiver runs'",)
    names = f"{', '.join(others)} or {last}" if others else last
    raise QuerySyntaxError(
        f"{value!r} is no {name}",
        query=text,
        column=column,
        do=f'write {name}: and {names}; or write "{name}:{value}" in quotes to find these words',
    )


def regexp(text: str, column: int, pattern: str) -> Regexp:
    """
    Return the node for *pattern*, which stands at *column* of *text*.

    Raises:
        QuerySyntaxError: RE2 does not take it.

    """
    if fault := regexps.fault(pattern):
        reason, place = fault
        raise QuerySyntaxError(
            f"the regular expression cannot be used: {reason}",
            query=text,
            column=column + place,
            do="write it in RE2's syntax (https://github.com/google/re2/wiki/Syntax), "
            "or look for the text itself with -F",
        )
    return Regexp(pattern)
