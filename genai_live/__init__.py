"""genai_live: a synchronous, threaded client for Google's Live API. Importing it starts nothing and opens nothing.

The way through the code, from what a user writes to the bytes and back:

``client.Client`` keeps settings (``api_client``) -> ``live.Live.connect`` checks the config (``_setup``), plans the
connection and waits -> ``_reader.Reader`` runs the thread that dials (``_dial``) and reads (``_transport``, ``_frames``) ->
``_connection.Connection`` turns frames into messages (``_protocol``, ``_wire``, ``types``), queues them (``_inbox``) and
calls back (``_dispatch``) -> ``session.Session`` is what the user holds: it sends (``_inputs``), receives, and puts turns
together (``turn``).
"""

from __future__ import annotations

from genai_live import errors, types
from genai_live._version import __version__
from genai_live.api_client import ApiClient
from genai_live.callbacks import LiveCallbacks
from genai_live.client import Client
from genai_live.live import Live
from genai_live.session import Session
from genai_live.turn import Turn

__all__ = ["ApiClient", "Client", "Live", "LiveCallbacks", "Session", "Turn", "__version__", "errors", "types"]
