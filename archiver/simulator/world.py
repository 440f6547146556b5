"""
A panel, its nodes and their servers in virtual time, with the truth about all of it.

Nothing here waits or opens a socket. The same settings and the same calls at the same
times give the same frames, byte by byte. Whoever owns a world moves its time
(:meth:`World.advance`) and gives every socket a sink for what is sent to it.
"""

from collections.abc import Callable, Mapping
from random import Random
from typing import NamedTuple, TypeVarTuple
from uuid import UUID

from archiver.simulator import games
from archiver.simulator.clock import SECOND, Clock, seeded
from archiver.simulator.counters import Counters
from archiver.simulator.daemon import GameServer, Node, TrueEvent, TrueLine, TrueRun
from archiver.simulator.panel import Panel, Response
from archiver.simulator.session import Session, Sink
from archiver.simulator.settings import Settings

Ts = TypeVarTuple("Ts")

FIRST_MOMENT = 1_795_442_400 * SECOND  # 2026-11-23 14:00:00 UTC
MOST_SOCKETS = 30  # of one server, where the daemon limits them
KEY_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"


class Refusal(NamedTuple):
    """Why a socket was not opened; status 0: nobody listens."""

    status: int
    body: str


class World:
    """
    One panel with everything behind it.

    A server is named by its identifier, its uuid or its name.

    Args:
        settings: What it is like.

    """

    def __init__(self, settings: Settings | None = None) -> None:
        self.settings = settings or Settings()
        self.counters = Counters()
        random = seeded(self.settings.seed, "world")
        start = FIRST_MOMENT if self.settings.start is None else self.settings.start
        self._clock = Clock(start)
        self._begun = False
        self._sockets_opened = 0
        self._origins: set[str] | None = None  # None: only the panel's own
        key = "ptlc_" + "".join(random.choices(KEY_LETTERS, k=43))
        self._nodes = [
            Node(f"node-{number + 1:02}", random.randbytes(32), start)
            for number in range(self.settings.nodes)
        ]
        self._servers = self._build_servers(random)
        self.panel = Panel(self._clock, self.settings, self._servers, self.counters, key)

    def _build_servers(self, random: Random) -> dict[str, GameServer]:
        servers: dict[str, GameServer] = {}
        kinds = self.settings.games or games.MIXED
        given: dict[str, int] = {}
        for number in range(self.settings.servers):
            kind = kinds[number % len(kinds)]
            title = games.TITLES[kind][given.get(kind, 0) % len(games.TITLES[kind])]
            given[kind] = given.get(kind, 0) + 1
            again = -(-given[kind] // len(games.TITLES[kind]))
            uuid = str(UUID(int=random.getrandbits(128), version=4))
            servers[uuid] = GameServer(
                self._clock,
                self.settings,
                node=self._nodes[number % len(self._nodes)],
                uuid=uuid,
                name=title if again == 1 else f"{title} {again}",
                game=games.GAMES[kind],
            )
        return servers

    # Time

    def begin(self, now: int | None = None) -> None:
        """
        Let the world begin, once; the first use does it where nobody has.

        Args:
            now: The first moment; ``Settings.start`` goes before it.

        """
        if self._begun:
            return
        self._begun = True
        if now is not None and self.settings.start is None:
            self._clock.now = now
        for node in self._nodes:
            node.started_at = self._clock.now - 86_400 * SECOND
        if self.settings.booted:
            for server in self._servers.values():
                server.begin()

    @property
    def now(self) -> int:
        """The time on the nodes, microseconds since the epoch."""
        self.begin()
        return self._clock.now

    def advance(self, until: int) -> None:
        """Let everything happen up to and including that moment."""
        self.begin()
        self._clock.advance(until)

    def pass_time(self, seconds: float) -> None:
        """Let this much time go by."""
        self.advance(self.now + int(seconds * SECOND))

    def next_at(self) -> int | None:
        """Return when something happens next by itself; None if nothing will."""
        self.begin()
        return self._clock.next_at()

    def at(self, time: int, call: Callable[[*Ts], object], *args: *Ts) -> None:
        """Make a call at its time: a schedule of faults is a series of these."""
        self.begin()
        self._clock.at(time, call, *args)

    # What clients do

    @property
    def api_key(self) -> str:
        """The account's key for the client API."""
        return self.panel.api_key

    @property
    def servers(self) -> list[GameServer]:
        """All servers, in the order the panel lists them."""
        self.begin()
        return list(self._servers.values())

    def server(self, wanted: str) -> GameServer:
        """Return one server by identifier, uuid or name."""
        self.begin()
        for server in self._servers.values():
            if wanted in (server.uuid, server.identifier, server.name):
                return server
        raise KeyError(wanted)

    def respond(self, method: str, path: str, headers: Mapping[str, str]) -> Response:
        """Return the panel's answer to a request; header names in lower case."""
        self.begin()
        return self.panel.respond(method, path, headers)

    def refusal(self, uuid: str, origin: str | None) -> Refusal | None:
        """Return why a socket to this server is not upgraded; None if it is."""
        refusal = self._refusal(uuid, origin)
        if refusal is not None:
            self.counters.count("turned away", uuid, self.now)
        return refusal

    def _refusal(self, uuid: str, origin: str | None) -> Refusal | None:
        self.begin()
        server = self._servers.get(uuid)
        if server is not None and not server.node.up:
            return Refusal(0, "")
        if server is None or server.deleted:
            missing = "The requested resource does not exist on this instance."
            return Refusal(404, f'{{"error":"{missing}"}}')
        allowed = {self.panel.url} if self._origins is None else self._origins
        if self.settings.origin_checked and (origin or "") not in allowed:
            return Refusal(403, "Forbidden\n")
        if self.settings.limited and self.counters.open_sockets[uuid] >= MOST_SOCKETS:
            return Refusal(400, '{"error":"Too many open websocket connections."}')
        return None

    def connect(self, uuid: str, origin: str | None, sink: Sink) -> Session | Refusal:
        """
        Open a socket to a server.

        Args:
            uuid: From the path of the socket's URL.
            origin: The ``Origin`` header; None: there was none.
            sink: Takes what is sent.

        """
        refusal = self.refusal(uuid, origin)
        if refusal is not None:
            return refusal
        self._sockets_opened += 1
        random = seeded(self.settings.seed, "socket", self._sockets_opened)
        server = self._servers[uuid]
        return Session(self._clock, self.settings, server, self.counters, random=random, sink=sink)

    # What happens to servers

    def print_line(self, server: str, raw: str | bytes) -> None:
        """Let the game print one line; it may hold newlines and be any bytes."""
        written = raw.encode("utf-8", "replace") if isinstance(raw, str) else raw
        self.server(server).print(written + b"\n")

    def boot(self, server: str) -> None:
        """Start a server."""
        self.server(server).start()

    def stop(self, server: str) -> None:
        """Stop a server as its owner would."""
        self.server(server).stop()

    def restart(self, server: str) -> None:
        """Stop a server and start it again."""
        self.server(server).stop(then_start=True)

    def kill(self, server: str) -> None:
        """Kill a server."""
        self.server(server).kill()

    def crash(self, server: str, exit_code: int = 1, *, out_of_memory: bool = False) -> None:
        """Let a game crash."""
        self.server(server).crash(exit_code, out_of_memory=out_of_memory)

    def rotate_log(self, server: str) -> None:
        """Let the docker log be removed at its 5 MB, now."""
        self.server(server).rotate_log()

    def wedge(self, server: str) -> None:
        """Freeze the live console of a server for everybody; stats and replays go on."""
        self.server(server).wedge()

    def publish(self, server: str, event: str, *args: str) -> None:
        """Send any event to all who listen to a server."""
        self.server(server).publish(event, *args)

    def say_as_daemon(self, server: str, text: str) -> None:
        """Print a daemon line."""
        self.server(server).say_as_daemon(text)

    def suspend(self, server: str, *, cut: bool = True) -> None:
        """
        Suspend a server.

        Args:
            server: Which.
            cut: Close its sockets, as newer daemons do; a restore on Pelican suspends
                without it.

        """
        found = self.server(server)
        found.suspended = True
        if cut:
            if self.settings.limited:
                self._close(found, 1006)
            found.kill()

    def unsuspend(self, server: str) -> None:
        """End the suspension."""
        self.server(server).suspended = False

    def install(self, server: str, *, seconds: float = 5.0) -> None:
        """Install a server again; it must be offline. Its output is for administrators."""
        found = self.server(server)
        found.installing = True
        found.publish("install started", "")
        found.publish(
            "daemon message", "Starting installation process, this could take a few minutes..."
        )
        for step in range(5):
            text = f"fetching part {step + 1} of 5"
            self._clock.after(seconds * step / 5, found.publish, "install output", text)
        self._clock.after(seconds, self._end_install, found)

    def _end_install(self, server: GameServer) -> None:
        server.installing = False
        server.publish("daemon message", "Installation process completed.")
        server.publish("install completed", "")

    def delete(self, server: str) -> None:
        """Delete a server."""
        found = self.server(server)
        found.publish("deleted", "null")
        found.kill()
        found.deleted = True
        self._close(found, 1006 if self.settings.limited else 1001, "server deleted")

    def permit(self, server: str, *permissions: str) -> None:
        """Give new tokens of a server these permissions only; its sockets are cut where newer."""
        found = self.server(server)
        found.permissions = permissions
        if self.settings.limited:
            self._close(found, 1006)

    # Faults

    def drop_sockets(self, server: str | None = None, code: int = 1006, reason: str = "") -> None:
        """Close all sockets of a server, or of all; 1006 cuts without a close frame."""
        for found in self.servers if server is None else [self.server(server)]:
            self._close(found, code, reason)

    def _close(self, server: GameServer, code: int, reason: str = "") -> None:
        for viewer in tuple(server.viewers):
            viewer.close(code, reason)

    def stall(self, session: Session, seconds: float) -> None:
        """Let the reader of one socket be slow for a while."""
        session.pause()
        self._clock.after(seconds, session.resume)

    def restart_daemon(self, node: str | None = None, *, seconds: float = 2.0) -> None:
        """
        Restart the daemon of a node, or of all; the games go on printing.

        Afterwards it refuses tokens issued before it started.
        """
        self.begin()
        for found in self._nodes:
            if node in (None, found.name):
                for server in self._servers.values():
                    if server.node is found:
                        self._close(server, 1006)
                found.up = False
                self._clock.after(seconds, self._start_daemon, found)

    def _start_daemon(self, node: Node) -> None:
        node.up = True
        node.started_at = self._clock.now
        for server in self._servers.values():
            if server.node is node:
                server.attach_again()

    def fail_requests(
        self, status: int, count: int = 1, *, body: str | None = None, containing: str = ""
    ) -> None:
        """
        Let the next requests fail.

        Args:
            status: The HTTP status; 200 with a body of HTML is what a proxy's page looks like.
            count: How many.
            body: Instead of the panel's own error; HTML if it begins with ``<``.
            containing: Only requests with this in their path, such as ``/websocket``.

        """
        self.begin()
        self.panel.fail_requests(status, count, body, containing)

    def refuse_origin(self, *allowed: str) -> None:
        """Let nodes accept only these origins, not the panel's; none given: no origin."""
        self._origins = set(allowed)

    def accept_origin(self) -> None:
        """Let nodes accept the panel's URL as origin again."""
        self._origins = None

    def skew(self, seconds: float) -> None:
        """Set the panel's clock ahead of the nodes' by this much; it may be negative."""
        self.panel.skew = seconds

    # The truth

    def truth(self, server: str) -> list[TrueLine]:
        """Return every line that the game printed, oldest first."""
        return self.server(server).lines

    def runs(self, server: str) -> list[TrueRun]:
        """Return the lives of the game process, oldest first."""
        return self.server(server).runs

    def statuses(self, server: str) -> list[TrueEvent]:
        """Return every change of the status as it really was."""
        return self.server(server).statuses

    def daemon_lines(self, server: str) -> list[TrueEvent]:
        """Return the daemon's lines inside the console, whether or not anybody got them."""
        return self.server(server).daemon_lines

    def commands(self, server: str) -> list[TrueEvent]:
        """Return the commands that reached the game."""
        return self.server(server).commands
