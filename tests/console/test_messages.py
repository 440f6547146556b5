import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archiver.console import messages
from archiver.console.lines import scrub
from archiver.console.messages import (
    INT64_MAX,
    UNKNOWN_KEPT,
    AuthSuccess,
    BackupCompleted,
    BackupRestoreCompleted,
    ConsoleOutput,
    DaemonError,
    DaemonMessage,
    Deleted,
    FeatureMatch,
    InstallCompleted,
    InstallOutput,
    InstallStarted,
    JwtError,
    Message,
    Stats,
    Status,
    TextMessage,
    Throttled,
    TokenExpired,
    TokenExpiring,
    TransferLogs,
    TransferStatus,
    Unknown,
    event_row,
    parse_message,
)

STATS = {
    "memory_bytes": 588_701_696,
    "memory_limit_bytes": 4_294_967_296,
    "cpu_absolute": 45.235,
    "network": {"rx_bytes": 5_020, "tx_bytes": 1_536},
    "uptime": 61_225,
    "state": "running",
    "disk_bytes": 1_234_567,
}
SAMPLE = Stats(
    memory_bytes=588_701_696,
    memory_limit_bytes=4_294_967_296,
    cpu_absolute=45.235,
    rx_bytes=5_020,
    tx_bytes=1_536,
    disk_bytes=1_234_567,
    disk_read_bytes=None,
    disk_write_bytes=None,
    uptime_ms=61_225,
    state="running",
)

any_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(codec=None)),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=12,
)
stats_like = st.fixed_dictionaries(
    {},
    optional={name: any_json | st.integers(0, 2**70) for name in [*STATS, "disk_io"]},
)
event_names = st.sampled_from(sorted(messages._READ)) | st.text(max_size=5)


def frame(event: object, *args: object) -> str:
    return json.dumps({"event": event, "args": args})


def stats(**changes: object) -> Message:
    return parse_message(frame("stats", json.dumps(STATS | changes)))


def texts(value: object) -> list[str]:
    """Return all text in a message."""
    names = [name for kind in type(value).__mro__ for name in getattr(kind, "__slots__", ())]
    found = [getattr(value, name) for name in names]
    parts = [part for one in found for part in (one if isinstance(one, tuple) else [one])]
    return [part for part in parts if isinstance(part, str)]


@pytest.mark.parametrize(
    ("received", "message"),
    [
        ('{"event":"auth success"}\n', AuthSuccess()),
        ('{"event":"auth success","args":[]}', AuthSuccess()),
        (frame("auth success", "control.console"), AuthSuccess(("control.console",))),
        (frame("status", "running"), Status("running")),
        (frame("console output", "a\u001b[0m"), ConsoleOutput("a\x1b[0m")),
        (frame("console output", ""), ConsoleOutput("")),
        (frame("console output", "a", "b"), ConsoleOutput("ab")),
        (frame("console output", None, "b"), ConsoleOutput("b")),
        (r'{"event":"console output","args":["\u003cb\u003e"]}', ConsoleOutput("<b>")),
        (frame("daemon message", "(restoring): x"), DaemonMessage("(restoring): x")),
        (frame("daemon error", "Error Event [1]: x"), DaemonError("Error Event [1]: x")),
        (frame("jwt error", "jwt: exp"), JwtError("jwt: exp")),
        (frame("install started", ""), InstallStarted()),
        (frame("install output", "x"), InstallOutput("x")),
        (frame("install completed", ""), InstallCompleted()),
        (frame("backup completed", "{}"), BackupCompleted("{}")),
        (frame("backup restore completed", ""), BackupRestoreCompleted()),
        (frame("transfer logs", "x"), TransferLogs("x")),
        (frame("transfer status", "processing"), TransferStatus("processing")),
        (frame("deleted", "null"), Deleted()),
        (frame("feature match", "{}"), FeatureMatch("{}")),
        (frame("throttled", "send logs"), Throttled("send logs")),
        ('{"event":"token expiring"}', TokenExpiring()),
        ('{"event":"token expired"}', TokenExpired()),
        ('{"event":"token expired","args":null}', TokenExpired()),
    ],
)
def test_every_event_of_a_daemon_is_known(received, message):
    assert parse_message(received) == message
    assert parse_message(received.encode()) == message


def test_every_kind_of_message_is_read_under_its_own_name():
    kinds = {*Message.__subclasses__(), *TextMessage.__subclasses__()}
    # The two without a name: slots make a second class of a decorated one.
    assert {kind.event for kind in kinds} - {""} == set(messages._READ)


DEEP = "[" * 100_000 + "]" * 100_000


@pytest.mark.parametrize(
    ("received", "name"),
    [
        ("", None),
        ("not JSON", None),
        ("[]", None),
        ("null", None),
        ("1", None),
        ("1" * 5_000, None),
        ("{}", None),
        ('{"event":null}', None),
        ('{"event":1,"args":[]}', None),
        ('{"event":["status"],"args":[]}', None),
        (DEEP, None),
        ('{"event":"x","args":' + DEEP + "}", None),
        ('{"event":"new thing"}', "new thing"),
        ('{"event":"new thing","args":null}', "new thing"),
        ('{"event":"new thing","args":[1,{"a":[]}]}', "new thing"),
        ('{"event":"new thing","args":{"a":1}}', "new thing"),
        ('{"event":"new \\ud800\\u0000"}', "new \ufffd\u2400"),
        # A known name in a form of its own is no event of that name.
        ('{"event":"console output"}', None),
        ('{"event":"console output","args":null}', None),
        ('{"event":"console output","args":[1]}', None),
        ('{"event":"console output","args":"text"}', None),
        ('{"event":"status"}', None),
        ('{"event":"status","args":[""]}', None),
        ('{"event":"stats"}', None),
        (frame("stats", "[" * 100_000), None),
        (frame("stats", "[]"), None),
        (frame("stats", '"text"'), None),
        (frame("stats", "{}"), None),
    ],
    ids=lambda value: str(value)[:40],
)
def test_anything_else_is_kept_as_it_came(received, name):
    assert parse_message(received) == Unknown(name, scrub(received[:UNKNOWN_KEPT]))


