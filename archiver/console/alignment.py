"""
Join a replay to what is stored: which of its lines are new, and where they belong.

The docker log is the truth, and a replay is an unbroken piece of it up to a moment
just past the request. What is stored lies in it in the same order, but for what got
lost on the way. So a stored line within the replay's span is in the replay, and what
the replay has besides is new. Where texts repeat, several ways to lay one over the
other fit, and each is weighed:

    how likely so many lines were printed while nobody listened   (rate and time)
  x how likely a game would print just these new lines            (`surprise`)
  x how rare it is that a line is lost while somebody listens     (`overlay`)

With distinct lines one way remains. Where lines say nothing all ways are as good as
their count: the middle one is taken, and called uncertain. Ways without a loss are
found by comparing backwards from each end, in linear time; only where none of them
stands out, the others are looked at too.
"""

import dataclasses
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import exp, lgamma, log

from archiver.console.overlay import ABSENT, ABSENT_MORE, FREE, LOSS, NEW, Price, overlay
from archiver.console.surprise import Surprise

TWICE = -2  # a live line once more: it was told apart wrongly
ROTATED = 15.0  # nats: a log that was removed in mid-run
ENDS_EARLY = 15.0  # nats: a replay that stops before what is stored, at a line of 64 KiB
DULL = 1.0  # nats: lines that tell less, on average, do not show where losses are
SHORT = 0.5  # nats for each line that a replay cut by its size is short of that size
BEFORE_ALL = 30.0  # nats: lines before the first one of a run
BEGINNING = 5.0  # nats: a replay that begins as the run did is not cut by chance just there
CERTAIN = 0.95  # of all ways, the share of those between `fewer` and `more`
DISPERSION = 2.0  # of the number of lines in a time, as of a negative binomial
BURSTS = 0.1  # the share of times of which the rate says nothing
AHEAD = Price(12.0, 0.5)  # lines behind all live ones, which had time to come live too
EXPLAINED = 8.0  # nats that are left to explain where another reading is not worth it
EARLY = 1.0  # nats for each live line that is said to be in the replay and came too late
TWIN_COUNTS = 3  # numbers of live lines at a replay's end that are weighed
LATE = 3.0  # the same for each that is said not to be, and came long before
REACH = 210  # known lines looked at before a replay's end, and more where it is longer


@dataclass(frozen=True, slots=True)
class Window:
    """
    What is known of a replay beside its lines.

    Args:
        expected: How many lines were printed while nobody listened; None: no idea.
        least: So many of the first live lines were printed before the log was read.
        most: No more of them than this were, as a rule.
        is_full: Its size may have cut it at the beginning; else it is the whole log.
        short: So many lines less than a full one it has.
        is_whole: What is stored begins where the run did.
        is_cut: It broke off, so it may end long before the live lines.
        is_audit: Somebody listened all the time, so that nothing should be new.
        is_alone: Live lines that came later are in it too.

    """

    expected: float | None
    least: int
    most: int
    is_full: bool
    short: int = 0
    is_whole: bool = False
    is_cut: bool = False
    is_audit: bool = False
    is_alone: bool = False


@dataclass(frozen=True, slots=True)
class Alignment:
    """
    How a replay lies over stored and live lines.

    Args:
        places: For each line of the replay which stored or live line it is, counted
            through all pieces and then the live lines; NEW for one that belongs
            between its neighbours; TWICE for one that is live, out of place.
        weight: Logarithm of how likely it is, to compare readings of one replay.
        fewer: So many of the lines that are new behind the last piece may be known.
        more: So many more may be new there and are not shown; None: any number.

    """

    places: list[int]
    weight: float
    fewer: int = 0
    more: int | None = 0

    @property
    def is_certain(self) -> bool:
        """True where one number of new lines behind the last piece stands out."""
        return self.fewer == 0 and self.more == 0

    def without_twice(self) -> "Alignment":
        """Return the same without the lines that are TWICE."""
        places = [place for place in self.places if place != TWICE]
        return dataclasses.replace(self, places=places)


