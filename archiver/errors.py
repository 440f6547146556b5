"""
Every error that a user of the archiver can meet.

* ArchiverError                 exit
  + UsageError                    2   contradicting or unknown words on the command line
    - QuerySyntaxError            2   a query, or a regular expression in it, has no meaning
  + ConfigError                   3   a setting is missing, unknown or unusable
  + StoreError                    3   the database or the data directory refuses
    - SchemaOutOfDateError        3   the database is of another version
    - CollectorRunningError       3   another process records into this archive
    - IndexUnavailableError       3   a part of the index is missing, damaged or not ours
  + AuthError                     4   the panel refuses the key
  + IncompleteError               5   the result was cut, and the caller should know
  + RemoteError                   6   a panel or node cannot be reached, or refuses
  + CheckFailedError              7   what was checked is not as it should be

Each is one sentence from three parts: what happened, where, what to do. Anything
else that escapes is a bug: it keeps its traceback and exits with 70.
"""

# Characters of a query that an error shows, and at most before where it points.
_SHOWN, _SHOWN_BEFORE = 70, 50


class ArchiverError(Exception):
    """
    Base of the errors that are told to the user without a traceback.

    Args:
        what: What happened; lower case, no full stop, values quoted with repr.
        where: The file, URL, server or option it happened at; None if nowhere.
        do: The next thing to try; None if there is nothing.

    """

    exit_code = 70

    def __init__(self, what: str, *, where: str | None = None, do: str | None = None) -> None:
        super().__init__(what, where, do)
        self.what = what
        self.where = where
        self.do = do

    def __str__(self) -> str:
        lines = [self.what]
        if self.where is not None:
            lines.append(f"  where: {self.where}")
        if self.do is not None:
            lines.append(f"  do:    {self.do}")
        return "\n".join(lines)


class UsageError(ArchiverError):
    """The command line asks for something that cannot be meant."""

    exit_code = 2


class QuerySyntaxError(UsageError):
    """
    A query, or a regular expression in it, has no meaning.

    Args:
        what: What has none.
        query: The text of the query.
        column: Where in it, from 0.
        do: What to write instead.

    """

    def __init__(self, what: str, *, query: str, column: int, do: str) -> None:
        super().__init__(what, where=f"column {column}", do=do)
        self.query = query
        self.column = column

    def __str__(self) -> str:
        # As much of a long query as a terminal shows in one line.
        start = max(self.column - _SHOWN_BEFORE, 0)
        shown = self.query[start : start + _SHOWN]
        line = "".join(char if char.isprintable() else " " for char in shown)
        before = " " * (self.column - start)
        return (
            f"{self.what}\n  query: {line}\n         {before}^ column {self.column}\n"
            f"  do:    {self.do}"
        )


class ConfigError(ArchiverError):
    """A setting is missing, unknown or unusable."""

    exit_code = 3


class StoreError(ArchiverError):
    """The database or the data directory refuses."""

    exit_code = 3


class SchemaOutOfDateError(StoreError):
    """The database is at another revision than this program."""


class CollectorRunningError(StoreError):
    """Another process records into this archive."""


class IndexUnavailableError(StoreError):
    """
    A part of the index is missing, damaged or not ours.

    A search goes on without it: it reads the lines themselves.
    """


class AuthError(ArchiverError):
    """The panel refuses the key; trying again with the same key will not help."""

    exit_code = 4


class IncompleteError(ArchiverError):
    """The result was cut, and whoever uses it should know."""

    exit_code = 5


class RemoteError(ArchiverError):
    """A panel or node cannot be reached, or refuses."""

    exit_code = 6


class CheckFailedError(ArchiverError):
    """What was checked is not as it should be."""

    exit_code = 7
