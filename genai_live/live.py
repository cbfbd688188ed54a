"""``Live.connect``: the whole story of connecting. Runs on the caller's thread, which waits while the reader thread dials."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from genai_live._arguments import came, flag
from genai_live._client_messages import inputs
from genai_live._client_messages.setup import connection_options, setup_message
from genai_live._connection.opening import CONNECT_TIMEOUT, Opener
from genai_live._connection.protocol import LiveProtocol, VertexLiveProtocol
from genai_live._deadline import Deadline
from genai_live._network.dial import WebSocketFactory
from genai_live._tracebacks import opaque
from genai_live.api_client import ApiClient
from genai_live.auth import Auth
from genai_live.callbacks import LiveCallbacks
from genai_live.errors import ConfigError
from genai_live.music import LiveMusic
from genai_live.reconnection import ReconnectPolicy
from genai_live.session import Session
from genai_live.types import LiveConnectConfig


class Live:
    """Opens sessions. This is what ``Client.live`` is; usable from many threads.

    Args:
        api_client: Settings of the client.
        auth: Where credentials come from; by default what the settings say.
        websocket_factory: Opens the WebSocket instead of this library: ``factory(url, headers, timeout)`` returns a connected
            ``websocket.WebSocket``; it is called on the thread that dials.

    Raises:
        ConfigError: one of them is of the wrong type.
    """

    def __init__(
        self,
        api_client: ApiClient,
        auth: Auth | None = None,
        websocket_factory: WebSocketFactory | None = None,
        *,
        shared_reader: bool = False,
    ) -> None:
        _check(api_client, auth, websocket_factory)
        flag(shared_reader, "shared_reader")
        self._api_client = api_client
        self._opener = Opener(auth, websocket_factory, shared_reader=shared_reader)
        self._music = LiveMusic(api_client, self._opener)

    @property
    def music(self) -> LiveMusic:
        """Opens music sessions: ``client.live.music.connect(model=...)``; Developer API only."""
        return self._music

    @opaque
    def connect(
        self,
        *,
        model: str,
        config: LiveConnectConfig | Mapping[str, Any] | None = None,
        callbacks: LiveCallbacks | Mapping[str, Any] | None = None,
        timeout: float | None = CONNECT_TIMEOUT,
        resume: str | None = None,
        reconnect: bool | ReconnectPolicy | Mapping[str, Any] = False,
        history: Any = None,
        extra_setup: Mapping[str, Any] | None = None,
    ) -> Session:
        """Opens a session and returns it after setupComplete. Blocks; Ctrl-C gives up.

        Args:
            model: The model's name, with or without ``models/``.
            config: LiveConnectConfig, or a dict of its fields in snake_case or camelCase; never changed.
            callbacks: Functions to call on the reader thread.
            timeout: Seconds for credentials, name lookup, proxy, TLS, upgrade and setup together; None for no limit. Where
                ``http_options.timeout`` (milliseconds) is set and shorter, it counts.
            resume: A handle of an earlier session (``session.resumption.handle``): goes on where that one was.
            reconnect: True, or a ReconnectPolicy, keeps the session alive across goAway, ends by the service and drops of the
                network; ``message.reconnecting`` and ``message.reconnected`` tell of it. It asks for session resumption.
            history: Content of an earlier conversation, given to the model before anything else.
            extra_setup: Members of the setup message that this library does not know yet, in the wire's spelling.

        Raises:
            ConfigError: the arguments cannot work; nothing was sent.
            ConnectTimeout: the time was used up; ``phase`` says in which step.
            HandshakeRejected: an HTTP answer other than 101, with ``status`` and ``body``.
            SetupRejected: closed before setupComplete, with ``code`` and ``reason``.
            ConnectError: any other failure; ``phase`` says in which step.
        """
        policy = ReconnectPolicy.of(reconnect)
        checked_callbacks = LiveCallbacks.of(callbacks)
        deadline = Deadline.of(timeout).or_earlier(self._api_client.request_deadline())
        api_client = connection_options(self._api_client, config)
        setup = setup_message(
            api_client,
            model,
            config,
            resume=resume,
            resumable=policy is not None,
            extra_setup=extra_setup,
            history=history,
            deadline=deadline,
        )
        # Made before anything is dialled: what is wrong with it shall cost nobody a connection.
        first = None if history is None else inputs.client_content(history, True, api_client.backend, "history")
        protocol = VertexLiveProtocol if api_client.vertexai else LiveProtocol
        channel = self._opener.open(api_client, setup, protocol, checked_callbacks, deadline, policy)
        detection = setup["setup"].get("realtimeInputConfig", {}).get("automaticActivityDetection", {})
        automatic = not detection.get("disabled", False)
        return Session(channel, api_client, model, automatic_detection=automatic, history=first, deadline=deadline)


def _check(api_client: object, auth: object, websocket_factory: object) -> None:
    if not isinstance(api_client, ApiClient):
        raise ConfigError(f"must be an ApiClient, not {came(api_client)}", "api_client")
    if auth is not None and not callable(getattr(auth, "headers", None)):
        raise ConfigError(f"must have a method headers(deadline), and {came(auth)} has none", "auth")
    if websocket_factory is not None and not callable(websocket_factory):
        words = f"must be a function that returns a websocket.WebSocket, not {came(websocket_factory)}"
        raise ConfigError(words, "websocket_factory")
