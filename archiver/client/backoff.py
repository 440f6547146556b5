"""
When to try again, and what to say meanwhile: the one place that decides it.

``classify`` turns any failure into a verdict, by tables: the first row that fits
holds. Nothing else in the archiver looks at a status or a close code to find out
whether an attempt is worth repeating.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from random import Random
from typing import NamedTuple

from archiver.client.failures import Closed, Failure, Kind, NodeFailure, PanelFailure
from archiver.console.timing import Timing
from archiver.errors import ArchiverError, AuthError, RemoteError


class Retry(Enum):
    """When another attempt makes sense."""

    SOON = "soon"  # after the next delay of the backoff
    SLOW = "slow"  # a person must act first: look again every 45 s or so
    NEVER = "never"  # not with this key


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a failure means: one clear message, and when to try again."""

    retry: Retry
    what: str
    where: str | None = None
    do: str | None = None
    fresh_token: bool = False  # the cached token is of no use: forget it first
    at_least: float = 0.0  # seconds; the other end asked for that
    key_refused: bool = False  # it is the key, not the server or the way to it

    def error(self) -> ArchiverError:
        """Return the verdict as an error, for where nothing is tried again."""
        kind = AuthError if self.key_refused else RemoteError
        return kind(self.what, where=self.where, do=self.do)


def delays(timing: Timing, random: Random) -> Iterator[float]:
    """
    Yield the seconds before each further attempt, without end.

    The first is ``backoff_first`` or up to twice that, so that the sockets of a
    node which all broke at once do not come back at once; then each step doubles,
    up to ``backoff_most``. Never less than ``backoff_first``. Start anew after
    ``healthy_after`` seconds of live connection, not before.

    """
    high = 2 * timing.backoff_first
    while True:
        high = min(high, timing.backoff_most)
        yield random.uniform(max(high / 2, timing.backoff_first), high)
        high *= 2


def wait_before(
    verdict: Verdict, steps: Iterator[float], timing: Timing, random: Random
) -> float | None:
    """
    Return how long to wait before the next attempt, in seconds.

    Args:
        verdict: Of the failure of the last attempt.
        steps: From ``delays``; goes on by one step where the verdict is SOON.
        timing: Gives the wait of the slow ones, which varies by a third.
        random: Source of the jitter.

    Returns:
        Seconds; None where another attempt with this key makes no sense.

    """
    match verdict.retry:
        case Retry.NEVER:
            return None
        case Retry.SLOW:
            wait = timing.slow_retry * random.uniform(2 / 3, 4 / 3)
        case Retry.SOON:
            wait = next(steps)
    return max(wait, verdict.at_least)


def classify(failure: Failure) -> Verdict:
    """Return what *failure* means."""
    rows: Sequence[_Row]
    match failure:
        case Closed(code, reason, by_us, url):
            return _look_up(_OUR_CLOSES if by_us else _CLOSES, code, reason, url or None)
        case PanelFailure(kind, url, status, detail):
            end, rows, origin = "panel", _PANEL, ""
            if "/servers/" in url:
                rows = (*_SERVER, *_PANEL)
        case NodeFailure(kind, url, origin, status, detail):
            end, rows = "node", _NODE
    wait = failure.retry_after or 0.0
    if kind in _WAYS:
        return _fill(_WAYS[kind], detail, url, end=end)
    if kind is Kind.SHAPE:
        return _fill(_UNUSABLE, detail, url)
    if kind is Kind.WEB_PAGE:
        rows = _WEB_PAGE
    return _look_up(rows, status or 0, detail, url, wait, origin=origin)


class _Row(NamedTuple):
    """What one answer means. In the texts: {code}, {said}, {end}, {origin}."""

    code: int | range | None  # HTTP status, or close code; None: any
    word: str  # is in the other end's words; empty: whatever it says
    retry: Retry
    what: str
    do: str | None = None
    fresh_token: bool = False
    key_refused: bool = False


