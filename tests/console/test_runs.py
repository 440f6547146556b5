"""Which run is on: status and samples in, runs and changes of status out."""

from collections.abc import Callable
from itertools import count

import pytest

from archiver.console.messages import Stats
from archiver.console.records import Run, StatusChange
from archiver.console.runs import Runs

START = 1_700_000_000_000_000
SECOND = 1_000_000
DAEMON = "\x1b[33m\x1b[1m[Pterodactyl Daemon]:\x1b[39m {}\x1b[0m"


class Server:
    """One server's witnesses, at times in seconds."""

    def __init__(self, run: Run | None = None, status: str | None = None) -> None:
        self.runs = Runs(count(1 if run is None else run.id + 1).__next__, run, status)
        self.last_line: float | None = None

    def status(self, status: str, now: float, *, known_until: float | None = None) -> bool:
        """A status; *known_until*: the first of a connection, -1 of the first one ever."""
        known = None
        if known_until is not None:
            known = 0 if known_until < 0 else at(known_until)
        return self.runs.receive_status(status, at(now), now, known_until=known)

    def sample(self, now: float, uptime: float | None, state: str | None = None) -> int | None:
        stats = Stats(
            1, 1, 0.0, 0, 0, 0, None, None, None if uptime is None else round(uptime * 1000), state
        )
        return self.runs.receive_stats(stats, at(now), now, self.last_line)

    def words(self) -> list[str]:
        return [change.status for change in self.runs.changes]


def at(seconds: float) -> int:
    return START + round(seconds * SECOND)


@pytest.fixture
def server() -> Server:
    return Server()


@pytest.fixture
def resumed() -> Callable[..., Server]:
    """A server whose run 7 began at 0 s, taken up by another process."""

    def resume(status: str = "running", started_at: float | None = 0.0) -> Server:
        run = Run(7, at(1.0), "first", None if started_at is None else at(started_at))
        return Server(run, status)

    return resume


def test_the_first_status_begins_the_first_run(server):
    assert server.runs.run_id is None
    assert server.status("running", 100, known_until=-1)
    assert server.runs.changed == [Run(1, at(100), "first")]
    assert server.runs.changes == [StatusChange(1, at(100), None, "running", None, inferred=False)]


def test_an_offline_server_has_no_run(server):
    assert not server.status("offline", 100, known_until=-1)
    assert server.runs.run is None
    assert server.words() == ["offline"]
    assert server.status("starting", 200)
    assert server.runs.run == Run(1, at(200), "status")


def test_a_server_first_seen_while_it_stops_has_a_run(server):
    assert server.status("stopping", 100, known_until=-1)
    assert not server.status("offline", 101)
    assert server.runs.run == Run(1, at(100), "first", ended_at=at(101))


def test_33_a_restart_that_is_seen(server):
    server.status("running", 100, known_until=-1)
    began = [server.status(word, 200 + n) for n, word in enumerate(["stopping", "offline"])]
    began += [server.status(word, 210 + n) for n, word in enumerate(["starting", "running"])]
    assert began == [False, False, True, False]
    assert [run.ended_at for run in server.runs.changed] == [at(201), None]
    assert server.words() == ["running", "stopping", "offline", "starting", "running"]


def test_a_restart_without_its_offline_is_a_new_run(server):
    server.status("running", 100, known_until=-1)
    assert server.status("starting", 200)
    assert server.runs.run_id == 2


def test_50_equal_neighbours_are_one_change(server):
    server.status("running", 100, known_until=-1)
    for _ in range(2):
        assert not server.status("offline", 200)
    assert server.words() == ["running", "offline"]


def test_50_running_before_starting_is_one_run(server):
    server.status("offline", 100, known_until=-1)
    assert server.status("running", 200)
    assert not server.status("starting", 200.5)
    assert server.runs.run_id == 1
    # The order was wrong; what the samples say for long enough puts it right.
    for second in range(201, 205):
        server.sample(second, second - 200, "running")
    assert server.runs.status == "running"
    assert server.runs.changes[-1].inferred


def test_a_short_run_is_a_run_of_its_own(server):
    server.status("offline", 0, known_until=-1)
    for second in (10.0, 10.5, 11.0):  # a crash loop
        assert server.status("starting", second)
        server.status("offline", second + 0.2)
    assert server.runs.run_id == 3


def test_44_the_same_status_on_another_connection_is_no_change(resumed):
    server = resumed()
    assert not server.status("running", 50, known_until=40)
    assert server.runs.changes == []


def test_a_change_while_nobody_listened_is_dated_by_both_its_bounds(resumed):
    server = resumed()
    assert not server.status("offline", 50, known_until=40)
    (change,) = server.runs.changes
    assert (change.at, change.earliest_at) == (at(50), at(40))
    assert server.runs.run is not None
    assert server.runs.run.ended_at == at(50)


def test_starting_as_first_word_after_running_is_a_new_run(resumed):
    server = resumed()
    assert server.status("starting", 50, known_until=40)
    assert server.runs.run_id == 8


# Uptime


def test_uptime_tells_when_the_run_began(server):
    server.status("running", 100, known_until=-1)
    assert server.sample(101, 61.0) is None
    assert server.runs.run == Run(1, at(100), "first", started_at=at(40))
    assert len(server.runs.changed) == 1


def test_the_start_is_a_running_minimum(server):
    server.status("running", 100, known_until=-1)
    for second, lag in [(101, 2.0), (102, 0.5), (103, 1.5), (104, 0.45)]:
        server.sample(second, second - 40 - lag)
    # 0.05 s less is not worth a row.
    assert server.runs.run is not None
    assert server.runs.run.started_at == at(40.5)


