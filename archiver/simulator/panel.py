"""
The panel's client API: a request in, a response out, with the bodies of the real one.

Source: pterodactyl/panel 706db62 (routes/api-client.php, app/Exceptions/Handler.php,
app/Transformers/Api/Client/*, Server.php) and 01fe4ba app/Enum/ResourceLimit.php;
Laravel's ThrottleRequests for the limits.
"""

import json
from collections.abc import Mapping
from email.utils import formatdate
from hashlib import md5
from typing import Any, NamedTuple
from urllib.parse import parse_qs, urlencode, urlsplit

from archiver.simulator import tokens
from archiver.simulator.clock import SECOND, Clock
from archiver.simulator.counters import Counters
from archiver.simulator.daemon import GameServer
from archiver.simulator.limits import Minute
from archiver.simulator.settings import Settings

Fields = dict[str, Any]

RESOURCES_CACHED = 20 * SECOND
LOGIN = "<!DOCTYPE html>\n<html><head><title>Login</title></head><body></body></html>\n"
TOO_MANY = 429
DETAILS = {
    401: ("AuthenticationException", "Unauthenticated."),
    404: ("NotFoundHttpException", "The requested resource could not be found on the server."),
    405: ("MethodNotAllowedHttpException", "The method is not supported for this route."),
    409: ("ServerStateConflictException", "This server is currently in an unsupported state."),
    TOO_MANY: ("ThrottleRequestsException", "Too Many Attempts."),
    500: ("HttpException", "An unexpected error was encountered while processing this request."),
    503: ("ServiceUnavailableHttpException", "Service Unavailable"),
}
APPLICATION_KEY = "You are attempting to use an application API key on an endpoint that requires a client API key."
NO_CONNECT = "You do not have permission to connect to this server's websocket."
SUSPENDED = "This server is currently suspended and the functionality requested is unavailable."
INSTALLING = "This server has not yet completed its installation process, please try again later."


class Response(NamedTuple):
    """One HTTP response."""

    status: int
    headers: dict[str, str]
    body: bytes


