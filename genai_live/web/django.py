"""A voice for the pages of a Django project: ``LiveVoice``. Views run on the server's threads, sockets on its loop."""

from __future__ import annotations

import io
import itertools
import logging
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.core import signing
from django.core.exceptions import PermissionDenied, SuspiciousOperation
from django.core.handlers.asgi import ASGIRequest
from django.db import connections
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseForbidden, JsonResponse
from django.urls import URLPattern, path
from django.utils.module_loading import import_string

from genai_live import Client
from genai_live.errors import ConfigError
from genai_live.web.asgi_line import AsgiLine, Receive, Send
from genai_live.web.browser_end import IDLE_TIMEOUT, TOTAL_TIMEOUT
from genai_live.web.handover import NoUpgrade, Upgraded, end_request
from genai_live.web.leaving import leave_at_signal
from genai_live.web.live_voice import COOKIE, COOKIE_SECONDS, DRAIN_TIMEOUT, Reception, checked, module_of, name_of
from genai_live.web.store import ConversationStore
from genai_live.web.tickets import Tickets, warn_of_foreign_signature
from genai_live.web.visits import ORIGIN, UNKNOWN, Refusal
from genai_live.web.wire_format import FAILED

if TYPE_CHECKING:
    from genai_live.tools import ToolPolicy
    from genai_live.types import LiveConnectConfig

__all__ = ["LiveVoice"]

logger = logging.getLogger("genai_live")

NAME = "genai_live_voice"
_RUNSERVER = "WSGIServer"
"""How the server of ``manage.py runserver`` calls itself."""
NO_SOCKET = (
    "manage.py runserver gives a view no socket, so no visitor can talk: run  gunicorn -k gthread --threads 8 PROJECT.wsgi  or"
    " install daphne, put 'daphne' first into INSTALLED_APPS and set ASGI_APPLICATION: then runserver goes through Channels"
)
NO_ROUTES = (
    "a page asks to talk, and this ASGI application has no route for its WebSocket: set ASGI_APPLICATION to a ProtocolTypeRouter"
    " with websocket_urlpatterns of this LiveVoice (docs/web.md, Django), or run  gunicorn -k gthread --threads 8 PROJECT.wsgi"
)
UPGRADE = {"Upgrade": "websocket"}
_OF_THE_VISITOR = {
    "session": "django.contrib.sessions.middleware.SessionMiddleware",
    "user": "django.contrib.auth.middleware.AuthenticationMiddleware",
}
"""What a request has of its visitor, and the middleware that finds it out."""