class Aligner:
    """
    What is stored and live, to lay any number of readings of one replay over it.

    Args:
        pieces: Keys of the stored end of this run, oldest first, in unbroken pieces:
            between two of them lines may be missing. At least one, which may be empty.
        live: Keys of the lines that came live since, oldest first. Between the last
            piece and them lines may be missing too.

    """

    def __init__(self, pieces: Sequence[Sequence[int]], live: Sequence[int]) -> None:
        self._pieces = pieces
        self._live = live
        self._stored = sum(map(len, pieces))
        # A rare text that is new and also live was rather told apart wrongly.
        rare = [key for key, count in Counter(live).items() if count == 1]
        self._surprise = Surprise(*pieces, live, doubtful=set(rare).difference(*pieces))

    def align_exactly(self, replay: Sequence[int], window: Window) -> tuple[Alignment, bool]:
        """
        Return the likeliest way without a loss, and whether none with losses is likelier.

        Args:
            replay: Its keys, oldest first.
            window: What else is known of it.

        """
        stored, live, surprise = self._stored, self._live, self._surprise
        place = _find_whole(replay, live, window)
        if place is not None:  # more was printed since than a replay holds
            first = stored + place
            return Alignment(list(range(first, first + len(replay))), 0.0), True
        best: tuple[Alignment, bool] | None = None
        for twins, weight in _find_twins(replay, live, window, surprise):
            exact = _Exact(self._pieces, replay[: len(replay) - twins], window, surprise)
            found = exact.choose(range(stored, stored + twins), weight)
            if best is None or found.weight > best[0].weight:
                is_late = twins < min(window.least, len(replay))
                best = found, not is_late and exact.is_sure(found, live)
        assert best is not None  # none at the end is always possible
        return self._mark_twice(best[0], replay), best[1]

    def tell_unknown(self, replay: Sequence[int]) -> float:
        """Return what the texts tell that are neither stored nor live: new in any reading."""
        known = self._surprise.knows
        return sum(
            self._surprise.of(key, replay[place - 1] if place else None)
            for place, key in enumerate(replay)
            if not known(key)
        )

    def align_with_losses(self, replay: Sequence[int], window: Window) -> Alignment | None:
        """Return the likeliest way with losses within pieces; None: nothing is equal."""
        found = _align_with_losses(self._pieces, self._live, replay, window, self._surprise)
        return None if found is None else self._mark_twice(found, replay)

    def _mark_twice(self, found: Alignment, replay: Sequence[int]) -> Alignment:
        """Mark the NEW lines that are rather live ones out of place: not a text that repeats."""
        pairs = list(zip(found.places, replay, strict=True))
        new = Counter(key for place, key in pairs if place == NEW)
        places = [
            TWICE if place == NEW and new[key] == 1 and self._surprise.is_twice(key) else place
            for place, key in pairs
        ]
        return dataclasses.replace(found, places=places)


def align(
    pieces: Sequence[Sequence[int]], live: Sequence[int], replay: Sequence[int], window: Window
) -> Alignment:
    """Return how a replay that can be read in one way only lies over what is known."""
    return choose_reading(pieces, live, [(replay, window, 0.0)])[1]


def choose_reading(
    pieces: Sequence[Sequence[int]],
    live: Sequence[int],
    readings: Iterable[tuple[Sequence[int], Window, float]],
) -> tuple[int, Alignment]:
    """
    Return which reading of a replay fits best, and how it lies over what is known.

    Args:
        pieces: As for ``Aligner``.
        live: As for ``Aligner``.
        readings: Keys, what else is known, and how unlikely it is, in nats; the usual one
            first. Where one explains all that can be explained no more are taken.

    """
    aligner = Aligner(pieces, live)
    taken: list[tuple[Sequence[int], Window, float]] = []
    best: tuple[float, int, Alignment, bool] | None = None  # weight, number, way, is it sure
    for number, (keys, window, cost) in enumerate(readings):
        taken.append((keys, window, cost))
        found, is_sure = aligner.align_exactly(keys, window)
        if best is None or found.weight - cost > best[0]:
            best = found.weight - cost, number, found, is_sure
        if is_sure and found.weight + aligner.tell_unknown(keys) >= -EXPLAINED:
            break
    assert best is not None  # there is at least one reading
    weight, number, found, is_sure = best
    if not is_sure:
        # Losses are looked for in the two likeliest, since that takes a hundred times as long.
        cheapest = min(range(len(taken)), key=lambda other: taken[other][2])
        for other in sorted({number, cheapest}):
            keys, window, cost = taken[other]
            way = aligner.align_with_losses(keys, window)
            if way is not None and way.weight - cost > weight:
                weight, number, found = way.weight - cost, other, way
    return number, found


