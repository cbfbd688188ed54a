"""Ephemeral tokens: short-lived keys, on the Developer API only. Declarations only: runs on any thread.

Source: Live API reference, AuthToken. How the constraints become a request stands in genai_live.tokens.
"""

from __future__ import annotations

from datetime import datetime

from genai_live.types._base import Message, message, wire
from genai_live.types.config import LiveConnectConfig
from genai_live.types.http import HttpOptions


@message
class LiveConnectConstraints(Message):
    """What a session that is opened with the token may be."""

    model: str | None = wire("The only model it may use.", vertex="error")
    config: LiveConnectConfig | None = wire("The config it gets, whatever the session itself asks for.", vertex="error")


@message
class CreateAuthTokenConfig(Message):
    """What the token is good for."""

    http_options: HttpOptions | None = wire(
        "How to reach the service for this call; not part of the request's body.", vertex="error", local=True
    )
    expire_time: datetime | str | None = wire(
        "When its sessions end: by default in 30 minutes, at most 20 hours from now.", vertex="error"
    )
    new_session_expire_time: datetime | str | None = wire(
        "Until when it opens sessions: by default for 60 seconds, at most 20 hours from now.", vertex="error"
    )
    uses: int | None = wire("How many sessions it opens: by default 1, 0 for any number. Resuming is not a use.", vertex="error")
    live_connect_constraints: LiveConnectConstraints | None = wire(
        "What its sessions may be; flattened like ``setup``.", name="bidiGenerateContentSetup", vertex="error"
    )
    lock_additional_fields: list[str] | None = wire(
        "Further config fields that the session cannot choose. None locks everything that the constraints set or leave unset, "
        "an empty list only what they set.",
        name="fieldMask",
        shape="joined",
        vertex="error",
    )


@message
class AuthToken(Message):
    """A token: pass ``name`` as the API key of a client."""

    name: str | None = wire('The token itself, "auth_tokens/...".', vertex="error", secret=True)
    expire_time: datetime | str | None = wire("When its sessions end.", vertex="error")
    new_session_expire_time: datetime | str | None = wire("Until when it opens sessions.", vertex="error")
    uses: int | None = wire("How many sessions it opens; 0 for any number.", vertex="error")