class LiveVoice:
    """Lets the pages of a Django project talk with a model, through ``<genai-live-voice src="/voice/">``.

    ``path("voice/", LiveVoice(...).urls)`` adds the socket at the path itself, ``genai-live-voice.js`` with its modules, and
    ``token``. Under gunicorn one thread serves all visitors, and no thread of the server waits: ``gunicorn -k gthread
    --threads 8`` carries hundreds. Under an ASGI server (daphne, uvicorn) ``websocket_urlpatterns`` has the socket; it runs on
    the server's loop, and a visitor that takes long to connect delays nobody. ``SECRET_KEY`` signs what a page shows.

    Args:
        client: Opens the sessions; ``Client(shared_reader=True)`` by default, one thread for all of them.
        model: The model's name.
        config: As for ``Live.connect``.
        authorize: Called with each request for a token or a socket: the visitor's name, or None to refuse. ``request.user`` is
            the one of ``django.contrib.auth``, for sockets of Channels too. By default everybody may talk, and a cookie tells
            them apart.
        store: Where conversations wait for their visitors; ``MemoryStore()`` by default, ``RedisStore(url)`` for several workers.
        limit: Conversations at a time in each worker; by default as many as the process has descriptors for.
        idle_timeout: Seconds without a word after which a conversation ends; None for no limit.
        total_timeout: Seconds after which it ends whatever happens; None for no limit.
        drain_timeout: Seconds for the ends of the model's turns when the worker ends; then pages go to another one.
        run_tools: As for ``Live.connect``.
        turn_taking: "automatic" or "push_to_talk".
        origins: Other origins whose pages may talk, such as "https://www.example.com"; that of the project itself always may.

    Raises:
        ConfigError: an argument is not what it should be, or the model's family refuses the config.
    """

    _included = itertools.count(1)
    """Of all voices: namespaces of a project have to differ (urls.W005)."""

    def __init__(
        self,
        client: Client | None = None,
        *,
        model: str,
        config: LiveConnectConfig | Mapping[str, Any] | None = None,
        authorize: Callable[[HttpRequest], str | None] | None = None,
        store: ConversationStore | None = None,
        limit: int | None = None,
        idle_timeout: float | None = IDLE_TIMEOUT,
        total_timeout: float | None = TOTAL_TIMEOUT,
        drain_timeout: float = DRAIN_TIMEOUT,
        run_tools: bool | ToolPolicy | Mapping[str, Any] = False,
        turn_taking: str = "automatic",
        origins: Iterable[str] = (),
    ) -> None:
        checked(authorize)
        self._has_sockets = False
        """True when somebody has asked for the sockets of Channels; said once when nobody has."""
        self._tickets = DjangoTickets()
        self._authorize = authorize
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

    @property
    def urls(self) -> tuple[list[URLPattern], str, str]:
        """What ``django.urls.path`` takes: the socket, the token, the element's modules."""
        routes = [
            path("", self._socket, name="socket"),
            path("token", self._token, name="token"),
            path("<str:name>", self._file, name="file"),
        ]
        number = next(self._included)
        return routes, NAME, NAME if number == 1 else f"{NAME}{number}"

    @property
    def websocket_urlpatterns(self) -> list[URLPattern]:
        """What the ``URLRouter`` of Channels takes, below the same path as ``urls``."""
        self._has_sockets = True
        return [path("", self._websocket)]  # an ASGI application, as Channels has them

    def __repr__(self) -> str:
        return f"<LiveVoice {self._reception!r}>"

    def __len__(self) -> int:
        """Conversations at this moment, in this process."""
        return len(self._reception)

    def close(self, timeout: float | None = None) -> None:
        """Lets nobody in, waits up to ``timeout`` seconds (``drain_timeout``) for the ends of turns, and sends all pages away.

        They come back at once, to another worker. The end of a worker does this by itself.
        """
        self._reception.leave(timeout)

    # Views.

    def _socket(self, request: HttpRequest) -> HttpResponse:
        environ = getattr(request, "environ", None)
        if environ is None:  # an ASGI server has other requests for sockets
            return _plain("This address is for the WebSocket of <genai-live-voice>.", 426, **UPGRADE)
        is_runserver = environ.get("SERVER_SOFTWARE", "").startswith(_RUNSERVER)
        refusal, visitor = self._judged(request)
        try:
            upgraded = self._reception.let_in(environ, self._tickets, visitor, refusal)
        except NoUpgrade as error:
            return _plain(str(error), error.status, **({} if is_runserver else UPGRADE))  # wsgiref forbids that header
        except ConfigError as error:
            sentence = NO_SOCKET if is_runserver else str(error)
            logger.error("%s", sentence)  # noqa: TRY400 # the sentence says it all
            return _plain(sentence, 501)
        return _Over(upgraded)

    def _token(self, request: HttpRequest) -> HttpResponse:
        if not (self._has_sockets or hasattr(request, "environ")):
            self._has_sockets = True
            logger.warning("%s", NO_ROUTES)
        refusal, visitor = self._judged(request)
        if refusal is not None:
            return HttpResponseForbidden(refusal.sentence, content_type="text/plain")
        token, cookie = self._tickets.issued(visitor)
        response = JsonResponse({"token": token})
        response["Cache-Control"] = "no-store"
        if cookie is not None:
            below = request.path.removesuffix("token")
            response.set_cookie(
                COOKIE, cookie, COOKIE_SECONDS, path=below, secure=request.is_secure(), httponly=True, samesite="Strict"
            )
        return response

    def _file(self, request: HttpRequest, name: str) -> HttpResponse:
        module = module_of(name)
        if module is None:
            raise Http404
        response = HttpResponse(module, content_type="text/javascript; charset=utf-8")
        response["Cache-Control"] = "no-cache"
        return response

    # Sockets of Channels: the server's loop, and for what may wait a thread of its own: sync code shares one thread there.

    async def _websocket(self, scope: Mapping[str, Any], receive: Receive, send: Send) -> None:
        await receive()  # websocket.connect
        leave_at_signal(self._reception.leave)
        line = AsgiLine(receive, send)
        threading.Thread(target=self._let_in, args=(scope, line), name="genai-live-visit", daemon=True).start()
        await line.run()

    def _let_in(self, scope: Mapping[str, Any], line: AsgiLine) -> None:
        try:
            refusal, visitor = self._judged(_request_of(scope))
            self._reception.visits.receive(line, self._tickets, visitor, refusal)
        except ConfigError:  # told already
            line.end(FAILED)
        except Exception:
            logger.exception("a visitor could not be judged")
            line.end(FAILED)
        finally:
            connections.close_all()  # those of this thread

    # Who it is.

    def _judged(self, request: HttpRequest) -> tuple[Refusal | None, str | None]:
        """What Django answers with 403, 404 or 400 is a refusal too: a page's socket can tell it in words."""
        try:
            environ = {**request.META, "HTTP_HOST": request.get_host()}
            return self._reception.judged(environ, lambda: self._visitor(request), must_be_known=self._authorize is not None)
        except (PermissionDenied, Http404):
            return UNKNOWN, None
        except SuspiciousOperation as error:
            logger.warning("a visitor was refused: %s", error)
            return ORIGIN, None

    def _visitor(self, request: HttpRequest) -> str | None:
        if self._authorize is not None:
            try:
                return name_of(self._authorize(request))
            except ConfigError as error:
                logger.error("%s", error)  # noqa: TRY400 # the sentence says it all, and Django tells errors to nobody by default
                raise
        return self._tickets.name_in(request.COOKIES.get(COOKIE, ""))


