"""The WebSocket upgrade, by websocket-client over a socket of ours. Blocks, within one deadline, on the thread that dials.

websocket-client's trace and every traceback see ``<set>`` where a credential stands: it is filled in below them, and taken out
where the server's answer repeats it.
"""

from __future__ import annotations

import importlib.util
import re
import sys
from collections.abc import Mapping
from http.client import HTTPMessage
from types import ModuleType
from typing import TYPE_CHECKING

from genai_live._close_reasons import judged, of_status, on_the_way_in
from genai_live._network.headers import revealed, secrets_in
from genai_live._network.http_answer import MOST_INTERIM, SWITCHING_PROTOCOLS, Answer, is_interim, quoted
from genai_live._network.tcp import Line
from genai_live._secret import SHOWN, Secret, redacted
from genai_live.errors import ConfigError, ConnectError, HandshakeRejected, Phase

if TYPE_CHECKING:
    import websocket

_MODULE = "websocket"
_PROTOCOL, _EXTENSIONS = "sec-websocket-protocol", "sec-websocket-extensions"
_STATUS = re.compile(rb"HTTP/1\.[01] (\d{3})(?!\d)")
_HEAD_BYTES = 65_536
"""Largest head of an answer that is read: RFC 9110 sets no limit, servers commonly send below 8 KiB."""
_END_OF_HEAD = (b"\r\n\r\n", b"\n\n")
_COOKIE_OF_ANOTHER = re.compile(rb"\r\nCookie: (?!%b\r\n)[^\r\n]*" % SHOWN.encode())


def websocket_client() -> ModuleType:
    """The package websocket-client, whose module has a name that other packages have, and many a script.

    Raises:
        ConfigError: it is missing, or hidden by another of that name, which is not run for it.
    """
    if _MODULE not in sys.modules:
        found = importlib.util.find_spec(_MODULE)
        if found is not None and found.submodule_search_locations is None:
            raise _hidden_by(found.origin)
    try:
        module = importlib.import_module(_MODULE)  # 25 ms: only a process that connects pays for it
    except ImportError as error:
        words = f"{error}".rstrip(".")
    else:
        return _checked(module)
    raise ConfigError(f"the package websocket-client cannot be imported ({words}): pip install websocket-client")


def _checked(module: ModuleType) -> ModuleType:
    if not all(hasattr(module, name) for name in ("WebSocket", "WebSocketException", "enableTrace")):
        raise _hidden_by(getattr(module, "__file__", None) or str(next(iter(getattr(module, "__path__", ())), None)))
    return module


def _hidden_by(path: str | None) -> ConfigError:
    if path is not None and "site-packages" in path:
        cure = "pip uninstall websocket, then pip install --force-reinstall websocket-client"
    else:
        cure = "give it another name"
    return ConfigError(f"Python finds {path} where the package websocket-client should be: {cure}")


def upgrade(line: Line, url: str, safe_url: str, headers: Mapping[str, str | Secret]) -> websocket.WebSocket:
    """Returns the WebSocket after the upgrade; its ``sock`` is the line's socket.

    Raises:
        HandshakeRejected: an HTTP status other than 101.
        ConnectError: 101 with what was not asked for.
        OSError: the connection ended, or the deadline passed.
        websocket.WebSocketException: The answer is not that of an upgrade.
    """
    client = websocket_client()
    connection: websocket.WebSocket = client.WebSocket(skip_utf8_validation=True)
    handshake = _HandshakeSocket(line, url, safe_url, headers)
    try:
        connection.connect(
            safe_url,
            socket=handshake,
            header={name: str(value) for name, value in headers.items()},
            suppress_origin=True,  # an Origin header is for browsers
            redirect_limit=0,  # a redirect would be dialled without our rules, and would take the credential to another host
        )
    except (client.WebSocketException, _BodyFollows):
        answer = handshake.refusal()
        if answer is None:
            raise
    else:
        answer = handshake.refusal()  # versions before 1.9.1 take a redirect for an upgrade
        if answer is None:
            _check_unasked(handshake.headers(), safe_url, headers)
            connection.sock = line.sock
            return connection
    raise _rejected(safe_url, answer, secrets_in(headers, url, safe_url))


