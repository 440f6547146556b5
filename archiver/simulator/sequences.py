"""
The longest common subsequence of two long sequences of numbers, with its places.

Bit-parallel over Python's big integers, so constant sequences cost as much as any
others: 100,000 against 100,000 take seconds. Rows are kept at intervals and computed
again for the way back, so memory stays small.

Source: Hyyrö, Bit-parallel LCS-length computation revisited (2004), after Crochemore
et al. (2001); the way back as in rapidfuzz's LCSseq.
"""

from collections import defaultdict
from collections.abc import Sequence
from math import isqrt

Pair = tuple[int, int]


def common_subsequence(first: Sequence[int], second: Sequence[int]) -> list[Pair]:
    """Return the places of a longest common subsequence, in order."""
    begin = 0
    end, other_end = len(first), len(second)
    while begin < min(end, other_end) and first[begin] == second[begin]:
        begin += 1
    while min(end, other_end) > begin and first[end - 1] == second[other_end - 1]:
        end, other_end = end - 1, other_end - 1
    middle = _middle(first[begin:end], second[begin:other_end])
    return [
        *((place, place) for place in range(begin)),
        *((i + begin, j + begin) for i, j in middle),
        *zip(range(end, len(first)), range(other_end, len(second)), strict=True),
    ]


def _middle(first: Sequence[int], second: Sequence[int]) -> list[Pair]:
    if not first or not second:
        return []
    if len(second) < len(first):  # bits are cheaper than rows
        return [(i, j) for j, i in _middle(second, first)]
    masks: dict[int, int] = defaultdict(int)
    for mask_of, places in _places(second).items():
        masks[mask_of] = _mask(places, len(second))
    full = (1 << len(second)) - 1
    step = isqrt(len(first)) + 1
    kept = [full]  # the row before each block of rows
    row = full
    for number, symbol in enumerate(first):
        if number and number % step == 0:
            kept.append(row)
        common = row & masks.get(symbol, 0)
        row = ((row + common) | (row ^ common)) & full
    return _walk_back(first, masks, kept, step, len(second))


def _places(sequence: Sequence[int]) -> dict[int, list[int]]:
    found: dict[int, list[int]] = defaultdict(list)
    for place, symbol in enumerate(sequence):
        found[symbol].append(place)
    return found


def _mask(places: list[int], size: int) -> int:
    bits = bytearray(size // 8 + 1)
    for place in places:
        bits[place >> 3] |= 1 << (place & 7)
    return int.from_bytes(bits, "little")


def _walk_back(
    first: Sequence[int], masks: dict[int, int], kept: list[int], step: int, size: int
) -> list[Pair]:
    """Return the pairs, given the row before each block: a bit that is 0 marks an increment."""
    full = (1 << size) - 1
    width = size // 8 + 1
    pairs: list[Pair] = []
    column = size
    while kept and column:
        row = kept.pop()
        begin = len(kept) * step
        symbols = first[begin : begin + step]
        rows = [row.to_bytes(width, "little")]
        for symbol in symbols:
            common = row & masks.get(symbol, 0)
            row = ((row + common) | (row ^ common)) & full
            rows.append(row.to_bytes(width, "little"))
        number = len(symbols)
        while number and column:
            byte, bit = (column - 1) >> 3, 1 << ((column - 1) & 7)
            if rows[number][byte] & bit:
                column -= 1  # not needed for the longest
                continue
            number -= 1
            if rows[number][byte] & bit:  # the increment came with this symbol
                column -= 1
                pairs.append((begin + number, column))
    pairs.reverse()
    return pairs
