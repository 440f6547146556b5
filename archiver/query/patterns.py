"""
Regular expressions of words: what is left out of a glob, or one edit away.

They are of the syntax of :mod:`re`. Those that take *letter*, the expression of one
character of a word, use only what RE2 knows too; for what a user writes as a regular
expression see :mod:`archiver.query.regexps`.
"""

# Word characters, and more beyond ASCII, in a form that re and RE2 read alike (\w is
# ASCII in RE2): enough where it is known that what is matched is one folded word.
LETTER = "[0-9a-z_\x80-\U0010ffff]"

# Each star multiplies the time that a backtracking engine may take on a word that
# nearly fits: a pattern for an index keeps so many.
_MOST_STARS = 3


def phrase(words: tuple[str, ...]) -> str:
    """
    Return the expression of *words* one after the other, to be found in a text.

    The first word stands before the test of what is in front of it: re looks for
    characters that an expression begins with ten times faster than for a place.
    """
    first = words[0]
    in_a_row = r"\W++".join((rf"{first}(?<!\w{first})", *words[1:]))
    return rf"{in_a_row}(?!\w)"


def prefix(text: str) -> str:
    """Return the expression of a word that begins with *text*, to be found in a text."""
    return rf"{text}(?<!\w{text})\w*+"


def wildcard(pattern: str, words: tuple[str, ...]) -> str:
    """
    Return the expression of a word that fits *pattern* or of *words* in a row.

    To be found in a text. Between two stars, the first place that fits is as good as
    any later one, so an atomic group keeps it: the time is linear in the text.
    """
    first, *rest = pattern.replace("?", r"\w").split("*")
    fitting = first
    if rest:
        fitting += "".join(rf"(?>\w*?{part})" for part in rest[:-1]) + rf"\w*{rest[-1]}"
    in_a_row = r"\W++".join(words)
    return rf"(?<!\w)(?:{fitting}|{in_a_row})(?!\w)"


def fuzzy(word: str) -> str:
    """Return the expression of a word at most one edit away, to be found in a text."""
    edited = one_edit(word, r"\w")
    return rf"(?<!\w)(?=\w)(?:{edited})(?!\w)"  # without its only character it is no word


def glob(pattern: str, letter: str) -> str:
    """
    Return the expression that fits at least the words that *pattern* fits, as a whole.

    Args:
        pattern: Word characters, ``*`` and ``?``. Of more than three stars, those in the
            middle are taken for one, with all that lies between them.
        letter: The expression of one character.

    """
    parts = [part.replace("?", letter) for part in pattern.split("*")]
    if len(parts) > _MOST_STARS + 1:
        parts = [parts[0], max(parts[1:-1], key=len), parts[-1]]
    return f"{letter}*".join(parts)


def one_edit(word: str, letter: str) -> str:
    """
    Return the expression that fits, as a whole, what is at most one edit from *word*.

    An edit inserts a character, takes one out, puts another in its place, or swaps two
    neighbours. Nested, so that a word that differs early is left early.
    """
    expression = f"{letter}?"
    for place in reversed(range(len(word))):
        here, rest = word[place], word[place + 1 :]
        edits = [f"{here}(?:{expression})", f"{letter}?{rest}", f"{letter}{here}{rest}"]
        if rest:
            edits.append(f"{rest[0]}{here}{rest[1:]}")
        expression = "|".join(edits)
    return expression