def _look_up(
    rows: Sequence[_Row], code: int, detail: str, url: str | None, wait: float = 0, **words: str
) -> Verdict:
    """Return the verdict of the first row that fits; the last one of each table always does."""
    for row in rows:
        fits = row.code is None or code == row.code
        if isinstance(row.code, range):
            fits = code in row.code
        if fits and row.word.lower() in detail.lower():
            return _fill(row, detail, url, wait, code=str(code), **words)
    raise AssertionError(rows)


def _fill(row: _Row, detail: str, url: str | None, wait: float = 0, **words: str) -> Verdict:
    # Quoted, the other end's words are harmless to print.
    words["said"] = f": {detail[:200]!r}" if detail else ""
    return Verdict(
        row.retry,
        row.what.format(**words),
        url,
        None if row.do is None else row.do.format(**words),
        row.fresh_token,
        wait,
        row.key_refused,
    )


_SOON, _SLOW, _NEVER = Retry.SOON, Retry.SLOW, Retry.NEVER

_BY_CERTIFICATE = "set ca_file to its authority's certificate; or for a node, verify = false"
_BY_LOOKING = "check that it runs, and that its port is open to this machine"
_BY_NAME = "check the spelling of the address, and the name server of this machine"
_BY_PORT = "compare scheme and port of the address with what listens there"

# No answer came from the panel or node.
_WAYS = {
    kind: _Row(None, "", retry, what, do)
    for kind, retry, what, do in (
        (Kind.TIMEOUT, _SOON, "the {end} did not answer in time", _BY_LOOKING),
        (Kind.UNREACHABLE, _SOON, "the {end} cannot be reached{said}", _BY_LOOKING),
        (Kind.NAME, _SOON, "the host name of the {end} has no address{said}", _BY_NAME),
        (Kind.TLS, _SLOW, "the {end} does not speak TLS as expected{said}", _BY_PORT),
        (
            Kind.CERTIFICATE,
            _SLOW,
            "the certificate of the {end} is not believed{said}",
            _BY_CERTIFICATE,
        ),
    )
}

_UNUSABLE = _Row(
    None,
    "",
    _SLOW,
    "the panel's answer cannot be used{said}",
    "check that the URL is a Pterodactyl-compatible panel's; for sockets, the node's address there",
)

_BUSY = _Row(
    429,
    "",
    _SOON,
    "the panel limits the rate of requests",
    "wait; other programs of the same account share its limit",
)
_TROUBLE = _Row(
    range(500, 600),
    "",
    _SOON,
    "the panel is in trouble: HTTP {code}{said}",
    "wait, or look at the panel and the proxy before it",
)
_ELSEWHERE = _Row(
    range(300, 400),
    "",
    _SLOW,
    "the panel sends us elsewhere: HTTP {code}{said}",
    "set the panel's URL to the address it redirects to",
)

# Something before the panel answered, or this is no panel.
_WEB_PAGE = (
    _BUSY,
    _TROUBLE,
    _ELSEWHERE,
    _Row(
        None,
        "",
        _SLOW,
        "a web page came instead of the panel's API: HTTP {code}",
        "check the panel's URL, and that no login page or bot check stands before it",
    ),
)

# The API answered. pterodactyl/panel 706db62 app/Exceptions, app/Http/Middleware/Api/Client.
_PANEL = (
    _BUSY,
    _TROUBLE,
    _ELSEWHERE,
    _Row(
        401,
        "",
        _NEVER,
        "the panel does not know the API key",
        "create a client API key in your account there, and put it in the key file",
        key_refused=True,
    ),
    _Row(
        403,
        "application API key",
        _NEVER,
        "this is an application key, not a client key",
        "create a client API key (ptlc_, pacc_) in your account, not in the admin area",
        key_refused=True,
    ),
    _Row(
        403,
        "IP address",
        _SLOW,
        "the API key is not allowed from this address",
        "add this machine's address to the allowed addresses of the key",
        key_refused=True,
    ),
    _Row(
        403,
        "",
        _SLOW,
        "the panel refuses the API key{said}",
        "check the account of the key and what it may do",
        key_refused=True,
    ),
    _Row(
        400,
        "two-factor",
        _SLOW,
        "the panel demands two-factor authentication of the key's user",
        "enable it in that account; the key works afterwards",
        key_refused=True,
    ),
    _Row(
        404,
        "",
        _SLOW,
        "there is no client API at this address",
        "set the panel's URL to what a browser shows, without a page",
    ),
    _Row(None, "", _SLOW, "the panel refuses the request: HTTP {code}{said}"),
)