def test_a_sample_before_any_status_begins_the_first_run(server):
    assert server.sample(100, 60.0, "running") is None
    assert server.runs.run == Run(1, at(100), "first", started_at=at(40))


@pytest.mark.parametrize(
    ("uptime", "state"), [(None, "running"), (0.0, "running"), (-1.0, None), (5.0, "offline")]
)
def test_samples_that_tell_no_boot(server, uptime, state):
    server.status("running", 100, known_until=-1)
    server.sample(101, uptime, state)
    assert server.runs.run == Run(1, at(100), "first")


def test_a_fall_of_uptime_is_a_new_run(server):
    server.status("running", 100, known_until=-1)
    server.sample(101, 61.0)
    assert server.sample(202, 2.0) == at(200)
    assert server.runs.run == Run(2, at(202), "uptime", started_at=at(200))
    # Its `starting` comes late.
    assert not server.status("starting", 203)
    assert not server.status("running", 204)
    assert server.runs.run_id == 2


def test_52_samples_out_of_order_are_no_restart(server):
    server.status("running", 100, known_until=-1)
    for now, uptime in [(106, 6.0), (106.1, 5.0), (106.2, 7.0), (107, 4.0)]:
        assert server.sample(now, uptime) is None
    assert server.runs.run_id == 1


def test_a_sample_is_late_where_lines_came_long_after_its_boot(server):
    server.status("running", 100, known_until=-1)
    server.sample(101, 61.0)
    server.last_line = 204.0
    assert server.sample(204, 4.0) is None  # a boot at 200, lines until 204: it hung
    server.last_line = 202.0
    assert server.sample(204.5, 4.0) == at(200.5)


def test_a_late_sample_of_the_container_before_says_nothing(server):
    server.status("running", 100, known_until=-1)
    server.sample(101, 61.0)
    server.status("offline", 200)
    server.status("starting", 210)
    assert server.sample(210.1, 170.0) is None
    assert server.runs.run == Run(2, at(210), "status")
    server.sample(212, 1.0)
    assert server.runs.run == Run(2, at(210), "status", started_at=at(211))


def test_a_stored_run_goes_on_in_another_process(resumed):
    server = resumed()
    server.runs.connect(at(100), 5.0)
    # The same run: its boot is in this process's clock now.
    assert server.runs.receive_stats(sample(98.0), at(100), 5.0, None) is None
    assert server.runs.run_id == 7
    server.runs.connect(at(900), 805.0)  # later connections change nothing
    assert server.runs.receive_stats(sample(20.0), at(900), 805.0, None) == at(880)
    assert server.runs.run_id == 8


def sample(uptime: float) -> Stats:
    return Stats(1, 1, 0.0, 0, 0, 0, None, None, round(uptime * 1000), None)


def test_a_stored_run_without_a_start_takes_the_first_it_hears(resumed):
    server = resumed(started_at=None)
    server.runs.connect(at(100), 5.0)
    assert server.runs.receive_stats(sample(20.0), at(100), 5.0, None) is None
    assert server.runs.run is not None
    assert server.runs.run.started_at == at(80)


# States in samples


def test_49_a_status_that_was_dropped_is_inferred(server):
    server.status("running", 100, known_until=-1)
    server.sample(101, None, "stopping")
    server.sample(102, None, "stopping")
    assert server.words() == ["running"]
    server.sample(103, None, "stopping")
    assert server.runs.changes[-1] == StatusChange(
        1, at(101), None, "stopping", "running", inferred=True
    )


def test_an_inferred_start_is_a_new_run(server):
    server.status("offline", 100, known_until=-1)
    server.sample(200, None, "starting")
    assert server.sample(202, None, "starting") is None
    assert server.runs.run == Run(1, at(200), "status")
    assert server.runs.status == "starting"


@pytest.mark.parametrize("interruption", ["status", "sample", "silence"])
def test_a_dispute_that_ends_infers_nothing(server, interruption):
    server.status("running", 100, known_until=-1)
    server.sample(101, None, "starting")
    if interruption == "status":
        server.status("running", 102)
    else:
        server.sample(102, None, "running" if interruption == "sample" else None)
    server.sample(103.5, None, "starting")
    assert server.words() == ["running"]


def test_states_that_follow_each_other_fast_infer_nothing(server):
    server.status("running", 100, known_until=-1)
    for second, state in [(101, "stopping"), (102, "offline"), (103, "starting")]:
        server.sample(second, None, state)
    assert server.words() == ["running"]


def test_before_the_first_status_nothing_is_inferred(server):
    for second in range(5):
        server.sample(second, None, "running")
    assert server.runs.status is None


# How a run ended


def test_the_daemon_s_words_on_a_crash_are_kept_with_the_run(server):
    server.status("running", 100, known_until=-1)
    server.status("offline", 200)
    server.runs.changed.clear()
    server.runs.receive_daemon_line(DAEMON.format("Exit code: 137"))
    server.runs.receive_daemon_line(DAEMON.format("Out of memory: true"))
    server.runs.receive_daemon_line(DAEMON.format("Aborting automatic restart"))
    (run,) = server.runs.changed
    assert (run.exit_code, run.out_of_memory) == (137, True)


def test_words_on_a_crash_before_any_run_are_not_kept(server):
    server.runs.receive_daemon_line(DAEMON.format("Exit code: 137"))
    assert server.runs.changed == []
