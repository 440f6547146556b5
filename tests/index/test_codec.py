"""Through Whoosh, without the rest of the room; what is found is in test_candidates."""

from array import array

import pytest
from hypothesis import given
from hypothesis import strategies as st
from whoosh import index as whoosh_index
from whoosh.filedb.filestore import RamStorage

from archiver.index import codec, schema
from archiver.index.blocks import BlockRange
from archiver.index.codec import BlockCodec


def written(blocks: list[set[str]]) -> tuple[whoosh_index.Index, list[BlockRange]]:
    ranges = [BlockRange(n, -n << 40, n << 40, n, n + 1, 1) for n in range(len(blocks))]
    index = whoosh_index.FileIndex.create(RamStorage(), schema.schema(), schema.INDEX_NAME)
    with index.writer(codec=BlockCodec()) as writer:
        for where, terms in zip(ranges, blocks, strict=True):
            writer.add_document(**{schema.TERMS: terms}, **where._asdict())
    return index, ranges


@given(st.lists(st.sets(st.sampled_from("abcdefgh")), min_size=1, max_size=100))
def test_each_term_has_its_blocks_and_each_block_its_range(blocks):
    index, ranges = written(blocks)
    reader = index.reader()
    terms = reader.cursor(schema.TERMS)
    everywhere = (1 << len(blocks)) - 1
    for term in "abcdefghi":
        expected = sum(1 << number for number, held in enumerate(blocks) if term in held)
        assert terms.holding(term, everywhere) == expected
        assert terms.holding(term, 5) == expected & 5
    columns = [reader.column_reader(name, translate=False) for name in BlockRange._fields]
    assert list(map(BlockRange, *columns)) == ranges
    assert reader.doc_count() == len(blocks)
    reader.close()


@pytest.mark.parametrize("short", [39, 40], ids=["32 bits", "16 bits"])
def test_numbers_of_blocks_are_as_long_as_they_must_be(monkeypatch, short):
    monkeypatch.setattr(codec, "_SHORT", short)
    index, _ = written([{"all", f"only{number}"} for number in range(40)])
    terms = index.reader().cursor(schema.TERMS)
    everywhere = (1 << 40) - 1
    assert terms.holding("all", everywhere) == everywhere
    assert terms.holding_prefix("only", everywhere) == everywhere
    for number in range(40):
        assert terms.holding(f"only{number}", everywhere) == 1 << number


def test_sixteen_bits_are_enough_for_so_many_blocks():
    for count in (1, 1 << 16, (1 << 16) + 1):
        array(codec._typecode(count), [count - 1])  # does not overflow
    assert [codec._typecode(count) for count in (1 << 16, (1 << 16) + 1)] == ["H", "I"]


def test_what_whoosh_cancels_is_not_there():
    index, _ = written([{"a"}])
    writer = index.writer(codec=BlockCodec())
    writer.add_document(**{schema.TERMS: {"b"}}, **BlockRange(1, 2, 3, 4, 5, 6)._asdict())
    writer.cancel()
    assert index.doc_count() == 1
