"""
JSON Web Tokens for the console socket, signed with the node's key (HS256).

Source: pterodactyl/panel 706db62 app/Services/Nodes/NodeJWTService.php and
app/Http/Controllers/Api/Client/Servers/WebsocketController.php; Wings f1c5bbd
router/tokens/parser.go (what is checked) and websocket.go (permissions).
"""

import base64
import binascii
import hashlib
import hmac
import json
from typing import Any

Claims = dict[str, Any]


def _text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _raw(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def _signature(signed: str, key: bytes) -> str:
    return _text(hmac.new(key, signed.encode("utf-8", "replace"), hashlib.sha256).digest())


def issue(claims: Claims, key: bytes) -> str:
    """Return a signed token."""
    header = {"typ": "JWT", "alg": "HS256", "jti": claims.get("jti", "")}
    signed = ".".join(_text(json.dumps(part).encode()) for part in (header, claims))
    return f"{signed}.{_signature(signed, key)}"


def read(token: str, key: bytes) -> Claims | None:
    """Return the claims of a token; None if it is malformed or not signed with *key*."""
    signed, _, signature = token.rpartition(".")
    if _signature(signed, key) != signature:
        return None
    try:
        claims = json.loads(_raw(signed.partition(".")[2]))
    except (ValueError, binascii.Error):
        return None
    return claims if isinstance(claims, dict) else None


def permits(claims: Claims, permission: str) -> bool:
    """Whether the token gives a permission; ``*`` gives all but the ``admin.`` ones."""
    given = claims.get("permissions", ())
    return permission in given or ("*" in given and not permission.startswith("admin."))
