"""Which certificates are trusted: one rule for the WebSocket and for REST. Runs on any thread; reads files, never the network."""

from __future__ import annotations

import functools
import os
import ssl
import sys
from collections.abc import Mapping
from typing import NamedTuple

from genai_live.errors import ConfigError

_ENVIRONMENT = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "WEBSOCKET_CLIENT_CA_BUNDLE")
"""Variables that name a CA bundle: OpenSSL's own, and those of the packages underneath. What any of them names is trusted: a
user's variable must still count on a machine that sets another one globally."""

_NOT_YET_VALID, _EXPIRED = 9, 10
_WRONG_NAME, _WRONG_ADDRESS = 62, 64
"""Results of verification by OpenSSL, X509_V_ERR_* in x509_vfy.h."""


_TOO_OLD = (
    "PROTOCOL_VERSION", "UNSUPPORTED_PROTOCOL", "UNSUPPORTED_SSL_VERSION", "NO_PROTOCOLS_AVAILABLE", "INAPPROPRIATE_FALLBACK",
    "HANDSHAKE_FAILURE", "INSUFFICIENT_SECURITY", "NO_SHARED_CIPHER", "DH_KEY_TOO_SMALL", "WRONG_SIGNATURE_TYPE",
    "UNSAFE_LEGACY_RENEGOTIATION_DISABLED",
)  # fmt: skip
"""In OpenSSL's name of an error: versions and ciphers that only one of the two sides takes."""
_PLAIN_CONTEXT = ssl.SSLContext.__mro__[-2]
"""What every context is, below whatever ssl.SSLContext names."""
_DEFAULT_STORE = f"certifi's bundle and {'OpenSSL' if sys.platform == 'darwin' else 'the system'}'s store"
_KEYCHAIN = (
    " Python does not read the Keychain: for what only that trusts, pip install truststore and set http_options ssl_context to"
    " truststore.SSLContext(ssl.PROTOCOL_TLS_CLIENT)."
)


class Trust(NamedTuple):
    """A TLS context, and the words that name its certificate store in an error."""

    context: ssl.SSLContext
    store: str


def trust(ssl_context: ssl.SSLContext | None = None, ca_bundle: str | None = None) -> Trust:
    """The caller's context, else the caller's bundle, else all that the environment names, else certifi's and the system's.

    Raises:
        ConfigError: the bundle cannot be read, or holds no certificate.
    """
    if ssl_context is not None:
        return Trust(ssl_context, "the ssl_context given in http_options")
    if ca_bundle:
        return _trust_in({ca_bundle: "http_options.ca_bundle"}, f"the ca_bundle {ca_bundle} given in http_options")
    named: dict[str, str] = {}
    for name in _ENVIRONMENT:
        if path := os.environ.get(name):
            named.setdefault(path, name)
    if named:
        words = (f"{path} named by the environment variable {name}" for path, name in named.items())
        return _trust_in(named, " and ".join(words))
    return Trust(_default_context(ssl.SSLContext), _DEFAULT_STORE)


def refusal(error: ssl.SSLCertVerificationError, store: str) -> tuple[str, str]:
    """Why a certificate was refused, and what to do: two sentences without their full stop and with it."""
    words = error.verify_message.rstrip(".") or "the certificate is not trusted"
    if error.verify_code in (_EXPIRED, _NOT_YET_VALID):
        cure = "The server needs a new one, unless this machine's clock is wrong."
    elif error.verify_code in (_WRONG_NAME, _WRONG_ADDRESS):
        cure = "It belongs to another host: check the address."
    else:
        cure = "Set http_options ca_bundle, or SSL_CERT_FILE, if the server's authority is a private one."
        cure += _KEYCHAIN if sys.platform == "darwin" else ""
    return words, f"The certificate was checked against {store}. {cure}"


def tls_failure(error: ssl.SSLError, words: str) -> tuple[str, str]:
    """Why there is no TLS connection, and what to do: likewise."""
    reason = (error.reason or "").upper()
    if any(part in reason for part in _TOO_OLD):
        advice = "The server, or whatever opens TLS on the way, has to speak TLS 1.2 or newer with ciphers of today."
        return f"no TLS that both sides take, so that of one is too old ({words})", advice
    return words, "The server may not speak TLS on this port: check the scheme and port of the address."


def is_context(given: object) -> bool:
    """True for an ``ssl.SSLContext``, whatever that name stood for when it was made: truststore and eventlet have others."""
    return isinstance(given, _PLAIN_CONTEXT)


def _trust_in(sources: Mapping[str, str], store: str) -> Trust:
    """Trusts the bundles at these paths, each with the setting that named it."""
    bundles = tuple((path, _changed(path, source), source) for path, source in sources.items())
    return Trust(_context_of(bundles, ssl.SSLContext), store)


def _changed(path: str, source: str) -> int:
    try:
        return os.stat(path).st_mtime_ns
    except OSError as error:
        words = error.strerror or str(error)
    raise ConfigError(f"{path} cannot be used as a bundle of certificates: {words}", source)


@functools.lru_cache(maxsize=8)
def _context_of(bundles: tuple[tuple[str, int, str], ...], kind: type[ssl.SSLContext]) -> ssl.SSLContext:
    # Parsing a bundle takes about 20 ms, and contexts may be shared by connections and threads: one for each state of the files,
    # and for whatever the program has made of ssl.SSLContext since (truststore).
    context = kind(ssl.PROTOCOL_TLS_CLIENT)
    for path, _, source in bundles:
        try:
            context.load_verify_locations(**({"capath": path} if os.path.isdir(path) else {"cafile": path}))
        except OSError as error:
            words = error.strerror or str(error)
        else:
            continue
        raise ConfigError(f"{path} cannot be used as a bundle of certificates: {words}", source)
    return context


@functools.lru_cache(maxsize=2)
def _default_context(kind: type[ssl.SSLContext]) -> ssl.SSLContext:
    import certifi  # comes with requests; a bundle of the caller's own makes it unnecessary

    context = ssl.create_default_context()  # of this kind
    context.load_verify_locations(cafile=certifi.where())
    return context