def test_a_binary_frame_is_read_as_utf8():
    received = b'{"event":"console output","args":["\xff\xc3\xa4 \xf0\x9f"]}'
    assert parse_message(received) == ConsoleOutput("\ufffd\u00e4 \ufffd")
    assert parse_message(b"\xff\xfe\0") == Unknown(None, "\ufffd\ufffd\u2400")


def test_nul_and_lone_surrogates_are_replaced():
    received = r'{"event":"console output","args":["a\u0000\ud83db\ude00"]}'
    assert parse_message(received) == ConsoleOutput("a\u2400\ufffdb\ufffd")
    assert parse_message(frame("status", "\0")) == Status("\u2400")
    assert parse_message(frame("auth success", "\0")) == AuthSuccess(("\u2400",))


def test_a_line_of_a_mebibyte_is_whole():
    line = "\u4e2d" * 2**20
    assert parse_message(frame("console output", line)) == ConsoleOutput(line)


def test_of_an_unknown_frame_only_the_beginning_is_kept():
    message = parse_message(frame("x" * 1_000, "y" * 2**20))
    assert isinstance(message, Unknown)
    assert message.name == "x" * 100
    assert len(message.frame) == UNKNOWN_KEPT


@given(st.text(st.characters(codec=None)) | st.binary() | any_json.map(json.dumps))
def test_no_frame_raises(received):
    assert isinstance(parse_message(received), Message)


@given(event_names, any_json | st.lists(any_json | stats_like.map(json.dumps), max_size=2))
def test_no_arguments_raise_and_all_text_is_storable(event, args):
    message = parse_message(json.dumps({"event": event, "args": args}))
    assert isinstance(message, Message)
    for text in (*texts(message), *event_row(message)):
        text.encode()
        assert "\0" not in text


def test_a_sample_is_read():
    assert stats() == SAMPLE


def test_a_pushed_sample_equals_the_answer_to_send_stats():
    # Pushed ones went through a map in Go: sorted keys, and every number a float.
    pushed = json.dumps(STATS | {"uptime": 61_225.0, "memory_bytes": 588_701_696.0}, sort_keys=True)
    assert parse_message(frame("stats", pushed)) == SAMPLE


def test_a_sample_without_what_some_daemons_leave_out():
    message = parse_message(frame("stats", '{"memory_bytes":5}'))
    assert message == Stats(5, 0, 0.0, 0, 0, 0, None, None, None, None)


def test_a_pelican_sample_has_disk_counters():
    message = stats(disk_io={"read_bytes": 7, "write_bytes": 8}, network=None)
    assert isinstance(message, Stats)
    assert (message.disk_read_bytes, message.disk_write_bytes) == (7, 8)
    assert (message.rx_bytes, message.tx_bytes) == (0, 0)


@pytest.mark.parametrize("limit", [2**63, 2**64 - 1, 1e300, 10**400])
def test_numbers_are_clamped_to_what_a_column_holds(limit):
    message = stats(memory_limit_bytes=limit)
    assert isinstance(message, Stats)
    assert message.memory_limit_bytes == INT64_MAX


@pytest.mark.parametrize(
    "change",
    [
        {"cpu_absolute": math.nan},
        {"cpu_absolute": math.inf},
        {"cpu_absolute": 10**400},
        {"memory_bytes": math.nan},
        {"memory_bytes": "5"},
        {"memory_bytes": None},
        {"memory_bytes": True},
        {"network": 5},
        {"network": [1]},
        {"disk_io": "read_bytes"},
        {"uptime": "1"},
    ],
)
def test_a_sample_with_impossible_values_is_kept_as_it_came(change):
    assert isinstance(stats(**change), Unknown)


def test_a_state_that_is_no_text_is_none():
    message = stats(state=5)
    assert isinstance(message, Stats)
    assert message.state is None


@pytest.mark.parametrize(
    ("message", "row"),
    [
        (Unknown(None, "x"), ("unreadable", '["x"]')),
        (Unknown("new thing", "{\u00e4}"), ("new thing", '["{\u00e4}"]')),
        (BackupCompleted("{}"), ("backup completed", '["{}"]')),
        (Deleted(), ("deleted", "[]")),
    ],
)
def test_events_are_kept_with_their_arguments(message, row):
    assert event_row(message) == row


def test_what_a_client_sends():
    assert [
        messages.auth("ey.J.w"),
        messages.send_logs(),
        messages.send_stats(),
        messages.send_command('say "hi"\n'),
        messages.set_state("restart"),
    ] == [
        '{"event":"auth","args":["ey.J.w"]}',
        '{"event":"send logs","args":[null]}',
        '{"event":"send stats","args":[null]}',
        '{"event":"send command","args":["say \\"hi\\"\\n"]}',
        '{"event":"set state","args":["restart"]}',
    ]
