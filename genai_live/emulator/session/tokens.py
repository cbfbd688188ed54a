"""Ephemeral tokens: making them, spending them, and what they lock in a session's setup. Runs on the emulator's loop thread.

Source: protocol topic "Ephemeral tokens".
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Any

from genai_live.emulator.server.request import TOKEN_PREFIX, Credential, Route
from genai_live.emulator.server.validation import Refused, Validator, camel_case, snake_case, unknown_name, wrong_value
from genai_live.types._values import read_timestamp
from genai_live.types.realtime import LiveClientSetup

LIFETIME = timedelta(minutes=30)
"""expireTime when the request does not say: messages are refused after it."""

OPENING_TIME = timedelta(seconds=60)
"""newSessionExpireTime when the request does not say: new sessions are refused after it."""

LONGEST_LIFETIME = timedelta(hours=20)
"""Both times must be less than this ahead."""

MOST_USES = 2**31 - 1
"""``uses`` is an int32."""

REMEMBERED = timedelta(minutes=10)
"""How long a token is remembered that opens nothing any more: so long it is told to have expired, and then not to be valid."""

MOST_TOKENS = 1_000
MOST_SETUP_BYTES = 4 * 1024 * 1024
"""Tokens, and bytes of the requests that made them, that are remembered; the oldest go first. A program needs a few."""

NAME_DIGITS = 40

INVALID_KEY = "API key not valid. Please pass a valid API key."
EXPIRED_KEY = "API key expired. Please renew the API key."
USED_UP = "The service is currently unavailable."
"""Reported for a token that was used before."""


class TokenRefused(ValueError):
    """A token request that is wrong: answered with HTTP 400."""


@dataclass
class Token:
    """One ephemeral token."""

    name: str
    version: str
    """The API version that it was made on, and connects to."""
    expires: datetime
    opens_until: datetime
    uses: int
    """Sessions it may open; 0 is unlimited."""
    setup: dict[str, Any] | None
    mask: list[str] | None
    size: int = 0
    """Bytes of the request that made it."""
    opened: int = 0

    @property
    def ends(self) -> datetime:
        """When it opens nothing any more: what it opened may be resumed for longer than others may be opened."""
        return self.expires if self.opened else min(self.expires, self.opens_until)

    def describe(self) -> dict[str, Any]:
        """The token as the service answers it."""
        return {
            "name": self.name,
            "expireTime": _write_time(self.expires),
            "newSessionExpireTime": _write_time(self.opens_until),
            "uses": self.uses,
        }

    def constrain(self, setup: dict[str, Any]) -> dict[str, Any]:
        """The setup that counts: what the token locks is taken from it, whatever the session asked for.

        sessionResumption stays the session's own, unless it is locked by name: a locked token could not be resumed otherwise.
        """
        if self.setup is None and self.mask is None:
            return setup
        if self.mask is None:
            assert self.setup is not None
            own = {"sessionResumption": setup["sessionResumption"]} if "sessionResumption" in setup else {}
            return {**own, **self.setup}
        locked = {**setup}
        for path in self.mask:
            _lock(locked, self.setup or {}, path.split("."))
        return locked


def _lock(setup: dict[str, Any], constraint: dict[str, Any], path: list[str]) -> None:
    """Gives ``setup`` the constraint's value at ``path``, or none when it has none there."""
    name, *rest = path
    if rest and isinstance(setup.get(name, constraint.get(name)), dict):
        inner = {**setup.get(name, {})}
        _lock(inner, constraint.get(name) or {}, rest)
        setup[name] = inner
        if not inner:
            del setup[name]
    elif name in constraint:
        setup[name] = constraint[name]
    else:
        setup.pop(name, None)


