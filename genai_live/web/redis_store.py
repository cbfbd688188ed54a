"""Conversations in Redis: a visitor comes back to any worker. Called on the keeper's thread and on short-lived ones."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, fields
from typing import Any

from genai_live._arguments import came, number_above_0
from genai_live._extras import installing
from genai_live.errors import ConfigError
from genai_live.voice import Utterance
from genai_live.web.store import StoredConversation

__all__ = ["RedisStore"]

TIMEOUT = 1.0
"""Seconds that Redis may take; talking goes on without it."""
EXAMPLE = "redis://localhost:6379/0"
_CLAIM = """
local owner = redis.call('GET', KEYS[1])
if owner and owner ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1
"""
_RELEASE = """
if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1]) end
"""
_APART = b"\n"
"""Between the JSON and the sound: JSON on one line has none."""


class RedisStore:
    """Conversations in Redis, for several workers, on one machine or many. Usable from many threads, and after a fork.

    Each conversation is one key, and its owner another; both end by themselves. With ``rediss://`` it is reached over TLS. It
    needs the extra ``redis``; nothing is dialled here.

    Args:
        url: Where Redis is, such as "redis://localhost:6379/0".
        prefix: What the keys begin with.
        timeout: Seconds that Redis may take for an answer. A store that fails stops nobody from talking.

    Raises:
        ConfigError: the package redis is missing, or an argument is not what it should be.
    """

    def __init__(self, url: str, *, prefix: str = "genai-live:", timeout: float = TIMEOUT) -> None:
        if not isinstance(url, str):
            raise ConfigError(f"must be the URL of a Redis, such as {EXAMPLE}, not {came(url)}", "url")
        if not isinstance(prefix, str):
            raise ConfigError(f"must be text, not {came(prefix)}", "prefix")
        number_above_0(timeout, "timeout")
        try:
            import redis
            from redis.backoff import NoBackoff
            from redis.retry import Retry
        except ImportError:
            raise ConfigError(f"needs the package redis: {installing('redis')}", "store") from None
        try:
            self._redis = redis.Redis.from_url(
                url,
                socket_timeout=timeout,
                socket_connect_timeout=timeout,
                retry=Retry(NoBackoff(), 1),  # once: a connection that Redis closed meanwhile
            )
            self._redis.connection_pool.make_connection()  # dials nothing, and says which options there are
        except (ValueError, TypeError, redis.RedisError):
            words = f"must be the URL of a Redis, such as {EXAMPLE}, its password written with %23 for # and so on"
            raise ConfigError(words, "url") from None
        self._prefix = prefix
        self._claim = self._redis.register_script(_CLAIM)
        self._release = self._redis.register_script(_RELEASE)

    def claim(self, id: str, owner: str, lease: float) -> bool:
        """As of ``ConversationStore``."""
        return bool(self._claim(keys=[self._owner_key(id)], args=[owner, _milliseconds(lease)]))

    def claim_all(self, claims: Sequence[tuple[str, str]], lease: float) -> list[bool]:
        """``claim`` for many (id, owner), in one exchange."""
        with self._redis.pipeline(transaction=False) as pipeline:
            for id, owner in claims:
                self._claim(keys=[self._owner_key(id)], args=[owner, _milliseconds(lease)], client=pipeline)
            return [bool(each) for each in pipeline.execute()]

    def load(self, id: str) -> StoredConversation | None:
        """As of ``ConversationStore``."""
        stored = self._redis.get(self._key(id))
        return None if stored is None else _read(stored)

    def load_all(self, ids: Sequence[str]) -> list[StoredConversation | None]:
        """``load`` for many, in one exchange."""
        with self._redis.pipeline(transaction=False) as pipeline:
            for id in ids:
                pipeline.get(self._key(id))
            return [None if each is None else _read(each) for each in pipeline.execute()]

    def save(self, id: str, conversation: StoredConversation, ttl: float) -> None:
        """As of ``ConversationStore``."""
        self._redis.set(self._key(id), _written(conversation), px=_milliseconds(ttl))

    def release(self, id: str, owner: str) -> None:
        """As of ``ConversationStore``."""
        self._release(keys=[self._owner_key(id)], args=[owner])

    def _key(self, id: str) -> str:
        return f"{self._prefix}conversation:{id}"

    def _owner_key(self, id: str) -> str:
        return f"{self._prefix}owner:{id}"


def _milliseconds(seconds: float) -> int:
    return max(1, round(seconds * 1000))


def _written(conversation: StoredConversation) -> bytes:
    kept = asdict(conversation)
    unheard: bytes = kept.pop("unheard")
    return json.dumps(kept).encode() + _APART + unheard


def _read(stored: Any) -> StoredConversation:
    head, _, unheard = bytes(stored).partition(_APART)
    kept = json.loads(head)
    said = tuple(Utterance(**_known(Utterance, each)) for each in kept.pop("transcript"))
    return StoredConversation(**_known(StoredConversation, kept), transcript=said, unheard=unheard)


def _known(kind: type, kept: dict[str, Any]) -> dict[str, Any]:
    """Without what a newer version of the library has added: during a deployment old workers read what new ones wrote."""
    names = {field.name for field in fields(kind)}
    return {name: value for name, value in kept.items() if name in names}
