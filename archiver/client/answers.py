"""
What a panel's answers say: bodies in, values out. Pure.

Sources: pterodactyl/panel 706db62 ServerTransformer.php, WebsocketController.php,
NodeJWTService.php, Exceptions/Handler.php; the public documentation of Fragify.
"""

import base64
import json
import re
from dataclasses import dataclass, field
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Any

USUAL_LIFE = 600.0  # seconds: what every panel gives; for a token that does not say
_NAME = re.compile(r"[0-9A-Za-z_-]{1,64}")
_SECONDS_IN_TEXT = re.compile(r"\bin (\d{1,5}) seconds?\b")


@dataclass(frozen=True, slots=True)
class Server:
    """One game server as the panel describes it."""

    uuid: str
    identifier: str
    name: str
    node: str
    status: str | None  # None: normal; installing, suspended, restoring_backup, ...
    is_suspended: bool
    is_installing: bool
    is_transferring: bool
    is_node_under_maintenance: bool
    permissions: tuple[str, ...] | None = None  # the key's user's; None: a list does not say


@dataclass(frozen=True, slots=True)
class SocketAddress:
    """Where a server's console is, and the token that opens it."""

    url: str
    jwt: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Claims:
    """What a token says about itself; not verified, which only its node can."""

    life: float  # seconds, from issue to expiry
    permissions: tuple[str, ...] | None  # None: it does not say
    server_uuid: str | None


@dataclass(frozen=True, slots=True)
class Page:
    """One page of the list of servers."""

    servers: tuple[Server, ...]
    pages: int  # how many there are


def parse_json(body: bytes) -> dict[str, Any] | None:
    """Return the JSON object in *body*; None: it is something else."""
    try:
        content = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return content if isinstance(content, dict) else None


def parse_detail(content: dict[str, Any]) -> str:
    """
    Return what an error body says, in the panel's own words.

    Three shapes are about: a list ``errors`` of ``code`` and ``detail`` (panels),
    ``error`` with ``request_id`` (Wings), ``error`` with ``message`` (Fragify).
    """
    errors = content.get("errors")
    first = errors[0] if isinstance(errors, list) and errors else None
    if isinstance(first, dict):
        words = (first.get("detail"), first.get("code"))
    else:
        words = (content.get("message"), content.get("error"))
    return next((word[:500] for word in words if isinstance(word, str) and word), "")


def parse_server(content: object) -> Server:
    """
    Return one server, from its object with ``attributes``.

    Raises:
        ValueError: It has no uuid.

    """
    attributes = content.get("attributes") if isinstance(content, dict) else None
    if not isinstance(content, dict) or not isinstance(attributes, dict):
        raise ValueError("a server without attributes")  # noqa: TRY004 - the panel's fault, not a caller's
    uuid, status = attributes.get("uuid"), attributes.get("status")
    if not isinstance(uuid, str) or not _NAME.fullmatch(uuid):  # it becomes part of addresses
        raise ValueError("a server without a uuid")
    meta = content.get("meta")
    return Server(
        uuid=uuid,
        identifier=_text(attributes.get("identifier")) or uuid[:8],
        name=_text(attributes.get("name")) or uuid[:8],
        node=_text(attributes.get("node")),
        status=status if isinstance(status, str) else None,
        is_suspended=bool(attributes.get("is_suspended", status == "suspended")),
        is_installing=bool(attributes.get("is_installing")),
        is_transferring=bool(attributes.get("is_transferring")),
        is_node_under_maintenance=bool(attributes.get("is_node_under_maintenance")),
        permissions=_words(meta.get("user_permissions")) if isinstance(meta, dict) else None,
    )


def parse_page(content: dict[str, Any]) -> Page:
    """
    Return one page of the list of servers.

    Raises:
        ValueError: It is no list of servers.

    """
    items = content.get("data")
    if not isinstance(items, list):
        raise ValueError("no list of servers")  # noqa: TRY004 - the panel's fault, not a caller's
    meta = content.get("meta")
    pagination = meta.get("pagination") if isinstance(meta, dict) else None
    pages = pagination.get("total_pages") if isinstance(pagination, dict) else None
    servers = tuple(parse_server(item) for item in items)
    return Page(servers, pages if isinstance(pages, int) else 1)


def parse_socket(content: dict[str, Any]) -> SocketAddress:
    """
    Return address and token of a server's console.

    Raises:
        ValueError: One of them is missing.

    """
    inner = content.get("data")
    if isinstance(inner, dict):
        url, jwt = inner.get("socket"), inner.get("token")
        if isinstance(url, str) and isinstance(jwt, str) and url and jwt:
            return SocketAddress(url, jwt)
    raise ValueError("no token and socket")


def read_claims(jwt: str) -> Claims:
    """Return what a token says, as far as it can be read; never raises."""
    middle = jwt.split(".")[1] if jwt.count(".") == 2 else ""  # noqa: PLR2004 - header, claims, signature
    try:
        content = parse_json(base64.urlsafe_b64decode(middle + "=" * (-len(middle) % 4)))
    except ValueError:
        content = None
    content = content or {}
    issued, expires = content.get("iat"), content.get("exp")
    life = 0.0
    if isinstance(issued, int | float) and isinstance(expires, int | float):
        life = float(expires - issued)
    uuid = content.get("server_uuid")
    return Claims(
        life=life if life > 0 else USUAL_LIFE,
        permissions=_words(content.get("permissions")),
        server_uuid=uuid if isinstance(uuid, str) else None,
    )


def read_date(text: str | None) -> float | None:
    """Return a ``Date`` header as seconds since the epoch; None: there is none."""
    try:
        date = parsedate_to_datetime(text or "")
    except ValueError:
        return None
    return date.replace(tzinfo=date.tzinfo or UTC).timestamp()


def read_retry_after(text: str | None, detail: str, now: float | None) -> float | None:
    """
    Return how many seconds the other end asks to wait.

    Args:
        text: The header ``Retry-After``: seconds, or a date.
        detail: Of the error; Fragify writes "Try again in 60 seconds" there.
        now: The other end's own time, which a date is compared with.

    Returns:
        Seconds; None: it does not say.

    """
    text = (text or "").strip()
    if text.isascii() and text.isdigit():
        return float(text[:9])
    until = read_date(text)
    if until is not None and now is not None:
        return max(until - now, 0.0)
    said = _SECONDS_IN_TEXT.search(detail)
    return float(said[1]) if said else None


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _words(value: object) -> tuple[str, ...] | None:
    if not isinstance(value, list):
        return None
    return tuple(word for word in value if isinstance(word, str))
