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
from archiver.simulator.daemon import GameServer, Node, ReplayCut, Viewer
from archiver.simulator.panel import Panel, Response
from archiver.simulator.recovery import GRACE, INTERVAL
from archiver.simulator.session import CUT, Session, Sink
from archiver.simulator.settings import Settings
from archiver.simulator.truth import KnownLine, TrueLine, known_lines

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
            Node(f"node-{number + 1:02}", random.randbytes(32))
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
        return list(self._servers.values())

    def server(self, wanted: str) -> GameServer:
        """Return one server by identifier, uuid or name; KeyError if there is none."""
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
        if server is not None and not (server.node.up and server.unreachable_until <= self.now):
            return Refusal(0, "")
        if server is None or server.deleted or server.forgotten:
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

    # What happens: more of it is on the servers themselves

    def _begun_server(self, wanted: str) -> GameServer:
        self.begin()
        return self.server(wanted)

    def print_line(self, server: str, raw: str | bytes) -> None:
        """Let the game print one line; it may hold newlines and be any bytes."""
        written = raw.encode("utf-8", "replace") if isinstance(raw, str) else raw
        self._begun_server(server).console.print(written + b"\n")

    def say(self, server: str, lines: int = 1) -> None:
        """Let the game say so many lines at once; over 2000 of them the daemon throttles."""
        self._begun_server(server).say(lines)

    def boot(self, server: str) -> None:
        """Start a server."""
        self._begun_server(server).start()

    def stop(self, server: str) -> None:
        """Stop a server as its owner would."""
        self._begun_server(server).stop()

    def restart(self, server: str) -> None:
        """Stop a server and start it again."""
        self._begun_server(server).stop(then_start=True)

    def crash(self, server: str, exit_code: int = 1, *, out_of_memory: bool = False) -> None:
        """Let a game crash."""
        self._begun_server(server).crash(exit_code, out_of_memory=out_of_memory)

    def rotate_log(self, server: str) -> None:
        """Remove the docker log, as at its 5 MB."""
        self._begun_server(server).console.rotate_log()

    def suspend(self, server: str, *, cut: bool = True) -> None:
        """
        Suspend a server, until its ``suspended`` is set back.

        Args:
            server: Which.
            cut: Stop it and close its sockets, as newer daemons do; a restore on Pelican
                suspends without.

        """
        found = self._begun_server(server)
        found.suspended = True
        if cut:
            if self.settings.limited:
                found.close_sockets(CUT)
            found.kill()

    def unsuspend(self, server: str) -> None:
        """Take a suspension back, and start the server."""
        found = self._begun_server(server)
        found.suspended = False
        found.start()

    def delete(self, server: str) -> None:
        """Delete a server."""
        found = self._begun_server(server)
        found.console.publish("deleted", "null")
        found.kill()
        found.deleted = True
        found.close_sockets(CUT if self.settings.limited else 1001, "server deleted")

    def forget(self, server: str) -> None:
        """Let the node not know a server that the panel goes on listing."""
        found = self._begun_server(server)
        found.forgotten = True
        found.close_sockets(CUT)

    def permit(self, server: str, *permissions: str) -> None:
        """Give a server's new tokens these permissions, refuse the old; newer: cut its sockets."""
        found = self._begun_server(server)
        found.permissions = permissions
        found.tokens_from = self.now
        if self.settings.limited:
            found.close_sockets(CUT)

    def drop_sockets(self, server: str | None = None, code: int = CUT, reason: str = "") -> None:
        """Close all sockets of a server, or of all; 1006 cuts without a close frame."""
        for found in self.servers if server is None else [self.server(server)]:
            found.close_sockets(code, reason)

    def disconnect(self, server: str, seconds: float) -> None:
        """Cut the network between clients and a server's daemon for a while."""
        found = self._begun_server(server)
        found.unreachable_until = self.now + int(seconds * SECOND)
        found.close_sockets(CUT)

    def cut_replay(self, server: str, lines: int, *, all_sockets: bool = False) -> None:
        """
        Cut the next replay short.

        Args:
            server: Of which server.
            lines: So many are sent before.
            all_sockets: Cut all sockets of the server, not the asker's alone.

        """
        self._begun_server(server).cut_replay(ReplayCut(lines, all_sockets))

    def expire_tokens(self, server: str) -> None:
        """Let all tokens of a server be too old from now on; no socket is warned."""
        self._begun_server(server).expire_tokens()

    def inject(self, server: str, frame: str) -> None:
        """Send a text frame, however wrong, to all sockets of a server."""
        for viewer in tuple(self._begun_server(server).viewers):
            viewer.inject(frame.encode("utf-8", "replace"))

    def stall(self, session: Viewer, seconds: float) -> None:
        """Let the reader of one socket be slow for a while."""
        session.pause()
        self._clock.after(seconds, session.resume)

    def stall_newest(self, server: str, seconds: float) -> None:
        """Let the reader of a server's newest socket be slow for a while."""
        viewers = list(self._begun_server(server).viewers)
        if viewers:
            self.stall(viewers[-1], seconds)

    def lose_lines(self, server: str, probability: float, seconds: float) -> None:
        """Lose each live line for each socket with a probability, for a while."""
        self._begun_server(server).console.lose_lines(probability, seconds)

    def drop_lines(self, server: str, count: int) -> None:
        """Hand the next live lines of a server to no socket; its log has them."""
        self._begun_server(server).console.drop_lines(count)

    def restart_daemon(self, node: str | None = None, *, seconds: float = 2.0) -> None:
        """
        Restart the daemon of a node, or of all; the games go on printing.

        Afterwards it refuses tokens issued before it started.
        """
        self.begin()
        for server in self.servers:
            if node in (None, server.node.name):
                server.node.up = False
                server.close_sockets(CUT)
                self._clock.after(seconds, self._start_daemon, server)

    def _start_daemon(self, server: GameServer) -> None:
        server.node.up = True
        server.attach_again()

    def fail_requests(
        self, status: int, count: int = 1, *, body: str | None = None, containing: str = ""
    ) -> None:
        """
        Let the next requests fail.

        Args:
            status: The HTTP status; a proxy's page may come with 200.
            count: How many.
            body: Instead of the panel's own error; HTML if it begins with ``<``.
            containing: Only requests with this in their path, such as ``/websocket``.

        """
        self.panel.fail_requests(status, count, body, containing)

    def refuse_origin(self, *allowed: str) -> None:
        """Let nodes accept only these origins; the panel's own URL is not among them."""
        self._origins = set(allowed)

    def skew(self, seconds: float) -> None:
        """Set the panel's clock ahead of the nodes' by this much; it may be negative."""
        self.panel.skew = seconds

    def truth(self, server: str) -> list[TrueLine]:
        """
        Return every line that the game printed, oldest first.

        The server's ``runs``, ``statuses``, ``commands`` and ``console.daemon_lines``
        hold the rest of the truth.
        """
        return self.server(server).console.lines

    def known_lines(
        self, server: str, *, grace: float = GRACE, interval: float = INTERVAL
    ) -> list[KnownLine]:
        """
        Return every line that the game printed, and whether a good client could have had it.

        What that means to the letter is in `recovery`.

        Args:
            server: Whose.
            grace: Seconds after a subscription, within which a good client asks for a replay.
            interval: Seconds, after which it asks again at the latest.

        """
        found = self.server(server)
        return known_lines(
            found.identifier,
            found.console.lines,
            found.console.witness,
            found.runs,
            now=self.now,
            grace=int(grace * SECOND),
            interval=int(interval * SECOND),
        )
