"""
Addresses of panels and nodes: where the API is, and which sockets may be opened.

Pure. A panel's answers are judged here before anything is opened to where they point.
"""

from ipaddress import AddressValueError, IPv6Address, ip_address
from urllib.parse import SplitResult, urlsplit

_API = "/api/client"


def find_api(panel_url: str) -> str:
    """
    Return the address of the client API of a panel, without a slash at its end.

    Some hosts document an address that ends with ``/api/client`` already.
    """
    return panel_url.rstrip("/").removesuffix(_API) + _API


def check_socket_url(url: str, *, allow_plain: bool) -> str:
    """
    Return the address of a socket, mended where panels break it.

    Args:
        url: As the panel gives it. It joins scheme, host and port without the
            brackets of a literal IPv6 address (pterodactyl/panel 706db62 Node.php).
        allow_plain: Whether ``ws://`` may lead elsewhere than to this machine: the
            token and every line would cross the network readable.

    Raises:
        ValueError: It is not to be used; the text says why.

    """
    scheme, mark, rest = url.partition("://")
    scheme = scheme.lower()
    if not mark or scheme not in {"ws", "wss"}:
        raise ValueError("it is neither wss:// nor ws://")
    place, slash, path = rest.partition("/")
    if place.count(":") > 1 and "[" not in place:
        host, _, port = place.rpartition(":")
        place = f"[{host}]:{port}"
        try:
            IPv6Address(host)
        except AddressValueError as error:
            raise ValueError("it has neither a name nor an address") from error
    mended = f"{scheme}://{place}{slash}{path}"
    parts = _split(mended)
    if parts is None or "@" in place or " " in mended or not mended.isprintable():
        raise ValueError("it has neither a name nor an address")
    if scheme == "ws" and not allow_plain and not is_loopback(parts.hostname or ""):
        raise ValueError("it is not encrypted")
    return mended


def is_loopback(host: str) -> bool:
    """Return whether *host* can only be this machine."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _split(url: str) -> SplitResult | None:
    """Return the parts of an address whose host can be looked up, with a port in range."""
    try:
        parts = urlsplit(url)
        _ = parts.port, (parts.hostname or "").encode("idna")
    except ValueError:
        return None
    return parts if parts.hostname else None
