"""
What a word is: the one rule for the index, the matcher and highlighting.

A word is a run of letters, digits and underscores, in any script, folded. There are
no stop words and no stems.

Folding replaces each character by one other or by itself, whatever stands beside it.
So a place in the folded text is the same place in the text, a part of a text folds to
the part of the folded text, and of ASCII only capitals change, as with SQL's LIKE. It
is lower case with four exceptions: ``str.lower`` would look at the neighbours of a
capital sigma and make two characters of a dotted capital I; and the long s and the
final sigma are folded too, as in RE2's ``(?i)``. The sharp s and the dotless i stay
letters of their own.
"""

import re
from collections.abc import Iterable

_EXCEPTIONS = {"Σ": "σ", "ς": "σ", "İ": "i", "ſ": "s"}  # noqa: RUF001  # meant, all of them
# By an ASCII letter: what else than its capital is folded to it. SQL's LIKE does not know.
DISGUISES = {"i": "İ", "k": "\N{KELVIN SIGN}", "s": "ſ"}  # noqa: RUF001  # meant
_WORD = re.compile(r"\w+")
# All that ASCII has: words in lower case, blanks for everything else.
_ASCII_WORDS = bytes(
    ord(chr(byte).lower()) if chr(byte).isalnum() or chr(byte) == "_" else ord(" ")
    for byte in range(128)
).ljust(256)


def fold(text: str) -> str:
    """Return *text* without the difference of capital and small; as long as before."""
    if not text.isascii():
        for letter, folded in _EXCEPTIONS.items():
            text = text.replace(letter, folded)
    return text.lower()


def words(text: str) -> list[str]:
    """Return the words of *text* in their order, folded."""
    return _WORD.findall(fold(text))


def distinct(texts: Iterable[str]) -> set[str]:
    """
    Return the words of all *texts*, each once.

    Fast where most texts are ASCII: as fast as a block of lines can be indexed at most.
    """
    plain: list[str] = []
    others: list[str] = []
    for text in texts:
        (plain if text.isascii() else others).append(text)
    joined = "\n".join(plain).encode("ascii").translate(_ASCII_WORDS).decode("ascii")
    found = set(joined.split())
    if others:
        found.update(words("\n".join(others)))
    return found
