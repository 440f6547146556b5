"""A world of silent servers, and sockets that remember what they were sent."""

import json
from typing import Any

import pytest

from archiver.simulator.session import Session
from archiver.simulator.settings import Settings
from archiver.simulator.world import World


class Seen:
    """The far end of one socket in virtual time."""

    def __init__(self, world: World, server: str) -> None:
        self.world = world
        self.server = world.server(server)
        self.frames: list[tuple[int, str, list[str] | None]] = []  # at, event, args
        self.raw: list[bytes] = []
        self.closed: tuple[int, str] | None = None
        session = world.connect(self.server.uuid, world.panel.url, self)
        assert isinstance(session, Session), session
        self.session = session

    def send(self, frame: bytes, at: int, /) -> None:
        message = json.loads(frame)
        self.raw.append(frame)
        self.frames.append((at, message["event"], message.get("args")))

    def close(self, code: int, reason: str, at: int, /) -> None:
        self.closed = (code, reason)

    def say(self, event: str, *args: str | None) -> None:
        self.session.receive(json.dumps({"event": event, "args": list(args)}))

    def authenticate(self, token: str | None = None) -> "Seen":
        self.say("auth", token or fetch_token(self.world, self.server.identifier))
        self.world.pass_time(0.01)
        return self

    def texts(self, event: str = "console output") -> list[str]:
        return [args[0] for _, name, args in self.frames if name == event and args]

    def events(self) -> list[str]:
        return [name for _, name, _ in self.frames]

    def clear(self) -> None:
        self.frames.clear()


def ask(world: World, path: str, **headers: str) -> tuple[int, dict[str, str], Any]:
    """Return status, headers and parsed body of a GET with the account's key."""
    given = {"authorization": f"Bearer {world.api_key}", "accept": "application/json"}
    answer = world.respond("GET", path, given | headers)
    return answer.status, answer.headers, json.loads(answer.body)


def fetch_token(world: World, server: str) -> str:
    """Return a token from the panel."""
    status, _, body = ask(world, f"/api/client/servers/{server}/websocket")
    assert status == 200, body
    return str(body["data"]["token"])


@pytest.fixture
def build():
    """Build a world of silent servers without stats; what a test needs it says."""

    def build_world(**settings: Any) -> World:
        silent: dict[str, Any] = {"games": ("silent",), "stats_interval": 0.0, "token_limit": None}
        return World(Settings(**(silent | settings)))

    return build_world


@pytest.fixture
def world(build):
    return build()


@pytest.fixture(scope="session")
def see():
    """Open a socket to a server; it is not authenticated yet."""
    return Seen


@pytest.fixture
def watch(see):
    """Open a socket to a server and authenticate; what was sent so far is forgotten."""

    def open_socket(world, server="Silent"):
        seen = see(world, server).authenticate()
        assert seen.events()[0] == "auth success"
        seen.clear()
        return seen

    return open_socket


@pytest.fixture(name="ask")
def ask_fixture():
    return ask


@pytest.fixture(name="fetch_token")
def fetch_token_fixture():
    return fetch_token
