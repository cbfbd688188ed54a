"""What a page shows to be let in: a signed, short-lived token, and the signed id of its conversation. Any thread.

Signed by itsdangerous with the secret of the app; both hold the name of the visitor that they were made for.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Sequence
from typing import Protocol

logger = logging.getLogger("genai_live")

TOKEN_SECONDS = 60
"""How long a token lets a page in: it is fetched just before each dial."""


class Tickets(Protocol):
    """Signs what a page shows, and reads it back."""

    def token(self, visitor: str) -> str:
        """A token for this visitor."""

    def visitor_of(self, token: str) -> str | None:
        """The visitor of a token; None when it is wrong or too old."""

    def signed(self, conversation: str, visitor: str) -> str:
        """The id of a conversation, signed for its visitor."""

    def conversation_of(self, signed: str, visitor: str) -> str | None:
        """The id; None when it is wrong, or another visitor's."""

    def cookie(self, name: str) -> str:
        """What a browser keeps whose visitor nobody knows by name."""

    def name_in(self, cookie: str) -> str | None:
        """The name in a cookie; None when it is wrong."""


class SignedTickets:
    """Tickets by itsdangerous: signed with the last of the secrets, read with any of them."""

    def __init__(self, secrets: Sequence[str | bytes], seconds: int = TOKEN_SECONDS) -> None:
        from itsdangerous import URLSafeSerializer, URLSafeTimedSerializer

        keys = [each.encode() if isinstance(each, str) else each for each in secrets]
        self._tokens = URLSafeTimedSerializer(keys, salt="genai-live token")
        self._conversations = URLSafeSerializer(keys, salt="genai-live conversation")
        self._visitors = URLSafeSerializer(keys, salt="genai-live visitor")
        self._seconds = seconds

    def token(self, visitor: str) -> str:
        """As of ``Tickets``."""
        return str(self._tokens.dumps(visitor))

    def visitor_of(self, token: str) -> str | None:
        """As of ``Tickets``."""
        from itsdangerous import BadData

        try:
            visitor, signed_at = self._tokens.loads(token, return_timestamp=True)
        except BadData:
            if token:
                tell_of_strange_signatures()
            return None
        age = time.time() - signed_at.timestamp()
        if age < -self._seconds:
            logger.warning("a token is %.0f s from the future, and was refused: set the clocks of the workers", -age)
        # Clocks of machines differ: a token that seems to be from the future is as good as one that is as old.
        return visitor if isinstance(visitor, str) and abs(age) <= self._seconds else None

    def signed(self, conversation: str, visitor: str) -> str:
        """As of ``Tickets``."""
        return str(self._conversations.dumps([conversation, visitor]))

    def conversation_of(self, signed: str, visitor: str) -> str | None:
        """As of ``Tickets``."""
        read = self._read(self._conversations, signed)
        return read[0] if isinstance(read, list) and len(read) == 2 and read[1] == visitor else None

    def cookie(self, name: str) -> str:
        """What a browser keeps whose visitor nobody knows by name."""
        return str(self._visitors.dumps(name))

    def name_in(self, cookie: str) -> str | None:
        """The name in a cookie; None when it is wrong."""
        name = self._read(self._visitors, cookie)
        return name if isinstance(name, str) else None

    @staticmethod
    def _read(serializer: object, signed: str) -> object:
        from itsdangerous import BadData

        try:
            return serializer.loads(signed)  # type: ignore[attr-defined]
        except BadData:
            if signed:
                tell_of_strange_signatures()
            return None


_told = threading.Event()


def tell_of_strange_signatures() -> None:
    """Logs, once in this process, that a page showed what this worker cannot have signed: usually another secret."""
    if not _told.is_set():
        _told.set()
        logger.warning(
            "a page showed a token, a cookie or a conversation that was not signed with this worker's secret, and was refused or"
            " taken for a new visitor: all workers need the same secret (Flask's secret_key, Django's SECRET_KEY)"
        )
