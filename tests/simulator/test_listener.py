from archiver.simulator.world import World


def print_burst(world: World, lines: int) -> None:
    """Print a line every millisecond."""
    for number in range(lines):
        world.print_line("Silent", str(number))
        world.pass_time(0.001)


def test_a_reader_that_stalls_for_300_ms_loses_the_oldest_lines_without_a_mark(world, watch):
    seen = watch(world)
    world.stall(seen.session, 0.3)
    print_burst(world, 200)
    world.pass_time(1)
    got = [int(text) for text in seen.texts()]
    lost = sorted(set(range(200)) - set(got))
    assert got == sorted(got)
    # One is in the hands of the writer, eight wait, then each 10 ms costs one.
    assert lost == list(range(1, 1 + len(lost)))
    assert 25 <= len(lost) <= 30
    assert world.counters.total("lines dropped") == len(lost)
    assert set(seen.events()) == {"console output"}


def test_another_reader_of_the_same_server_only_waits(world, watch):
    slow, fast = watch(world), watch(world)
    world.stall(slow.session, 0.3)
    print_burst(world, 200)
    printed = world.now
    world.pass_time(1)
    assert fast.texts() == [str(number) for number in range(200)]
    assert any(at > printed for at, _, _ in fast.frames)


def test_a_short_stall_loses_nothing(world, watch):
    seen = watch(world)
    world.stall(seen.session, 0.005)
    print_burst(world, 9)
    world.pass_time(1)
    assert seen.texts() == [str(number) for number in range(9)]


def test_the_ring_may_have_another_size(build, watch):
    world = build(ring=0)
    seen = watch(world)
    world.stall(seen.session, 0.1)
    print_burst(world, 5)
    world.pass_time(1)
    assert seen.texts() == ["0"]


def test_events_are_dropped_after_10_ms_as_their_channel_has_no_room(world, watch):
    seen = watch(world)
    console = seen.server.console
    world.stall(seen.session, 0.1)
    console.publish("status", "held by the writer")
    world.pass_time(0.02)
    console.publish("status", "lost")
    world.pass_time(0.075)
    console.publish("status", "in time")
    world.pass_time(1)
    assert seen.texts("status") == ["held by the writer", "in time"]
    assert world.counters.total("events dropped") == 1
