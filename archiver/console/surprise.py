"""
How much the text of a line tells: the less a game was to be expected to print it, the more.

The measure is that of an order-1 Markov model: a line given the line before it. A
text that comes all the time tells next to nothing, a number that was never seen
tells a lot, and so does a known line in a place where it never stood. In nats:
a line of 7 nats was one to be expected once in e**7 = 1,100 lines.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import pairwise
from math import log

BLEND = 2.0  # so many sightings of a line weigh as much as what is known of all lines
UNSEEN = 0.2  # of one sighting, for a text that was never seen
TWICE = 9.0  # nats: a doubtful line was rather told apart wrongly than printed twice
HARDLY = 0.01  # of one repeat, where no text ever came again
OTHERS = 10  # sightings of other texts, so that a few known lines are not taken for all


class Surprise:
    """
    What lines tell where these lines are known.

    Args:
        known: Keys of lines in their order, in one or several stretches.
        doubtful: Keys that are near in another place, where they are easily taken
            from; so they tell how rarely texts come again, too.

    """

    def __init__(self, *known: Sequence[int], doubtful: Iterable[int] = ()) -> None:
        self._doubtful = frozenset(doubtful)
        self._lines = Counter[int]()
        self._pairs = Counter[tuple[int, int]]()
        for keys in known:
            self._lines.update(keys)
            self._pairs.update(pairwise(keys))
        total, distinct = self._lines.total(), len(self._lines)
        self._total = total + OTHERS
        self._again = -log((total - distinct + HARDLY) / (total + 1))

    def of(self, key: int, before: int | None) -> float:
        """Return how many nats *key* tells behind *before*; None: behind anything."""
        if key in self._doubtful:
            return min(self._tell(key, None) + self._again, TWICE)
        return self._tell(key, before)

    def knows(self, key: int) -> bool:
        """Return whether *key* is among the known lines."""
        return key in self._lines

    def is_twice(self, key: int) -> bool:
        """Return whether *key* is rather a doubtful one in another place than a new line."""
        return key in self._doubtful and self._tell(key, None) + self._again >= TWICE

    def _tell(self, key: int, before: int | None) -> float:
        share = (self._lines[key] or UNSEEN) / self._total
        if before is not None:
            share = (self._pairs[before, key] + BLEND * share) / (self._lines[before] + BLEND)
        return -log(share)

    def sums(self, keys: Iterable[int], before: int | None) -> list[float]:
        """Return what the first 0, 1, 2, ... of *keys* tell together."""
        sums = [0.0]
        for key in keys:
            sums.append(sums[-1] + self.of(key, before))
            before = key
        return sums
