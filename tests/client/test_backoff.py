from itertools import islice, pairwise
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archiver.client.backoff import Retry, Verdict, classify, delays, wait_before
from archiver.client.failures import Closed, Failure, Kind, NodeFailure, PanelFailure
from archiver.console.timing import Timing
from archiver.errors import AuthError, RemoteError

SOON, SLOW, NEVER = Retry.SOON, Retry.SLOW, Retry.NEVER
LIST = "https://panel.example/api/client"
SERVER = f"{LIST}/servers/5f1c/websocket"
NODE = "wss://node.example:8080/api/servers/5f1c/ws"
ORIGIN = "https://panel.example"


def of_list(status: int | None, detail: str = "", kind: Kind = Kind.STATUS) -> PanelFailure:
    return PanelFailure(kind, LIST, status, detail)


def of_server(status: int | None, detail: str = "", kind: Kind = Kind.STATUS) -> PanelFailure:
    return PanelFailure(kind, SERVER, status, detail)


def of_node(status: int | None, detail: str = "", kind: Kind = Kind.STATUS) -> NodeFailure:
    return NodeFailure(kind, NODE, ORIGIN, status, detail)


# The details of a 409 and of some 403 are those of pterodactyl/panel 706db62.
ROWS: dict[str, tuple[Failure, Retry, str]] = {
    "unknown key": (of_list(401, "Unauthenticated."), NEVER, "does not know the API key"),
    "unknown key for a token": (of_server(401), NEVER, "does not know the API key"),
    "application key": (
        of_list(
            403,
            "You are attempting to use an application API key on an endpoint that requires a client API key.",
        ),
        NEVER,
        "an application key",
    ),
    "application key for a token": (
        of_server(403, "You are attempting to use an application API key on an endpoint"),
        NEVER,
        "an application key",
    ),
    "address not allowed": (
        of_server(403, "This IP address (192.0.2.1) does not have permission to access the API"),
        SLOW,
        "not allowed from this address",
    ),
    "forbidden": (of_list(403, "This action is unauthorized."), SLOW, "refuses the API key"),
    "no permission": (
        of_server(403, "You do not have permission to connect to this server's websocket."),
        SLOW,
        "may not do this: \"You do not have permission to connect to this server's",
    ),
    "two factors": (
        of_list(400, "Two-factor authentication is required on this account in order to access it"),
        SLOW,
        "demands two-factor",
    ),
    "no such server": (of_server(404), SLOW, "knows no such server"),
    "no API": (of_list(404), SLOW, "no client API"),
    "suspended": (
        of_server(
            409,
            "This server is currently suspended and the functionality requested is unavailable.",
        ),
        SLOW,
        "the server is suspended",
    ),
    "maintenance": (
        of_server(
            409,
            "The node of this server is currently under maintenance and the functionality requested is unavailable.",
        ),
        SLOW,
        "the node is under maintenance",
    ),
    "installing": (
        of_server(
            409,
            "This server has not yet completed its installation process, please try again later.",
        ),
        SLOW,
        "the server is not installed",
    ),
    "restoring": (
        of_server(409, "This server is currently restoring from a backup, please try again later."),
        SLOW,
        "a backup of the server is being restored",
    ),
    "transferring": (
        of_server(
            409,
            "This server is currently being transferred to a new machine, please try again later.",
        ),
        SLOW,
        "moves to another node",
    ),
    "another conflict": (of_server(409, "Busy."), SLOW, "allows no console: 'Busy.'"),
    "too many requests": (of_list(429), SOON, "limits the rate"),
    "too many tokens": (of_server(429), SOON, "limits the rate"),
    "a proxy's limit": (of_list(429, kind=Kind.WEB_PAGE), SOON, "limits the rate"),
    "broken panel": (of_server(500, "An unexpected error"), SOON, "in trouble: HTTP 500"),
    "panel down": (of_list(503, kind=Kind.WEB_PAGE), SOON, "in trouble: HTTP 503"),
    "Cloudflare": (of_list(522, kind=Kind.WEB_PAGE), SOON, "in trouble: HTTP 522"),
    "node behind the panel": (of_server(504, "Could not establish"), SOON, "in trouble: HTTP 504"),
    "odd refusal": (of_list(405, "No."), SLOW, "refuses the request: HTTP 405: 'No.'"),
    "redirect": (of_list(302, "/auth/login", Kind.WEB_PAGE), SLOW, "elsewhere: HTTP 302: '/auth"),
    "JSON redirect": (of_list(301, "https://new.example"), SLOW, "elsewhere: HTTP 301"),
    "web page": (of_list(200, kind=Kind.WEB_PAGE), SLOW, "a web page came"),
    "bot check": (of_server(403, kind=Kind.WEB_PAGE), SLOW, "a web page came"),
    "login of a proxy": (of_list(401, kind=Kind.WEB_PAGE), SLOW, "a web page came"),
    "odd JSON": (of_list(200, "no list of servers", Kind.SHAPE), SLOW, "cannot be used: 'no list"),
    "panel's certificate": (
        of_list(None, "self-signed certificate", Kind.CERTIFICATE),
        SLOW,
        "certificate of the panel is not believed: 'self-signed",
    ),
    "panel's TLS": (of_list(None, "WRONG_VERSION_NUMBER", Kind.TLS), SLOW, "the panel does not sp"),
    "panel's name": (of_list(None, kind=Kind.NAME), SOON, "host name of the panel"),
    "panel gone": (of_list(None, "Connection refused", Kind.UNREACHABLE), SOON, "cannot be reach"),
    "panel frozen": (of_list(None, kind=Kind.TIMEOUT), SOON, "the panel did not answer"),
    "Origin": (of_node(403), SLOW, "the node refuses the Origin 'https://panel.example'"),
    "not on this node": (of_node(404), SLOW, "does not have this server"),
    "thirty sockets": (of_node(400, "Too many open websocket connections."), SLOW, "too many open"),
    "odd handshake": (of_node(400, "Bad Request"), SLOW, "not a daemon's console: HTTP 400"),
    "no upgrade": (of_node(200), SLOW, "not a daemon's console: HTTP 200"),
    "redirected socket": (of_node(302), SLOW, "not a daemon's console: HTTP 302"),
    "node's proxy limits": (of_node(429), SOON, "the node, or a proxy before it, limits"),
    "node down behind a proxy": (of_node(502), SOON, "the node is in trouble: HTTP 502"),
    "node's certificate": (of_node(None, kind=Kind.CERTIFICATE), SLOW, "certificate of the node"),
    "node's TLS": (of_node(None, kind=Kind.TLS), SLOW, "the node does not speak TLS"),
    "node's name": (of_node(None, kind=Kind.NAME), SOON, "host name of the node"),
    "node gone": (of_node(None, kind=Kind.UNREACHABLE), SOON, "the node cannot be reached"),
    "node frozen": (of_node(None, kind=Kind.TIMEOUT), SOON, "the node did not answer in time"),
    "unusable address": (of_node(None, "bad", Kind.SHAPE), SLOW, "cannot be used: 'bad'"),
    "1000": (Closed(1000), SOON, "closed the socket: code 1000"),
    "1000 revoked": (Closed(1000, "permission revoked"), SLOW, "'permission revoked'"),
    "1001": (Closed(1001), SOON, "code 1001"),
    "1001 deleted": (Closed(1001, "server deleted"), SLOW, "was deleted"),
    "1005": (Closed(1005), SOON, "code 1005"),
    "1006": (Closed(1006), SOON, "broke off"),
    "1009": (Closed(1009), SOON, "a message of ours too long"),
    "1009 by us": (Closed(1009, by_us=True), SOON, "a frame over 1 MiB"),
    "1011": (Closed(1011), SOON, "code 1011"),
    "1011 by us": (Closed(1011, "keepalive ping timeout", by_us=True), SOON, "pings"),
    "1012": (Closed(1012, "restart"), SOON, "code 1012: 'restart'"),
    "4400": (Closed(4400), SLOW, "refuses us"),
    "4409": (Closed(4409, "server is suspended"), SLOW, "is suspended"),
    "another code": (Closed(4999), SOON, "code 4999"),
    "closed by us": (Closed(1000, by_us=True), SOON, "we closed"),
}


