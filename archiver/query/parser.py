r"""
Query text into nodes.

::

    query   = "*" | either                      * or nothing: every line
    either  = both { "OR" both }
    both    = part { ["AND"] part }
    part    = { "NOT" | "-" } ( "(" either ")" | leaf )
    leaf    = word | "exact phrase" | prefix* | *wild?card* | word~1 | /regexp/
            | server:NAME | source:NAME | run:N | level:NAME
            | `literal` | case:`Literal` | regexp:`regexp` | server:"NAME"

Any text from a console is a query that finds its line, as long as none of this was
recognised in it but words. So nothing is an operator that need not be one:

* What else holds words is these words as a phrase, ``net.minecraft.Foo$Bar``; where
  there is a wildcard, the phrase ends: ``world*.dat`` is ``world* dat``. What holds no
  word is left out; a query without any word is looked for as it is written.
* ``-`` negates only where a part begins and directly before a word, wildcard, quote,
  backtick, slash or parenthesis; before a digit it is a sign, as in coordinates: write
  ``NOT 404``. ``NOT``, ``OR`` and ``AND`` are words in lower case, and where there is
  nothing for them to act on.
* Quotes, backticks and parentheses count only where a part begins or ends, and in
  pairs. Between quotes nothing else counts.
* Backticks are Markdown's: as many at the end as at the beginning, and one blank inside
  of both is left out. Between them each character is itself.
* A slash begins a regular expression if the next slash ends the part, or the query. A
  slash within is written ``\/``; blanks are allowed if it is the whole query.
* A field needs a known name in lower case and no blank behind the colon. One that
  cannot have a value, ``level:3`` or ``run:#2``, is a phrase; but a value of letters
  alone that is no name of one, ``level:nonsense``, is an error.

So errors come from two places only: such a value, and a regular expression that RE2
does not take.
"""

import re
from collections import deque
from collections.abc import Iterable, Iterator
from itertools import pairwise

from archiver.query.lexer import OPERATORS, Kind, Token, regexp, tokens
from archiver.query.nodes import EVERY_LINE, And, Literal, Node, Not, Or, joined

# Deeper parentheses count as punctuation: all that reads a query goes down by recursion.
_DEEPEST = 30

_WHOLE_REGEXP = re.compile(r"\s*/(?P<regexp>(?:[^/\\]|\\.)+)/\s*", re.DOTALL)


def parse(text: str) -> Node:
    """
    Return what *text* asks for.

    Raises:
        QuerySyntaxError: A field cannot have that value, or RE2 does not take a regular
            expression; carries the column, from 0.

    """
    stripped = text.strip()
    if stripped in {"", "*"}:
        return EVERY_LINE
    if whole := _WHOLE_REGEXP.fullmatch(text):
        return regexp(text, whole.start("regexp"), whole["regexp"])
    pieces = deque(_operators(_pairs(tokens(text))))
    return _either(pieces) if pieces else Literal(stripped)


def parse_literal(text: str, *, case: bool = False) -> Node:
    """Return the query for lines with *text* in them; *case*: written exactly so."""
    return Literal(text, case) if text else EVERY_LINE


def parse_regexp(pattern: str) -> Node:
    """
    Return the query for lines with a match of *pattern*.

    Raises:
        QuerySyntaxError: RE2 does not take it; carries the column, from 0.

    """
    return regexp(pattern, 0, pattern) if pattern else EVERY_LINE


def _pairs(pieces: Iterable[Token]) -> list[Token]:
    """Return *pieces* without parentheses that have no partner, or nothing between them."""
    kept: list[Token] = []
    opened: list[int | None] = []  # places in kept; None: too deep
    for token in pieces:
        if token.kind is Kind.OPEN:
            is_deep = len(opened) >= _DEEPEST
            opened.append(None if is_deep else len(kept))
            kept += [] if is_deep else [token]
        elif token.kind is not Kind.CLOSE:
            kept.append(token)
        elif opened and (place := opened.pop()) is not None:
            if place == len(kept) - 1:
                kept.pop()
            else:
                kept.append(token)
    alone = set(opened)
    return [token for place, token in enumerate(kept) if place not in alone]


def _operators(pieces: list[Token]) -> Iterator[Token]:
    """Yield *pieces*; operators that have nothing to act on as words."""
    can_act = False  # on what was before
    for token, following in pairwise([*pieces, Token(Kind.CLOSE)]):
        kind = token.kind
        if kind in OPERATORS.values() and (
            following.kind in {Kind.AND, Kind.OR, Kind.CLOSE}
            or (kind is not Kind.NOT and not can_act)
        ):
            kind = Kind.NODE
        can_act = kind in {Kind.NODE, Kind.CLOSE}
        yield token._replace(kind=kind)


def _either(pieces: deque[Token]) -> Node:
    parts = [_both(pieces)]
    while pieces and pieces[0].kind is Kind.OR:
        pieces.popleft()
        parts.append(_both(pieces))
    return joined(Or, parts)


def _both(pieces: deque[Token]) -> Node:
    parts = []
    while pieces and pieces[0].kind not in {Kind.OR, Kind.CLOSE}:
        if pieces[0].kind is Kind.AND:
            pieces.popleft()
        parts.append(_part(pieces))
    return joined(And, parts)


def _part(pieces: deque[Token]) -> Node:
    token = pieces.popleft()
    is_negated = False
    while token.kind is Kind.NOT:
        is_negated = not is_negated
        token = pieces.popleft()
    is_negated ^= token.is_negated
    node = token.node
    if token.kind is Kind.OPEN:
        node = _either(pieces)
        pieces.popleft()  # what closes it
    if not is_negated:
        return node
    return node.part if isinstance(node, Not) else Not(node)
