"""What the tests of the client share: a simulated panel, and one that answers anything."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import pytest

from archiver.console.timing import Timing


@pytest.fixture
def certificate() -> Path:
    """For localhost and 127.0.0.1, signed by itself, with its key; it opens nothing."""
    return Path(__file__).parent / "loopback.pem"


@pytest.fixture
def timing() -> Timing:
    return Timing()


@pytest.fixture
def random() -> Random:
    return Random(1)


@dataclass
class CannedPanel:
    """A real HTTP server that says what a test tells it to, in turn, the last for ever."""

    url: str = ""
    answers: list[bytes] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)

    def answer(self, status: int, body: str = "{}", **headers: str) -> None:
        lines = [f"HTTP/1.1 {status} Status", f"Content-Length: {len(body.encode())}"]
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        lines += ["Connection: close", "", body]
        self.answers.append("\r\n".join(lines).encode())

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            self.requests.append((await reader.read(65536)).decode(errors="replace"))
            answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
            writer.write(answer)
            await writer.drain()
        except ConnectionError:
            pass  # a client that gave up
        finally:
            # With TLS close() waits for the far end, longer than the test is there.
            encrypted = writer.get_extra_info("ssl_object") is not None
            (writer.transport.abort if encrypted else writer.close)()


@pytest.fixture
async def canned() -> AsyncIterator[CannedPanel]:
    panel = CannedPanel()
    server = await asyncio.start_server(panel.talk, "127.0.0.1", 0)
    async with server:
        panel.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        yield panel


@pytest.fixture
async def tls_url(canned: CannedPanel, certificate: Path) -> AsyncIterator[str]:
    """The same server, with a certificate of its own."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    async with await asyncio.start_server(canned.talk, "127.0.0.1", 0, ssl=context) as server:
        yield f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}"
