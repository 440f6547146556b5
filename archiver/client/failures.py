"""
What can go wrong between the archiver and a panel or node, as values.

A failure says what was seen, not what to do about it: that is decided in one
place, ``backoff.classify``. None of them ever holds an API key or a token.
"""

import os
import ssl
from dataclasses import dataclass
from enum import StrEnum
from socket import gaierror


class Kind(StrEnum):
    """How a request or a handshake failed."""

    STATUS = "status"  # an answer, and its HTTP status says no
    WEB_PAGE = "web page"  # an answer, but not from the API: HTML, or no JSON at all
    SHAPE = "shape"  # JSON without what should be in it, or an unusable socket address
    CERTIFICATE = "certificate"  # TLS works, the certificate is not believed
    TLS = "tls"  # TLS does not work
    NAME = "name"  # the host name has no address
    UNREACHABLE = "unreachable"  # refused, no route, reset on the way
    TIMEOUT = "timeout"


@dataclass(frozen=True, slots=True)
class PanelFailure:
    """A request to a panel's API did not give what was asked for."""

    kind: Kind
    url: str
    status: int | None = None  # None: no answer came
    detail: str = ""  # the panel's own words, or the location of a redirect; untrusted
    retry_after: float | None = None  # seconds; None: not said


@dataclass(frozen=True, slots=True)
class NodeFailure:
    """A socket to a node could not be opened."""

    kind: Kind
    url: str
    origin: str  # as sent
    status: int | None = None
    detail: str = ""
    retry_after: float | None = None


@dataclass(frozen=True, slots=True)
class Closed:
    """An open socket came to its end."""

    code: int  # RFC 6455 section 7.4; 1006: without a close frame
    reason: str = ""
    by_us: bool = False  # our end began it: we were asked to, or the peer broke a rule
    url: str = ""


Failure = PanelFailure | NodeFailure | Closed


class FailedError(Exception):
    """Carries a failure from where it was seen to whoever decides what it means."""

    def __init__(self, failure: PanelFailure | NodeFailure) -> None:
        super().__init__(failure)
        self.failure = failure


def find_kind(error: BaseException) -> tuple[Kind, str]:
    """
    Return how a connection failed, and the words for it, from what a library raised.

    Libraries wrap the system's errors, each in its own way: the innermost tells.
    """
    detail = ""
    inner: BaseException | None = error
    while inner is not None:
        match inner:
            case ssl.SSLCertVerificationError():
                return Kind.CERTIFICATE, inner.verify_message
            case ssl.SSLError():
                return Kind.TLS, inner.strerror or str(inner)
            case gaierror():
                return Kind.NAME, inner.strerror or ""
            case TimeoutError():
                return Kind.TIMEOUT, ""
            case OSError() if inner.errno:
                detail = os.strerror(inner.errno)  # asyncio puts words of its own there
            case _:
                detail = detail or str(inner)
        inner = inner.__cause__ or inner.__context__
    return Kind.UNREACHABLE, detail
