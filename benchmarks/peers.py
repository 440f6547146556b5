"""
What else finds lines: built from the same lines, asked the same queries.

Words are to all of them what they are to the archiver: runs of letters, digits and
underscores, in either case. Where one has no way to ask something, it raises
InexpressibleError. "Newest" is by time for tantivy; for the others, which have no
such order, by commit.
"""

import importlib
import importlib.util
import shlex
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, Protocol, TypeAlias

from questions import Question

from archiver.query.nodes import And, Fuzzy, Node, Not, Phrase, Prefix, Regexp, Wildcard, Word
from archiver.store.reads import Reader
from archiver.store.rows import SealedLine

NEWEST = 100  # hits that are asked for


class InexpressibleError(Exception):
    """There is no way to ask that."""


class Builder(Protocol):
    """What is made of the lines of an archive, so that they can be found."""

    def build(self) -> int:
        """Make it; return of how many lines."""

    def size(self) -> int:
        """Return its bytes."""


class Finder(Protocol):
    """What finds lines."""

    def count(self, question: Question) -> int:
        """Return how many lines fit."""

    def newest(self, question: Question) -> int:
        """Fetch the newest lines that fit; return how many there were."""


def read(archive: Path) -> Iterator[SealedLine]:
    """Yield all lines in the order of their commit, as the archiver's index is given them."""
    with closing(Reader.open(f"sqlite:///{archive.resolve()}/archive.db")) as reader:
        partitions = reader.partitions()
        yield from partitions.lines(1, partitions.last_line_id())


def size_of(place: Path) -> int:
    """Return the bytes of all files in a directory."""
    return sum(path.stat().st_size for path in place.iterdir())


def connect(archive: Path, to: Path | None = None) -> sqlite3.Connection:
    """Open a database with the archive's lines beside it, as ``lines``."""
    database = sqlite3.connect("file::memory:" if to is None else to.as_uri(), uri=True)
    path = (archive.resolve() / "archive.db").as_uri()
    database.execute("ATTACH ? AS archive", (f"{path}?mode=ro",))
    return database


def only(parts: tuple[Node, ...]) -> tuple[list[Node], list[Node]]:
    """Return what a line must fit, and what it must not."""
    return (
        [part for part in parts if not isinstance(part, Not)],
        [part.part for part in parts if isinstance(part, Not)],
    )


class Like:
    """A look at every line: parts of words are found, too."""

    def __init__(self, archive: Path, _place: Path) -> None:
        self._database = connect(archive)

    def count(self, question: Question) -> int:
        """Return how many lines have what is asked for."""
        where, values = self._where(question)
        sql = f"SELECT count(*) FROM lines WHERE {where}"  # noqa: S608  # see below
        return int(self._database.execute(sql, values).fetchone()[0])

    def newest(self, question: Question) -> int:
        """Fetch the last of them."""
        where, values = self._where(question)
        # The plus sign: the lines of an hour are found by server and time.
        order = "+id" if question.bounds() else "id"
        sql = f"SELECT * FROM lines WHERE {where} ORDER BY {order} DESC LIMIT {NEWEST}"  # noqa: S608  # see below
        return len(self._database.execute(sql, values).fetchall())

    def _where(self, question: Question) -> tuple[str, list[object]]:
        where, values = self._translate(question.node)
        if bounds := question.bounds():
            where += " AND server_id = ? AND at >= ? AND at < ?"
        return where, [*values, *bounds]

    def _translate(self, node: Node) -> tuple[str, list[str]]:
        """Return a condition and its parameters; no part of the query is in its text."""
        match node:
            case Word(text) | Prefix(text):
                escaped = text.replace("_", r"\_")
                return r"text LIKE ? ESCAPE '\'", [f"%{escaped}%"]
            case Phrase(words) | Wildcard(words=words):
                return self._translate(And(tuple(map(Word, words))))
            case Not(part):
                where, values = self._translate(part)
                return f"NOT ({where})", values
            case And(parts):
                both = [self._translate(part) for part in parts]
                values = [value for _, some in both for value in some]
                return " AND ".join(where for where, _ in both), values
            case _:
                raise InexpressibleError


# What is asked of FTS5, without bounds and with them.
_BOUND = (
    "FROM words JOIN lines l ON l.id = words.rowid"
    " WHERE words MATCH ? AND l.server_id = ? AND l.at >= ? AND l.at < ?"
)
_COUNT_OF = {
    False: "SELECT count(*) FROM words WHERE words MATCH ?",
    True: f"SELECT count(*) {_BOUND}",
}
_NEWEST = "SELECT rowid FROM words WHERE words MATCH ? ORDER BY rowid DESC"
_NEWEST_OF = {
    False: f"SELECT l.* FROM ({_NEWEST} LIMIT {NEWEST}) w JOIN lines l ON l.id = w.rowid",  # noqa: S608  # constants
    True: f"SELECT l.* {_BOUND} ORDER BY l.at DESC LIMIT {NEWEST}",
}


