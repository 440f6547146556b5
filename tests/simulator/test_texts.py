from collections import Counter
from random import Random

import pytest

from archiver.simulator.clock import SECOND
from archiver.simulator.texts import KINDS, PERIOD, SAME, Text, stream

NOON = 1_795_521_600 * SECOND  # 2026-11-24 12:00:00 UTC


def say(text: Text, count: int, seed: int = 1, gap: int = SECOND // 5) -> list[str]:
    random = Random(seed)
    return [text(random, NOON + number * gap) for number in range(count)]


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_seed_says_the_same_and_each_is_one_line_that_is_not_blank(kind):
    first = say(KINDS[kind](), 2000)
    assert first == say(KINDS[kind](), 2000)
    assert not any("\n" in line or not line.strip() or "{" in line for line in first)


@pytest.mark.parametrize(
    ("kind", "least", "most"),
    [
        ("distinct", 5000, 5000),
        ("seconds", 2000, 4990),
        ("none", 500, 4000),
        ("periodic", 6, 6),
        ("cyclic", 6, 6),
        ("constant", 10, 200),
    ],
)
def test_kinds_differ_in_how_many_lines_are_unlike(kind, least, most):
    assert least <= len(set(say(KINDS[kind](), 5000))) <= most


def test_a_distinct_line_never_comes_twice_even_at_one_moment():
    assert len(set(say(KINDS["distinct"](), 20_000, gap=0))) == 20_000


def test_times_are_those_of_the_clock():
    assert all(line.startswith("[12:00:0") for line in say(KINDS["distinct"](), 40))
    assert any(line.startswith("[12:00:0") for line in say(KINDS["seconds"](), 40))


def test_constant_is_97_times_of_100_the_same():
    assert 0.965 < Counter(say(KINDS["constant"](), 50_000))[SAME] / 50_000 < 0.975


def test_cyclic_goes_round_and_periodic_does_not():
    assert say(KINDS["cyclic"](), 13) == [*PERIOD, *PERIOD, PERIOD[0]]
    assert say(KINDS["periodic"](), 12)[:6] != say(KINDS["periodic"](), 12)[6:]


def test_a_stream_is_its_lines_and_then_the_same_again():
    assert say(stream(iter(["a", "b", "c"])), 7) == ["a", "b", "c", "a", "b", "c", "a"]
