"""A voice for the pages of a Flask app: ``LiveVoice``. Its functions run on the web server's threads."""

from __future__ import annotations

import logging
import secrets
import threading
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from flask import Flask, Request, Response, abort, current_app, jsonify, request

from genai_live import Client
from genai_live._arguments import came
from genai_live.errors import ConfigError
from genai_live.web.browser_end import IDLE_TIMEOUT, TOTAL_TIMEOUT
from genai_live.web.handover import NoUpgrade, Upgraded, end_request
from genai_live.web.live_voice import COOKIE, COOKIE_SECONDS, DRAIN_TIMEOUT, Reception, checked, module_of, name_of
from genai_live.web.store import ConversationStore
from genai_live.web.tickets import SignedTickets
from genai_live.web.visits import Refusal

if TYPE_CHECKING:
    from genai_live.tools import ToolPolicy
    from genai_live.types import LiveConnectConfig

__all__ = ["LiveVoice"]

logger = logging.getLogger("genai_live")

EXTENSION = "genai_live_voice"


class LiveVoice:
    """Lets the pages of a Flask app talk with a model, through ``<genai-live-voice src="/voice/">``.

    It adds routes below ``prefix``: the socket at the prefix itself, ``genai-live-voice.js`` with its modules, and ``token``.
    Where the web server gives its socket (gunicorn, werkzeug), one thread serves all visitors, and no thread of the server
    waits: ``gunicorn -k gthread --threads 8`` carries hundreds. ``app.secret_key`` signs what a page shows; without one, tokens
    hold for one process alone. docs/web.md tells the rest.

    Args:
        app: The app; or call ``init_app``.
        client: Opens the sessions; ``Client(shared_reader=True)`` by default, one thread for all of them.
        model: The model's name.
        config: As for ``Live.connect``.
        prefix: Where the routes are, with a slash at both ends.
        authorize: Called with each request for a token or a socket, in its context: the visitor's name, or None to refuse. By
            default everybody may talk, and a cookie tells them apart. False and "" refuse, too.
        store: Where conversations wait for their visitors; ``MemoryStore()`` by default.
        limit: Conversations at a time in each worker; by default as many as the process has descriptors for.
        idle_timeout: Seconds without a word after which a conversation ends; None for no limit.
        total_timeout: Seconds after which it ends whatever happens; None for no limit.
        drain_timeout: Seconds for the ends of the model's turns when the worker ends; then pages go to another one.
        run_tools: As for ``Live.connect``.
        turn_taking: "automatic" or "push_to_talk".
        origins: Other origins whose pages may talk, such as "https://www.example.com"; that of the app itself always may.

    Raises:
        ConfigError: an argument is not what it should be, or the model's family refuses the config.
    """

    def __init__(
        self,
        app: Flask | None = None,
        client: Client | None = None,
        *,
        model: str,
        config: LiveConnectConfig | Mapping[str, Any] | None = None,
        prefix: str = "/voice/",
        authorize: Callable[[Request], str | None] | None = None,
        store: ConversationStore | None = None,
        limit: int | None = None,
        idle_timeout: float | None = IDLE_TIMEOUT,
        total_timeout: float | None = TOTAL_TIMEOUT,
        drain_timeout: float = DRAIN_TIMEOUT,
        run_tools: bool | ToolPolicy | Mapping[str, Any] = False,
        turn_taking: str = "automatic",
        origins: Iterable[str] = (),
    ) -> None:
        if not isinstance(prefix, str) or not (prefix.startswith("/") and prefix.endswith("/")):
            raise ConfigError(f"must begin and end with a slash, not {prefix!r}", "prefix")
        checked(authorize)
        self._prefix = prefix
        self._authorize = authorize
        self._tickets_of: dict[tuple[str | bytes, ...], SignedTickets] = {}
        """By the secrets of the apps: a voice may be that of several."""
        self._own_secret = ""
        self._lock = threading.Lock()
        """Guards the making of both above."""
        self._reception = Reception(
            client,
            model=model,
            config=config,
            store=store,
            limit=limit,
            idle_timeout=idle_timeout,
            total_timeout=total_timeout,
            drain_timeout=drain_timeout,
            run_tools=run_tools,
            turn_taking=turn_taking,
            origins=origins,
        )
        if app is not None:
            self.init_app(app)

    def init_app(self, app: Flask) -> None:
        """Adds the routes to an app; to each app once.

        Raises:
            ConfigError: it is no Flask app, or has a voice with this prefix already.
        """
        if not isinstance(app, Flask):
            raise ConfigError(f"must be a Flask app, not {came(app)}", "app")
        prefix = self._prefix
        voices: dict[str, LiveVoice] = app.extensions.setdefault(EXTENSION, {})
        if prefix in voices:
            raise ConfigError(f"is {prefix!r}, where this app has a LiveVoice already: give each a prefix of its own", "prefix")
        voices[prefix] = self
        name = f"{EXTENSION} {prefix}"
        app.add_url_rule(prefix, name, self._socket, websocket=True)
        app.add_url_rule(prefix, f"{name} plain", self._socket)  # answered with what it is for
        app.add_url_rule(f"{prefix}token", f"{name} token", self._token)
        app.add_url_rule(f"{prefix}<name>", f"{name} file", self._file)

    def __repr__(self) -> str:
        return f"<LiveVoice {self._prefix} {self._reception!r}>"

    def __len__(self) -> int:
        """Conversations at this moment, in this process."""
        return len(self._reception)

    def close(self, timeout: float | None = None) -> None:
        """Lets nobody in, waits up to ``timeout`` seconds (``drain_timeout``) for the ends of turns, and sends all pages away.

        They come back at once, to another worker. The end of a worker of gunicorn does this by itself.
        """
        self._reception.leave(timeout)

    # The routes.

    def _socket(self) -> Response | str:
        refusal, visitor = self._judged()
        try:
            upgraded = self._reception.let_in(request.environ, self._tickets, visitor, refusal)
        except NoUpgrade as error:
            return Response(str(error), error.status, {"Upgrade": "websocket"}, mimetype="text/plain")
        except ConfigError as error:
            logger.error("%s", error)  # noqa: TRY400 # the sentence says it all
            return Response(str(error), 501, mimetype="text/plain")
        return _Over(upgraded)

    def _judged(self) -> tuple[Refusal | None, str | None]:
        return self._reception.judged(request.environ, self._visitor, must_be_known=self._authorize is not None)

    def _visitor(self) -> str | None:
        if self._authorize is not None:
            return name_of(self._authorize(request))
        return self._tickets.name_in(request.cookies.get(COOKIE, ""))

    def _token(self) -> Response:
        refusal, visitor = self._judged()
        if refusal is not None:
            abort(403)
        token, cookie = self._tickets.issued(visitor)
        response = jsonify(token=token)
        response.headers["Cache-Control"] = "no-store"
        if cookie is not None:
            path = f"{request.script_root}{self._prefix}"
            response.set_cookie(
                COOKIE, cookie, COOKIE_SECONDS, path=path, secure=request.is_secure, httponly=True, samesite="Strict"
            )
        return response

    def _file(self, name: str) -> Response:
        module = module_of(name)
        if module is None:
            abort(404)
        response = Response(module, mimetype="text/javascript")
        response.cache_control.no_cache = True  # kept by the browser, and asked for again by its tag
        response.add_etag()
        response.make_conditional(request)
        return response

    @property
    def _tickets(self) -> SignedTickets:
        """Those of the app of this request: a secret may be set late, and processes fork before they have visitors."""
        secret = current_app.secret_key
        fallbacks = current_app.config.get("SECRET_KEY_FALLBACKS") or ()
        with self._lock:
            keys = (*fallbacks, secret or self._secret_of_this_process())
            if keys not in self._tickets_of:
                self._tickets_of[keys] = SignedTickets(keys)
            return self._tickets_of[keys]

    def _secret_of_this_process(self) -> str:
        """Requires the lock."""
        if not self._own_secret:
            logger.warning(
                "app.secret_key is not set: tokens and conversations of pages hold for this process alone; set it where several"
                " workers serve, or one is restarted"
            )
            self._own_secret = secrets.token_hex()
        return self._own_secret


class _Over(Response):
    """Ends the server's part of a request whose socket is another's by now."""

    def __init__(self, upgraded: Upgraded | None) -> None:
        super().__init__(status=101)
        self._upgraded = upgraded

    def __call__(self, environ: Any, start_response: Any) -> Any:
        end_request(self._upgraded)
        return super().__call__(environ, start_response)
