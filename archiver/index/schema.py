"""
A block as a document of Whoosh: its terms, and where its lines are.

Whoosh writes the schema into each index as a pickle, by the names of these modules.
So an index is named after the format, which is raised with any change of them, of the
terms, or of what is written: an index of another format is none to this program.
"""

from collections.abc import Iterator

from whoosh import columns, fields, formats

from archiver.index.blocks import BlockRange

FORMAT = 1
INDEX_NAME = f"blocks{FORMAT}"


class TermSet(fields.FieldType):
    """A field whose value is the set of its terms: there is nothing left to analyse."""

    def __init__(self) -> None:
        super().__init__(format=formats.Existence(), analyzer=None)

    def index(self, value: set[str], **_: object) -> Iterator[tuple[bytes, int, float, bytes]]:
        """Yield each term as it is."""
        for term in value:
            yield term.encode(), 1, 1.0, b""


def schema() -> fields.Schema:
    """Return the fields of a block: its terms, and a column for each part of its range."""
    places = {name: fields.COLUMN(columns.NumericColumn("q")) for name in BlockRange._fields}
    return fields.Schema(terms=TermSet(), **places)
