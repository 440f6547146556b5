import ssl
from socket import EAI_NONAME, gaierror

import pytest

from archiver.client.failures import FailedError, Kind, PanelFailure, find_kind


def caused(outer: Exception, inner: Exception) -> Exception:
    outer.__cause__ = inner
    return outer


CASES: dict[str, tuple[Exception, tuple[Kind, str]]] = {
    "timeout": (TimeoutError(), (Kind.TIMEOUT, "")),
    "name": (gaierror(EAI_NONAME, "Name or service not known"), (Kind.NAME, "Name or service not known")),
    "refused": (ConnectionRefusedError(111, "Connection refused"), (Kind.UNREACHABLE, "Connection refused")),
    "wrapped": (
        caused(RuntimeError("outer"), ConnectionResetError(104, "Connection reset")),
        (Kind.UNREACHABLE, "Connection reset"),
    ),
    "unknown": (RuntimeError("odd"), (Kind.UNREACHABLE, "odd")),
    "TLS": (caused(RuntimeError("outer"), ssl.SSLError(1, "[SSL] wrong version")), (Kind.TLS, "[SSL] wrong version")),
}  # fmt: skip


@pytest.mark.parametrize(("error", "expected"), CASES.values(), ids=CASES)
def test_the_innermost_error_tells(error: BaseException, expected: object) -> None:
    assert find_kind(error) == expected


def test_a_failure_travels_in_its_error() -> None:
    failure = PanelFailure(Kind.TIMEOUT, "https://panel.example")

    assert FailedError(failure).failure is failure
