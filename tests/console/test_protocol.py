"""Each test is a dialogue with one daemon: frames in, messages and events out."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archiver.console.messages import ConsoleOutput, Stats
from archiver.console.protocol import (
    Authenticated,
    Connection,
    LogsThrottled,
    Refused,
    Renewed,
    TokenWanted,
    Withheld,
)
from archiver.console.timing import Timing

TIMING = Timing()
ANSWER = "Error Event [0d9f]: "
EXPIRED = "jwt: exp claim is invalid"
DENYLIST = "jwt: created too far in past (denylist)"


def frame(event: str, *args: object) -> str:
    return json.dumps({"event": event, "args": args})


SUCCESS = frame("auth success")


class Talk:
    """One socket, and what came of each thing that happened to it."""

    def __init__(self, timing: Timing = TIMING) -> None:
        self.connection = Connection(timing)
        self.now = 0.0

    def token(self, jwt: str = "one", *, renew_in: float = 510.0) -> list[Any]:
        self.connection.authenticate(jwt, renew_at=self.now + renew_in, now=self.now)
        return self.came()

    def hear(self, event: str, *args: object) -> list[Any]:
        self.connection.receive_frame(frame(event, *args), self.now)
        self.connection.advance(self.now)
        return self.came()

    def wait(self, seconds: float) -> list[Any]:
        """Let time pass, with a call whenever one is due."""
        end = self.now + seconds
        while (due := self.connection.next_due()) is not None and due <= end:
            assert due >= self.now, "advance left something that was due"
            self.now = due
            self.connection.advance(due)
            if self.connection.next_due() == due:
                pytest.fail("due again at the same moment")
        self.now = end
        return self.came()

    def came(self) -> list[Any]:
        sent = [json.loads(text) for text in self.connection.messages_to_send()]
        return [
            *((message["event"], *message["args"]) for message in sent),
            *self.connection.events(),
        ]

    def live(self) -> "Talk":
        self.token()
        self.hear("auth success")
        return self


def test_a_connection_is_live_from_the_first_success_on():
    talk = Talk()
    assert talk.connection.next_due() is None
    assert talk.token("one") == [("auth", "one")]
    assert [talk.connection.is_live, talk.hear("auth success")] == [False, [Authenticated()]]
    assert talk.connection.is_live
    assert talk.came() == []


def test_success_with_arguments_is_a_success():
    talk = Talk()
    talk.token()
    assert talk.hear("auth success", "control.read-console") == [Authenticated()]


def test_every_frame_is_given_back_as_a_message():
    talk = Talk().live()
    said = talk.connection.receive_frame(frame("console output", "x"), 1.0)
    assert said == ConsoleOutput("x")
    said = talk.connection.receive_frame(frame("stats", '{"memory_bytes":1}'), 1.0)
    assert isinstance(said, Stats)
    assert talk.came() == []


@pytest.mark.parametrize("ask", ["ask_stats", "ask_logs"])
def test_nothing_is_asked_before_the_first_success(ask):
    talk = Talk()
    with pytest.raises(RuntimeError):
        getattr(talk.connection, ask)()
    talk.token()
    with pytest.raises(RuntimeError):
        getattr(talk.connection, ask)()
    assert talk.came() == []


def test_what_is_asked_goes_out_with_null_arguments():
    talk = Talk().live()
    talk.connection.ask_stats()
    talk.connection.ask_logs()
    talk.connection.send_command("stop")
    talk.connection.set_state("kill")
    assert talk.came() == [
        ("send stats", None),
        ("send logs", None),
        ("send command", "stop"),
        ("set state", "kill"),
    ]


def test_no_answer_to_auth_ends_the_connection():
    talk = Talk()
    talk.token()
    assert talk.wait(9.9) == []
    assert talk.wait(0.2) == [Refused("no answer to auth in 10 s", None, slow=False)]
    assert talk.connection.is_refused
    assert talk.wait(1_000) == []


# Renewal


def test_a_token_is_wanted_when_renewal_is_due_and_once():
    talk = Talk().live()
    assert talk.wait(509.9) == []
    assert talk.wait(0.2) == [TokenWanted("renewal is due")]
    assert talk.wait(1_000) == []
    assert talk.token("two") == [("auth", "two")]
    assert talk.hear("auth success") == [Renewed()]
    assert talk.wait(509.9) == []
    assert talk.wait(0.2) == [TokenWanted("renewal is due")]


@pytest.mark.parametrize("event", ["token expiring", "token expired"])
def test_a_warning_brings_the_renewal_forward_once(event):
    talk = Talk().live()
    assert TokenWanted(event) in talk.hear(event)
    assert not [what for what in talk.hear(event) if isinstance(what, TokenWanted)]
    assert talk.wait(1_000) == []


def test_a_warning_about_the_old_token_does_not_cost_the_next_renewal():
    talk = Talk().live()
    talk.wait(600)
    talk.token("two")
    assert talk.hear("token expiring") == []
    assert talk.hear("auth success") == [Renewed()]
    assert talk.wait(500) == []
    assert talk.wait(20) == [TokenWanted("renewal is due")]


def test_a_token_whose_renewal_is_due_while_it_is_under_way():
    talk = Talk()
    talk.token("one", renew_in=-1.0)
    assert talk.wait(5) == []
    assert talk.hear("auth success") == [Authenticated(), TokenWanted("renewal is due")]


def test_a_renewal_that_is_not_answered_ends_the_connection():
    talk = Talk().live()
    talk.wait(20)
    talk.token("two")
    assert talk.wait(11) == [Refused("no answer to auth in 10 s", None, slow=False)]


# Never two at once, and not too often


def test_a_second_token_waits_for_the_answer_to_the_first():
    talk = Talk()
    assert talk.token("one") == [("auth", "one")]
    talk.wait(1)
    assert talk.token("two") == []
    assert talk.wait(8) == []
    assert talk.hear("auth success") == [Authenticated(), ("auth", "two")][::-1]
    assert talk.hear("auth success") == [Renewed()]


def test_tokens_are_spaced_as_newer_daemons_demand():
    talk = Talk().live()
    assert talk.token("two") == []
    assert talk.wait(5.4) == []
    assert talk.wait(0.2) == [("auth", "two")]


def test_of_two_waiting_tokens_the_newer_is_sent():
    talk = Talk().live()
    talk.token("two")
    talk.token("three")
    assert talk.wait(6) == [("auth", "three")]
    assert talk.hear("auth success") == [Renewed()]
    assert talk.wait(100) == []


@pytest.mark.parametrize("what", ["auth", "global"])
def test_a_throttled_auth_is_sent_again(what):
    talk = Talk()
    talk.token("one")
    came = talk.hear("throttled", what)
    assert came == ([LogsThrottled()] if what == "global" else [])
    assert talk.wait(5.9) == []
    assert talk.wait(0.2) == [("auth", "one")]
    assert talk.hear("auth success") == [Authenticated()]


@pytest.mark.parametrize("what", ["send logs", "global"])
def test_a_throttled_request_for_logs_is_told(what):
    assert Talk().live().hear("throttled", what) == [LogsThrottled()]


@pytest.mark.parametrize("what", ["send stats", "send command", "auth"])
def test_other_throttling_changes_nothing(what):
    talk = Talk().live()
    assert talk.hear("throttled", what) == []
    assert talk.wait(100) == []


# What daemons say of tokens they do not take


@pytest.mark.parametrize(
    ("event", "text", "reason", "do"),
    [
        (
            "jwt error",
            ANSWER + EXPIRED,
            "the daemon calls a fresh token expired",
            "set the clocks of panel and node by NTP: they differ by minutes",
        ),
        (
            "jwt error",
            ANSWER + DENYLIST,
            "the daemon refuses tokens older than its own start",
            "compare the clocks of panel and node: the panel's is behind",
        ),
        (
            "jwt error",
            ANSWER + "jwt: invalid",
            "the daemon refuses the token: 'Error Event [0d9f]: jwt: invalid'",
            None,
        ),
        ("jwt error", EXPIRED, "the daemon calls a fresh token expired", None),
        (
            "daemon error",
            ANSWER + "an unexpected error was encountered while handling this request",
            "the daemon does not accept the token",
            None,
        ),
    ],
)
def test_one_other_token_is_tried_and_then_a_person_is_told(event, text, reason, do):
    talk = Talk()
    talk.token("one")
    assert talk.hear(event, text) == [TokenWanted(reason)]
    assert talk.token("two") == []
    assert talk.wait(6) == [("auth", "two")]
    (refused,) = talk.hear(event, text)
    assert (refused.reason, refused.slow) == (reason, True)
    if do is not None:
        assert refused.do == do
    assert talk.wait(1_000) == []


def test_a_refused_renewal_is_tried_once_more_too():
    talk = Talk().live()
    talk.wait(20)
    talk.token("two")
    assert talk.hear("jwt error", ANSWER + DENYLIST) == [
        TokenWanted("the daemon refuses tokens older than its own start")
    ]
    talk.token("three")
    assert talk.wait(6) == [("auth", "three")]
    assert talk.hear("auth success") == [Renewed()]
    # A later refusal is counted from the beginning.
    talk.wait(20)
    talk.token("four")
    assert [type(what) for what in talk.hear("jwt error", ANSWER + DENYLIST)] == [TokenWanted]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (ANSWER + "jwt: missing connect permission", "lacks the permission websocket.connect"),
        ("jwt: missing connect permission", "lacks the permission websocket.connect"),
        ("jwt: server uuid mismatch", "the token is of another server"),
    ],
)
@pytest.mark.parametrize("live", [True, False])
def test_what_no_token_can_mend_ends_the_connection(text, reason, live):
    talk = Talk()
    talk.token()
    if live:
        talk.hear("auth success")
    (refused,) = talk.hear("jwt error", text)
    assert isinstance(refused, Refused)
    assert reason in refused.reason
    assert refused.do is not None
    assert refused.slow


def test_a_refused_connection_says_and_sends_nothing_more():
    talk = Talk().live()
    talk.hear("jwt error", "jwt: missing connect permission")
    assert talk.hear("jwt error", "jwt: missing connect permission") == []
    assert talk.hear("jwt error", EXPIRED) == []
    assert talk.hear("token expiring") == []
    assert talk.hear("auth success") == []
    assert talk.token("two") == []
    assert talk.wait(1_000) == []
    assert not talk.connection.is_live


def test_no_jwt_present_asks_for_a_token():
    talk = Talk()
    assert talk.hear("jwt error", ANSWER + "jwt: no jwt present") == [
        TokenWanted(ANSWER + "jwt: no jwt present")
    ]


def test_events_withheld_after_the_end_of_a_token_are_told_once():
    talk = Talk().live()
    talk.wait(20)
    assert talk.hear("jwt error", EXPIRED) == [Withheld(), TokenWanted(EXPIRED)]
    for _ in range(36):
        assert talk.hear("jwt error", EXPIRED) == []
    assert talk.token("two") == [("auth", "two")]
    assert talk.hear("jwt error", EXPIRED) == []
    assert talk.hear("auth success") == [Renewed()]
    # Each event is a task of its own in the daemon; an error may be overtaken.
    assert talk.hear("jwt error", EXPIRED) == []
    talk.wait(10)
    assert talk.hear("jwt error", EXPIRED) == [Withheld(), TokenWanted(EXPIRED)]


def test_after_token_expired_events_are_withheld_in_silence():
    assert Talk().live().hear("token expired") == [Withheld(), TokenWanted("token expired")]


def test_a_refused_message_of_ours_is_no_withheld_event():
    text = ANSWER + EXPIRED
    assert Talk().live().hear("jwt error", text) == [TokenWanted(text)]


def test_errors_of_the_daemon_itself_say_nothing_about_the_token():
    talk = Talk()
    assert talk.hear("daemon error", "x") == []
    talk.token()
    talk.hear("daemon error", "x")
    assert talk.hear("daemon error", "x") == []  # nothing is asked at the moment
    talk = Talk().live()
    talk.wait(20)
    talk.token("two")
    assert talk.hear("daemon error", ANSWER + "another power action is being processed") == []


dialogues = st.lists(
    st.sampled_from(
        [
            ("hear", "auth success"),
            ("hear", "jwt error", ANSWER + EXPIRED),
            ("hear", "jwt error", EXPIRED),
            ("hear", "daemon error", "x"),
            ("hear", "token expiring"),
            ("hear", "token expired"),
            ("hear", "throttled", "auth"),
            ("hear", "throttled", "global"),
            ("hear", "status", "running"),
            ("token",),
            ("wait", 0.5),
            ("wait", 4.0),
            ("wait", 700.0),
        ]
    ),
    max_size=30,
)


def is_answer(event: str, args: list[str], *, live: bool) -> bool:
    """Return whether a daemon may say this because of an auth."""
    if event == "jwt error":
        return not live or args[0].startswith(ANSWER)
    return event in {"auth success", "throttled"} or (event == "daemon error" and not live)


@settings(max_examples=300, deadline=None)
@given(dialogues)
def test_never_two_auths_are_outstanding_and_they_are_spaced(script):
    talk = Talk()
    unanswered = False
    last = -1_000.0
    for verb, *args in script:
        if verb == "hear":
            event, *rest = args
            if is_answer(event, rest, live=talk.connection.is_live):
                unanswered = False
            came = talk.hear(event, *rest)
        else:
            came = talk.token() if verb == "token" else talk.wait(args[0])
        if ("auth", "one") in came:
            assert came.count(("auth", "one")) == 1
            assert not unanswered
            unanswered = True
            sent_at = talk.connection._last_auth_at
            assert sent_at is not None
            assert sent_at >= last + TIMING.auth_spacing
            last = sent_at
        if any(isinstance(what, Refused) for what in came):
            assert talk.wait(1_000) == []
            return
