"""What a page shows to be let in: a signed, short-lived token, and the signed id of its conversation. Any thread.

``Tickets`` is what each framework fills in with its own signing: Flask with itsdangerous (here), Django with its signer. Token
and id hold the name of the visitor that they were made for.
"""

from __future__ import annotations

import logging
import secrets
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Sequence

logger = logging.getLogger("genai_live")

TOKEN_SECONDS = 60
"""How long a token lets a page in: it is fetched just before each dial."""
_TOKEN, _CONVERSATION, _VISITOR = "genai-live token", "genai-live conversation", "genai-live visitor"
"""What is signed; one cannot be shown in the place of another."""


class Tickets(ABC):
    """Signs what a page shows, and reads it back."""

    @abstractmethod
    def _sign(self, purpose: str, value: object) -> str:
        """The value as text that nobody else can make."""

    @abstractmethod
    def _read(self, purpose: str, signed: str, seconds: int | None = None) -> object:
        """The value; None where it was not signed here for this purpose, or longer ago than so many seconds."""

    def token(self, visitor: str) -> str:
        """A token for this visitor."""
        return self._sign(_TOKEN, visitor)

    def visitor_of(self, token: str) -> str | None:
        """The visitor of a token; None when it is wrong or too old."""
        visitor = self._read(_TOKEN, token, TOKEN_SECONDS)
        return visitor if isinstance(visitor, str) else None

    def signed(self, conversation: str, visitor: str) -> str:
        """The id of a conversation, signed for its visitor."""
        return self._sign(_CONVERSATION, [conversation, visitor])

    def conversation_of(self, signed: str, visitor: str) -> str | None:
        """The id; None when it is wrong, or another visitor's."""
        read = self._read(_CONVERSATION, signed)
        return read[0] if isinstance(read, list) and len(read) == 2 and read[1] == visitor else None

    def name_in(self, cookie: str) -> str | None:
        """The name in a cookie; None when it is wrong."""
        name = self._read(_VISITOR, cookie)
        return name if isinstance(name, str) else None

    def issued(self, visitor: str | None) -> tuple[str, str | None]:
        """A token, and a cookie for a browser whose visitor nobody knows by name."""
        known, visitor = visitor is not None, visitor or secrets.token_hex(8)
        return self.token(visitor), None if known else self._sign(_VISITOR, visitor)


class SignedTickets(Tickets):
    """Tickets by itsdangerous: signed with the last of the secrets, read with any of them."""

    def __init__(self, secrets: Sequence[str | bytes]) -> None:
        from itsdangerous import URLSafeSerializer, URLSafeTimedSerializer

        keys = [each.encode() if isinstance(each, str) else each for each in secrets]
        self._serializers = {
            purpose: (URLSafeTimedSerializer if purpose == _TOKEN else URLSafeSerializer)(keys, salt=purpose)
            for purpose in (_TOKEN, _CONVERSATION, _VISITOR)
        }

    def _sign(self, purpose: str, value: object) -> str:
        """As of ``Tickets``."""
        return str(self._serializers[purpose].dumps(value))

    def _read(self, purpose: str, signed: str, seconds: int | None = None) -> object:
        """As of ``Tickets``."""
        from itsdangerous import BadData

        serializer = self._serializers[purpose]
        try:
            if seconds is None:
                return serializer.loads(signed)
            value, signed_at = serializer.loads(signed, return_timestamp=True)
        except BadData:
            if signed:
                warn_of_foreign_signature()
            return None
        age = time.time() - signed_at.timestamp()
        if age < -seconds:
            logger.warning("a token is %.0f s from the future, and was refused: set the clocks of the workers", -age)
        # Clocks of machines differ: a token that seems to be from the future is as good as one that is as old.
        return value if abs(age) <= seconds else None


_told = threading.Event()


def warn_of_foreign_signature() -> None:
    """Logs, once in this process, that a page showed what this worker cannot have signed: usually another secret."""
    if not _told.is_set():
        _told.set()
        logger.warning(
            "a page showed a token, a cookie or a conversation that was not signed with this worker's secret, and was refused or"
            " taken for a new visitor: all workers need the same secret (Flask's secret_key, Django's SECRET_KEY)"
        )