@pytest.mark.parametrize(("failure", "retry", "what"), ROWS.values(), ids=ROWS)
def test_each_failure_has_its_verdict_and_message(
    failure: Failure, retry: Retry, what: str
) -> None:
    verdict = classify(failure)

    assert verdict.retry is retry
    assert what in verdict.what
    assert "{" not in f"{verdict.what}{verdict.do}"


@pytest.mark.parametrize("failure", [row[0] for row in ROWS.values()], ids=ROWS)
def test_whoever_must_act_is_told_what_to_do_and_where(failure: Failure) -> None:
    verdict = classify(failure)

    if not isinstance(failure, Closed):
        assert verdict.where == failure.url
    if verdict.retry is not SOON and "refuses the request" not in verdict.what:
        assert verdict.do or "deleted" in verdict.what


def test_a_token_is_dropped_only_where_another_can_help() -> None:
    dropped = {name for name, row in ROWS.items() if classify(row[0]).fresh_token}

    assert dropped == {"not on this node", "1000 revoked", "1001 deleted", "4400"}


def test_a_refused_key_is_an_authentication_error_and_nothing_else_is() -> None:
    refused = {
        name for name, row in ROWS.items() if isinstance(classify(row[0]).error(), AuthError)
    }

    assert refused == {
        "unknown key",
        "unknown key for a token",
        "application key",
        "application key for a token",
        "address not allowed",
        "forbidden",
        "two factors",
    }
    assert isinstance(classify(of_list(500)).error(), RemoteError)


