"""
The client API of one panel: which servers there are, and the token of each console.

Every request waits for its turn, says who asks, follows no redirect, and gives a
value or a ``FailedError``. The keys are nowhere but in the header of a request.

Sources: pterodactyl/panel 706db62 routes/api-client.php, ClientController.php,
ServerController.php, WebsocketController.php.
"""

import asyncio
import ssl
import time
from collections.abc import Callable, Collection, Sequence
from http.cookiejar import CookieJar, DefaultCookiePolicy
from types import TracebackType
from typing import Any, Self, TypeVar

import httpx

from archiver import __version__
from archiver.client import addresses, answers
from archiver.client.answers import Server, SocketAddress
from archiver.client.backoff import Retry, classify
from archiver.client.budget import Budget, Ledger, Limits, Priority
from archiver.client.failures import FailedError, Kind, PanelFailure, find_kind
from archiver.console.timing import Timing
from archiver.errors import ConfigError

USER_AGENT = f"console-archiver/{__version__}"
PER_PAGE = 100  # the most that a panel gives
MOST_PAGES = 1000  # a panel that counts on is wrong
OK = 200
TOO_MANY = 429

Value = TypeVar("Value")

_SCOPES = {"all": None, "owned": "owner", "admin": "admin", "admin-all": "admin-all"}


def _wall_clock() -> float:
    return time.time_ns() / 1e9


