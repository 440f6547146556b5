"""Which certificates are believed, by panel or node."""

import ssl
from functools import lru_cache
from pathlib import Path

import httpx

from archiver.errors import ConfigError


def make_context(ca_file: Path | None = None, *, verify: bool = True) -> ssl.SSLContext:
    """
    Return the TLS settings of one end; one object for the same arguments.

    A context holds some 500 kB of certificates, so that thousands of sockets share it.

    Args:
        ca_file: PEM file of the authorities to believe, and no others; None: those of
            the system and those that httpx brings, since either may be empty.
        verify: False believes anyone, for nodes that signed their own.

    Raises:
        ConfigError: *ca_file* cannot be read, or holds no certificate.

    """
    return _make_context(ca_file, verify)


@lru_cache(maxsize=64)
def _make_context(ca_file: Path | None, verify: bool) -> ssl.SSLContext:  # noqa: FBT001 - cached by position
    if not verify:
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        return context
    if ca_file is None:
        context = httpx.create_ssl_context(trust_env=False)
        context.load_default_certs()
        return context
    try:
        return ssl.create_default_context(cafile=ca_file)
    except (OSError, ssl.SSLError) as error:
        raise ConfigError(
            f"ca_file cannot be used: {error.strerror or error}",
            where=str(ca_file),
            do="name a readable file with certificates in PEM form",
        ) from error