class Panel:
    """
    One panel and its account.

    Args:
        clock: The time of the nodes.
        settings: Those of its world.
        servers: By uuid; deleted ones are skipped.
        counters: Where it counts.
        api_key: The account's key.

    """

    def __init__(
        self,
        clock: Clock,
        settings: Settings,
        servers: Mapping[str, GameServer],
        counters: Counters,
        api_key: str,
    ) -> None:
        self.url = "http://127.0.0.1:8000"  # as clients reach it; sockets are there too
        self.api_key = api_key
        self.skew = 0.0  # seconds that this clock is ahead of the nodes'
        self._clock = clock
        self._settings = settings
        self._servers = servers
        self._counters = counters
        self._faults: list[tuple[str, Response]] = []
        self._requests = Minute(settings.requests_a_minute)
        limited = settings.limited and settings.token_limit
        self._tokens = {uuid: Minute(settings.token_limit or 0) for uuid in servers if limited}
        self._resources: dict[str, tuple[int, Fields]] = {}
        self._numbers = {uuid: number for number, uuid in enumerate(servers, start=1)}
        self._issued = 0

    @property
    def now(self) -> int:
        """The panel's own time."""
        return self._clock.now + int(self.skew * SECOND)

    def fail_requests(self, status: int, count: int, body: str | None, containing: str) -> None:
        """Answer the next *count* requests whose path contains *containing* so."""
        if body is None:
            response = _error(status, detail=DETAILS.get(status, DETAILS[500])[1])
        else:
            kind = (
                "text/html; charset=UTF-8" if body.lstrip().startswith("<") else "application/json"
            )
            response = Response(status, {"Content-Type": kind}, body.encode())
        if status in (429, 503):
            response.headers["Retry-After"] = "5"
        self._faults += [(containing, response)] * count

    def respond(self, method: str, path: str, headers: Mapping[str, str]) -> Response:
        """
        Return what the panel answers.

        Args:
            method: The HTTP method.
            path: With its query.
            headers: Names in lower case.

        """
        route = urlsplit(path)
        self._counters.count("requests", "", self._clock.now)
        match route.path.split("/"):
            case ["", "api", "client", "servers", wanted, "websocket"]:
                # Also those that fail: a client that goes on asking is what a limit is against.
                server = self._find(wanted)
                uuid = server.uuid if server else wanted
                self._counters.count("token requests", uuid, self._clock.now)
        response = self._fault(route.path) or self._respond(
            method, route.path, route.query, headers
        )
        if response.status == TOO_MANY:
            self._counters.count("refused", "", self._clock.now)
        response.headers["Date"] = formatdate(self.now / SECOND, usegmt=True)
        return response

    def _fault(self, path: str) -> Response | None:
        for number, (containing, response) in enumerate(self._faults):
            if containing in path:
                del self._faults[number]
                return response._replace(headers=dict(response.headers))
        return None

    def _respond(self, method: str, path: str, query: str, headers: Mapping[str, str]) -> Response:
        if not path.startswith("/api/client"):
            return Response(200, {"Content-Type": "text/html; charset=UTF-8"}, LOGIN.encode())
        key = headers.get("authorization", "").removeprefix("Bearer ")
        if key != self.api_key:
            return self._refuse_key(key, headers.get("accept", ""))
        if method != "GET":
            return _error(405)
        if not self._requests.take(self._clock.now):
            return self._too_many(self._requests)
        response = self._route(path.removeprefix("/api/client").strip("/").split("/"), query)
        self._show_limit(response, self._requests)
        return response

    def _refuse_key(self, key: str, accept: str) -> Response:
        if key.startswith(("ptla_", "papp_")):
            return _error(403, "AccessDeniedHttpException", APPLICATION_KEY)
        if "json" in accept:
            return _error(401)
        return Response(302, {"Location": "/auth/login", "Content-Type": "text/html"}, b"")

    def _route(self, parts: list[str], query: str) -> Response:
        match parts:
            case [""]:
                return self._list(query)
            case ["servers", wanted]:
                server = self._find(wanted)
                return self._view(server) if server else _error(404)
            case ["servers", wanted, "websocket" | "resources" as what]:
                server = self._find(wanted)
                if server is None:
                    return _error(404)
                conflict = self._conflict(server, what)
                if conflict is not None:
                    return conflict
                return self._token(server) if what == "websocket" else self._resources_of(server)
            case _:
                return _error(404)

    def _find(self, wanted: str) -> GameServer | None:
        for server in self._servers.values():
            if wanted in (server.uuid, server.identifier) and not server.deleted:
                return server
        return None

    def _conflict(self, server: GameServer, what: str) -> Response | None:
        if server.suspended and not (
            what == "websocket" and self._settings.generation == "pelican"
        ):
            return _error(409, detail=SUSPENDED)
        if server.installing:
            return _error(409, detail=INSTALLING)
        return None

    def _attributes(self, server: GameServer) -> Fields:
        status = "suspended" if server.suspended else "installing" if server.installing else None
        return {
            "server_owner": True,
            "identifier": server.identifier,
            "internal_id": self._numbers[server.uuid],
            "uuid": server.uuid,
            "name": server.name,
            "node": server.node.name,
            "is_node_under_maintenance": False,
            "description": "",
            "limits": {"memory": self._settings.memory_limit // 1024**2, "disk": 0, "cpu": 0},
            "status": status,
            "is_suspended": server.suspended,
            "is_installing": server.installing,
            "is_transferring": False,
        }

    def _list(self, query: str) -> Response:
        words = {name: values[-1] for name, values in parse_qs(query).items()}
        servers = [server for server in self._servers.values() if not server.deleted]
        if words.get("type", "").startswith("admin"):
            servers = []  # the account is no administrator: empty, not an error
        for name, wanted in words.items():
            if name.startswith("filter["):
                field = name[len("filter[") : -1]
                servers = [s for s in servers if wanted.lower() in _searched(s, field).lower()]
        size = min(max(_number(words.get("per_page"), 50), 1), 100)
        page = max(_number(words.get("page"), 1), 1)
        pages = max(-(-len(servers) // size), 1)
        shown = servers[(page - 1) * size : page * size]
        links = {}
        for name, other in (("previous", page - 1), ("next", page + 1)):
            if 1 <= other <= pages:
                links[name] = f"{self.url}/api/client?{urlencode(words | {'page': str(other)})}"
        data = [{"object": "server", "attributes": self._attributes(server)} for server in shown]
        pagination = {
            "total": len(servers),
            "count": len(shown),
            "per_page": size,
            "current_page": page,
            "total_pages": pages,
            "links": links,
        }
        return _json({"object": "list", "data": data, "meta": {"pagination": pagination}})

    def _view(self, server: GameServer) -> Response:
        return _json(
            {
                "object": "server",
                "attributes": self._attributes(server),
                "meta": {"is_server_owner": True, "user_permissions": list(server.permissions)},
            }
        )

    def _token(self, server: GameServer) -> Response:
        if not tokens.permits({"permissions": server.permissions}, "websocket.connect"):
            return _error(403, "HttpForbiddenException", NO_CONNECT)
        limit = self._tokens.get(server.uuid)
        if limit is not None and not limit.take(self._clock.now):
            return self._too_many(limit)
        self._counters.count("tokens", server.uuid, self._clock.now)
        self._issued += 1
        issued_at = self.now // SECOND
        claims = {
            "iss": self.url,
            "aud": [self.url],
            "jti": md5(f"1{server.uuid}".encode(), usedforsecurity=False).hexdigest(),
            "iat": issued_at,
            "nbf": issued_at - 300,
            "exp": issued_at + int(self._settings.token_life),
            "server_uuid": server.uuid,
            "permissions": list(server.permissions),
            "user_uuid": "0f6c5a1e-0000-4000-8000-000000000001",
            "user_id": 1,
            "unique_id": f"{self._issued:016x}",
        }
        if self._settings.limited and self._settings.token_scope:
            claims["scope"] = "websocket"
        socket = f"ws{self.url.removeprefix('http')}/api/servers/{server.uuid}/ws"
        token = tokens.issue(claims, server.node.key)
        response = _json({"data": {"token": token, "socket": socket}})
        if limit is not None:
            self._show_limit(response, limit)
        return response

    def _resources_of(self, server: GameServer) -> Response:
        now = self._clock.now
        cached = self._resources.get(server.uuid)
        if cached is None or now - cached[0] >= RESOURCES_CACHED:
            if not server.node.up:
                return _error(
                    504,
                    "DaemonConnectionException",
                    "Could not establish a connection to the machine running this server. Please try again.",
                )
            stats = server.stats()
            numbers: Fields = {
                "memory_bytes": stats.memory_bytes,
                "cpu_absolute": stats.cpu_absolute,
                "disk_bytes": stats.disk_bytes,
                "network_rx_bytes": stats.rx_bytes,
                "network_tx_bytes": stats.tx_bytes,
            }
            if stats.uptime is not None:
                numbers["uptime"] = stats.uptime
            cached = (
                now,
                {
                    "current_state": stats.state,
                    "is_suspended": server.suspended,
                    "resources": numbers,
                },
            )
            self._resources[server.uuid] = cached
        return _json({"object": "stats", "attributes": cached[1]})

    def _show_limit(self, response: Response, limit: Minute) -> None:
        # Two throttles, one header: the smaller rest is the one shown.
        rest = limit.most - limit.used
        shown = int(response.headers.get("X-RateLimit-Remaining", rest + 1))
        if rest < shown:
            response.headers["X-RateLimit-Limit"] = str(limit.most)
            response.headers["X-RateLimit-Remaining"] = str(rest)

    def _too_many(self, limit: Minute) -> Response:
        response = _error(TOO_MANY)
        self._show_limit(response, limit)
        wait = -(-(limit.ends_at - self._clock.now) // SECOND)
        response.headers["Retry-After"] = str(wait)
        response.headers["X-RateLimit-Reset"] = str(self.now // SECOND + wait)
        return response


def _searched(server: GameServer, field: str) -> str:
    known = {"name": server.name, "uuid": server.uuid}
    return known.get(field, " ".join(known.values()) if field == "*" else "")


def _number(text: str | None, default: int) -> int:
    return int(text) if text and text.isascii() and text.isdigit() else default


def _json(content: Fields, status: int = 200) -> Response:
    return Response(status, {"Content-Type": "application/json"}, json.dumps(content).encode())


def _error(status: int, code: str | None = None, detail: str | None = None) -> Response:
    known_code, known_detail = DETAILS.get(status, DETAILS[500])
    error = {"code": code or known_code, "status": str(status), "detail": detail or known_detail}
    return _json({"errors": [error]}, status)
