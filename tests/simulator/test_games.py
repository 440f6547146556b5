from random import Random

import pytest

from archiver.simulator.clock import SECOND
from archiver.simulator.games import GAMES, MIXED, TITLES

NOON = 1_795_521_600 * SECOND  # 2026-11-24 12:00:00 UTC


@pytest.mark.parametrize("game", GAMES.values(), ids=GAMES)
def test_every_template_can_be_filled_and_holds_no_newline(game):
    everything = [game.boot, game.stop, game.crash, *game.said]
    lines = [line for part in everything for line in game.fill(part, Random(1), NOON)]
    assert len(lines) == sum(map(len, everything))
    assert not any("\n" in line or "{" in line for line in lines)


@pytest.mark.parametrize("game", GAMES.values(), ids=GAMES)
def test_a_boot_prints_the_same_at_every_boot(game):
    assert game.fill(game.boot, Random(1), NOON) == game.fill(game.boot, Random(2), NOON)


def test_the_same_seed_says_the_same():
    for game in GAMES.values():
        first, second = Random(5), Random(5)
        assert [game.say(first, NOON) for _ in range(50)] == [
            game.say(second, NOON) for _ in range(50)
        ]


def test_the_counter_says_another_number_each_time():
    counter = GAMES["counter"]
    said = [counter.say(Random(1), NOON, count) for count in range(3)]
    assert said == [["line 000000"], ["line 000001"], ["line 000002"]]
    assert "counter" not in MIXED


@pytest.mark.parametrize(
    ("name", "clock"), [("paper", "[12:00:00 INFO]"), ("source", "L 11/24/2026 - 12:00:00:")]
)
def test_times_in_lines_are_those_of_the_virtual_clock(name, clock):
    assert any(clock in line for line in GAMES[name].fill(GAMES[name].boot, Random(1), NOON))


def test_every_game_that_is_given_has_titles():
    assert set(TITLES) == set(GAMES)
    assert set(MIXED) < set(GAMES)