class DjangoTickets(Tickets):
    """Tickets by ``django.core.signing``."""

    def _sign(self, purpose: str, value: object) -> str:
        """As of ``Tickets``."""
        return str(signing.dumps(value, salt=purpose))

    def _read(self, purpose: str, signed: str, seconds: int | None = None) -> object:
        """As of ``Tickets``."""
        try:
            return signing.loads(signed, salt=purpose, max_age=seconds)
        except signing.SignatureExpired:
            return None
        except signing.BadSignature:
            if signed:
                warn_of_foreign_signature()
            return None


def _request_of(scope: Mapping[str, Any]) -> HttpRequest:
    """A socket of Channels as the request that it began as, with session and user; they are looked up when asked for."""
    scheme = {"ws": "http", "wss": "https"}.get(scope.get("scheme", "ws"), "http")
    request = ASGIRequest({**scope, "method": "GET", "scheme": scheme}, io.BytesIO())
    for name, middleware in _OF_THE_VISITOR.items():
        if name in scope:  # AuthMiddlewareStack has been there
            setattr(request, name, scope[name])
        elif (own := _own_of(middleware)) is not None:
            own(_unasked).process_request(request)
    return request


def _own_of(middleware: str) -> Any:
    """What the project has of this class: itself, or one that it made of it."""
    for each in map(import_string, settings.MIDDLEWARE):
        if isinstance(each, type) and middleware in (f"{one.__module__}.{one.__qualname__}" for one in each.__mro__):
            return each
    return None


def _unasked(_: HttpRequest) -> HttpResponse:
    raise AssertionError("a middleware looks up a visitor, and answers nothing")


def _plain(sentence: str, status: int, **headers: str) -> HttpResponse:
    return HttpResponse(sentence, status=status, content_type="text/plain; charset=utf-8", headers=headers)


class _Over(HttpResponse):  # type: ignore[misc] # django has no types
    """Ends the server's part of a request whose socket is another's by now."""

    status_code = 101

    def __init__(self, upgraded: Upgraded | None) -> None:
        super().__init__()
        self._upgraded = upgraded

    def __iter__(self) -> Iterator[bytes]:
        end_request(self._upgraded)
        return iter(())
