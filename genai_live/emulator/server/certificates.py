"""TLS for the emulator: a throw-away authority and certificate, or the caller's own. Runs on the thread that starts it."""

from __future__ import annotations

import os
import ssl
import tempfile
from dataclasses import dataclass
from pathlib import Path

from genai_live._arguments import came, file_path
from genai_live._extras import installing
from genai_live.errors import ConfigError

NAMES = ("localhost", "127.0.0.1", "::1")
"""Names that the throw-away certificate is for."""

TlsChoice = bool | tuple[str | Path, str | Path] | ssl.SSLContext
"""False: plain. True: throw-away certificate. Or a certificate and a key file, or a context that is ready."""
_FILES = 2
"""Of a certificate and its key."""


@dataclass
class Tls:
    """What a server needs for TLS, and what its clients must trust."""

    context: ssl.SSLContext
    ca_path: str | None = None
    """PEM file that clients must trust; None when the caller brought a context."""
    temporary: bool = False

    def discard(self) -> None:
        """Removes the file of a throw-away authority."""
        if self.temporary and self.ca_path is not None:
            Path(self.ca_path).unlink(missing_ok=True)


def check_tls(choice: object) -> TlsChoice:
    """``choice`` itself.

    Raises:
        ConfigError: when it is none.
    """
    if isinstance(choice, (bool, ssl.SSLContext)):
        return choice
    if not isinstance(choice, tuple) or len(choice) != _FILES:
        raise ConfigError(f"must be True, False, an ssl.SSLContext or (certificate file, key file), not {came(choice)}", "tls")
    return file_path(choice[0], "tls"), file_path(choice[1], "tls")


def make_tls(choice: TlsChoice) -> Tls | None:
    """TLS as chosen; None for none.

    Raises:
        ConfigError: when a throw-away certificate cannot be made.
    """
    if choice is False:
        return None
    if isinstance(choice, ssl.SSLContext):
        return Tls(choice)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    if isinstance(choice, tuple):
        certificate, key = choice
        context.load_cert_chain(certificate, key)
        return Tls(context, str(certificate))
    return _throw_away(context)


def _throw_away(context: ssl.SSLContext) -> Tls:
    try:
        import trustme
    except ImportError:
        raise ConfigError(
            f"a certificate for this run needs the package trustme: {installing('emulator')}; or pass tls=(cert, key)",
            "tls",
        ) from None
    authority = trustme.CA()
    authority.issue_cert(*NAMES).configure_cert(context)
    handle, path = tempfile.mkstemp(prefix="genai_live-emulator-ca-", suffix=".pem")
    with os.fdopen(handle, "wb") as file:
        file.write(authority.cert_pem.bytes())
    return Tls(context, path, temporary=True)
