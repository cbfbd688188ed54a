"""What a conversation does, moved by one table. Pure: no thread, no time."""

from __future__ import annotations

from enum import Enum

from genai_live.voice.events import ConversationState


class Cause(Enum):
    """What moves a conversation to its next state."""

    OPENED = "session and sound are there"
    SPEECH_BEGAN = "the user speaks, or has pressed the button"
    SPEECH_ENDED = "the user has spoken, or released the button"
    ASKED = "the model owes an answer"
    SOUND_HEARD = "the first sound of an answer is heard"
    RAN_OUT = "all sound is heard, and the answer goes on, after a tool for example"
    ALL_HEARD = "the answer is over, and all of it was heard"
    INTERRUPTED = "the user cut the answer short"
    SILENCED = "this program cut the answer short"
    LOST = "the connection is gone"
    BACK = "the next connection is there"
    ENDED = "it is over"


_S, _C = ConversationState, Cause
_TALKING = (_S.LISTENING, _S.HEARING, _S.WAITING, _S.SPEAKING)

TABLE: dict[tuple[ConversationState, Cause], ConversationState] = {
    (_S.CONNECTING, _C.OPENED): _S.LISTENING,
    **{(state, _C.SPEECH_BEGAN): _S.HEARING for state in _TALKING},
    (_S.HEARING, _C.SPEECH_ENDED): _S.WAITING,
    **{(state, _C.ASKED): _S.WAITING for state in _TALKING},
    **{(state, _C.SOUND_HEARD): _S.SPEAKING for state in _TALKING},
    (_S.SPEAKING, _C.RAN_OUT): _S.WAITING,
    (_S.SPEAKING, _C.ALL_HEARD): _S.LISTENING,
    (_S.WAITING, _C.ALL_HEARD): _S.LISTENING,
    (_S.SPEAKING, _C.INTERRUPTED): _S.HEARING,
    (_S.SPEAKING, _C.SILENCED): _S.LISTENING,
    (_S.WAITING, _C.SILENCED): _S.LISTENING,
    **{(state, _C.LOST): _S.RECONNECTING for state in _TALKING},
    (_S.RECONNECTING, _C.BACK): _S.LISTENING,
    **{(state, _C.ENDED): _S.ENDED for state in ConversationState},
}
"""Every move; anything else leaves the state as it is."""
