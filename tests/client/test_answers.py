import base64
import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archiver.client.answers import (
    USUAL_LIFE,
    Claims,
    parse_detail,
    parse_json,
    parse_page,
    parse_server,
    parse_socket,
    read_claims,
    read_date,
    read_retry_after,
)

UUID = "1a7ce997-259b-452e-8b4e-cecc464142ca"
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["errors", "detail", "data", "attributes", "meta", "pagination", "uuid"]
            ),
            inner,
            max_size=3,
        )
    ),
    max_leaves=12,
)


def jwt(claims: object) -> str:
    middle = base64.urlsafe_b64encode(json.dumps(claims).encode()).rstrip(b"=").decode()
    return f"eyJhbGciOiJIUzI1NiJ9.{middle}.c2lnbmF0dXJl"


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (
            '{"errors":[{"code":"ThrottleRequestsException","status":"429","detail":"Too Many Attempts."}]}',
            "Too Many Attempts.",
        ),
        ('{"errors":[{"code":"NotFoundHttpException","status":"404","detail":""}]}', "NotFoundHttpException"),
        ('{"error":"The requested resource does not exist on this instance.","request_id":"x"}',
         "The requested resource does not exist on this instance."),
        ('{"error":"Too Many Requests","message":"Rate limit exceeded. Try again in 60 seconds."}',
         "Rate limit exceeded. Try again in 60 seconds."),
        ('{"errors":{"name":["is required"]},"message":"The given data was invalid."}', "The given data was invalid."),
        ('{"errors":[]}', ""),
        ("{}", ""),
    ],
)  # fmt: skip
def test_the_three_shapes_of_errors_give_their_words(body: str, expected: str) -> None:
    content = parse_json(body.encode())

    assert content is not None
    assert parse_detail(content) == expected


@pytest.mark.parametrize(
    "body", [b"", b"<!DOCTYPE html>", b"[]", b'"text"', b"\xff\xfe", b"[" * 100_000]
)
def test_what_is_no_object_is_no_answer(body: bytes) -> None:
    assert parse_json(body) is None


@given(JSON)
def test_any_json_gives_values_or_a_value_error(content: object) -> None:
    for parse in (parse_page, parse_socket, parse_server):
        with suppress(ValueError):
            parse(content if isinstance(content, dict) else {"data": content})
    assert isinstance(parse_detail({"errors": content, "error": content}), str)


def test_a_server_is_read_with_its_state_and_permissions() -> None:
    server = parse_server(
        {
            "object": "server",
            "attributes": {
                "identifier": "1a7ce997",
                "uuid": UUID,
                "name": "Survival",
                "node": "node-01",
                "status": "restoring_backup",
                "is_suspended": False,
                "is_installing": False,
                "is_transferring": True,
                "is_node_under_maintenance": True,
            },
            "meta": {"is_server_owner": False, "user_permissions": ["websocket.connect"]},
        }
    )

    assert (server.uuid, server.identifier, server.name) == (UUID, "1a7ce997", "Survival")
    assert (server.node, server.status) == ("node-01", "restoring_backup")
    assert (server.is_suspended, server.is_installing) == (False, False)
    assert (server.is_transferring, server.is_node_under_maintenance) == (True, True)
    assert server.permissions == ("websocket.connect",)


def test_a_server_of_few_words_is_read_all_the_same() -> None:
    server = parse_server({"attributes": {"uuid": UUID, "status": "suspended"}})

    assert (server.identifier, server.name, server.node) == ("1a7ce997", "1a7ce997", "")
    assert server.is_suspended
    assert server.permissions is None


@pytest.mark.parametrize("uuid", [None, "", 7, "../admin", "..", "a\nb", "5f1c?", "x" * 100])
def test_a_server_that_cannot_be_asked_for_is_refused(uuid: object) -> None:
    with pytest.raises(ValueError, match="uuid"):
        parse_server({"attributes": {"uuid": uuid}})


def test_a_list_without_pages_is_one_page() -> None:
    page = parse_page({"data": [{"attributes": {"uuid": UUID}}]})

    assert (len(page.servers), page.pages) == (1, 1)


def test_a_token_never_shows_in_a_repr() -> None:
    address = parse_socket({"data": {"token": "eyJsecret", "socket": "wss://node/ws"}})

    assert address.jwt == "eyJsecret"
    assert "eyJsecret" not in repr(address)


@pytest.mark.parametrize(
    ("token", "expected"),
    [
        (
            jwt({"iat": 1000, "exp": 1900, "permissions": ["*", 3], "server_uuid": UUID}),
            Claims(900.0, ("*",), UUID),
        ),
        (jwt({"exp": 1900}), Claims(USUAL_LIFE, None, None)),
        (jwt({"iat": 1900, "exp": 1000}), Claims(USUAL_LIFE, None, None)),
        (jwt({"iat": "then", "exp": True, "server_uuid": 5}), Claims(USUAL_LIFE, None, None)),
        (jwt([1]), Claims(USUAL_LIFE, None, None)),
        ("opaque", Claims(USUAL_LIFE, None, None)),
        ("a.\xe9!.c", Claims(USUAL_LIFE, None, None)),
        ("", Claims(USUAL_LIFE, None, None)),
    ],
)
def test_claims_are_read_as_far_as_they_go(token: str, expected: object) -> None:
    assert read_claims(token) == expected


@given(st.text())
def test_any_token_has_a_life(text: str) -> None:
    assert read_claims(text).life > 0
    assert read_claims(f"a.{text}.b").life > 0


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Mon, 23 Nov 2026 14:00:00 GMT", 1795442400.0),
        ("Mon, 23 Nov 2026 14:00:00 -0000", 1795442400.0),
        ("yesterday", None),
        ("", None),
        (None, None),
    ],
)
def test_dates_of_headers_are_read(text: str | None, expected: object) -> None:
    assert read_date(text) == expected


@pytest.mark.parametrize(
    ("text", "detail", "expected"),
    [
        ("60", "", 60.0),
        (" 5 ", "in 60 seconds", 5.0),
        ("Mon, 23 Nov 2026 14:00:30 GMT", "", 30.0),
        ("Mon, 23 Nov 2026 13:00:00 GMT", "", 0.0),
        (None, "Rate limit exceeded. Try again in 60 seconds.", 60.0),
        ("-1", "", None),
        ("soon", "", None),
        ("9" * 5000, "", 999999999.0),
        (None, "", None),
    ],
)
def test_the_wait_that_is_asked_for_is_read(
    text: str | None, detail: str, expected: object
) -> None:
    assert read_retry_after(text, detail, 1795442400.0) == expected
