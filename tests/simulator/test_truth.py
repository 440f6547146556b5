import pytest


def test_the_truth_has_each_line_whole_and_as_a_viewer_would_see_it(world, watch):
    seen = watch(world)
    for raw in ("plain", "", "a \rb", b"\xff", "é" * 200, "two\nlines", "x" * 65_800):
        world.print_line("Silent", raw)
    world.pass_time(1)
    truth = world.truth("Silent")
    texts = ["plain", "", "a \rb", "\ufffd", "é" * 200, "two", "lines", "x" * 65_800]
    assert [line.text for line in truth] == texts
    assert [piece for line in truth for piece in line.live] == seen.texts()
    assert [len(line.live) for line in truth] == [1, 0, 1, 1, 1, 1, 1, 2]
    assert {line.run for line in truth} == {1}


@pytest.mark.parametrize("remember", [True, False])
def test_remembering_the_truth_is_a_setting(build, remember):
    world = build(truth=remember)
    world.print_line("Silent", "line")
    assert len(world.truth("Silent")) == remember
