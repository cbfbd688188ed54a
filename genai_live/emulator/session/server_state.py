"""What the sessions of one emulator share: settings, model, handles, tokens, what was received. Used on the loop thread."""

from __future__ import annotations

import random
import time

from genai_live.emulator.model.speech import Model
from genai_live.emulator.server.received import Received
from genai_live.emulator.server.request import Route
from genai_live.emulator.server.settings import Settings
from genai_live.emulator.server.validation import Validator
from genai_live.emulator.session.resumption import Handles
from genai_live.emulator.session.tokens import Tokens

SEED = 20_261_010
"""Every emulator makes the same ids, handles and tokens in the same order, so that a failing test can be repeated."""


class ServerState:
    """One emulator's memory, beyond its sessions and scenarios."""

    def __init__(self, settings: Settings, model: Model) -> None:
        self.settings = settings
        self.model = model
        self.random = random.Random(SEED)
        self.received = Received(settings.keep_bytes)
        self.handles = Handles(self.random)
        self.tokens = Tokens(self.random)
        self._validators: dict[tuple[str, str], Validator] = {}
        self._started = time.monotonic()

    def seconds(self) -> float:
        """Seconds since the emulator was made."""
        return time.monotonic() - self._started

    def validator(self, route: Route) -> Validator:
        """The parser of what is sent to a backend in an API version."""
        key = route.backend, route.version
        if key not in self._validators:
            self._validators[key] = Validator(*key, strict=self.settings.strict)
        return self._validators[key]
