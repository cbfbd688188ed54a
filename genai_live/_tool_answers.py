"""Sends the answers to the model's calls: the caller's, and those of functions that run by themselves. Any thread."""

from __future__ import annotations

import threading
from typing import Any

from genai_live import _json
from genai_live._backends import Backend
from genai_live._base64_text import Payload
from genai_live._client_messages import inputs
from genai_live._client_messages.family_checks import Model, check_responses
from genai_live._connection.channel import Channel
from genai_live._connection.ledger import Ledger
from genai_live._connection.protocol import LiveProtocol, Sent
from genai_live._streaming.sound_hold import SoundHold
from genai_live.errors import ABNORMAL_CLOSURE, CloseInfo, Phase, SentBy, TurnLost
from genai_live.types import FunctionResponse, LiveServerMessage

CALL_LOST = CloseInfo(
    ABNORMAL_CLOSURE, "the call belongs to a conversation that the session has lost", SentBy.NETWORK, Phase.TOOL, turn_open=True
)
"""Why an answer to a call is refused: the session began anew, and nothing of the old conversation is said to the new one."""


class ToolAnswers:
    """One session's way for answers."""

    def __init__(self, channel: Channel[LiveServerMessage], backend: Backend, model: Model, hold: SoundHold | None) -> None:
        assert isinstance(channel.protocol, LiveProtocol)
        self._channel = channel
        self._ledger = channel.protocol.ledger
        self._backend = backend
        self._model = model
        self._hold = hold
        self._lock = threading.RLock()
        """Held while an answer is entered, for several threads may answer calls of one question. Nothing is taken inside it.
        Reentrant, because a signal handler may send."""

    def checked(self, function_responses: Any) -> list[dict[str, Any]]:
        """The JSON of answers; one without an id has that of the only call of its name that waits.

        Raises:
            ConfigError: for what is wrong with them.
        """
        message = inputs.tool_response(function_responses, self._backend, self._ledger.ids_waiting)
        responses: list[dict[str, Any]] = message["toolResponse"]["functionResponses"]
        check_responses(responses, self._model, "function_responses")
        return responses

    def send(self, responses: list[dict[str, Any]], *, wait: bool = True) -> None:
        """Sends checked answers; ``wait=False`` never blocks.

        Raises:
            TurnLost: the call belongs to a conversation that is gone; nothing was sent.
            SessionClosed: the session has ended.
        """
        self._channel.check_usable()
        if any(self._ledger.was_lost(_id_of(response)) for response in responses):
            raise TurnLost(CALL_LOST)
        payload = _json.dumps({"toolResponse": {"functionResponses": responses}})
        self._channel.send(
            payload, Sent.RESPONSE, None, _Answers(self._channel, self._ledger, self._lock, payload, responses), wait=wait
        )
        if self._hold is not None:
            self._hold.release()
        self._channel.resume()  # of a response that is not spoken of, nothing else wakes a thread that waits for the turn

    def answer(self, response: FunctionResponse, *, wait: bool) -> None:
        """As ``send``, for the one that runs functions.

        Raises:
            ConfigError: something is wrong with the answers.
        """
        self.send(self.checked(response), wait=wait)


class _Answers:
    """Tells the ledger of answers when they go out: ``protocol.Opening``."""

    def __init__(
        self,
        channel: Channel[LiveServerMessage],
        ledger: Ledger,
        lock: threading.RLock,
        payload: Payload,
        responses: list[dict[str, Any]],
    ) -> None:
        self._channel = channel
        self._ledger = ledger
        self._lock = lock
        self._payload = payload
        self._responses = responses

    def written(self) -> None:
        with self._lock:
            for response in self._responses:
                is_last, is_spoken = not response.get("willContinue"), response.get("scheduling") != "SILENT"
                self._ledger.call_answered(_id_of(response), self._payload, is_last=is_last, is_spoken=is_spoken)

    def withdrawn(self) -> None:
        """As of ``Opening``; what another connection was given meanwhile went out after all, and may be answered already."""
        if self._channel.has_repeated(self._payload):
            return
        with self._lock:
            for response in self._responses:
                self._ledger.call_reopened(_id_of(response))
        if self._channel.has_repeated(self._payload):  # just now
            self.written()


def _id_of(response: dict[str, Any]) -> str:
    return str(response.get("id") or response.get("name") or "")
