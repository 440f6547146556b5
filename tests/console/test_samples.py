from dataclasses import replace

import pytest

from archiver.console.messages import Stats
from archiver.console.samples import Samples

SECOND = 1_000_000
STATS = Stats(
    memory_bytes=1,
    memory_limit_bytes=2,
    cpu_absolute=3.5,
    rx_bytes=4,
    tx_bytes=5,
    disk_bytes=6,
    disk_read_bytes=7,
    disk_write_bytes=8,
    uptime_ms=9_000,
    state="running",
)


@pytest.fixture
def samples() -> Samples:
    return Samples(10.0)


def up(seconds: float, **other: object) -> Stats:
    return replace(STATS, uptime_ms=round(seconds * 1000), **other)  # type: ignore[arg-type]


def test_a_row_holds_all_of_a_sample(samples):
    row = samples.receive(STATS, 100, 42)
    assert row is not None
    assert tuple(row) == (100, 42, 1, 2, 3.5, 4, 5, 6, 7, 8, 9_000, "running")


def test_one_sample_an_interval_is_kept(samples):
    kept = [n for n in range(31) if samples.receive(up(n), n * SECOND, None)]
    assert kept == [0, 10, 20, 30]


def test_a_change_of_state_is_kept_at_once(samples):
    states = ["running", "running", "stopping", "offline", "offline"]
    kept = [
        n
        for n, state in enumerate(states)
        if samples.receive(up(n, state=state), n * SECOND, None) is not None
    ]
    assert kept == [0, 2, 3]


def test_the_same_sample_sent_twice_is_kept_once(samples):
    # 51: the answer to `send stats` repeats the last pushed sample.
    assert samples.receive(STATS, 0, None)
    assert samples.receive(up(20), 11 * SECOND, None)
    assert not samples.receive(up(20), 22 * SECOND, None)
    assert samples.receive(up(21), 22 * SECOND + 1, None)


def test_without_uptime_equal_samples_are_not_the_same_sample(samples):
    quiet = replace(STATS, uptime_ms=None)
    assert samples.receive(quiet, 0, None)
    assert not samples.receive(quiet, 5 * SECOND, None)
    assert samples.receive(quiet, 10 * SECOND, None)


def test_samples_out_of_order_are_rows_like_others():
    # 52: pushed by tasks of their own, they may overtake each other.
    samples = Samples(0.0)
    rows = [samples.receive(up(n), at, None) for at, n in enumerate([6, 5, 7])]
    assert [row.uptime_ms for row in rows if row] == [6_000, 5_000, 7_000]


def test_two_samples_at_one_moment_are_one_row(samples):
    assert samples.receive(STATS, 5, None)
    assert not samples.receive(up(1, state="stopping"), 5, None)


def test_a_clock_set_back_does_not_stop_the_recording(samples):
    hour = 3_600 * SECOND
    assert samples.receive(up(1), hour, None)
    assert samples.receive(up(2), 0, None)
    assert not samples.receive(up(3), SECOND, None)
    assert samples.receive(up(12), 10 * SECOND, None)
