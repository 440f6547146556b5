import json

import pytest

SURVIVAL = [
    "2026-11-19 14:00:00.000  [14:00:00 INFO]: Starting",
    "2026-11-19 14:00:01.000  Done",
    "-- gap: at least 12 lines, 14:00:12 to 14:02:40, reconnect after 148 s --",
    "2026-11-19 14:02:40.000~ Notch joined the game",
    "2026-11-19 14:02:41.500  Notch left",
]


@pytest.mark.parametrize(
    ("options", "shown"),
    [
        ([], [0, 1, 2, 3, 4]),
        (["-C", "0"], [1, 2]),
        (["-C", "1"], [0, 1, 2, 3]),
        (["-B", "0"], [1, 2, 3, 4]),
        (["-C", "0", "-A", "1"], [1, 2, 3]),
        (["-A", "0", "-B", "1"], [0, 1, 2]),
    ],
)
def test_a_line_is_pointed_at_among_its_neighbours(archiver, archive, options, shown):
    code, out, err = archiver("context", "survival", "65536", "--utc", *options)
    assert (code, err) == (0, "")
    assert out.splitlines() == [
        ("> " if number == 1 else "  ") + SURVIVAL[number] for number in shown
    ]


def test_programs_get_lines_alone(archiver, archive):
    code, out, err = archiver("context", "survival", "65536", "-C", "1", "-o", "ndjson")
    assert [json.loads(line)["seq"] for line in out.splitlines()] == [0, 65536, 2**32]
    assert (code, err) == (0, "1 gap among them, see 'archiver gaps'\n")
    assert archiver("context", "survival", "65536", "-C", "0", "-o", "raw").out == "Done\n"
    csv = archiver("context", "survival", "65536", "-C", "0", "-o", "csv").out
    assert [line.split(",")[2] for line in csv.splitlines()] == ["seq", "65536"]


def test_seqs_are_shown_to_go_on_from(archiver, archive):
    shown = archiver("context", "survival", "65536", "-C", "0", "--seq", "--utc").out
    assert shown.splitlines()[0] == "> 2026-11-19 14:00:01.000  65536 Done"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["survival", "65537"], "'Survival' has no line 65537\n  do:    the nearest are 65536 and"),
        (["*", "0"], "'*' fits 2 servers"),
        (["nobody", "0"], "no server is called 'nobody'"),
        (["survival", "soon"], "'soon' is not a valid integer"),
        (["survival", "0", "-C", "-1"], "-1 is not in the range"),
    ],
)
def test_what_cannot_be_meant_is_refused(archiver, archive, arguments, message):
    code, out, err = archiver("context", *arguments)
    assert (code, out) == (2, "")
    assert message in err


def test_less_begins_with_the_line_in_the_middle(long, on_terminal):
    code, out, _ = on_terminal("context", "long", "30", "-C", "30", typed="q", NO_COLOR="1")
    shown = [number for number in range(60) if f"line {number}\n" in out.replace("\x1b[m", "")]
    assert code == 0
    assert shown[0] in range(15, 25)
    assert shown[-1] in range(35, 45)
