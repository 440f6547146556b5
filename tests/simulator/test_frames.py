import json

import pytest

from archiver.simulator.frames import Stats, daemon_line, frame, stats_text

SAMPLE = Stats(
    memory_bytes=1,
    memory_limit_bytes=9_223_372_036_854_771_712,
    cpu_absolute=2.5,
    rx_bytes=3,
    tx_bytes=4,
    uptime=5,
    state="running",
    disk_bytes=6,
    disk_io=None,
)


@pytest.mark.parametrize(
    ("event", "args", "expected"),
    [
        ("token expiring", (), b'{"event":"token expiring"}\n'),
        ("install started", ("",), b'{"event":"install started","args":[""]}\n'),
        (
            "console output",
            ('<é> & "\\ \x1b\t\u2028',),
            b'{"event":"console output","args":["\\u003c\xc3\xa9\\u003e \\u0026 \\"\\\\ \\u001b\\t\\u2028"]}\n',
        ),
    ],
)
def test_a_frame_has_the_bytes_of_go_s_encoder(event, args, expected):
    assert frame(event, *args) == expected


def test_a_daemon_line_is_yellow_and_bold():
    assert daemon_line("pelican", "hi") == "\x1b[33m\x1b[1m[pelican Daemon]:\x1b[39m hi\x1b[0m"


def test_the_answer_to_send_stats_keeps_the_order_of_the_struct_and_exact_numbers():
    assert stats_text(SAMPLE, pushed=False) == (
        '{"memory_bytes":1,"memory_limit_bytes":9223372036854771712,"cpu_absolute":2.5,'
        '"network":{"rx_bytes":3,"tx_bytes":4},"uptime":5,"state":"running","disk_bytes":6}'
    )


def test_a_pushed_sample_is_alphabetical_and_went_through_float64():
    assert stats_text(SAMPLE, pushed=True) == (
        '{"cpu_absolute":2.5,"disk_bytes":6,"memory_bytes":1,'
        '"memory_limit_bytes":9223372036854772000,"network":{"rx_bytes":3,"tx_bytes":4},'
        '"state":"running","uptime":5}'
    )


def test_what_a_daemon_does_not_say_is_left_out():
    assert "uptime" not in json.loads(stats_text(SAMPLE._replace(uptime=None), pushed=True))
    sample = json.loads(stats_text(SAMPLE._replace(disk_io=(7, 8)), pushed=True))
    assert sample["disk_io"] == {"read_bytes": 7, "write_bytes": 8}
