"""The stored end of one stream: what a replay is compared with."""

from array import array
from bisect import bisect_left

from archiver.console.records import Gap

TAIL_LINES = 450  # three replays of the default size


class Piece:
    """
    Unbroken stored lines, oldest first: key, place and time of each.

    Three arrays rather than objects: thousands of streams are held at once.
    """

    __slots__ = ("gap", "keys", "seqs", "times")

    def __init__(self, gap: Gap | None) -> None:
        self.gap = gap  # the gap before it; None: no gap, or too old to matter
        self.keys = array("q")
        self.seqs = array("q")
        self.times = array("q")  # observed_at

    def append(self, key: int, seq: int, observed_at: int) -> None:
        """Add the newest line."""
        self.keys.append(key)
        self.seqs.append(seq)
        self.times.append(observed_at)

    def insert(self, place: int, key: int, seq: int, observed_at: int) -> None:
        """Put a line before the one at *place*."""
        self.keys.insert(place, key)
        self.seqs.insert(place, seq)
        self.times.insert(place, observed_at)

    def extend(self, other: "Piece") -> None:
        """Add the lines of *other*, which follow without a gap."""
        self.keys.extend(other.keys)
        self.seqs.extend(other.seqs)
        self.times.extend(other.times)

    def cut(self, count: int) -> None:
        """Forget the *count* oldest lines."""
        del self.keys[:count], self.seqs[:count], self.times[:count]


class Tail:
    """The newest stored container lines of the current run, in unbroken pieces."""

    def __init__(self) -> None:
        self.pieces: list[Piece] = []
        self.is_whole = False  # it begins where the run did
        self._beside = array("q")  # seqs of lines that no replay shows, oldest first

    def __len__(self) -> int:
        return sum(len(piece.keys) for piece in self.pieces)

    def append(self, key: int, seq: int, observed_at: int) -> None:
        """Add the newest line to the last piece."""
        if not self.pieces:
            self.pieces.append(Piece(None))
        last = self.pieces[-1]
        last.append(key, seq, observed_at)
        if len(last.keys) >= 2 * TAIL_LINES:
            last.cut(TAIL_LINES)
            last.gap = None
            self.pieces = [last]
            self.is_whole = False

    def add_beside(self, seq: int) -> None:
        """Remember that *seq* is taken, by a line that no replay shows."""
        self._beside.append(seq)
        if len(self._beside) >= 2 * TAIL_LINES:
            del self._beside[:TAIL_LINES]

    def last_beside(self, low: int, high: int) -> int:
        """Return the last seq from *low* on and before *high* that is taken."""
        place = bisect_left(self._beside, high)
        return max(low, self._beside[place - 1]) if place else low

    def seq_behind(self, count: int, observed_at: int) -> int | None:
        """
        Return the newest seq that is far behind the newest line; None: none is.

        Args:
            count: That is, more than so many lines behind it,
            observed_at: or observed before this.

        """
        found: int | None = None
        newer = 0
        for piece in reversed(self.pieces):
            place = len(piece.keys) - 1 - max(0, count - newer)
            newer += len(piece.keys)
            place = max(place, bisect_left(piece.times, observed_at) - 1)
            if place >= 0:
                found = piece.seqs[place]
                break
        return found

    def gap_behind(self) -> Gap | None:
        """Return the gap behind the last line, if there is one."""
        return self.pieces[-1].gap if self.pieces and not self.pieces[-1].keys else None

    def break_off(self, gap: Gap) -> None:
        """Begin a new piece behind *gap*."""
        if self.pieces and not self.pieces[-1].keys:
            self.pieces.pop()
        self.pieces.append(Piece(gap))
        while len(self) - len(self.pieces[0].keys) > TAIL_LINES:
            del self.pieces[0]
            self.pieces[0].gap = None
            self.is_whole = False

    def join(self, piece: Piece, follower: Piece) -> None:
        """Make one piece of two between which no line is missing any more."""
        piece.extend(follower)
        self.pieces.remove(follower)

    def keep_since(self, observed_at: int) -> list[int]:
        """
        Begin a run: forget the lines observed before *observed_at*.

        Returns:
            The seqs of the others.

        """
        self.is_whole = True
        for place in reversed(range(len(self.pieces))):
            piece = self.pieces[place]
            old = sum(time < observed_at for time in piece.times)
            if old:
                piece.cut(old)
                piece.gap = None
                del self.pieces[: place if piece.keys else place + 1]
                break
        return [seq for piece in self.pieces for seq in piece.seqs]
