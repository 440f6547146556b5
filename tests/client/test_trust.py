import ssl
from pathlib import Path

import pytest

from archiver.client.trust import make_context
from archiver.errors import ConfigError


def test_the_usual_authorities_are_believed_and_names_compared() -> None:
    context = make_context()

    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname
    assert context.cert_store_stats()["x509_ca"] > 0


def test_a_file_of_authorities_replaces_the_usual_ones(certificate: Path) -> None:
    context = make_context(certificate)

    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.cert_store_stats()["x509"] == 1


def test_verification_is_off_only_where_it_was_switched_off() -> None:
    context = make_context(verify=False)

    assert context.verify_mode is ssl.CERT_NONE
    assert not context.check_hostname
    assert make_context().verify_mode is ssl.CERT_REQUIRED


def test_contexts_are_shared(certificate: Path) -> None:
    assert make_context(certificate) is make_context(certificate)
    assert make_context() is make_context(None, verify=True)


@pytest.mark.parametrize("content", [None, b"no certificate"])
def test_an_unusable_file_is_named(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "authority.pem"
    if content is not None:
        path.write_bytes(content)

    with pytest.raises(ConfigError, match="ca_file cannot be used") as caught:
        make_context(path)

    assert caught.value.where == str(path)
