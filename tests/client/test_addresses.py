import pytest

from archiver.client.addresses import check_socket_url, find_api, is_loopback

PATH = "/api/servers/5f1c/ws"


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://panel.example", "https://panel.example/api/client"),
        ("https://panel.example/", "https://panel.example/api/client"),
        ("http://127.0.0.1:8000", "http://127.0.0.1:8000/api/client"),
        ("https://host.example/panel/", "https://host.example/panel/api/client"),
        ("https://beta.fragify.net/api/client/", "https://beta.fragify.net/api/client"),
    ],
)
def test_the_api_is_below_the_panel(url: str, expected: object) -> None:
    assert find_api(url) == expected


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        (f"wss://node.example:8080{PATH}", f"wss://node.example:8080{PATH}"),
        (f"WSS://node.example{PATH}", f"wss://node.example{PATH}"),
        (f"wss://2001:db8::7:8080{PATH}", f"wss://[2001:db8::7]:8080{PATH}"),
        (f"wss://[2001:db8::7]:8080{PATH}", f"wss://[2001:db8::7]:8080{PATH}"),
        (f"wss://[2001:db8::7]{PATH}", f"wss://[2001:db8::7]{PATH}"),
        (f"ws://127.0.0.1:8080{PATH}", f"ws://127.0.0.1:8080{PATH}"),
        (f"ws://::1:8080{PATH}", f"ws://[::1]:8080{PATH}"),
        (f"ws://localhost:8080{PATH}", f"ws://localhost:8080{PATH}"),
        (f"wss://192.0.2.1:443{PATH}", f"wss://192.0.2.1:443{PATH}"),
    ],
)
def test_usable_addresses_of_sockets_are_kept_or_mended(url: str, expected: object) -> None:
    assert check_socket_url(url, allow_plain=False) == expected


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("", "neither wss"),
        ("https://node.example/ws", "neither wss"),
        ("file:///etc/passwd", "neither wss"),
        ("wss://", "neither a name"),
        ("wss:///ws", "neither a name"),
        ("wss://node.example:port/ws", "neither a name"),
        ("wss://node.example:99999/ws", "neither a name"),
        ("wss://1:2:3/ws", "neither a name"),
        ("wss://[::1/ws", "neither a name"),
        ("wss://.example/ws", "neither a name"),
        (f"wss://{'a' * 70}.example/ws", "neither a name"),
        ("wss://\ud800/ws", "neither a name"),
        ("wss://node.example/\ud800", "neither a name"),
        ("wss://node.example/a b", "neither a name"),
        ("wss://user:password@node.example/ws", "neither a name"),
        ("wss://node.example/ws\r\nHost: other", "neither a name"),
        ("ws://node.example:8080/ws", "not encrypted"),
        ("ws://192.0.2.1:8080/ws", "not encrypted"),
        ("ws://2001:db8::7:8080/ws", "not encrypted"),
    ],
)
def test_other_addresses_are_refused_and_the_reason_said(url: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        check_socket_url(url, allow_plain=False)


def test_a_plain_socket_is_opened_where_it_is_allowed() -> None:
    url = "ws://node.example:8080/ws"

    assert check_socket_url(url, allow_plain=True) == url


@pytest.mark.parametrize("host", ["localhost", "panel.localhost", "127.0.0.1", "127.9.9.9", "::1"])
def test_this_machine_is_known_by_its_names(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize("host", ["", "localhost.example", "10.0.0.1", "::2", "0.0.0.0"])
def test_others_are_not_this_machine(host: str) -> None:
    assert not is_loopback(host)
