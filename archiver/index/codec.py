"""
How Whoosh writes blocks, and finds them again: a codec for sets of terms.

Its own codec has positions and scores in mind: the same blocks take it five times the
time and room, and a wildcard a hundred times as long. This one extends the classes of
:mod:`whoosh.codec.base`, as a codec is meant to, and touches nothing else of Whoosh. It
does not score, merge, delete or store. A segment is three files, with numbers in
Whoosh's byte order:

``.blocks``  columns of 64-bit integers, in the order of BlockRange
``.often``   terms of many blocks, with a bit for each block, lowest first
``.seldom``  terms of few, with the numbers of their blocks, of 16 or 32 bits

In both files of terms, the number of terms and the length of their text come first;
then the text, the marks of its pages and, in ``.seldom``, where the numbers of each
term begin.
"""

from array import array
from collections import defaultdict
from collections.abc import Iterable, Sequence
from itertools import accumulate, chain
from typing import Any

from whoosh.codec import base

from archiver.index import bits, lexicon, schema
from archiver.index.bits import Bits
from archiver.index.blocks import BlockRange
from archiver.index.lexicon import Lexicon

_BLOCKS, _OFTEN, _SELDOM = ".blocks", ".often", ".seldom"
_SHORT = 1 << 16  # blocks that 16 bits can tell apart


class BlockCodec(base.Codec):
    """What Whoosh asks for the parts of a segment."""

    length_stats = False

    def new_segment(self, storage: Any, indexname: str) -> "BlockSegment":
        """Return what Whoosh pickles into the index to open it by."""
        return BlockSegment(indexname)

    def per_document_writer(self, storage: Any, segment: "BlockSegment") -> "BlockWriter":
        """Return what takes the blocks."""
        return BlockWriter(storage, segment)

    def field_writer(self, storage: Any, segment: "BlockSegment") -> "NoFieldWriter":
        """Return what would take postings one by one."""
        return NoFieldWriter()

    def per_document_reader(self, storage: Any, segment: "BlockSegment") -> "BlockReader":
        """Return what has the columns."""
        return BlockReader(storage, segment)

    def terms_reader(self, storage: Any, segment: "BlockSegment") -> "BlockTermsReader":
        """Return what has the terms."""
        return BlockTermsReader(storage, segment)


class BlockSegment(base.Segment):
    """A segment: how many blocks there are; nothing of it is ever deleted."""

    def __init__(self, indexname: str) -> None:
        super().__init__(indexname)
        self.blocks = 0

    def codec(self) -> BlockCodec:
        """Return what reads it."""
        return BlockCodec()

    def set_doc_count(self, doccount: int) -> None:
        """Note how many blocks were written."""
        self.blocks = doccount

    def doc_count_all(self) -> int:
        """Return how many blocks there are."""
        return self.blocks

    def deleted_count(self) -> int:
        """Return how many were deleted."""
        return 0

    def should_assemble(self) -> bool:
        """Return whether the files are to be made one."""
        return False


class NoFieldWriter(base.FieldWriter):
    """Takes the postings of indexed fields, of which a block has none."""

    is_closed = False

    def close(self) -> None:
        """End."""
        self.is_closed = True


class BlockWriter(base.PerDocumentWriter):
    """Takes blocks in the order of their numbers, from 0, and writes all at the end."""

    def __init__(self, storage: Any, segment: BlockSegment) -> None:
        self._storage = storage
        self._segment = segment
        self._block = 0
        self._columns = {name: array("q") for name in BlockRange._fields}
        self._blocks_by_term: dict[str, list[int]] = defaultdict(list)
        self.is_closed = False

    def start_doc(self, docnum: int) -> None:
        """Begin a block."""
        self._block = docnum

    def add_field(self, fieldname: str, fieldobj: object, value: set[str], length: int) -> None:
        """Take the terms of the block."""
        if fieldname == schema.TERMS:
            blocks_by_term, block = self._blocks_by_term, self._block
            for term in value:
                blocks_by_term[term].append(block)

    def add_column_value(self, fieldname: str, columnobj: object, value: int) -> None:
        """Take a part of the range of the block."""
        self._columns[fieldname].append(value)

    def close(self) -> None:
        """Write the files."""
        self.is_closed = True
        count = len(self._columns["lines"])
        often: list[tuple[str, list[int]]] = []
        seldom: list[tuple[str, list[int]]] = []
        for term, blocks in sorted(self._blocks_by_term.items()):
            is_smaller = len(blocks) * array(_typecode(count)).itemsize < _width(count)
            (seldom if is_smaller else often).append((term, blocks))
        with self._segment.create_file(self._storage, _BLOCKS) as file:
            for column in self._columns.values():
                file.write_array(column)
        with self._segment.create_file(self._storage, _OFTEN) as file:
            _write_lexicon(file, [term for term, _ in often])
            for _, blocks in often:
                file.write(bits.from_blocks(blocks, count).to_bytes(_width(count), "little"))
        with self._segment.create_file(self._storage, _SELDOM) as file:
            _write_lexicon(file, [term for term, _ in seldom])
            numbers = [blocks for _, blocks in seldom]
            file.write_array(array("I", accumulate(map(len, numbers), initial=0)))
            file.write_array(array(_typecode(count), chain.from_iterable(numbers)))


