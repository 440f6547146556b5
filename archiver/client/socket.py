"""
One WebSocket to a node's daemon: open it, send, and let a reader fill its inbox.

The reader reads, timestamps and queues, and nothing else: a daemon keeps eight
lines for a socket and drops the oldest 10 ms after the network is full (Wings
f1c5bbd system/sink_pool.go). What goes wrong with a socket comes out of its inbox;
it never leaves the reader, so that the others are not disturbed.
"""

import asyncio
import logging
import ssl
import time
from contextlib import suppress

from websockets.asyncio.client import ClientConnection
from websockets.asyncio.client import connect as _connect
from websockets.exceptions import (
    ConnectionClosed,
    InvalidHandshake,
    InvalidStatus,
    InvalidURI,
)
from websockets.typing import Origin

from archiver import __version__
from archiver.client import answers
from archiver.client.failures import Closed, FailedError, Kind, NodeFailure, find_kind
from archiver.client.intake import Frame, Inbox, Intake
from archiver.console.timing import Timing

MAX_FRAME = 2**20  # bytes; a line of 64 KiB, each byte escaped, is 393 kB
BROKEN_OFF = 1006

# At DEBUG websockets logs every frame, and the first one holds the token.
_silent = logging.getLogger(f"{__name__}.wire")
_silent.setLevel(logging.WARNING)


class _Opening(_connect):
    def process_redirect(self, exc: Exception) -> Exception | str:
        """Follow none: the address comes from the panel, and from nobody else."""
        return exc


class Socket:
    """
    An open socket; made by ``open_socket``.

    What it receives, its end included, comes out of ``inbox``.
    """

    def __init__(self, connection: ClientConnection, inbox: Inbox, url: str) -> None:
        self.inbox = inbox
        self._connection = connection
        self._url = url

    async def send(self, message: str) -> None:
        """Send one message; silent where the socket is closed, the inbox says so."""
        with suppress(ConnectionClosed):
            await self._connection.send(message)

    async def close(self) -> None:
        """Close the socket and wait until that is done, for two seconds at most."""
        await self._connection.close()

    async def read(self) -> None:
        """Fill the inbox until the socket closes; ``open_socket`` starts it."""
        receive, put = self._connection.recv, self.inbox.put
        try:
            while True:
                # Bytes: no text can be so broken that the socket must be closed for it.
                content = await receive(decode=False)
                put(Frame(content, time.time_ns() // 1000, time.monotonic()))
        except ConnectionClosed as error:
            self.inbox.close(_describe_end(error, self._url))
        finally:
            # Cancelled: nobody waits for a closing handshake any more.
            self._connection.transport.abort()


async def open_socket(
    url: str,
    *,
    origin: str,
    tasks: asyncio.TaskGroup,
    intake: Intake,
    timing: Timing,
    tls: ssl.SSLContext,
    compression: bool = False,
) -> Socket:
    """
    Open a socket to a daemon and start its reader.

    Args:
        url: As ``Panel.websocket`` gives it.
        origin: The daemon wants exactly its ``remote:``, or one of ``allowed_origins``.
        tasks: The group that the reader belongs to; the reader never fails.
        intake: Is charged for what is read.
        timing: Gives the waits.
        tls: Which certificates are believed.
        compression: Whether to offer permessage-deflate: a third of the traffic, for
            half as much work again on each line.

    Raises:
        FailedError: It cannot be opened.

    """
    try:
        connection = await _Opening(
            url,
            origin=Origin(origin),
            user_agent_header=f"console-archiver/{__version__}",
            compression="deflate" if compression else None,
            proxy=None,
            ssl=tls if url.startswith("wss:") else None,
            open_timeout=timing.open_timeout,
            ping_interval=timing.ping_interval,
            ping_timeout=timing.ping_timeout,
            close_timeout=timing.status_timeout,
            max_size=MAX_FRAME,
            max_queue=None,
            logger=_silent,
            happy_eyeballs_delay=0.25,
        )
    except (OSError, InvalidHandshake, InvalidURI, EOFError) as error:
        raise FailedError(_describe_error(error, url, origin)) from error
    socket = Socket(connection, Inbox(intake), url)
    tasks.create_task(socket.read())
    return socket


def _describe_error(error: Exception, url: str, origin: str) -> NodeFailure:
    if isinstance(error, InvalidURI):
        return NodeFailure(Kind.SHAPE, url, origin, None, error.msg)
    if not isinstance(error, InvalidStatus):
        kind, detail = find_kind(error)
        return NodeFailure(kind, url, origin, None, detail)
    response = error.response
    content = answers.parse_json(bytes(response.body or b""))
    detail = answers.parse_detail(content) if content is not None else ""
    date = answers.read_date(response.headers.get("Date"))
    wait = answers.read_retry_after(response.headers.get("Retry-After"), detail, date)
    return NodeFailure(Kind.STATUS, url, origin, response.status_code, detail, wait)


def _describe_end(error: ConnectionClosed, url: str) -> Closed:
    """Return the end as whoever began it has put it."""
    by_us = error.sent is not None and not error.rcvd_then_sent
    frame = error.sent if by_us else error.rcvd
    if frame is None:
        return Closed(BROKEN_OFF, url=url)
    return Closed(int(frame.code), frame.reason, by_us, url)
