"""
Which blocks and servers can hold a line that fits a query.

An over-approximation, by the parts of the query: every block with a line that fits is
let through, and as few others as can be. What is negated lets every block through: a
block that has the word may have lines without it.
"""

import re
from collections.abc import Iterable

from archiver.query import fields, patterns, regexps, words
from archiver.query.blocks import EVERY, AllOf, AnyOf, BlockQuery, HasMatch, HasPrefix, HasTerm
from archiver.query.nodes import (
    And,
    Field,
    Fuzzy,
    Literal,
    Node,
    Not,
    Or,
    Phrase,
    Prefix,
    Regexp,
    Wildcard,
    Word,
)
from archiver.query.terms import TERM_LENGTH, cut, fact

_WORD = re.compile(r"\w+")
# What is this short is in some word of nearly every block; to look for it is only work.
_SHORT = 2  # characters


def narrow(node: Node) -> BlockQuery:  # noqa: C901, PLR0911  # one for each kind of node
    """Return what is true of each block that has a line that fits *node*."""
    match node:
        case Word(text):
            return HasTerm(cut(text))
        case Phrase(parts):
            return _all_of(HasTerm(cut(word)) for word in parts)
        case Prefix(text):
            return HasPrefix(cut(text))
        case Wildcard(pattern):
            in_a_row = _all_of(HasTerm(cut(word)) for word in node.words)
            return _any_of([_has_glob(pattern), in_a_row])
        case Fuzzy(text):  # so short that what it fits is not cut
            return HasMatch(patterns.one_edit(text, patterns.LETTER))
        case Literal(text):
            return _narrow_literal(words.fold(text))
        case Regexp(pattern):
            return narrow(regexps.literal_parts(pattern))
        case Field(name, value):
            return _narrow_field(name, value)
        case And(parts):
            return _all_of(map(narrow, parts))
        case Or(parts):
            return _any_of(map(narrow, parts))
        case _:
            return EVERY


def may_match(node: Node, identifier: str, server_name: str) -> bool:
    """Return whether a line of this server can fit *node*; False only if none can."""
    return _server_chances(node, identifier, server_name)[0]


def _server_chances(node: Node, identifier: str, server_name: str) -> tuple[bool, bool]:
    """Return whether *node* can be true of a line of this server, and whether false."""
    match node:
        case Field("server", value):
            fits = fields.server_test(value)(identifier, server_name)
            return fits, not fits
        case And(parts) | Or(parts):
            chances = [_server_chances(part, identifier, server_name) for part in parts]
            trues, falses = [true for true, _ in chances], [false for _, false in chances]
            if isinstance(node, And):
                return all(trues), any(falses)
            return any(trues), all(falses)
        case Not(part):
            true, false = _server_chances(part, identifier, server_name)
            return false, true
        case _:
            return True, True


def _narrow_literal(folded: str) -> BlockQuery:
    """Narrow by the words of a text that a line has in it: at its edges they may be parts."""
    parts: list[BlockQuery] = []
    for match in _WORD.finditer(folded):
        word = match[0]
        begins, ends = match.start() > 0, match.end() < len(folded)
        if begins and ends:
            parts.append(HasTerm(cut(word)))
        elif len(word) > _SHORT:
            has_prefix = HasPrefix(cut(word))
            parts.append(has_prefix if begins else _has_glob(f"*{word}{'' if ends else '*'}"))
    return _all_of(parts)


def _has_glob(pattern: str) -> BlockQuery:
    # A term that may have been cut need only begin as the pattern does.
    begins = cut(re.split(r"[*?]", pattern, maxsplit=1)[0])
    rest = TERM_LENGTH - len(begins)
    fits = f"{begins}{patterns.LETTER}{{{rest}}}"
    if len(pattern.replace("*", "")) <= TERM_LENGTH:
        fits = f"{patterns.glob(pattern, patterns.LETTER)}|{fits}"
    return HasMatch(fits)


def _narrow_field(name: str, value: str) -> BlockQuery:
    match name:
        case "source":
            return HasTerm(fact("source", fields.SOURCES[value]))
        case "level":
            levels = range(fields.LEVELS[value], fields.MOST_SEVERE + 1)
            return _any_of(HasTerm(fact("level", level)) for level in levels)
        case _:
            return EVERY


def _all_of(parts: Iterable[BlockQuery]) -> BlockQuery:
    kept = tuple(dict.fromkeys(part for part in parts if part != EVERY))
    return kept[0] if len(kept) == 1 else AllOf(kept)


def _any_of(parts: Iterable[BlockQuery]) -> BlockQuery:
    kept = tuple(dict.fromkeys(parts))
    if EVERY in kept:
        return EVERY
    return kept[0] if len(kept) == 1 else AnyOf(kept)