class BlockReader(base.PerDocumentReader):
    """Has a column for each part of the blocks' ranges, read as one."""

    def __init__(self, storage: Any, segment: BlockSegment) -> None:
        self._blocks = segment.doc_count_all()
        with segment.open_file(storage, _BLOCKS) as file:
            self._columns: dict[str, Sequence[int]] = {
                name: file.read_array("q", self._blocks) for name in BlockRange._fields
            }

    def doc_count(self) -> int:
        """Return how many blocks there are."""
        return self._blocks

    def has_column(self, fieldname: str) -> bool:
        """Return whether there is a column of this name."""
        return fieldname in self._columns

    def column_reader(self, fieldname: str, column: object) -> Sequence[int]:
        """Return the values of a column, in the order of the blocks."""
        return self._columns[fieldname]


class BlockTermsReader(base.TermsReader, base.FieldCursor):
    """Finds the blocks of a term, of words with a prefix, of words that match."""

    def __init__(self, storage: Any, segment: BlockSegment) -> None:
        self._count = segment.doc_count_all()
        self._often = _Often(segment.open_file(storage, _OFTEN), self._count)
        self._seldom = _Seldom(segment.open_file(storage, _SELDOM), self._count)

    def cursor(self, fieldname: str, fieldobj: object) -> "BlockTermsReader":
        """Return itself: what Whoosh's reader hands out to look terms up by."""
        return self

    def close(self) -> None:
        """Close the files."""
        self._often.file.close()
        self._seldom.file.close()

    def holding(self, term: str, within: Bits) -> Bits:
        """Return those of the blocks *within* that hold this term."""
        often, seldom = self._often.lexicon, self._seldom.lexicon
        return self._holding_any(often.find(term), seldom.find(term), within)

    def holding_prefix(self, prefix: str, within: Bits) -> Bits:
        """Return those of the blocks *within* that hold a word that begins like this."""
        often, seldom = self._often.lexicon, self._seldom.lexicon
        return self._holding_any(often.with_prefix(prefix), seldom.with_prefix(prefix), within)

    def holding_match(self, pattern: str, within: Bits) -> Bits:
        """Return those of the blocks *within* that hold a word that this matches."""
        often, seldom = self._often.lexicon, self._seldom.lexicon
        return self._holding_any(often.matching(pattern), seldom.matching(pattern), within)

    def _holding_any(self, often: Iterable[range], seldom: Iterable[range], within: Bits) -> Bits:
        found = 0
        for number in chain.from_iterable(often):
            found |= self._often.blocks(number) & within
            if found == within:  # a pattern need not go through the many seldom terms
                return found
        return found | bits.from_blocks(self._seldom.blocks(list(seldom)), self._count) & within


class _Often:
    """The terms of many blocks."""

    def __init__(self, file: Any, count: int) -> None:
        self.file = file
        self.lexicon, _ = _read_lexicon(file)
        self._start = file.tell()
        self._width = _width(count)

    def blocks(self, number: int) -> Bits:
        """Return the blocks of a term."""
        found = self.file.get(self._start + number * self._width, self._width)
        if len(found) < self._width:
            raise EOFError("a file is shorter than it was")
        return int.from_bytes(found, "little")


class _Seldom:
    """The terms of few blocks."""

    def __init__(self, file: Any, count: int) -> None:
        self.file = file
        self.lexicon, terms = _read_lexicon(file)
        self._starts = file.read_array("I", terms + 1)
        self._start = file.tell()
        self._typecode = _typecode(count)

    def blocks(self, terms: Sequence[range]) -> set[int]:
        """Return the blocks of any of the terms, given by neighbours, in order."""
        found: set[int] = set()
        if terms:
            first, last = self._starts[terms[0].start], self._starts[terms[-1].stop]
            offset = self._start + first * array(self._typecode).itemsize
            numbers = self.file.get_array(offset, self._typecode, last - first)
            for each in terms:
                start, stop = self._starts[each.start], self._starts[each.stop]
                found.update(numbers[start - first : stop - first])
        return found


def _write_lexicon(file: Any, terms: Sequence[str]) -> None:
    text, marks = lexicon.pack(terms)
    file.write_long(len(terms))
    file.write_long(len(text))
    file.write(text)
    file.write_array(array("I", marks))


def _read_lexicon(file: Any) -> tuple[Lexicon, int]:
    terms, length = file.read_long(), file.read_long()
    text = file.read(length)
    return Lexicon(text, file.read_array("I", lexicon.pages(terms) + 1)), terms


def _typecode(count: int) -> str:
    """Return the type of a block's number, of *count* blocks."""
    return "H" if count <= _SHORT else "I"


def _width(count: int) -> int:
    """Return how many bytes have a bit for each of *count* blocks."""
    return -(-count // 8)
