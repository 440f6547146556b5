"""
A block as a document of Whoosh: its terms, and where its lines are.

Whoosh writes schema and segments into each index as pickles, by the names of modules
and classes. So an index is named after the format, which is raised with any change of
these names, of what is a term, or of what is written: to this program, an index of
another format is not there.
"""

from whoosh import columns, fields

from archiver.index.blocks import BlockRange

FORMAT = 1
INDEX_NAME = f"blocks{FORMAT}"
TERMS = "terms"  # the field


class TermSet(fields.FieldType):
    """
    A field whose value is the set of its terms, which it gives to the codec whole.

    Whoosh would make a posting of each, sort them on the disk, and take them up again.
    """

    indexed = False
    stored = True

    def __init__(self) -> None:
        super().__init__(format=None, analyzer=None, stored=True)


def schema() -> fields.Schema:
    """Return the fields of a block: its terms, and a column for each part of its range."""
    places = {name: fields.COLUMN(columns.NumericColumn("q")) for name in BlockRange._fields}
    return fields.Schema(**{TERMS: TermSet()}, **places)
