import base64
import json

import pytest

from archiver.simulator.tokens import issue, permits, read

CLAIMS = {"jti": "j", "iat": 1, "exp": 601, "permissions": ["*"]}


def test_a_token_gives_its_claims_back_and_is_a_jwt_signed_with_hs256():
    token = issue(CLAIMS, b"key")
    assert read(token, b"key") == CLAIMS
    header, payload, _ = token.split(".")
    assert json.loads(base64.urlsafe_b64decode(header + "==")) == {
        "typ": "JWT",
        "alg": "HS256",
        "jti": "j",
    }
    assert json.loads(base64.urlsafe_b64decode(payload + "==")) == CLAIMS


@pytest.mark.parametrize(
    "token",
    ["", "x", "a.b.c", issue(CLAIMS, b"other"), issue(CLAIMS, b"key")[:-2]],
)
def test_a_malformed_or_foreign_token_has_no_claims(token):
    assert read(token, b"key") is None


@pytest.mark.parametrize(
    ("given", "permission", "expected"),
    [
        (["*"], "websocket.connect", True),
        (["*"], "admin.websocket.install", False),
        (["*", "admin.websocket.install"], "admin.websocket.install", True),
        (["control.console"], "websocket.connect", False),
        ([], "backup.read", False),
    ],
)
def test_a_star_gives_all_but_the_permissions_of_administrators(given, permission, expected):
    assert permits({"permissions": given}, permission) is expected
