"""Queries as people write them on the command line."""

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

from archiver import errors
from archiver.cli.output import tell
from archiver.operations.visible import visible

if TYPE_CHECKING:
    from archiver.query.nodes import Node
    from archiver.store.reads import LineFilter, Reader

_SAVED = re.compile(r"(?<!\S)@([\w-]+)(?!\S)")


def read_query(
    words: tuple[str, ...],
    saved: Mapping[str, str],
    *,
    fixed: bool,
    regexp: bool,
    case: bool,
    explain: bool,
) -> "Node":
    """
    Return what is looked for; where more than words was understood, say what on stderr.

    Args:
        words: The arguments.
        saved: Queries by the names that stand for them, behind an @.
        fixed: They are one text to look for as it is.
        regexp: They are one regular expression.
        case: With *fixed*: mind the case. A regular expression does so anyway.
        explain: Say in any case how it was understood.

    Raises:
        UsageError: These contradict each other.
        QuerySyntaxError: It has no meaning.

    """
    from archiver.query import parser
    from archiver.query.nodes import is_plain

    if fixed and regexp:
        raise errors.UsageError("-F contradicts -E", do="leave one out")
    if case and not (fixed or regexp):
        raise errors.UsageError(
            "--case goes with -F and -E", do="add one of them: words are found in any case"
        )
    text = " ".join(words)
    if fixed:
        node = parser.parse_literal(text, case=case)
    elif regexp:
        node = parser.parse_regexp(text)
    else:
        node = parser.parse(_SAVED.sub(lambda match: _find(match, saved), text))
    if explain or not (fixed or regexp or is_plain(node) or str(node) == text):
        tell(f"query: {visible(str(node))}")
    return node


def _find(match: re.Match[str], saved: Mapping[str, str]) -> str:
    found = saved.get(match[1])
    return match[0] if found is None else f"({found})"


def hint(reader: "Reader", node: "Node", wanted: "LineFilter") -> None:
    """Say what may be the reason that nothing was found."""
    from archiver.query.narrow import may_match
    from archiver.query.nodes import Phrase, Regexp, Word, leaves

    kinds = set(map(type, leaves(node)))
    servers = reader.servers()
    if not reader.partitions().last_line_id():
        tell("the archive has no lines yet: run 'archiver ingest'")
    elif not any(may_match(node, server.identifier, server.name) for server in servers):
        tell("no server fits what was asked for: see 'archiver servers' for all there are")
    elif wanted.since is not None or wanted.until is not None:
        tell("try another range of time, or none")
    elif Word in kinds:
        tell(
            "words are matched whole: try word* for its beginning, *word* for a part of one,"
            " word~1 if a letter may be wrong"
        )
    elif Phrase in kinds:
        tell("words in a row were looked for: with blanks between them they may stand apart")
    elif Regexp in kinds:
        tell("a regular expression minds the case: begin it with (?i) if it should not")