class Fts5:
    """SQLite's FTS5, contentless, with positions."""

    def __init__(self, archive: Path, place: Path) -> None:
        self._archive = archive
        self._path = place.resolve() / "words.db"
        self._database = connect(archive, self._path)
        self._database.execute(
            "CREATE VIRTUAL TABLE IF NOT EXISTS words USING fts5(text, content='', detail=full,"
            """ tokenize = "unicode61 remove_diacritics 0 tokenchars '_'")"""
        )

    def build(self) -> int:
        """Index all lines in one transaction."""
        rows = ((line.id, line.text) for line in read(self._archive))
        sql = "INSERT INTO words (rowid, text) VALUES (?, ?)"
        with self._database:
            return self._database.executemany(sql, rows).rowcount

    def size(self) -> int:
        """Return the bytes of its file."""
        return self._path.stat().st_size

    def count(self, question: Question) -> int:
        """Return how many lines fit."""
        sql = _COUNT_OF[bool(question.bounds())]
        found = self._database.execute(sql, self._values(question))
        return int(found.fetchone()[0])

    def newest(self, question: Question) -> int:
        """Fetch the last of them."""
        sql = _NEWEST_OF[bool(question.bounds())]
        return len(self._database.execute(sql, self._values(question)).fetchall())

    def _values(self, question: Question) -> list[object]:
        return [self._translate(question.node), *question.bounds()]

    def _translate(self, node: Node) -> str:
        match node:
            case Word(text):
                return f'"{text}"'
            case Prefix(text):
                return f'"{text}"*'
            case Phrase(words):
                return f'"{" ".join(words)}"'
            case And(parts):
                wanted, without = only(parts)
                both = " AND ".join(map(self._translate, wanted))
                return " NOT ".join([f"({both})", *map(self._translate, without)])
            case _:
                raise InexpressibleError


class Tantivy:
    """tantivy, with positions, by one thread."""

    def __init__(self, archive: Path, place: Path) -> None:
        self._archive = archive
        self._place = place
        self._database = connect(archive)
        self._tantivy: Any = importlib.import_module("tantivy")
        words = self._tantivy.TextAnalyzerBuilder(self._tantivy.Tokenizer.simple())
        builder = self._tantivy.SchemaBuilder()
        builder.add_text_field("text", tokenizer_name="words", index_option="position")
        builder.add_integer_field("id", fast=True)
        builder.add_integer_field("at", fast=True, indexed=True)
        builder.add_integer_field("server", fast=True, indexed=True)
        self._schema = builder.build()
        self._index = self._tantivy.Index(self._schema, str(place))
        lower = words.filter(self._tantivy.Filter.lowercase()).build()
        self._index.register_tokenizer("words", lower)
        self._searcher = self._index.searcher()

    def build(self) -> int:
        """Index all lines."""
        writer = self._index.writer(num_threads=1)
        count = 0
        for count, line in enumerate(read(self._archive), 1):  # noqa: B007  # returned
            # Its fastest tokenizer parts words at underscores; no letter is as rare as this.
            text = line.text.replace("_", "ʘ")
            document = self._tantivy.Document(
                id=line.id, at=line.at, server=line.server_id, text=text
            )
            writer.add_document(document)
        writer.commit()
        writer.wait_merging_threads()
        return count

    def size(self) -> int:
        """Return the bytes of its files."""
        return size_of(self._place)

    def count(self, question: Question) -> int:
        """Return how many lines fit."""
        return int(self._searcher.search(self._query(question), 1, count=True).count)

    def newest(self, question: Question) -> int:
        """Fetch the newest of them."""
        query = self._query(question)
        found = self._searcher.search(query, NEWEST, count=False, order_by_field="at")
        ids = self._searcher.fast_field_values("id", [address for _, address in found.hits])
        sql = f"SELECT * FROM lines WHERE id IN ({', '.join('?' * len(ids))})"  # noqa: S608  # question marks
        return len(self._database.execute(sql, ids).fetchall())

    def _query(self, question: Question) -> Any:
        query = self._translate(question.node)
        if bounds := question.bounds():
            of, kind = self._tantivy.Query, self._tantivy.FieldType.Integer
            server, since, until = bounds
            query = query.and_must_match(
                of.term_query(self._schema, "server", server),
                of.range_query(self._schema, "at", kind, since, until, include_upper=False),
            )
        return query

    def _translate(self, node: Node) -> Any:
        of = self._tantivy.Query
        match node:
            case Word(text):
                return of.term_query(self._schema, "text", text)
            case Prefix(text):
                return of.regex_query(self._schema, "text", f"{text}.*")
            case Wildcard(pattern):
                return of.regex_query(self._schema, "text", pattern.replace("*", ".*"))
            case Fuzzy(text):
                return of.fuzzy_term_query(self._schema, "text", text, distance=1)
            case Phrase(words):
                return of.phrase_query(self._schema, "text", list(words))
            case And(parts):
                wanted, without = only(parts)
                must, must_not = self._tantivy.Occur.Must, self._tantivy.Occur.MustNot
                return of.boolean_query(
                    [(must, self._translate(part)) for part in wanted]
                    + [(must_not, self._translate(part)) for part in without]
                )
            case _:
                raise InexpressibleError