class Panel:
    """
    One panel and the keys that open it.

    Several keys share the work, each within the limit of its user; a server is asked
    for with the keys that see it.

    Args:
        url: As a browser shows it.
        keys: Client API keys, at least one.
        timing: Gives the longest wait for an answer.
        tls: Which certificates are believed.
        allow_http: Whether sockets may cross a network without encryption, though the
            panel itself is encrypted.
        trust_env: Whether proxies and certificates of the environment count.
        ledger: Keeps the limits; None: a new one.
        clock: Wall clock in seconds; only ``skew`` depends on it.

    """

    def __init__(
        self,
        url: str,
        keys: Sequence[str],
        *,
        timing: Timing,
        tls: ssl.SSLContext | bool = True,
        allow_http: bool = False,
        trust_env: bool = False,
        ledger: Ledger | None = None,
        clock: Callable[[], float] = _wall_clock,
    ) -> None:
        for key in keys:
            if not key.isascii() or not key.isprintable() or not key or " " in key:
                raise ConfigError(
                    "an API key holds characters that no key has",
                    where=url,
                    do="copy it again: one line, nothing before or after it",
                )
        self._api = addresses.find_api(url)
        try:
            httpx.URL(self._api)
        except httpx.InvalidURL as error:
            do = "write it as https://panel.example.com"
            raise ConfigError("the panel's URL is not usable", where=url, do=do) from error
        self.url = url
        self.skew: float | None = None  # seconds that the panel's clock is ahead; +-1
        self.refused: dict[int, PanelFailure] = {}  # keys that the panel does not know
        self._timing = timing
        self._allow_plain = allow_http or not self._api.startswith("https:")
        self._clock = clock
        self._budget = Budget(ledger or Ledger(len(keys)))
        self._headers = [{"Authorization": f"Bearer {key}"} for key in keys]
        self._seen_by: dict[str, set[int]] = {}  # server to keys
        self._http = httpx.AsyncClient(
            headers={"Accept": "application/json", "User-Agent": USER_AGENT},
            verify=tls,
            trust_env=trust_env,
            timeout=timing.request_timeout,  # of each step; below, of all
            follow_redirects=False,
            # A session cookie would make one user of all keys.
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._http.aclose()

    async def list_servers(self, scope: str = "all") -> list[Server]:
        """
        Return the servers that the keys see, each once, in the panel's order.

        A server that moves between two pages while they are read can be missing: call
        it gone only after it was missing twice. The same holds while ``refused`` is
        not empty: the servers of a refused key are not in the list.

        Args:
            scope: ``all`` that the user may see, ``owned``; ``admin`` and ``admin-all``
                give nothing to users who are no administrators.

        Raises:
            FailedError: A key gave no answer, or all keys are refused.

        """
        found: dict[str, Server] = {}
        seen_by: dict[str, set[int]] = {}
        for key in range(len(self._headers)):
            try:
                servers = await self._list_pages(scope, key)
            except FailedError as error:
                if key not in self.refused or len(self.refused) == len(self._headers):
                    raise
                del error  # kept in `refused`; another key may still be good
                continue
            for server in servers:
                found.setdefault(server.uuid, server)
                seen_by.setdefault(server.uuid, set()).add(key)
        self._seen_by = seen_by
        return list(found.values())

    async def server(self, uuid: str) -> Server:
        """
        Return one server as it is now; also in states that give no token.

        Raises:
            FailedError: The panel does not answer, or does not know it.

        """
        url = f"{self._api}/servers/{uuid}"
        content = await self._get(url, {}, Priority.DISCOVERY, self._keys_of(uuid))
        return _read(answers.parse_server, content, url)

    async def websocket(self, uuid: str, priority: Priority) -> SocketAddress:
        """
        Return address and a new token of a server's console; ``Tokens`` shares them.

        Raises:
            FailedError: The panel gives none, or an address that may not be used.

        """
        url = f"{self._api}/servers/{uuid}/websocket"
        content = await self._get(url, {}, priority, self._keys_of(uuid), token_of=uuid)
        address = _read(answers.parse_socket, content, url)
        try:
            usable = addresses.check_socket_url(address.url, allow_plain=self._allow_plain)
        except ValueError as error:
            detail = f"the socket's address {address.url[:200]!r}: {error}"
            raise FailedError(PanelFailure(Kind.SHAPE, url, OK, detail)) from error
        return SocketAddress(usable, address.jwt)

    async def _list_pages(self, scope: str, key: int) -> list[Server]:
        url = self._api
        servers: list[Server] = []
        query = {"per_page": str(PER_PAGE)}
        if (kind := _SCOPES[scope]) is not None:
            query["type"] = kind
        for number in range(1, MOST_PAGES + 1):
            query["page"] = str(number)
            content = await self._get(url, query, Priority.DISCOVERY, {key})
            page = _read(answers.parse_page, content, url)
            servers += page.servers
            if number >= page.pages or not page.servers:
                break
        return servers

    def _keys_of(self, uuid: str) -> Collection[int]:
        """Return the keys to ask with: those that see the server and are not refused."""
        every = range(len(self._headers))
        good = set(every) - self.refused.keys()
        return (self._seen_by.get(uuid, good) & good) or good or set(every)

    async def _get(
        self,
        url: str,
        query: dict[str, str],
        priority: Priority,
        keys: Collection[int],
        *,
        token_of: str | None = None,
    ) -> dict[str, Any]:
        async with self._budget.turn(priority, keys, token_of=token_of) as turn:
            sent = self._clock()
            try:
                async with asyncio.timeout(self._timing.request_timeout):
                    response = await self._http.get(
                        url, params=query, headers=self._headers[turn.key]
                    )
            except (TimeoutError, httpx.RequestError) as error:
                kind, detail = find_kind(error)
                raise FailedError(PanelFailure(kind, url, None, detail)) from error
            date = answers.read_date(response.headers.get("Date"))
            if date is not None:
                # The header has whole seconds: on average half a second has passed.
                self.skew = date + 0.5 - (sent + self._clock()) / 2
            content = answers.parse_json(response.content)
            failure = _describe_answer(response, content, url, date)
            turn.refused = response.status_code == TOO_MANY
            turn.limits = Limits(
                limit=_read_count(response.headers.get("X-RateLimit-Limit")),
                remaining=_read_count(response.headers.get("X-RateLimit-Remaining")),
                retry_after=failure.retry_after if failure is not None else None,
            )
            if failure is not None and classify(failure).retry is Retry.NEVER:
                self.refused[turn.key] = failure
            else:
                self.refused.pop(turn.key, None)
        if failure is not None or content is None:
            raise FailedError(failure or PanelFailure(Kind.WEB_PAGE, url, response.status_code))
        return content


def _read(parse: Callable[[dict[str, Any]], Value], content: dict[str, Any], url: str) -> Value:
    try:
        return parse(content)
    except ValueError as error:
        raise FailedError(PanelFailure(Kind.SHAPE, url, OK, str(error))) from error


def _describe_answer(
    response: httpx.Response, content: dict[str, Any] | None, url: str, date: float | None
) -> PanelFailure | None:
    """Return what is wrong with an answer; None: nothing."""
    status = response.status_code
    if status == OK and content is not None:
        return None
    detail = answers.parse_detail(content) if content is not None else ""
    if response.is_redirect:
        detail = response.headers.get("Location", "")
    wait = answers.read_retry_after(response.headers.get("Retry-After"), detail, date)
    kind = Kind.WEB_PAGE if content is None else Kind.STATUS
    return PanelFailure(kind, url, status, detail, wait)


def _read_count(text: str | None) -> int | None:
    return int(text[:9]) if text and text.isascii() and text.isdigit() else None