# About one server; goes before the rows above. 409: ServerStateConflictException.php.
_SERVER = (
    *(row for row in _PANEL if row.code == 403 and row.word),  # noqa: PLR2004 - the same of a key
    _Row(
        403,
        "",
        _SLOW,
        "the key's user may not do this{said}",
        "give that user the permission websocket.connect",
    ),
    _Row(
        404,
        "",
        _SLOW,
        "the panel knows no such server, or this key's user has no access to it",
        "check the server's identifier and the user's access",
    ),
    _Row(409, "suspended", _SLOW, "the server is suspended", "unsuspend it, or ask its host"),
    _Row(409, "maintenance", _SLOW, "the node is under maintenance", "wait until its host ends it"),
    _Row(409, "installation", _SLOW, "the server is not installed", "wait; or install it again"),
    _Row(409, "restoring", _SLOW, "a backup of the server is being restored", "wait for its end"),
    _Row(409, "transferred", _SLOW, "the server moves to another node", "wait for its end"),
    _Row(409, "", _SLOW, "the server's state allows no console{said}", "look at it in the panel"),
)

# Wings f1c5bbd router/websocket/websocket.go; pelican-dev/wings 090841d router_server_ws.go.
_NODE = (
    _Row(
        403,
        "",
        _SLOW,
        "the node refuses the Origin {origin!r}",
        "in the node's config.yml, add {origin!r} to allowed_origins; "
        "or set origin here to exactly what its remote: says",
    ),
    _Row(
        404,
        "",
        _SLOW,
        "the node does not have this server",
        "wait if it moves to another; else compare the node in the panel",
        fresh_token=True,  # only the panel knows where it is now
    ),
    _Row(
        400,
        "too many open",
        _SLOW,
        "the server has too many open consoles: a node allows 30",
        "close browser tabs and programs that show this console",
    ),
    _BUSY._replace(what="the node, or a proxy before it, limits the rate of connections"),
    _TROUBLE._replace(
        what="the node is in trouble: HTTP {code}{said}", do="look at it and the proxy before it"
    ),
    _Row(
        None,
        "",
        _SLOW,
        "this is not a daemon's console: HTTP {code}{said}",
        "compare address and port of the node in the panel",
    ),
)

_PERMIT = "give the key's user the permission websocket.connect"

# RFC 6455 section 7.4.1; 44xx: pelican-dev/wings 090841d router/router_server_ws.go.
_CLOSES = (
    _Row(1000, "permission", _SLOW, "the daemon closed the socket{said}", _PERMIT, True),
    _Row(1001, "deleted", _SLOW, "the server was deleted, or moved to another node", None, True),
    # A daemon that restarts, suspends, or withdraws any user's access closes all its
    # sockets like this: the token is good still, and tokens are scarce.
    _Row(1006, "", _SOON, "the connection broke off"),
    _Row(1009, "", _SOON, "the daemon found a message of ours too long"),
    _Row(
        4400,
        "",
        _SLOW,
        "the daemon refuses us this console{said}",
        "look at the server in the panel",
        fresh_token=True,
    ),
    _Row(
        4409,
        "",
        _SLOW,
        "the server is suspended, or a backup is being restored",
        "wait, or ask its host",
    ),
    _Row(None, "", _SOON, "the daemon closed the socket: code {code}{said}"),
)
_OUR_CLOSES = (
    _Row(1009, "", _SOON, "the daemon sent a frame over 1 MiB"),
    _Row(1011, "", _SOON, "the node does not answer pings any more", "check the way to the node"),
    _Row(None, "", _SOON, "we closed the socket: code {code}{said}"),
)