class Tokens:
    """The tokens made by one emulator, as far as they may be of use to anybody."""

    def __init__(self, random_source: random.Random, now: Callable[[], datetime] = lambda: datetime.now(timezone.utc)) -> None:
        self._random = random_source
        self._now = now
        self._tokens: dict[str, Token] = {}
        self._validator = Validator("mldev")

    def __len__(self) -> int:
        return len(self._tokens)

    def make(self, body: dict[str, Any], version: str, size: int = 0) -> Token:
        """A token of an API version for a request body of so many bytes.

        Raises:
            TokenRefused: with the status and the words to answer.
        """
        request: dict[str, Any] = {}
        for name, value in body.items():
            if camel_case(name) not in _MEMBERS:
                raise TokenRefused(unknown_name(name, "auth_token").reason)
            if value is not None and camel_case(name) in request:
                raise TokenRefused(f"Invalid JSON payload received. Duplicate name \"{name}\" at 'auth_token'.")
            request |= {} if value is None else {camel_case(name): value}
        now = self._now()
        token = Token(
            TOKEN_PREFIX + "".join(self._random.choice("0123456789abcdef") for _ in range(NAME_DIGITS)),
            version,
            _read_time(request, "expireTime", now, LIFETIME),
            _read_time(request, "newSessionExpireTime", now, OPENING_TIME),
            _read_uses(request.get("uses", 1)),
            self._read_setup(request.get("bidiGenerateContentSetup")),
            _read_mask(request.get("fieldMask")),
            size,
        )
        self._tokens[token.name] = token
        self._forget(now)
        return token

    def _forget(self, now: datetime) -> None:
        """Forgets what opens nothing any more, and the oldest of too many."""
        self._tokens = {name: token for name, token in self._tokens.items() if now < token.ends + REMEMBERED}
        size = sum(token.size for token in self._tokens.values())
        while len(self._tokens) > MOST_TOKENS or (size > MOST_SETUP_BYTES and len(self._tokens) > 1):
            size -= self._tokens.pop(next(iter(self._tokens))).size

    def _read_setup(self, setup: Any) -> dict[str, Any] | None:
        if setup is None or setup == {}:
            return None
        try:
            return self._validator.check(LiveClientSetup, setup, "auth_token.bidi_generate_content_setup")
        except Refused as refused:
            raise TokenRefused(refused.reason) from None

    def judge(self, route: Route, credential: Credential, *, any_version: bool = False) -> Refused | None:
        """What is wrong with using a token on a path; None when nothing is. Its use is counted when setup comes.

        That a token connects to its own API version only is how Google's guides use them; nobody has recorded the other case.
        """
        token = self._tokens.get(credential.value)
        if token is None or route.method == "BidiGenerateContent":
            return Refused(INVALID_KEY)
        if token.version != route.version and not any_version:
            return Refused(INVALID_KEY)
        if self._now() >= token.expires:
            return Refused(EXPIRED_KEY)
        return None

    def constrain(self, credential: Credential | None, setup: dict[str, Any]) -> dict[str, Any]:
        """The setup that counts for a session, whose token is used up by it.

        Raises:
            Refused: with the code and the reason that the client is to get.
        """
        token = self._tokens.get(credential.value) if credential is not None else None
        if token is None:
            return setup
        model = (token.setup or {}).get("model")
        if model is not None and setup.get("model") not in (None, "", model):
            raise Refused("Request contains an invalid argument.")
        if not (setup.get("sessionResumption") or {}).get("handle"):
            if self._now() >= token.opens_until:
                raise Refused(EXPIRED_KEY)
            if token.uses and token.opened >= token.uses:
                raise Refused(USED_UP, 1011)
            token.opened += 1
        return token.constrain(setup)


_MEMBERS = frozenset({"expireTime", "newSessionExpireTime", "uses", "bidiGenerateContentSetup", "fieldMask"})


def _read_uses(value: Any) -> int:
    number = value
    if (isinstance(value, str) and re.fullmatch(r"-?[0-9]{1,10}", value)) or (isinstance(value, float) and value.is_integer()):
        number = int(value)
    if isinstance(number, bool) or not isinstance(number, int) or not 0 <= number <= MOST_USES:
        raise TokenRefused(wrong_value(value, "auth_token.uses", "TYPE_INT32").reason)
    return number


def _read_mask(mask: Any) -> list[str] | None:
    """Paths in camelCase; an index such as the one in ``tools.0`` stands for the whole list."""
    if mask is None or mask == "":
        return None
    if not isinstance(mask, str):
        raise TokenRefused("Invalid value at 'auth_token.field_mask' (type.googleapis.com/google.protobuf.FieldMask).")
    return [re.sub(r"\.\d+.*", "", camel_case(path.strip())) for path in mask.split(",") if path.strip()]


def _read_time(request: dict[str, Any], name: str, now: datetime, default: timedelta) -> datetime:
    value = request.get(name)
    if value is None:
        return now + default
    try:
        at = read_timestamp(value).astimezone(timezone.utc)
    except (ValueError, OverflowError):  # no such day; or one that in UTC is before the year 1, or after 9999
        kind = "type.googleapis.com/google.protobuf.Timestamp"
        raise TokenRefused(wrong_value(value, f"auth_token.{snake_case(name)}", kind).reason) from None
    if at - now >= LONGEST_LIFETIME:
        raise TokenRefused(f"{name} must be less than 20 hours in the future.")
    return at


def _write_time(at: datetime) -> str:
    return at.astimezone(timezone.utc).isoformat().replace("+00:00", "Z")
