import asyncio
import heapq
from collections.abc import Collection
from itertools import pairwise
from math import inf
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archiver.client.budget import (
    AT_ONCE,
    Allowance,
    Budget,
    Ledger,
    Limits,
    Priority,
)

MINUTE = 60.0


def most_in_window(times: list[float], seconds: float = MINUTE) -> int:
    return max(
        (sum(start <= time <= start + seconds for time in times) for start in times), default=0
    )


class ThrottledPanel:
    """Laravel's limiter: a window begins with its first request, and counts those that come."""

    def __init__(self, key_limit: int, token_limit: int, foreign: list[tuple[float, str]]) -> None:
        self.key_limit = key_limit
        self.token_limit = token_limit
        self.foreign = foreign  # requests of others, each moment with its server
        self.windows: dict[object, tuple[float, int]] = {}
        self.arrivals: list[tuple[float, int]] = []
        self.tokens: dict[str, list[float]] = {}
        self.refused = 0

    def take(self, name: object, limit: int, now: float) -> Limits:
        end, count = self.windows.get(name, (-inf, 0))
        if now >= end:
            end, count = now + MINUTE, 0
        self.windows[name] = (end, count + (count < limit))
        return Limits(limit, max(limit - count - 1, 0), end - now if count >= limit else None)

    def answer(self, key: int, server: str | None, now: float) -> Limits:
        while self.foreign and self.foreign[0][0] <= now:
            then, foreign_server = self.foreign.pop(0)
            self.take(("key", key), self.key_limit, then)
            self.take(foreign_server, self.token_limit, then)
        self.arrivals.append((now, key))
        if server is not None:
            self.tokens.setdefault(server, []).append(now)
        answer = self.take(("key", key), self.key_limit, now)
        if answer.retry_after is None and server is not None:
            of_server = self.take(server, self.token_limit, now)
            fewer = (of_server.remaining or 0) < (answer.remaining or 0)
            if fewer or of_server.retry_after is not None:
                answer = of_server
        self.refused += answer.retry_after is not None
        return answer


def run(
    panel: ThrottledPanel, wishes: list[tuple[float, str | None]], *, keys: int, random: Random
) -> int:
    """Play requests in virtual time, each with a way there and a way back of its own length."""
    ledger = Ledger(keys)
    waiting: list[str | None] = []
    events: list[tuple[float, int, str, Any]] = []
    number = 0
    for at, server in wishes:
        number += 1
        heapq.heappush(events, (at, number, "ask", server))
    done = 0
    while events:
        now, _, what, inner = heapq.heappop(events)
        if what == "ask":
            waiting.append(inner)
        elif what == "arrive":
            key, server = inner
            answer = panel.answer(key, server, now)
            number += 1
            later = now + random.choice([0.01, 3.0, 19.0])
            heapq.heappush(events, (later, number, "end", (key, server, answer)))
        elif what == "end":
            key, server, answer = inner
            refused = answer.retry_after is not None
            ledger.note_answer(key, server, answer, now, refused=refused)
            ledger.end(key, server, now)
            done += 1
        kept, chance = [], inf
        for server in waiting:
            key = ledger.pick(server, range(keys), now)
            if key is None:
                kept.append(server)
                chance = min(chance, ledger.next_chance(server, range(keys), now))
                continue
            ledger.begin(key, server)
            number += 1
            later = now + random.choice([0.0, 0.01, 5.0])
            heapq.heappush(events, (later, number, "arrive", (key, server)))
        waiting = kept
        if waiting and chance < inf:
            number += 1
            heapq.heappush(events, (max(chance, now + 1e-6), number, "look", None))
    return done


SERVERS = st.sampled_from(["a", "b", "c", None])
WISHES = st.lists(st.tuples(st.floats(0, 300), SERVERS), max_size=120)