def _check_unasked(given: HTTPMessage, safe_url: str, asked: Mapping[str, str | Secret]) -> None:
    """RFC 6455 section 4.1, steps 5 and 6. No extension is spoken here, whatever a caller's own header says."""
    wanted = {name.lower(): value for name, value in revealed(asked).items()}.get(_PROTOCOL, "")
    protocol, extension = (", ".join(filter(None, given.get_all(name) or [])) for name in (_PROTOCOL, _EXTENSIONS))
    if protocol and protocol not in [each.strip() for each in wanted.split(",")]:
        what = f"the subprotocol {protocol!r}"
    elif extension:
        what = f"the extension {extension!r}"
    else:
        return
    advice = "What answers there, or a proxy on the way, does not keep to RFC 6455."
    error = ConnectError(f"the upgrade was answered with {what}, which was not asked for. {advice} ({safe_url})", Phase.UPGRADE)
    error.advice = advice
    raise error


def _rejected(safe_url: str, answer: Answer, secrets: list[Secret]) -> HandshakeRejected:
    body = redacted(answer.body(), secrets)
    verdict = on_the_way_in(of_status(answer.status, body), safe_url)
    sentences = f"the upgrade was refused with HTTP {answer.status}{quoted(body)}. {verdict.advice}".rstrip()
    error = HandshakeRejected(f"{sentences} ({safe_url})", answer.status, body)
    judged(error, verdict)
    return error


class _BodyFollows(Exception):
    """The head is over: what follows is read by our rules."""


class _HandshakeSocket:
    """What websocket-client speaks through: fills in the credentials, keeps the deadline, and remembers the answer."""

    def __init__(self, line: Line, url: str, safe_url: str, headers: Mapping[str, str | Secret]) -> None:
        self._line = line
        self._headers = headers
        self._secrets = secrets_in(headers, url, safe_url)
        self._head = b""
        """The answer's head, without what it repeats of the request's credentials."""
        self._taken = 0
        """Bytes of it that websocket-client has."""
        self._query: tuple[bytes, Secret] | None = None
        if url != safe_url:
            shown = safe_url.partition("?")[2]
            self._query = f"?{shown} HTTP/1.1\r\n".encode(), Secret(url.partition("?")[2])

    def send(self, data: bytes) -> int:
        self._line.send(self._filled_in(data))
        return len(data)

    def _filled_in(self, data: bytes) -> bytes:
        # websocket-client keeps cookies for the whole process: those of another client's session are not this one's.
        data = _COOKIE_OF_ANOTHER.sub(b"", data)
        if self._query is not None:
            shown, query = self._query
            data = data.replace(shown, f"?{query.reveal()} HTTP/1.1\r\n".encode(), 1)
        for name, value in self._headers.items():
            if isinstance(value, Secret):
                filled = f"\r\n{name}: {value.reveal()}\r\n".encode("latin-1")
                data = data.replace(f"\r\n{name}: {SHOWN}\r\n".encode(), filled, 1)
        return data

    def recv(self, size: int) -> bytes:
        if not self._head:
            self._head = redacted(self._read_head().decode("latin-1"), self._secrets).encode("latin-1")
        data = self._head[self._taken : self._taken + size]
        self._taken += len(data)
        if not data and self._head.endswith(_END_OF_HEAD):
            raise _BodyFollows
        return data

    def _read_head(self) -> bytes:
        """The head of the answer that counts; of what comes before it, such as 103 Early Hints, there is a bound."""
        for _ in range(MOST_INTERIM + 1):
            head = self._read_one_head()
            status = _STATUS.match(head)
            if status is None or not is_interim(int(status[1])):
                return head
        raise OSError(f"more than {MOST_INTERIM} interim answers came")

    def _read_one_head(self) -> bytes:
        """A head, byte by byte, for what follows it is a body, or frames; what there is of it where the connection ends."""
        head = bytearray()
        while not head.endswith(_END_OF_HEAD):
            if len(head) > _HEAD_BYTES:
                raise OSError(f"the answer's headers are longer than {_HEAD_BYTES} bytes")
            data = self._line.receive(1)
            if not data:
                break
            head += data
        return bytes(head)

    def refusal(self) -> Answer | None:
        """The answer if it is one, and not the upgrade that was asked for."""
        if not self._head.endswith(_END_OF_HEAD):
            return None
        answer = self._answer()
        return None if answer.status == SWITCHING_PROTOCOLS else answer

    def headers(self) -> HTTPMessage:
        """The headers of the answer."""
        return self._answer().headers

    def _answer(self) -> Answer:
        return Answer(self._line, method="GET", begun=self._head)

    def gettimeout(self) -> float | None:
        return self._line.deadline.left()

    def fileno(self) -> int:
        return self._line.sock.fileno()

    def close(self) -> None:
        """Leaves the socket open: its refusal is still to be read, and the dialler closes it."""
