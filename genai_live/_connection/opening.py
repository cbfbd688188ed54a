"""Connects, with retries: from a checked setup message to an open channel. On the caller's thread; another one dials."""

from __future__ import annotations

import random
import time
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

from genai_live._client_messages.first_message import Setup
from genai_live._connection.channel import Channel
from genai_live._connection.protocol import BidiProtocol, CallWatcher
from genai_live._connection.reader import Reader
from genai_live._deadline import Deadline
from genai_live._network.dial import Plan, WebSocketFactory
from genai_live._network.headers import hidden
from genai_live._network.http_answer import FIRST_SERVER_FAULT
from genai_live._secret import Secret
from genai_live.api_client import ApiClient, auth_for
from genai_live.auth import Auth
from genai_live.callbacks import Callbacks
from genai_live.errors import ConnectError, ErrorKind, WrongThread
from genai_live.types._server_messages import ServerMessage

if TYPE_CHECKING:
    from collections.abc import Callable

    from genai_live.reconnection import ReconnectPolicy

Held = TypeVar("Held")

CONNECT_TIMEOUT = 30.0
"""Seconds for everything up to setupComplete; the service was seen to need 0.3 to 0.8 s."""

FIRST_PAUSE = 0.25
"""Seconds before the second try, before chance has its say: an instance that was just replaced answers within half a second."""
LONGEST_PAUSE = 4.0
"""Seconds: with the default timeout of 30 s this leaves room for about ten tries."""
_FACTOR = 2.0
_PASSING = (ErrorKind.NETWORK, ErrorKind.UNAVAILABLE)
"""What may be over a moment later. An expired handle stays expired, a quota stays used up for longer than anybody waits here."""


class Opener:
    """Opens connections with the credentials, the WebSocket factory and the reader of one client. Usable from many threads."""

    def __init__(self, auth: Auth | None, websocket_factory: WebSocketFactory | None, *, shared_reader: bool) -> None:
        self._auth = auth
        self._websocket_factory = websocket_factory
        self._shared_reader = Reader(shared=True) if shared_reader else None

    @property
    def shared_reader(self) -> Reader | None:
        """The reader of all sessions; None where each has its own."""
        return self._shared_reader

    def open(
        self,
        api_client: ApiClient,
        setup: Setup,
        protocol: type[BidiProtocol[ServerMessage]],
        callbacks: Callbacks[ServerMessage],
        deadline: Deadline,
        hold: Callable[[Channel[ServerMessage]], Held],
        policy: ReconnectPolicy | None = None,
        watcher: CallWatcher | None = None,
    ) -> Held:
        """Connects, sends ``setup``, waits for setupComplete, and returns what ``hold`` makes of the channel. Blocks.

        Ctrl-C gives up, at any line: until ``hold`` has returned no other code has the channel.

        Tries again, when http_options connect_retries asks for it, what failed in the network or by the service's fault. With a
        ``policy`` the connection is one that goes on over others when it ends. ``watcher`` answers calls of the model by itself.

        Raises:
            ConfigError: the backend does not have the protocol's method; nothing was dialled.
            WrongThread: called in a callback of the shared reader that would read the connection.
            ConnectError: or one of its kinds.
        """
        if self._shared_reader is not None and self._shared_reader.is_current:
            raise WrongThread(
                "connecting in a callback of a shared reader would wait for its own thread: connect on another thread, or give"
                " LiveCallbacks an executor"
            )
        plan = self._plan(api_client, setup.json, protocol.method)

        def plan_for(handle: str | None) -> Plan:
            return replace(plan, setup=setup.resumed(handle))

        tried = 0
        while True:
            made = protocol()
            made.watcher = watcher
            channel = Channel(plan, made, callbacks, self._new_reader, policy, plan_for)
            try:
                channel.open(deadline)
                return hold(channel)
            except ConnectError as error:
                tried += 1
                pause = next_try_in(error, tried, plan.options.connect_retries, deadline.left(), random.random())
                if pause is None:
                    channel.report_end()
                    raise
            except BaseException:
                channel.abort()
                raise
            time.sleep(pause)  # not a wait for an event: Ctrl-C ends a sleep on every system

    def _new_reader(self) -> Reader:
        return self._shared_reader or Reader(shared=False)

    def _plan(self, api_client: ApiClient, setup: bytes, method: str) -> Plan:
        endpoint = api_client.live_endpoint(method)
        auth = self._auth or auth_for(api_client, method)
        shared = api_client.hidden_headers()

        def headers(deadline: Deadline) -> dict[str, str | Secret]:
            return {**shared, **hidden(auth.headers(deadline))}

        return Plan(Secret(endpoint.url), endpoint.safe_url, headers, setup, api_client.options, self._websocket_factory)


# Whether a failed connect() is tried again, and when: decisions without clock or chance of their own.


def may_pass(error: ConnectError) -> bool:
    """True for failures of the network and of the service; never for an HTTP answer below 500, which means the request."""
    if error.status is not None and error.status < FIRST_SERVER_FAULT:
        return False
    return error.retryable and error.kind in _PASSING


def pause(tried: int, chance: float) -> float:
    """Seconds to wait after so many tries; ``chance`` (0 to 1) spreads clients that failed together over half of it."""
    return min(LONGEST_PAUSE, FIRST_PAUSE * _FACTOR ** (tried - 1)) * (0.5 + chance / 2)


def next_try_in(error: ConnectError, tried: int, retries: int, left: float | None, chance: float) -> float | None:
    """Seconds until the next of ``retries`` further tries, of the ``left`` ones that the caller waits; None to give up."""
    if tried > retries or not may_pass(error):
        return None
    seconds = pause(tried, chance)
    return seconds if left is None or seconds < left else None
