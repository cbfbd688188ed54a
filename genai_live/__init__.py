"""genai_live: a synchronous, threaded client for Google's Live API. Importing it starts nothing and opens nothing.

The way through the code, from what a user writes to the bytes and back:

``client.Client`` keeps settings (``api_client``) -> ``live.Live.connect`` checks the config (``_client_messages.setup``), plans
the connection and waits (``_connection.opening``) -> ``_connection.reader`` runs the thread that dials (``_network.dial``) and
reads (``_network.transport``, ``frames``) -> ``_connection.connection`` has frames turned into messages (``delivery``,
``protocol``, ``_wire``, ``types``), queued (``inbox``) and given to callbacks (``dispatch``) -> ``session.Session`` is what the
user holds: it sends (``_client_messages.inputs``), receives, and puts turns together (``turn``).
"""

from __future__ import annotations

from genai_live import _process as _process  # first: fork handlers run in the order of imports, and others ask this one
from genai_live import errors, families, types
from genai_live._network.dial import WebSocketFactory
from genai_live._streaming.audio_stream import AudioStream
from genai_live._version import __version__
from genai_live.api_client import ApiClient
from genai_live.auth import Auth
from genai_live.callbacks import LiveCallbacks
from genai_live.client import Client
from genai_live.errors import TurnLost
from genai_live.live import Live
from genai_live.reconnection import ReconnectPolicy
from genai_live.session import Session
from genai_live.turn import Turn

__all__ = [
    "ApiClient",
    "AudioStream",
    "Auth",
    "Client",
    "Live",
    "LiveCallbacks",
    "ReconnectPolicy",
    "Session",
    "Turn",
    "TurnLost",
    "WebSocketFactory",
    "__version__",
    "errors",
    "families",
    "types",
]
