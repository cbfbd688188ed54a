"""What the ``LiveVoice`` of every framework has: its settings, checked, and the visits of this process. The server's threads."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from inspect import iscoroutinefunction, signature
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit
from uuid import UUID

from genai_live import Client
from genai_live._arguments import came, number_above_0, number_from_0
from genai_live._preparing import check_config
from genai_live.errors import ConfigError
from genai_live.voice.settings import completed
from genai_live.web.handover import Upgraded, is_same_origin, upgrade
from genai_live.web.store import ConversationStore, MemoryStore
from genai_live.web.tickets import Tickets
from genai_live.web.visitors_thread import reader_of
from genai_live.web.visits import ORIGIN, UNKNOWN, Opening, Refusal, Visits, most_visitors

if TYPE_CHECKING:
    from genai_live.tools import ToolPolicy
    from genai_live.types import LiveConnectConfig

_STATIC = Path(__file__).parent / "static"
DRAIN_TIMEOUT = 20.0
"""Seconds for the ends of the model's turns when a worker ends: gunicorn kills it 30 s after SIGTERM."""
COOKIE = "genai_live_visitor"
COOKIE_SECONDS = 86_400
"""How long a browser is the same visitor where ``authorize`` gives no names: longer than any conversation can be resumed."""


class Reception:
    """Where the visitors of one ``LiveVoice`` come in; its arguments are those of the frameworks' classes."""

    def __init__(
        self,
        client: Client | None,
        *,
        model: str,
        config: LiveConnectConfig | Mapping[str, Any] | None,
        store: ConversationStore | None,
        limit: int | None,
        idle_timeout: float | None,
        total_timeout: float | None,
        drain_timeout: float,
        run_tools: bool | ToolPolicy | Mapping[str, Any],
        turn_taking: str,
        origins: Iterable[str],
    ) -> None:
        if client is not None and not isinstance(client, Client):
            raise ConfigError(f"must be a Client, not {came(client)}", "client")
        if not isinstance(model, str) or not model:
            raise ConfigError("must be the name of a model", "model")
        if limit is not None and (type(limit) is not int or limit < 1):
            raise ConfigError(f"must be a number of conversations, not {came(limit)}", "limit")
        if store is not None and not isinstance(store, ConversationStore):
            raise ConfigError(f"must have the methods claim, load, save and release, not {came(store)}", "store")
        for name, seconds in {"idle_timeout": idle_timeout, "total_timeout": total_timeout}.items():
            if seconds is not None:
                number_above_0(seconds, name)
        client = client or Client(shared_reader=True)
        # What is wrong with it is said here, and not to the first visitor.
        check_config(client._api_client, model, completed(config, turn_taking), run_tools)
        self.reader = reader_of(client)
        opening = Opening(client, model, config, turn_taking, run_tools, idle_timeout, total_timeout)
        self._origins = _origins_of(origins)
        self._model = model
        self._limit = most_visitors() if limit is None else limit
        self.visits = Visits(
            opening,
            MemoryStore() if store is None else store,
            limit=self._limit,
            drain_timeout=number_from_0(drain_timeout, "drain_timeout"),
        )

    def __repr__(self) -> str:
        return f"{self._model} {len(self)} of {self._limit} conversations"

    def __len__(self) -> int:
        return len(self.visits)

    def leave(self, timeout: float | None) -> None:
        """As of ``Visits``."""
        self.visits.leave(timeout)

    def let_in(
        self, environ: Mapping[str, Any], tickets: Tickets, visitor: str | None, refusal: Refusal | None
    ) -> Upgraded | None:
        """Takes the socket of a request and serves its visitor, or has the page read why not; None when nobody is there any more.

        Raises:
            NoUpgrade: the request does not ask for a WebSocket.
            ConfigError: the web server gives no socket.
        """
        try:
            upgraded = upgrade(environ, self.reader)
        except OSError:
            return None
        self.visits.receive(upgraded.line, tickets, visitor, refusal)
        return upgraded

    def is_same_origin(self, environ: Mapping[str, Any]) -> bool:
        """True when the page of this request may talk here."""
        return is_same_origin(environ, self._origins)

    def judged(
        self, environ: Mapping[str, Any], visitor: Callable[[], str | None], *, must_be_known: bool
    ) -> tuple[Refusal | None, str | None]:
        """Why a request's visitor is not let in, or who it is, as far as the request tells."""
        if not self.is_same_origin(environ):
            return ORIGIN, None
        name = visitor()
        return (UNKNOWN if name is None and must_be_known else None), name


def module_of(name: str) -> bytes | None:
    """One of the element's modules; None where it has none of this name."""
    return next((file.read_bytes() for file in _STATIC.glob("*.js") if file.name == name), None)


def checked(authorize: object) -> None:
    """Raises ConfigError for an ``authorize`` that cannot be called, or whose answer would have to be awaited."""
    if authorize is not None and not callable(authorize):
        raise ConfigError(f"must be a function that takes a request, not {came(authorize)}", "authorize")
    if any(map(iscoroutinefunction, (authorize, getattr(authorize, "__call__", None)))):  # noqa: B004 # not whether, but what
        raise ConfigError("must be a plain function, which may wait, not an async one", "authorize")
    if authorize is not None and not _takes_one(authorize):
        raise ConfigError("must be a function that takes one argument, the request", "authorize")


def _takes_one(function: Callable[..., Any]) -> bool:
    try:
        signature(function).bind(None)
    except TypeError:
        return False
    except ValueError:  # of some builtins nobody knows what they take
        return True
    return True


def name_of(answer: object) -> str | None:
    """The visitor that ``authorize`` names; None to refuse. What is no name must not let everybody in, as one visitor."""
    if answer is None or answer is False or answer == "":
        return None
    if isinstance(answer, (str, UUID)) or type(answer) is int:
        return str(answer)
    raise ConfigError(f"must return the visitor's name, or None to refuse, not {came(answer)}", "authorize")


def _origins_of(given: object) -> tuple[str, ...]:
    """Other origins as browsers write them."""
    origins = tuple(given) if isinstance(given, Iterable) and not isinstance(given, str) else ("",)
    if not all(map(_is_origin, origins)):
        raise ConfigError('must be a list of origins without a path, such as ["https://www.example.com"]', "origins")
    return tuple(_without_default_port(each.lower()) for each in origins)


def _without_default_port(origin: str) -> str:
    """As browsers say it."""
    return origin.removesuffix({"http": ":80", "https": ":443"}.get(urlsplit(origin).scheme, " "))


def _is_origin(text: object) -> bool:
    try:
        split = urlsplit(text) if isinstance(text, str) else None
    except ValueError:
        return False
    return split is not None and bool(split.netloc) and text == f"{split.scheme}://{split.netloc}"
