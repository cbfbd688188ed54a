"""Credentials that nothing shows, and their removal from foreign text and tracebacks. Runs on any thread."""

from __future__ import annotations

import base64
import contextlib
from collections.abc import Callable, Iterable, Iterator
from typing import Generic, NoReturn, TypeVar

_Error = TypeVar("_Error", bound=BaseException)
_T = TypeVar("_T")

_TOKEN_PREFIX = "auth_tokens/"
_SHORTEST_REDACTED = 8
"""Characters from which a text is looked for in foreign words: shorter ones would be found everywhere, and are not keys."""


class Sealed(Generic[_T]):
    """Holds what only ``reveal()`` gives back; everything else sees ``<set>``."""

    __slots__ = ("_reveal",)

    def __init__(self, held: _T) -> None:
        # A closure keeps it out of __slots__ values, so that debuggers and serialisers that walk attributes do not show it.
        self._reveal: Callable[[], _T] = lambda: held

    def reveal(self) -> _T:
        """What it holds: to be called where that is used, and nowhere else."""
        return self._reveal()

    def __repr__(self) -> str:
        return "<set>"

    __str__ = __repr__

    def __reduce__(self) -> NoReturn:
        raise TypeError("a credential is not pickled: make a new Client in the other process")


class Secret(Sealed[str]):
    """A text of that kind: a key, a password, a header's value."""

    __slots__ = ()


SHOWN = repr(Secret(""))
"""What stands where a credential would."""


def redacted(text: str, secrets: Iterable[Secret]) -> str:
    """Foreign words without our credentials: a server or a gateway may repeat in its answer what it was sent, and cut it off."""
    for secret in secrets:
        value = secret.reveal()
        key = _key(value)
        for part in (value, *value.split()[-1:], key, *_password(value)):
            if len(part) >= _SHORTEST_REDACTED:
                text = text.replace(part, SHOWN)
        text = _without_beginning(text, key)
    return text


def _key(value: str) -> str:
    """What of a credential is secret: not the scheme before it, nor what every ephemeral token begins with."""
    return "".join(value.split()[-1:]).removeprefix(_TOKEN_PREFIX)


def _password(value: str) -> Iterator[str]:
    """That of Basic authentication, which a proxy decodes."""
    scheme, _, pair = value.partition(" ")
    if scheme.lower() == "basic":
        with contextlib.suppress(ValueError):
            yield base64.b64decode(pair).decode("utf-8", "replace").partition(":")[2]


def _without_beginning(text: str, key: str) -> str:
    """A close reason ends after 123 bytes, be it in the middle of a key: what there is of one at the end goes too."""
    for size in range(min(len(key) - 1, len(text)), _SHORTEST_REDACTED - 1, -1):
        if text.endswith(key[:size]):
            return text[:-size] + SHOWN
    return text


def without_frames(error: _Error) -> _Error:
    """The same error, and all that it is chained to, without tracebacks: a frame holds credentials in its variables."""
    chain: list[BaseException | None] = [error]
    seen: set[int] = set()
    while chain:
        each = chain.pop()
        if each is not None and id(each) not in seen:
            seen.add(id(each))
            each.__traceback__ = None
            chain += each.__cause__, each.__context__
    return error