@settings(deadline=None, max_examples=200)
@given(
    wishes=WISHES,
    key_limit=st.sampled_from([1, 7, 20, 240]),
    token_limit=st.sampled_from([2, 5, 30]),
    keys=st.integers(1, 3),
    seed=st.integers(0, 1000),
)
def test_no_window_ever_holds_more_than_the_limits(
    wishes: list[tuple[float, str | None]], key_limit: int, token_limit: int, keys: int, seed: int
) -> None:
    panel = ThrottledPanel(key_limit, token_limit, [])
    # Before the first answer nobody knows the limit: let one tell it.
    known: list[tuple[float, str | None]] = [(0.0, None)] * keys
    late = [(at + 400, server) for at, server in wishes]

    done = run(panel, known + late, keys=keys, random=Random(seed))

    assert done == len(wishes) + keys, "everyone gets a turn in the end"
    for key in range(keys):
        times = [at for at, used in panel.arrivals if used == key and at >= 300]
        assert most_in_window(times) <= max(int(key_limit * 0.95), 1)
    for times in panel.tokens.values():
        assert most_in_window(times) <= min(5, token_limit) or token_limit < 5
    if token_limit >= 5:
        assert panel.refused == 0


@settings(deadline=None, max_examples=100)
@given(
    wishes=WISHES,
    foreign=st.lists(st.tuples(st.floats(0, 600), st.sampled_from("abc")), max_size=60),
    seed=st.integers(0, 1000),
)
def test_requests_of_others_delay_ours_and_end_no_turn(
    wishes: list[tuple[float, str | None]], foreign: list[tuple[float, str]], seed: int
) -> None:
    panel = ThrottledPanel(60, 5, sorted(foreign))

    done = run(panel, wishes, keys=1, random=Random(seed))

    assert done == len(wishes)
    for times in panel.tokens.values():
        assert most_in_window(times) <= 5


@given(st.lists(st.tuples(st.floats(0, 500), st.floats(0, 30)), min_size=1, max_size=60))
def test_an_allowance_says_when_there_is_room_and_no_sooner(
    spans: list[tuple[float, float]],
) -> None:
    allowance = Allowance(3, MINUTE)
    now, begun = 0.0, []
    for at, length in sorted(spans):
        now = max(now, at)
        chance = allowance.next_room(now)
        if chance > now:
            assert allowance.room(now) <= 0
            assert allowance.room(chance) > 0
            now = chance
        allowance.begin()
        begun.append(now)
        now += length
        allowance.end(now)

    assert most_in_window(begun, 59.999) <= 3


def test_what_is_on_its_way_holds_its_place_until_its_end_is_a_window_ago() -> None:
    allowance = Allowance(1, MINUTE)
    allowance.begin()

    assert allowance.next_room(1000.0) == inf

    allowance.end(1000.0)

    assert allowance.room(1059.9) == 0
    assert allowance.room(1060.0) == 1


def ask(
    ledger: Ledger,
    now: float,
    limits: Limits = Limits(),  # noqa: B008  # it cannot change
    *,
    server: str | None = None,
    refused: bool = False,
) -> None:
    key = ledger.pick(server, [0], now)
    assert key is not None
    ledger.begin(key, server)
    ledger.note_answer(key, server, limits, now, refused=refused)
    ledger.end(key, server, now)


def room(ledger: Ledger, now: float, server: str | None = None) -> int:
    of_key = ledger._keys[0].room(now)
    return of_key if server is None else min(of_key, ledger._tokens_of(server).room(now))


def test_a_limit_is_assumed_until_a_header_tells() -> None:
    assumed, told = Ledger(1), Ledger(1)
    ask(told, 0.0, Limits(720, 719))

    assert room(assumed, 1.0) == 228
    assert room(told, 1.0) == 683


def test_a_server_gets_five_tokens_a_minute_whatever_the_panel_allows() -> None:
    for limits in (Limits(), Limits(720, 700), Limits(30, 29)):
        ledger = Ledger(1)
        ask(ledger, 0.0, limits, server="a")

        assert room(ledger, 1.0, "a") == 4
        assert room(ledger, 1.0, "b") == 5


