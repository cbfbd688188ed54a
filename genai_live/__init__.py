"""genai_live: a synchronous, threaded client for Google's Live API. Importing it starts nothing and opens nothing.

::

    from genai_live import Client

    with Client().live.connect(model="gemini-3.8-live", config={"response_modalities": ["AUDIO"]}) as session:
        turn = session.ask("Hello!")                # sends, waits, and puts the answer together
        turn.audio.save("answer.wav")

``help(Client)``, ``help(Live.connect)``, ``help(Session)`` and ``help(Turn)`` say the rest; ``types`` has the messages and the
config, ``errors`` all that is raised, ``genai_live.audio`` sound, ``genai_live.emulator`` a server for tests. Google marks the
Live API as experimental.

The way through the code, from what a user writes to the bytes and back:

``client.Client`` keeps settings (``api_client``) -> ``live.Live.connect`` checks the config (``_client_messages.setup``), plans
the connection and waits (``_connection.opening``) -> ``_connection.reader`` runs the thread that dials (``_network.dial``) and
reads (``_network.transport``, ``frames``) -> ``_connection.connection`` has frames turned into messages (``delivery``,
``protocol``, ``_wire``, ``types``), queued (``inbox``) and given to callbacks (``dispatch``) -> ``session.Session`` is what the
user holds: it sends (``_client_messages.inputs``), receives, and puts turns together (``turn``).
"""

from __future__ import annotations

from genai_live import _starting

if _starting.is_command():
    _starting.guard()  # before all else, since that takes its time

from typing import TYPE_CHECKING

from genai_live import _process as _process  # first: fork handlers run in the order of imports, and others ask this one
from genai_live import _public, errors, families, types
from genai_live._field_docs import documented
from genai_live._message_stream import Stats
from genai_live._network.dial import WebSocketFactory
from genai_live._streaming.audio_stream import AudioStream
from genai_live._streaming.sound_feed import SoundFeed
from genai_live._version import __version__
from genai_live.api_client import ApiClient
from genai_live.audio import Audio
from genai_live.auth import Auth
from genai_live.callbacks import LiveCallbacks, LiveMusicCallbacks
from genai_live.client import Client
from genai_live.errors import TurnLost
from genai_live.live import Live
from genai_live.reconnection import Reconnected, Reconnecting, ReconnectPolicy
from genai_live.session import Session
from genai_live.turn import Transcripts, Turn

__all__ = [
    "ApiClient",
    "AudioStream",
    "Auth",
    "Client",
    "Live",
    "LiveCallbacks",
    "ReconnectPolicy",
    "Session",
    "SoundFeed",
    "Turn",
    "TurnLost",
    "WebSocketFactory",
    "__version__",
    "errors",
    "families",
    "types",
]

for _record in (
    Audio, LiveCallbacks, LiveMusicCallbacks, ReconnectPolicy, Reconnected, Reconnecting, Stats, Transcripts, Turn,
    errors.CloseInfo,
):  # fmt: skip
    documented(_record)

if not TYPE_CHECKING:
    _missing, __dir__ = _public.public(__name__)

    def __getattr__(name: str) -> object:
        if name == "tools":  # whoever has no functions does not pay for it
            import importlib

            return importlib.import_module("genai_live.tools")
        return _missing(name)
