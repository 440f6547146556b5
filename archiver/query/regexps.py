r"""
Regular expressions as users write them: RE2, which takes time linear in the text.

What RE2 leaves out for that, look-around and backreferences, is refused by name. ``\w``,
``\d`` and ``\b`` know ASCII only, ``^`` and ``$`` are the ends of the line, and the case
counts unless the pattern begins with ``(?i)``.

Source:
    https://github.com/google/re2/wiki/Syntax; its errors as of google-re2 1.1.20251105.

"""

import re
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any

import re2

from archiver.query.nodes import EVERY_LINE, And, Literal, Node, Or

_OPTIONS = re2.Options()
_OPTIONS.log_errors = False  # to stderr, past everything
_OPTIONS.never_capture = True  # nobody asks for groups, and they cost time

_REFUSED = {
    "(?=": "look-ahead",
    "(?!": "look-ahead",
    "(?<=": "look-behind",
    "(?<!": "look-behind",
    "(?P": "a backreference to a name",
    "(?>": "an atomic group",
    "(?(": "a condition",
    "(?#": "a comment",
    "(?x": "free spacing",
    r"\k": "a backreference to a name",
    r"\g": "a backreference",
    r"\Z": r"\Z (write \z or $)",
    **{rf"\{digit}": "a backreference" for digit in range(1, 10)},
}


def fault(pattern: str) -> tuple[str, int] | None:
    """Return what RE2 does not take in *pattern*, and at which character; None: nothing."""
    try:
        _compiled(pattern)
    except re2.error as exc:
        message = exc.args[0].decode(errors="replace")
    except UnicodeEncodeError as exc:
        return "a byte that is no UTF-8", exc.start
    else:
        return None
    _, _, fragment = message.partition(": ")
    place = max(pattern.find(fragment), 0)
    if fragment in _REFUSED:
        return f"{_REFUSED[fragment]}, which RE2 does not know", place
    return message, place


def test(pattern: str) -> Callable[[str], bool]:
    """Return the test whether a text has a match of *pattern*."""
    search = _compiled(pattern).search

    def has_match(text: str) -> bool:
        # Given bytes, re2 does not count characters, which nobody asks for here.
        return search(text.encode()) is not None

    return has_match


def finder(pattern: str) -> Callable[[str], Iterator[tuple[int, int]]]:
    """Return what yields where in a text *pattern* matches, from left to right."""
    finditer = _compiled(pattern).finditer
    return lambda text: (match.span() for match in finditer(text))


@lru_cache(maxsize=16)
def _compiled(pattern: str) -> Any:  # re2 has no types
    return re2.compile(pattern, _OPTIONS)


# One step through a pattern that RE2 takes. Whatever is not plainly itself is unsure.
_STEP = re.compile(
    r"""
    (?: (?P<literal> [^\\\[\](){}.|*+?^$] | \\(?P<escaped>[!-/:-@\[-^`{-~]) )
      | (?P<open> \( )
      | (?P<close> \) )
      | (?P<or> \| )
      | (?P<unsure>
            \\[pP]\{[^}]*\} | \\[pP]. | \\x\{[^}]*\} | \\x.. | \\[0-7]{1,3} | \\.
          | \[\^?\]?(?: \\[pPx]\{[^}]*\} | \\. | \[:[^\]]*:\] | [^\]\\] )*+\]
          | .
        )
    )
    (?P<repeat> [*+?] | \{\d+(?:,\d*)?\} )?
    """,
    re.VERBOSE | re.DOTALL,
)


def literal_parts(pattern: str) -> Node:
    r"""
    Return a query of literals that fits every line that *pattern* fits, and maybe others.

    What lies in groups is left out, and what is repeated. Without any literal it fits
    every line.

    Args:
        pattern: One that RE2 takes.

    """
    if r"\Q" in pattern:
        return EVERY_LINE
    branches: list[Node] = []
    runs = [""]
    depth = 0
    for step in _STEP.finditer(pattern):
        is_literal = step["literal"] and not step["repeat"] and not depth
        # Under (?i), beyond ASCII, RE2's idea of capital and small need not be ours.
        if is_literal and (step["literal"].isascii() or "(?" not in pattern):
            runs[-1] += step["escaped"] or step["literal"]
            continue
        runs.append("")
        depth += bool(step["open"]) - bool(step["close"])
        if step["or"] and not depth:
            branches.append(_all_of(runs))
            runs = [""]
    branches.append(_all_of(runs))
    if EVERY_LINE in branches:
        return EVERY_LINE
    return branches[0] if len(branches) == 1 else Or(tuple(branches))


def _all_of(runs: list[str]) -> Node:
    literals = tuple(dict.fromkeys(Literal(run) for run in runs if run))
    return literals[0] if len(literals) == 1 else And(literals)