class _Exact:
    """The ways in which nothing is lost within a piece; *replay* is without twins."""

    def __init__(
        self,
        pieces: Sequence[Sequence[int]],
        replay: Sequence[int],
        window: Window,
        surprise: Surprise,
    ) -> None:
        self._pieces = pieces
        self._replay = replay
        self._window = window
        self._surprise = surprise
        self._told = surprise.sums(replay, None)
        # At best: the number that is likeliest by itself.
        usual = int((window.expected or 0.0) * (1 - 1 / DISPERSION))
        self._best_prior = max(_log_prior(0, window), _log_prior(usual, window))

    def choose(self, twins: range, twins_weight: float) -> Alignment:
        """Return the middle one of the likely ways, the live lines *twins* at its end."""
        total = len(self._replay)
        ends = _ends(self._pieces[-1], self._replay)[::-1]  # the fewest new lines first
        weights = [self._weight(end) for end in ends]
        highest = max(weights)
        shares = [exp(weight - highest) for weight in weights]
        whole = sum(shares)
        fewest, chosen, most = (
            ends[_quantile(shares, whole * part)]
            for part in ((1 - CERTAIN) / 2, 0.5, (1 + CERTAIN) / 2)
        )
        places = _lay(self._pieces, self._replay, chosen)
        # What is new before the last piece, in a gap, says how well the others fit.
        told = sum(
            self._told[number + 1] - self._told[number]
            for number, place in enumerate(places)
            if place == NEW
        )
        places += [*[NEW] * (total - chosen), *twins]
        is_open = most == 0 and chosen and self._window.is_full  # it may be a gap
        return Alignment(
            places,
            highest + log(whole) + twins_weight - told,  # of all, to compare with other ways
            fewer=fewest - chosen,
            more=None if is_open else chosen - most,
        )

    def is_sure(self, found: Alignment, live: Sequence[int]) -> bool:
        """Return whether no way with a loss can be likelier."""
        if self._window.is_cut:
            return False  # it may end anywhere
        known = set(live).union(*self._pieces)
        new = [n for n in range(len(self._replay)) if found.places[n] == NEW]
        told = sum(self._told[n + 1] - self._told[n] for n in new if self._replay[n] in known)
        behind = _count_behind(found.places, sum(map(len, self._pieces)))
        gain = told + self._best_prior - _log_prior(behind, self._window)
        return gain <= min(LOSS.once, ABSENT)

    def _weight(self, end: int) -> float:
        """Return the weight of the way in which the last piece ends before line *end*."""
        total, last = len(self._replay), self._pieces[-1]
        told = 0.0
        if end < total:
            told = self._told[total] - self._told[end + 1]
            told += self._surprise.of(self._replay[end], last[-1] if last else None)
        is_alone = self._window.is_whole and len(self._pieces) == 1
        if end == 0 and last:
            return _log_gap(total, self._window) - told
        if end > len(last) and is_alone:
            told += BEFORE_ALL
        elif self._window.is_full:
            told -= BEGINNING if end == len(last) and is_alone else 0.0
        elif end < len(last):  # what is stored begins no earlier than a whole log
            told += ROTATED
        return _log_prior(total - end, self._window) - told


def _ends(piece: Sequence[int], replay: Sequence[int]) -> list[int]:
    """
    Return behind how many lines of *replay* the *piece* can end, 0 among them.

    There the lines before are those at the end of the piece, as far as both reach.
    """
    if not piece:
        return [0]
    size = min(len(piece), len(replay))
    backwards = [*reversed(piece[-size:] if size else ()), None, *reversed(replay)]
    common = _common_beginnings(backwards)
    return [0] + [
        end
        for end in range(1, len(replay) + 1)
        if common[len(backwards) - end] >= min(end, len(piece))
    ]


def _common_beginnings(keys: Sequence[int | None]) -> list[int]:
    """Return for each place how many keys from there on are those at the beginning (Z)."""
    common = [0] * len(keys)
    left = right = 0
    for place in range(1, len(keys)):
        length = min(common[place - left], right - place) if place < right else 0
        while place + length < len(keys) and keys[length] == keys[place + length]:
            length += 1
        common[place] = length
        if place + length > right:
            left, right = place, place + length
    return common


def _lay(pieces: Sequence[Sequence[int]], replay: Sequence[int], end: int) -> list[int]:
    """Return the places of the first *end* lines, where the last piece ends behind them."""
    places = [NEW] * end
    offset = sum(map(len, pieces))
    for number in reversed(range(len(pieces))):
        piece = pieces[number]
        size = min(len(piece), end)
        places[end - size : end] = range(offset - size, offset)
        offset -= len(piece)
        end -= size
        if not end or not number:
            break
        # In a gap nothing is expected; the longest overlap tells most.
        end = _ends(pieces[number - 1], replay[:end])[-1]
    return places


def _find_whole(replay: Sequence[int], live: Sequence[int], window: Window) -> int | None:
    """
    Return where among the *live* lines all of *replay* is, if it does not begin with the first.

    None: nowhere.
    """
    total = len(replay)
    if not len(live) >= total > 1:
        return None
    common = _common_beginnings([*replay, None, *live])
    whole = [place for place in range(len(live)) if common[total + 1 + place] >= total]
    if not whole or (len(whole) == 1 and whole[0] == 0):
        return None
    return min(whole, key=lambda place: abs(place + total - window.most))


