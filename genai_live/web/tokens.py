"""What a page shows to be let in: a signed, short-lived token, and the signed id of its conversation. Any thread.

Signed by itsdangerous with the secret of the app; both hold the name of the visitor that they were made for.
"""

from __future__ import annotations

from typing import Protocol

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
    """Tickets by itsdangerous."""

    def __init__(self, secret: str | bytes, seconds: int = TOKEN_SECONDS) -> None:
        from itsdangerous import URLSafeSerializer, URLSafeTimedSerializer

        self._tokens = URLSafeTimedSerializer(secret, salt="genai-live token")
        self._conversations = URLSafeSerializer(secret, salt="genai-live conversation")
        self._visitors = URLSafeSerializer(secret, salt="genai-live visitor")
        self._seconds = seconds

    def token(self, visitor: str) -> str:
        """As of ``Tickets``."""
        return str(self._tokens.dumps(visitor))

    def visitor_of(self, token: str) -> str | None:
        """As of ``Tickets``."""
        from itsdangerous import BadData

        try:
            visitor = self._tokens.loads(token, max_age=self._seconds)
        except BadData:
            return None
        return visitor if isinstance(visitor, str) else None

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
            return None
