"""Which thread reads the visitors' sockets: the shared reader of the client, or one for all browsers of the process."""

from __future__ import annotations

from genai_live import Client
from genai_live._connection.reader import Reader

_browsers = Reader(shared=True)
"""Its thread starts with the first visitor, and ends with the last."""


def reader_of(client: Client) -> Reader:
    """The reader for visitors who talk through this client: with a shared one, a message wakes one thread, not two in turn."""
    return client.live._opener.shared_reader or _browsers
