"""
Blocks of a partition as one number, of which bit n stands for block n.

The processor ANDs and ORs thousands of blocks at a time.
"""

from collections.abc import Iterable
from typing import TypeAlias

Bits: TypeAlias = int

_FLAGS = bytes.maketrans(b"01", b"\0\1")
_DIGITS = bytes.maketrans(b"\0\1", b"01")


def from_flags(flags: Iterable[bool]) -> Bits:
    """Return the bits of the blocks that have a flag, given one for each block."""
    return _from_bytes(bytes(flags))


def from_blocks(blocks: Iterable[int], count: int) -> Bits:
    """Return the bits of *blocks*, of *count* that there are."""
    flags = bytearray(count)
    for block in blocks:
        flags[block] = True
    return _from_bytes(flags)


def flags(bits: Bits, count: int) -> bytes:
    """Return 1 for each block that has its bit, 0 for each other, of *count*."""
    return f"{bits:0{count}b}".encode().translate(_FLAGS)[::-1][:count]


def _from_bytes(flags: bytes | bytearray) -> Bits:
    return int(flags[::-1].translate(_DIGITS) or b"0", 2)
