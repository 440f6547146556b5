"""A WHERE clause that grows, and patterns for LIKE."""

import re
from collections.abc import Sequence
from typing import Self

_SPECIAL = re.compile(r"[\\%_]")  # in a LIKE pattern


class Where:
    """A WHERE clause and its parameters, growing."""

    def __init__(self) -> None:
        self.parameters: list[object] = []
        self._conditions: list[str] = []

    def __str__(self) -> str:
        return f" WHERE {' AND '.join(self._conditions)}" if self._conditions else ""

    def add(self, condition: str, *parameters: object) -> Self:
        """Let only rows through for which *condition* is true; ? stands for a parameter."""
        self._conditions.append(condition)
        self.parameters += parameters
        return self

    def least(self, column: str, value: int | None) -> Self:
        """Demand at least *value*; None: demand nothing."""
        return self if value is None else self.add(f"{column} >= ?", value)

    def among(self, column: str, values: Sequence[int] | None) -> Self:
        """Demand one of *values*; None: demand nothing."""
        if values is None:
            return self
        if not values:
            return self.add("1 = 0")
        return self.add(f"{column} IN ({', '.join('?' * len(values))})", *values)


def pattern(literal: str) -> str:
    """Return the LIKE pattern for what holds *literal*."""
    # SQLite refuses patterns of 50,000 bytes; a beginning still lets every hit through.
    escaped = _SPECIAL.sub(r"\\\g<0>", literal[:1_000])
    return f"%{escaped}%"