def _find_twins(
    replay: Sequence[int], live: Sequence[int], window: Window, surprise: Surprise
) -> list[tuple[int, float]]:
    """
    Return how many lines at the end of *replay* may be the first live lines.

    Returns:
        The likeliest numbers, each with the weight of its times, the likeliest first.

    """
    total = len(replay)
    size = min(len(live), total)
    common = _common_beginnings([*live[:total], None, *replay])
    told = surprise.sums(replay, None)
    found: list[tuple[float, int, float]] = []
    for twins in range(size + 1):
        if twins and common[size + 1 + total - twins] < twins:
            continue
        early, late = max(0, twins - window.most), max(0, min(window.least, total) - twins)
        weight = -EARLY * early - LATE * late
        found.append((told[total] - told[total - twins] + weight, twins, weight))
    found.sort(reverse=True)
    return [(twins, weight) for _, twins, weight in found[:TWIN_COUNTS]]


def _align_with_losses(
    pieces: Sequence[Sequence[int]],
    live: Sequence[int],
    replay: Sequence[int],
    window: Window,
    surprise: Surprise,
) -> Alignment | None:
    """Return the likeliest way with losses within pieces; None: nothing is equal."""
    stored = [key for piece in pieces for key in piece]
    followers = live[: max(len(replay), window.most)]
    earliest_end = len(stored) + (0 if window.is_cut else min(window.least, len(followers)))
    skipped = max(0, earliest_end - max(REACH, len(replay) * 4 // 3))
    behind = _price_behind(window)
    prices = {0: Price(BEFORE_ALL, 0.0) if window.is_whole else FREE}
    prices[len(stored) + len(followers)] = FREE if window.is_alone else AHEAD
    prices[len(stored)] = behind
    told = surprise.sums(replay, None)
    is_dull = told[-1] < DULL * len(replay)
    gap = Price(0.0, LOSS.each) if is_dull else FREE  # dull text would fill it at will
    place = 0
    for piece in pieces[:-1]:
        place += len(piece)
        if place > 0:
            prices[place] = gap
    if skipped:
        prices = {place - skipped: price for place, price in prices.items()} | {0: FREE}
    if window.is_cut:
        ends = [0.0] * len(stored)
    else:
        ends = [-ENDS_EARLY - ABSENT_MORE * (len(stored) - n) for n in range(len(stored))]
    for twins in range(len(followers) + 1):
        early, late = max(0, twins - window.most), max(0, window.least - twins)
        ends.append(-EARLY * early - LATE * late)
    # A log that is shorter than a replay does not begin after lines that have just come.
    within = 0.0 if window.is_full or window.is_cut else -BEFORE_ALL
    begins = [0.0] * (len(stored) + 1) + [within] * len(followers)
    known = [*stored, *followers][skipped:]
    found = overlay(known, prices, replay, told, begins[skipped:], ends[skipped:])
    if found is None:
        return None
    places = [place if place == NEW else place + skipped for place in found.places]
    new = _count_behind(places, len(stored))
    paid = behind.once + behind.each * new if new else 0.0
    weight = found.weight + paid + _log_prior(new, window)
    if is_dull:  # many other ways are about as likely
        return Alignment(places, weight, fewer=new, more=None)
    return Alignment(places, weight)


def _price_behind(window: Window) -> Price:
    """Return about what `_log_prior` has for lines that are new behind the last piece."""
    if window.is_audit:
        return LOSS
    if window.expected is None:
        return FREE
    return Price(0.0, min(LOSS.each, log(1 + DISPERSION / max(window.expected, 0.01))))


def _count_behind(places: Sequence[int], stored: int) -> int:
    """Return how many new lines follow the last piece and no live line."""
    behind = 0
    for place in places:
        if place == NEW:
            behind += 1
        elif place < stored:
            behind = 0
        else:
            break
    return behind


def _log_prior(new: int, window: Window) -> float:
    """Return how likely *new* lines are behind the last piece."""
    if window.is_audit:
        return -LOSS.once - LOSS.each * new if new else 0.0
    expected = window.expected
    if expected is None:
        return log(1 / ((new + 1) * (new + 2)))
    share = max(expected, 1e-6) / (max(expected, 1e-6) + DISPERSION)
    usual = exp(
        lgamma(new + DISPERSION)
        - lgamma(new + 1)
        - lgamma(DISPERSION)
        + DISPERSION * log(1 - share)
        + (new * log(share) if new else 0.0)
    )
    return log((1 - BURSTS) * usual + BURSTS / ((new + 1) * (new + 2)))


def _log_gap(total: int, window: Window) -> float:
    """Return how likely it is that a replay of *total* lines shows nothing that is stored."""
    if window.is_audit:
        return _log_prior(total, window)
    if not window.is_full:
        return -ROTATED
    fewer = sum(exp(_log_prior(new, window)) for new in range(total))
    return log(max(1 - fewer, 1e-9)) - SHORT * window.short


def _quantile(shares: Sequence[float], part: float) -> int:
    """Return the number of the share with which their sum reaches *part*."""
    reached = 0.0
    for number, share in enumerate(shares):
        reached += share
        if reached >= part:
            return number
    return len(shares) - 1