def test_a_smaller_limit_of_tokens_is_learned_from_its_header() -> None:
    ledger = Ledger(1)
    ask(ledger, 0.0, Limits(2, 1), server="a")

    assert room(ledger, 1.0, "a") == 1


def test_tokens_that_a_browser_took_are_not_ours() -> None:
    ledger = Ledger(1)
    ask(ledger, 0.0, Limits(5, 1), server="a")

    assert room(ledger, 1.0, "a") == 1
    assert room(ledger, 61.0, "a") == 5


def test_tokens_that_others_take_of_a_large_limit_take_none_of_our_five() -> None:
    ledger = Ledger(1)
    ask(ledger, 0.0, Limits(30, 10), server="a")

    assert room(ledger, 1.0, "a") == 4


def test_requests_of_other_programs_are_taken_off() -> None:
    ledger = Ledger(1)
    ask(ledger, 0.0, Limits(100, 39))

    assert room(ledger, 1.0) == 95 - 61


def test_a_refused_key_rests_as_long_as_it_is_told() -> None:
    ledger = Ledger(2)
    ledger.begin(0, "a")
    ledger.note_answer(0, "a", Limits(240, 0, 30.0), 0.0, refused=True)
    ledger.end(0, "a", 0.0)

    assert ledger.pick("a", [0], 29.9) is None
    assert ledger.pick(None, [0], 29.9) is None
    assert ledger.pick(None, [0, 1], 29.9) == 1


def test_a_refused_token_lets_only_that_server_rest() -> None:
    ledger = Ledger(1)
    ask(ledger, 0.0, Limits(720, 719))
    ask(ledger, 0.0, Limits(5, 0, 42.0), server="a", refused=True)

    assert ledger.pick("a", [0], 41.9) is None
    assert ledger.pick("b", [0], 1.0) == 0
    assert ledger.pick(None, [0], 1.0) == 0
    assert ledger.next_chance("a", [0], 41.0) >= 42.0


def test_a_refusal_without_words_is_a_rest_of_one_window() -> None:
    ledger = Ledger(1)
    ask(ledger, 0.0, refused=True)

    assert ledger.pick(None, [0], 60.0) is None
    assert ledger.pick(None, [0], 61.0) == 0


def test_a_panel_that_asks_for_a_year_is_asked_again_sooner() -> None:
    ledger = Ledger(1)
    ask(ledger, 0.0, Limits(retry_after=3e7), refused=True)

    assert ledger.pick(None, [0], 901.0) == 0


def test_work_is_spread_over_the_keys() -> None:
    ledger = Ledger(3)
    for _ in range(6):
        key = ledger.pick(None, [0, 1, 2], 0.0)
        assert key is not None
        ledger.begin(key, None)
        ledger.end(key, None, 0.0)

    assert ledger._keys[0].room(0.0) == ledger._keys[1].room(0.0) == ledger._keys[2].room(0.0)


def test_few_requests_are_on_their_way_at_once() -> None:
    ledger = Ledger(2)
    for _ in range(AT_ONCE):
        key = ledger.pick(None, [0, 1], 0.0)
        assert key is not None
        ledger.begin(key, None)

    assert ledger.pick(None, [0, 1], 0.0) is None
    assert ledger.next_chance(None, [0, 1], 0.0) == inf


# The shell


async def test_what_matters_most_goes_first() -> None:
    budget = Budget(Ledger(1, at_once=1))
    order: list[tuple[Priority, str]] = []

    async def ask_once(priority: Priority, name: str) -> None:
        async with budget.turn(priority, [0], token_of=name):
            order.append((priority, name))

    async with asyncio.TaskGroup() as tasks, budget.turn(Priority.DISCOVERY, [0]):
        for name in "ab":
            for priority in reversed(Priority):
                tasks.create_task(ask_once(priority, f"{name}{priority}"))
        while len(budget._waiters) < 8:  # noqa: ASYNC110  # until all of them wait
            await asyncio.sleep(0)

    assert [priority for priority, _ in order] == sorted([*Priority, *Priority])
    assert [name[0] for _, name in order] == ["a", "b"] * 4


