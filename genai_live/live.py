"""``Live.connect``: the whole story of connecting. Runs on the caller's thread, which waits while the reader thread dials."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, overload

from genai_live import _public
from genai_live._arguments import came, flag
from genai_live._client_messages import inputs
from genai_live._client_messages.setup import GivenConfig, connection_options, setup_message
from genai_live._connection.channel import Channel
from genai_live._connection.opening import CONNECT_TIMEOUT, Opener
from genai_live._connection.protocol import LiveProtocol, VertexLiveProtocol
from genai_live._deadline import Deadline
from genai_live._network.dial import WebSocketFactory
from genai_live._open_sessions import OpenSessions
from genai_live._preparing import runner_for
from genai_live._synchronous import Synchronous
from genai_live._tracebacks import opaque
from genai_live._validation import spelled, unknown_key
from genai_live.api_client import ApiClient
from genai_live.auth import Auth
from genai_live.callbacks import LiveCallbacks
from genai_live.errors import ConfigError
from genai_live.music import LiveMusic, MusicSession
from genai_live.reconnection import ReconnectPolicy
from genai_live.session import FINISH_TIMEOUT, Session
from genai_live.types import LiveConnectConfig, LiveConnectParameters, LiveServerMessage

__all__ = ["Live"]

if TYPE_CHECKING:
    from genai_live.live_models import LiveModel
    from genai_live.tools import ToolPolicy
else:
    __getattr__, __dir__ = _public.public(__name__)


class Live(Synchronous):
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
        self._sessions = OpenSessions()
        self._music = LiveMusic(api_client, self._opener, self._sessions.add)

    @property
    def music(self) -> LiveMusic:
        """Opens music sessions: ``client.live.music.connect(model=...)``; Developer API only."""
        return self._music

    @property
    def sessions(self) -> tuple[Session | MusicSession, ...]:
        """The sessions that were opened here and are open now, music sessions too, oldest first."""
        return self._sessions.now()

    @opaque
    def models(self) -> tuple[LiveModel, ...]:
        """The models that talk live, as the service lists them; ``[model.name for model in client.live.models()]``.

        On Vertex AI, whose list does not say what a model can do, those whose name says so. Blocks up to http_options.timeout
        (milliseconds), 30 s by default, for each thousand models.

        Raises:
            ConfigError: the client has only an ephemeral token.
            APIError: the service refused, with ``status`` and ``body``.
            ConnectError: no answer.
        """
        from genai_live.live_models import live_models  # by those who ask

        return live_models(self._api_client)

    def finish(self, timeout: float | None = FINISH_TIMEOUT) -> None:
        """Ends all open sessions politely, side by side: each lets its answer arrive, as ``Session.finish`` does, then closes.

        Returns when the last is closed, within ``timeout`` seconds for all of them; music sessions are closed at once. A session
        that is opened meanwhile stays open. A session in whose callback this is called is closed at once.

        Raises:
            ConfigError: ``timeout`` is not a number of seconds.
        """
        self._sessions.finish(Deadline.of(timeout))

    @overload
    def connect(
        self,
        parameters: LiveConnectParameters | Mapping[str, Any],
        /,
        *,
        timeout: float | None = CONNECT_TIMEOUT,
        resume: str | None = None,
        reconnect: bool | ReconnectPolicy | Mapping[str, Any] = False,
        history: Any = None,
        extra_setup: Mapping[str, Any] | None = None,
        run_tools: bool | ToolPolicy | Mapping[str, Any] = False,
    ) -> Session: ...

    @overload
    def connect(
        self,
        parameters: None = None,
        /,
        *,
        model: str,
        config: LiveConnectConfig | Mapping[str, Any] | None = None,
        callbacks: LiveCallbacks | Mapping[str, Any] | None = None,
        timeout: float | None = CONNECT_TIMEOUT,
        resume: str | None = None,
        reconnect: bool | ReconnectPolicy | Mapping[str, Any] = False,
        history: Any = None,
        extra_setup: Mapping[str, Any] | None = None,
        run_tools: bool | ToolPolicy | Mapping[str, Any] = False,
    ) -> Session: ...

    @opaque
    def connect(
        self,
        parameters: LiveConnectParameters | Mapping[str, Any] | None = None,
        /,
        *,
        model: str | None = None,
        config: LiveConnectConfig | Mapping[str, Any] | None = None,
        callbacks: LiveCallbacks | Mapping[str, Any] | None = None,
        timeout: float | None = CONNECT_TIMEOUT,
        resume: str | None = None,
        reconnect: bool | ReconnectPolicy | Mapping[str, Any] = False,
        history: Any = None,
        extra_setup: Mapping[str, Any] | None = None,
        run_tools: bool | ToolPolicy | Mapping[str, Any] = False,
    ) -> Session:
        """Opens a session and returns it after setupComplete. Blocks; Ctrl-C gives up.

        Args:
            parameters: LiveConnectParameters, or a dict of model, config and callbacks, instead of the first three.
            model: The model's name, with or without ``models/``.
            config: LiveConnectConfig, or a dict of its fields in snake_case or camelCase; never changed.
            callbacks: Functions to call on the reader thread.
            timeout: Seconds for credentials, name lookup, proxy, TLS, upgrade and setup together; None for no limit. Where
                ``http_options.timeout`` (milliseconds) is set and shorter, it counts.
            resume: A handle of an earlier session (``session.resumption.handle``): goes on where that one was.
            reconnect: True, or a ReconnectPolicy, keeps the session alive across goAway, ends by the service and drops of the
                network; ``message.reconnecting`` and ``message.reconnected`` report it. It asks for session resumption.
            history: Content of an earlier conversation, given to the model before anything else.
            extra_setup: Members of the setup message that this library does not know yet, in the wire's spelling.
            run_tools: True, or a ToolPolicy, runs the functions in ``config.tools`` when the model calls them, on threads of
                their own, and answers each call once; docs/tools.md says the rest.

        Raises:
            ConfigError: the arguments cannot work; nothing was sent.
            ConnectTimeout: the time was used up; ``phase`` says in which step.
            HandshakeRejected: an HTTP answer other than 101, with ``status`` and ``body``.
            SetupRejected: closed before setupComplete, with ``code`` and ``reason``.
            ConnectError: any other failure; ``phase`` says in which step.
        """
        # The arguments, checked.
        model, config, callbacks = _first_three(parameters, model=model, config=config, callbacks=callbacks)
        policy = ReconnectPolicy.of(reconnect)
        checked_callbacks = LiveCallbacks.of(callbacks)
        deadline = Deadline.of(timeout).or_earlier(self._api_client.request_deadline())
        # The config, read once: this session's address, its functions, its setup message.
        given = GivenConfig.of(config)
        api_client = connection_options(self._api_client, given)
        runner, given = (None, given) if run_tools is False else runner_for(run_tools, given, model, api_client)
        setup = setup_message(
            api_client,
            model,
            given,
            resume=resume,
            resumable=policy is not None,
            extra_setup=extra_setup,
            history=history,
            deadline=deadline,
        )
        # Made before anything is dialled, so that a bad history fails at once.
        first = None if history is None else inputs.client_content(history, True, api_client.backend, "history")
        protocol = VertexLiveProtocol if api_client.vertexai else LiveProtocol
        if runner is not None:
            runner.registry.note_declared(setup.tools)

        # Everything is known: from here on the network decides.
        def hold(channel: Channel[LiveServerMessage]) -> Session:
            session = Session(
                channel,
                api_client,
                model,
                automatic_detection=setup.automatic_detection,
                history=first,
                deadline=deadline,
                runner=runner,
                non_blocking=setup.non_blocking,
                setup=setup.fields,
            )
            self._sessions.add(session, channel)
            return session

        return self._opener.open(api_client, setup, protocol, checked_callbacks, deadline, hold, policy, runner)


def _first_three(parameters: LiveConnectParameters | Mapping[str, Any] | None, **named: Any) -> tuple[Any, Any, Any]:
    """Model, config and callbacks, by their names or together in ``parameters``."""
    if isinstance(parameters, str):
        raise ConfigError("is passed by its name: connect(model=...)", "model")
    given, unknown = spelled(LiveConnectParameters, {} if parameters is None else parameters, "parameters")
    if unknown:
        raise unknown_key(LiveConnectParameters, next(iter(unknown)), "parameters")
    for name, value in given.items():
        if named[name] is not None:
            raise ConfigError("is given twice, as an argument and in parameters", name)
        named[name] = value
    return named["model"], named["config"], named["callbacks"]


def _check(api_client: object, auth: object, websocket_factory: object) -> None:
    if not isinstance(api_client, ApiClient):
        raise ConfigError(f"must be an ApiClient, not {came(api_client)}", "api_client")
    if auth is not None and not callable(getattr(auth, "headers", None)):
        raise ConfigError(f"must have a method headers(deadline), and {came(auth)} has none", "auth")
    if websocket_factory is not None and not callable(websocket_factory):
        words = f"must be a function that returns a websocket.WebSocket, not {came(websocket_factory)}"
        raise ConfigError(words, "websocket_factory")
