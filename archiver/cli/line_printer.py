"""Lines and gaps as text for people."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import tzinfo

import click

from archiver.console.records import AtKind, Flag
from archiver.operations.follow import LateRow
from archiver.operations.visible import visible
from archiver.query.times import format_time
from archiver.store.rows import GapRow, LineRow

_NAME_COLOURS = ("cyan", "green", "magenta", "blue", "bright_cyan", "bright_magenta")


@dataclass(frozen=True, slots=True)
class LinePrinter:
    """
    Writes lines and gaps as text.

    Args:
        zone: For times.
        names: Show each line's server.
        ansi: ``strip``, ``keep`` or ``escape``; see ``archiver logs --help``.
        bare: Only what the server printed, without time and name.
        colour: With colours of our own.
        seqs: Show each line's seq.
        marked: Lines to point at in a margin, as (server_id, seq); None: there is no margin.
        spans: Tells where to highlight a text: start and end, in order; None: nowhere.

    """

    zone: tzinfo
    names: bool
    ansi: str
    bare: bool
    colour: bool
    seqs: bool = False
    marked: frozenset[tuple[int, int]] | None = None
    spans: Callable[[str], Sequence[tuple[int, int]]] | None = None

    def line(self, row: LineRow) -> str:
        """Return one line, with its line feed."""
        raw = row.text if row.raw is None else row.raw
        if self.ansi == "keep":
            # Its colours end with it; raw output is left exactly as it was.
            text = raw + "\x1b[0m" if "\x1b" in raw and not self.bare else raw
        else:
            text = visible(raw) if self.ansi == "escape" else self._text(row.text)
        if self.bare:
            return text + "\n"
        mark = "~" if row.at_kind == AtKind.BEFORE else " "
        if row.flags & Flag.UNCERTAIN:
            mark = "?"
        if isinstance(row, LateRow):
            mark += "^"
        margin = self._margin(is_marked=(row.server_id, row.seq) in (self.marked or ()))
        time = self._style(format_time(row.at, self.zone) + mark, dim=True)
        name = self._name(row.server_id, row.server_name)
        seq = self._style(f"{row.seq} ", dim=True) if self.seqs else ""
        return f"{margin}{time} {name}{seq}{text}\n"

    def gap(self, row: GapRow) -> str:
        """Return one gap, with its line feed."""
        lost = count_lost(row.lower, row.upper, row.expected)
        lines = "line" if lost.split()[-1] == "1" else "lines"
        text = f"-- gap: {lost} {lines}, {self._range(row)}, {row.reason} --"
        name = self._name(row.server_id, row.server_name)
        return f"{self._margin(is_marked=False)}{name}{self._style(visible(text), fg='yellow')}\n"

    def _text(self, text: str) -> str:
        """Return a text as a terminal may have it, with what was found in it in colour."""
        if self.spans is None or not self.colour:
            return visible(text)
        parts, place = [], 0
        for start, end in self.spans(text):
            parts.append(visible(text[place:start]))
            parts.append(self._style(visible(text[start:end]), fg="bright_red", bold=True))
            place = end
        return "".join([*parts, visible(text[place:])])

    def _margin(self, *, is_marked: bool) -> str:
        if self.marked is None:
            return ""
        return self._style("> ", fg="bright_red") if is_marked else "  "

    def _range(self, row: GapRow) -> str:
        until = format_time(row.to_at, self.zone)[:19]
        if row.from_at is None:
            return f"until {until}"
        since = format_time(row.from_at, self.zone)[:19]
        same_day = since[:10] == until[:10]
        return f"{since[11:]} to {until[11:]}" if same_day else f"{since} to {until}"

    def _name(self, server_id: int, name: str) -> str:
        if not self.names:
            return ""
        return self._style(f"[{visible(name)}] ", fg=_NAME_COLOURS[server_id % len(_NAME_COLOURS)])

    def _style(
        self, text: str, *, fg: str | None = None, dim: bool | None = None, bold: bool | None = None
    ) -> str:
        return click.style(text, fg=fg, dim=dim, bold=bold) if self.colour else text


def count_lost(lower: int, upper: int | None, expected: int | None) -> str:
    """
    Say how many lines a gap may hold, such as ``at least 12``.

    Args:
        lower: At least so many.
        upper: At most so many; None: unknown.
        expected: The likeliest number; None: no basis.

    """
    if lower == upper:
        return str(lower)
    if upper is None:
        bounds = f"at least {lower}" if lower else ""
    else:
        bounds = f"{lower} to {upper}" if lower else f"up to {upper}"
    if expected is None or expected in {lower, upper}:
        return bounds or "unknown how many"
    return f"about {expected}, {bounds}" if bounds else f"about {expected}"
