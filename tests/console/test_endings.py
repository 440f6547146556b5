import pytest

from archiver.console.endings import Ending, find_ending

# exit code, out of memory, last status, seen as it came, over
CASES = {
    "goes on": ((None, None, None, True, False), None),
    "memory ran out": ((137, True, "running", True, True), Ending.OUT_OF_MEMORY),
    "memory ran out, no code was heard": ((None, True, None, True, True), Ending.OUT_OF_MEMORY),
    "a code": ((1, False, "running", True, True), Ending.CRASHED),
    "a code, memory not told": ((139, None, "running", True, True), Ending.CRASHED),
    "a negative code": ((-1, False, "running", True, True), Ending.CRASHED),
    "a code, the end was not seen": ((1, False, None, True, False), Ending.CRASHED),
    "a code, though a stop had begun": ((1, False, "stopping", True, True), Ending.CRASHED),
    "code 0: by its own command": ((0, False, "running", True, True), Ending.BY_ITSELF),
    "a stop": ((None, None, "stopping", True, True), Ending.STOPPED),
    "a stop that had begun before nobody listened": (
        (None, None, "stopping", False, True),
        Ending.STOPPED,
    ),
    "from running": ((None, None, "running", True, True), Ending.NO_STOP),
    "from starting": ((None, None, "starting", True, True), Ending.NO_STOP),
    "from running while nobody listened": ((None, None, "running", False, True), Ending.UNSEEN),
    "followed by another run": ((None, None, None, True, True), Ending.UNSEEN),
    "a state of another daemon": ((None, None, "installing", True, True), Ending.UNSEEN),
}


@pytest.mark.parametrize(("told", "ending"), CASES.values(), ids=CASES)
def test_an_ending_is_what_was_told_and_seen(told, ending):
    names = ("exit_code", "out_of_memory", "last_status", "was_seen", "is_over")
    assert find_ending(**dict(zip(names, told, strict=True))) is ending


def test_a_crash_is_what_nobody_stopped_as_far_as_was_seen():
    assert {ending for ending in Ending if not ending.is_crash} == {Ending.STOPPED, Ending.UNSEEN}