class Ripgrep:
    """ripgrep over a text file, by one thread; grep where it is not there."""

    def __init__(self, archive: Path, place: Path) -> None:
        self._archive = archive
        self._path = place / "lines.txt"
        self._ripgrep = which_ripgrep()
        self._command = [self._ripgrep, "-j1", "-aN"] if self._ripgrep else ["grep", "-aE"]

    def build(self) -> int:
        """Write the file."""
        count = 0
        with self._path.open("w", encoding="utf-8") as file:
            for count, line in enumerate(read(self._archive), 1):  # noqa: B007  # returned
                file.write(f"{line.text}\n")
        return count

    def size(self) -> int:
        """Return the bytes of the file."""
        return self._path.stat().st_size

    def count(self, question: Question) -> int:
        """Return how many lines fit."""
        stages = self._stages(question)
        stages[-1].append("-c")
        return int(_run(stages) or 0)

    def newest(self, question: Question) -> int:
        """Fetch the last of them."""
        return _run([*self._stages(question), ["tail", "-n", str(NEWEST)]]).count(b"\n")

    def _stages(self, question: Question) -> list[list[str]]:
        if question.bounds():
            raise InexpressibleError
        stages = [[*self._command, *options] for options in self._translate(question.node)]
        stages[0].append(str(self._path))
        return stages

    def _translate(self, node: Node) -> list[list[str]]:
        """Return the options of each command of a pipe."""
        match node:
            case Word(text):
                return [["-iwe", text]]
            case Prefix(text):
                return [["-ie", rf"\b{text}"]]
            case Wildcard(words=[text]):
                return [["-ie", text]]
            case Phrase(words):
                in_a_row = r"\W+".join(words)
                return [["-ie", rf"\b{in_a_row}\b"]]
            case Regexp(pattern) if self._ripgrep:
                return [["-e", pattern]]
            case And(parts):
                wanted, without = only(parts)
                refused = [
                    ["-v", *options] for part in without for options in self._translate(part)
                ]
                return [options for part in wanted for options in self._translate(part)] + refused
            case _:
                raise InexpressibleError


def which_ripgrep() -> str | None:
    """Return where ripgrep is: beside this Python, or where a shell finds it; None: nowhere."""
    return shutil.which("rg", path=Path(sys.executable).parent) or shutil.which("rg")


def lacking() -> dict[str, str]:
    """Return which of them cannot be had here, and what could be done."""
    reasons = {}
    with closing(sqlite3.connect(":memory:")) as database:
        if not database.execute("SELECT sqlite_compileoption_used('ENABLE_FTS5')").fetchone()[0]:
            reasons["FTS5"] = "this SQLite was built without it"
    if importlib.util.find_spec("tantivy") is None:
        reasons["tantivy"] = "pip install tantivy"
    if which_ripgrep() is None and shutil.which("grep") is None:
        reasons["ripgrep"] = "pip install ripgrep"
    return reasons


# Of the archive's directory, and of one for files of its own.
MakeBuilder: TypeAlias = Callable[[Path, Path], Builder]
MakeFinder: TypeAlias = Callable[[Path, Path], Finder]

BUILDERS: dict[str, MakeBuilder] = {
    "FTS5": Fts5,
    "tantivy": Tantivy,
    "ripgrep": Ripgrep,
}
FINDERS: dict[str, MakeFinder] = {
    "LIKE": Like,
    "FTS5": Fts5,
    "tantivy": Tantivy,
    "ripgrep": Ripgrep,
}


def _run(stages: list[list[str]]) -> bytes:
    """Return what a pipe prints."""
    pipe = " | ".join(map(shlex.join, stages))
    done = subprocess.run(["sh", "-c", pipe], check=False, stdout=subprocess.PIPE)  # noqa: S603, S607  # quoted
    if done.returncode > 1:  # 1: nothing was found
        raise subprocess.CalledProcessError(done.returncode, pipe)
    return done.stdout
