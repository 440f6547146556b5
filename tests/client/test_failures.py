import os
import ssl
from errno import ECONNREFUSED, ECONNRESET
from socket import EAI_NONAME, gaierror

import pytest

from archiver.client.failures import FailedError, Kind, PanelFailure, find_kind


def caused(outer: Exception, inner: Exception) -> Exception:
    outer.__cause__ = inner
    return outer


CASES: dict[str, tuple[Exception, tuple[Kind, str]]] = {
    "timeout": (TimeoutError(), (Kind.TIMEOUT, "")),
    "name": (gaierror(EAI_NONAME, "Name or service not known"), (Kind.NAME, "Name or service not known")),
    "refused": (
        ConnectionRefusedError(ECONNREFUSED, "Connect call failed ('127.0.0.1', 1)"),
        (Kind.UNREACHABLE, os.strerror(ECONNREFUSED)),
    ),
    "wrapped": (
        caused(RuntimeError("outer"), ConnectionResetError(ECONNRESET, "reset")),
        (Kind.UNREACHABLE, os.strerror(ECONNRESET)),
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
