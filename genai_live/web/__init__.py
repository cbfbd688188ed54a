"""Conversations on web pages: a page is one more end of sound. Each module says on which thread its code runs.

A map, from the bottom up:

================  =====================================================================================
wire_format       what a page and its server say to each other
allowance         how much a visitor may send, and how long a conversation may last
page_pace         whether a page keeps up with its sound
outgoing          what waits to go to a page, bounded
line              what a visitor's end needs of a socket
visitor_socket    a line over a bare socket, read by one thread for all visitors
blocking_line     a line over any WebSocket whose calls block
unheard           the sound that a page was sent and has not heard
page_sound        what a page was given, never took, and has heard, in seconds
browser_end       ``BrowserEnd``: a page as a pair of ears and a mouth
store             where conversations wait for their visitors to come back
redis_store       the same for several workers
keeping           who owns a conversation, and when it is saved
going_on          from what was stored to a conversation that goes on
tickets           what a page shows to be let in
visits            all visitors of one worker: limit, claims, leaving
visitors_thread   which thread reads the visitors' sockets
handover          from a WSGI request to the visitor's socket
asgi_line         a line over the socket of an ASGI server
leaving           SIGTERM under such a server
live_voice        what the ``LiveVoice`` of every framework has
flask             ``LiveVoice`` for Flask
django            ``LiveVoice`` for Django and Channels
================  =====================================================================================

``static/`` has the element ``<genai-live-voice>`` for pages: ES modules and two audio worklets, served as they are.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from genai_live import _public
from genai_live.web.browser_end import BrowserEnd
from genai_live.web.redis_store import RedisStore
from genai_live.web.store import ConversationStore, MemoryStore, StoredConversation

__all__ = ["BrowserEnd", "ConversationStore", "MemoryStore", "RedisStore", "StoredConversation"]

if not TYPE_CHECKING:
    __getattr__, __dir__ = _public.public(__name__)