async def test_a_server_that_must_wait_holds_up_no_other() -> None:
    budget = Budget(Ledger(1))
    for _ in range(5):
        async with budget.turn(Priority.FIRST, [0], token_of="a"):
            pass
    async with asyncio.TaskGroup() as tasks:
        late = tasks.create_task(budget.turn(Priority.RENEWAL, [0], token_of="a").__aenter__())
        async with budget.turn(Priority.RECONNECT, [0], token_of="b"):
            assert not late.done()
        late.cancel()


async def test_turns_come_when_the_window_has_passed() -> None:
    window = 0.05
    ledger = Ledger(1, window=window)
    budget = Budget(ledger)
    times: list[float] = []
    async with budget.turn(Priority.DISCOVERY, [0]) as turn:
        turn.limits = Limits(3, 2)

    async def ask_once() -> None:
        async with budget.turn(Priority.DISCOVERY, [0]):
            times.append(asyncio.get_running_loop().time())

    async with asyncio.TaskGroup() as tasks:
        for _ in range(7):
            tasks.create_task(ask_once())

    assert most_in_window(times, window) <= 2


async def test_a_cancelled_wait_takes_no_turn() -> None:
    budget = Budget(Ledger(1, at_once=1))
    async with asyncio.TaskGroup() as tasks:
        async with budget.turn(Priority.DISCOVERY, [0]):
            first = tasks.create_task(budget.turn(Priority.FIRST, [0]).__aenter__())
            await asyncio.sleep(0)
            first.cancel()
            await asyncio.sleep(0)
        async with budget.turn(Priority.DISCOVERY, [0]):
            pass


async def test_a_turn_that_was_given_to_a_cancelled_task_goes_to_the_next() -> None:
    budget = Budget(Ledger(1, at_once=1))
    async with asyncio.TaskGroup() as tasks:
        async with budget.turn(Priority.DISCOVERY, [0]):
            first = tasks.create_task(budget.turn(Priority.FIRST, [0]).__aenter__())
            await asyncio.sleep(0)
        first.cancel()  # granted just now, and not yet awake
        async with budget.turn(Priority.DISCOVERY, [0]):
            pass


async def test_a_failed_request_gives_its_turn_back() -> None:
    budget = Budget(Ledger(1, at_once=1))
    for _ in range(3):
        with pytest.raises(ValueError, match="broken"):
            async with budget.turn(Priority.DISCOVERY, [0]):
                raise ValueError("broken")


async def test_thousands_wait_without_looking_at_each_other(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    budget = Budget(Ledger(1, at_once=1))
    looks = 0
    pick = budget._ledger.pick

    def count(server: str | None, keys: Collection[int], now: float) -> int | None:
        nonlocal looks
        looks += 1
        return pick(server, keys, now)

    monkeypatch.setattr(budget._ledger, "pick", count)
    done = 0

    async def ask_once(number: int) -> None:
        nonlocal done
        async with budget.turn(Priority.FIRST, [0], token_of=str(number)):
            done += 1

    async with asyncio.TaskGroup() as tasks:
        waiting = [tasks.create_task(ask_once(number)) for number in range(2000)]
        while done < 228:  # noqa: ASYNC110  # each turn is one step of the others
            await asyncio.sleep(0)
        for task in waiting:
            task.cancel()

    assert looks < 1000


def test_times_in_a_row_are_one_window_apart_where_the_limit_is_one() -> None:
    panel = ThrottledPanel(1, 5, [])
    run(panel, [(0.0, None)] * 5, keys=1, random=Random(3))
    times = [at for at, _ in panel.arrivals if at > 300]

    assert all(later - earlier >= MINUTE for earlier, later in pairwise(times))
