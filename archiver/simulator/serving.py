"""
A world on loopback: its REST and its WebSockets on one port, its time by the wall clock.

The shell only carries: requests and messages go into the world, frames come out of it
and are written in batches, one write per socket and turn. A reader that is slow fills
the socket's buffers; then its session is paused and loses what Wings would lose.
"""

import asyncio
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http.client import responses

from websockets.asyncio.server import ServerConnection
from websockets.asyncio.server import serve as serve_websockets
from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed
from websockets.extensions.permessage_deflate import ServerPerMessageDeflateFactory
from websockets.frames import CloseCode
from websockets.http11 import Request, Response
from websockets.protocol import State

from archiver.simulator.clock import SECOND
from archiver.simulator.session import CUT, Session
from archiver.simulator.world import Refusal, World

TURN = 0.001  # seconds: frames that fall due within it are written together
IDLE_TURN = 0.01  # seconds, at most: a command to the world takes effect by then
LONGEST_TURN = 0.02  # seconds that are made up for in one turn, when late
SEND_BUFFER = 64 * 1024  # bytes in the kernel, of each socket
WRITE_LIMIT = 64 * 1024  # bytes in the process: above it the reader counts as slow
INBOUND_LIMIT = 1024 * 1024  # bytes; Wings has its own, smaller one or none


class _Socket(ServerConnection):
    """One connection, HTTP or WebSocket; as the latter the sink of a session."""

    session: Session | None = None
    shell: "Shell"

    def send_frame(self, frame: bytes) -> None:
        if self.protocol.state is State.OPEN:
            self.protocol.send_text(frame)
            self.shell.written.add(self)

    def flush(self) -> None:
        """Write what was sent in this turn at once: a system call each is what costs."""
        self.transport.write(b"".join(self.protocol.data_to_send()))

    def pause_writing(self) -> None:
        super().pause_writing()
        if self.session is not None:
            self.session.pause()

    def resume_writing(self) -> None:
        super().resume_writing()
        if self.session is not None:
            self.shell.turn()
            self.session.resume()
            self.shell.turn()


class _Sink:
    """Takes the frames of one session to its connection."""

    def __init__(self, connection: _Socket) -> None:
        self._connection = connection

    def send(self, frame: bytes, _at: int, /) -> None:
        self._connection.send_frame(frame)

    def close(self, code: int, reason: str, _at: int, /) -> None:
        connection = self._connection
        connection.flush()
        if code == CUT:
            connection.transport.abort()
        elif connection.protocol.state is State.OPEN:
            if code == CloseCode.NO_STATUS_RCVD:
                connection.protocol.send_close()  # it is how a frame without a code is told
            else:
                connection.protocol.send_close(code, reason)
            connection.send_data()


class Shell:
    """
    What is served.

    Args:
        world: Its time goes on while it is served.
        speed: Seconds of the world in one second.

    """

    def __init__(self, world: World, speed: float) -> None:
        self.world = world
        self.written: set[_Socket] = set()
        self._speed = speed
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        world.begin(time.time_ns() // 1000)
        self._world_began = world.now
        self._began = self._loop.time()

    @property
    def url(self) -> str:
        """The panel's URL, which is the right origin too."""
        return self.world.panel.url

    @property
    def api_key(self) -> str:
        """The account's key."""
        return self.world.api_key

    def turn(self) -> None:
        """Bring the world up to now, write what it sends, and set the next turn."""
        world, loop = self.world, self._loop
        passed = (loop.time() - self._began) * self._speed
        wanted = self._world_began + int(passed * SECOND)
        world.advance(min(wanted, world.now + int(LONGEST_TURN * self._speed * SECOND)))
        written, self.written = self.written, set()
        for connection in written:
            connection.flush()
        due = world.next_at()
        wait = IDLE_TURN if due is None else (due - wanted) / SECOND / self._speed
        if self._timer is not None:
            self._timer.cancel()
        self._timer = loop.call_later(min(max(wait, TURN), IDLE_TURN), self.turn)

    def stop(self) -> None:
        """Let the time stand still."""
        if self._timer is not None:
            self._timer.cancel()

    def answer(self, connection: ServerConnection, request: Request) -> Response | None:
        """Answer a request, or let the upgrade go on: None."""
        self.turn()
        uuid = _server_of(request.path)
        if uuid is None:
            headers = {name.lower(): value for name, value in request.headers.raw_items()}
            answer = self.world.respond(request.method, request.path, headers)
            return _response(answer.status, answer.headers, answer.body)
        refusal = self.world.refusal(uuid, request.headers.get("Origin"))
        if refusal is None:
            return None
        if refusal.status == 0:
            connection.transport.abort()  # as near to a closed port as one port for all allows
            return _response(503, {}, b"")
        return _response(refusal.status, {}, refusal.body.encode())

    async def listen(self, connection: ServerConnection) -> None:
        """Take the messages of one socket until it closes."""
        assert isinstance(connection, _Socket)
        assert connection.request is not None
        connection.shell = self
        uuid = _server_of(connection.request.path) or ""
        origin = connection.request.headers.get("Origin")
        session = self.world.connect(uuid, origin, _Sink(connection))
        if isinstance(session, Refusal):
            return  # it changed since the upgrade
        connection.session = session
        try:
            async for message in connection:
                self.turn()
                session.receive(message)
                self.turn()
        except ConnectionClosed:
            pass
        finally:
            session.leave()


@asynccontextmanager
async def serve(
    world: World, host: str = "127.0.0.1", port: int = 0, *, speed: float = 1.0
) -> AsyncIterator[Shell]:
    """
    Serve a world until the context ends; then every socket is cut.

    Args:
        world: It begins now unless it has; its sockets and the panel get this address.
        host: An IPv4 address.
        port: 0 takes a free one.
        speed: Seconds of the world in one second; tokens then live shorter as well.

    """
    shell = Shell(world, speed)
    listening = socket.create_server((host, port), backlog=4096)
    # Accepted sockets inherit it: without it the kernel would take megabytes for a reader
    # that has stopped, and the ring would never be felt.
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)
    deflate = ServerPerMessageDeflateFactory(
        server_no_context_takeover=True,
        client_no_context_takeover=True,
        compress_settings={"level": 5},
    )
    async with serve_websockets(
        shell.listen,
        sock=listening,
        process_request=shell.answer,
        create_connection=_Socket,
        compression=None,
        extensions=[deflate] if world.settings.deflate else None,
        ping_interval=None,  # Wings never pings
        max_size=INBOUND_LIMIT,
        max_queue=None,
        write_limit=WRITE_LIMIT,
        close_timeout=1,
        server_header=None,
    ) as server:
        world.panel.url = f"http://{host}:{listening.getsockname()[1]}"
        shell.turn()
        try:
            yield shell
        finally:
            shell.stop()
            for connection in server.connections:
                connection.transport.abort()


def _server_of(path: str) -> str | None:
    """Return the uuid in the path of a console socket; None if it is another path."""
    match path.partition("?")[0].split("/"):
        case ["", "api", "servers", uuid, "ws"]:
            return uuid
        case _:
            return None


def _response(status: int, headers: dict[str, str], body: bytes) -> Response:
    shown = {"Content-Length": str(len(body)), "Connection": "close"}
    return Response(status, responses.get(status, ""), Headers(headers | shown), body)