def test_a_refused_origin_names_the_origin_and_both_ways_to_mend_it() -> None:
    verdict = classify(of_node(403))

    assert verdict.do is not None
    assert "'https://panel.example'" in verdict.do
    assert "allowed_origins" in verdict.do
    assert "remote:" in verdict.do
    assert "config.yml" in verdict.do


def test_an_error_has_three_lines() -> None:
    error = classify(of_server(404)).error()

    assert str(error) == (
        "the panel knows no such server, or this key's user has no access to it\n"
        "  where: https://panel.example/api/client/servers/5f1c/websocket\n"
        "  do:    check the server's identifier and the user's access"
    )


def test_words_of_the_other_end_cannot_hurt_a_terminal() -> None:
    verdict = classify(of_server(409, "\x1b[2J{code}\n" + "x" * 1000))

    assert "\x1b" not in verdict.what
    assert "\n" not in verdict.what
    assert "{code}" in verdict.what
    assert len(verdict.what) < 300


@given(st.integers(0, 1000), st.text(max_size=40), st.sampled_from(Kind))
def test_every_failure_has_a_verdict(status: int, detail: str, kind: Kind) -> None:
    failures: list[Failure] = [of_list(status, detail, kind), of_server(status, detail, kind)]
    failures += [of_node(status, detail, kind)]
    failures += [Closed(status, detail), Closed(status, detail, by_us=True)]

    assert all(classify(failure).what for failure in failures)


@given(st.integers(), st.floats(0.01, 2))
def test_delays_grow_to_the_most_and_are_never_below_the_first(seed: int, factor: float) -> None:
    timing = Timing().scaled(factor)
    steps = list(islice(delays(timing, Random(seed)), 12))

    assert all(timing.backoff_first <= step <= timing.backoff_most for step in steps)
    assert steps[0] <= 2 * timing.backoff_first
    assert all(step >= timing.backoff_most / 2 for step in steps[6:])
    # In exact steps; the sixth has reached the most, and only varies.
    assert all(after >= before for before, after in pairwise(steps[:5]))


def test_first_delays_differ_from_socket_to_socket(timing: Timing) -> None:
    firsts = sorted(next(delays(timing, Random(seed))) for seed in range(200))

    assert firsts[20] < 1.2
    assert firsts[-20] > 1.8


def test_waits_follow_the_verdict(timing: Timing, random: Random) -> None:
    steps = delays(timing, random)

    def waits(verdict: Verdict) -> list[float | None]:
        return [wait_before(verdict, steps, timing, random) for _ in range(50)]

    assert waits(Verdict(NEVER, "no")) == [None] * 50
    assert all(30 <= (wait or 0) <= 60 for wait in waits(Verdict(SLOW, "wait")))
    assert next(steps) < 2, "the slow ones take no step"
    assert all((wait or 0) >= 30 for wait in waits(Verdict(SOON, "wait"))[-10:])
    assert set(waits(Verdict(SOON, "wait", at_least=100.0))) == {100.0}
