from hypothesis import given, settings
from hypothesis import strategies as st

from archiver.simulator.settings import Settings
from archiver.simulator.world import World


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 3000), st.text("ab \r\n", max_size=4)), max_size=40))
def test_a_listener_gets_the_truth_in_order_whatever_the_lags(printed):
    world = World(Settings(games=("silent",), servers=1, stats_interval=0.0))
    got = []

    class Taker:
        good = True

        def offer_line(self, message):
            got.append(message)
            return True

        def offer_event(self, event, message):
            assert event == "status"

        def force_line(self, message):
            raise AssertionError

    console = world.server("Silent").console
    console.listeners.append(Taker())
    for wait, text in printed:
        world.advance(world.now + wait)
        world.print_line("Silent", text)
        readable = console.replay()
        assert readable == [line.text for line in console.lines[: len(readable)]]
    world.pass_time(1)
    live = [piece for line in console.lines for piece in line.live]
    assert len(got) == len(live)
    # It is in the log in the same order, once the writer is through.
    assert console.replay() == [line.text for line in console.lines]


def test_log_and_live_lag_on_their_own_so_either_may_be_ahead(build, watch):
    ahead = set()
    for seed in range(40):
        world = build(seed=seed)
        seen = watch(world)
        world.print_line("Silent", "line")
        while not (seen.texts() or seen.server.console.replay()):
            world.advance(world.now + 50)
        ahead.add(bool(seen.texts()))
    assert ahead == {True, False}


def test_above_2000_lines_in_100_ms_live_lines_are_dropped_and_the_log_has_them(world, watch):
    seen = watch(world)
    for _ in range(2):
        for number in range(2500):
            world.print_line("Silent", str(number))
        world.pass_time(0.2)
        assert seen.server.console.replay()[-1] == "2499"
        daemon = [text for text in seen.texts() if "Daemon]" in text]
        assert len(daemon) == 1  # once in each episode
        assert "throttling" in daemon[0]
        assert [text for text in seen.texts() if text not in daemon] == [*map(str, range(2000))]
        seen.clear()


def test_daemon_lines_are_live_only(world, watch):
    seen = watch(world)
    seen.server.console.say_as_daemon("hello")
    world.pass_time(1)
    assert seen.texts() == ["\x1b[33m\x1b[1m[Pterodactyl Daemon]:\x1b[39m hello\x1b[0m"]
    assert [line.text for line in seen.server.console.daemon_lines] == seen.texts()
    assert seen.server.console.replay() == []


def test_a_wedged_console_is_silent_for_all_while_stats_and_replays_go_on(build, watch):
    world = build(stats_interval=1.0)
    seen = watch(world)
    seen.server.console.wedged = True
    world.print_line("Silent", "line")
    world.pass_time(5)
    assert seen.texts() == []
    assert len(seen.texts("stats")) >= 4
    assert seen.server.console.replay() == ["line"]
    world.restart_daemon()
    world.pass_time(3)
    after = watch(world)
    world.print_line("Silent", "again")
    world.pass_time(1)
    assert after.texts() == ["again"]


def test_a_line_of_64_kib_hides_everything_after_it_from_the_replay(world):
    for text in ("before", "x" * 70_000, "after"):
        world.print_line("Silent", text)
    world.pass_time(1)
    assert world.server("Silent").console.replay() == ["before"]


def test_a_rotated_log_is_empty_while_the_run_goes_on(world):
    console = world.server("Silent").console
    world.print_line("Silent", "old")
    world.rotate_log("Silent")
    world.print_line("Silent", "new")
    world.pass_time(1)
    assert console.replay() == ["new"]
    assert [line.run for line in console.lines] == [1, 1]


def test_the_log_rotates_by_itself_at_its_size(build):
    world = build(log_size=10_000)
    console = world.server("Silent").console
    shortest = 150
    for number in range(1000):
        world.print_line("Silent", f"{number:04}")
        world.pass_time(0.01)
        shortest = min(shortest, len(console.replay())) if number > 150 else shortest
    assert shortest == 1
