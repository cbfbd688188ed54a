"""The peers: how each is called, how its process is started, and what must be installed for it. Pure."""

from __future__ import annotations

import importlib.util
import shutil
import sys
from typing import NamedTuple

from benchmarks.processes import ROOT


class Entry(NamedTuple):
    """One client."""

    name: str
    title: str
    command: tuple[str, ...]
    needs: tuple[str, ...] = ()
    """Packages without which it is left out."""

    @property
    def missing(self) -> str:
        """What has to be installed first; empty when it can run."""
        if self.command[0] == "node":
            if not shutil.which("node"):
                return "node"
            return "" if (ROOT / "benchmarks/node/node_modules").is_dir() else "npm ci (in benchmarks/node)"
        return ", ".join(name for name in self.needs if importlib.util.find_spec(name) is None)


def _python(module: str, *options: str) -> tuple[str, ...]:
    return (sys.executable, "-m", f"benchmarks.peers.{module}", *options)


OURS, GOOGLE, NODE, FLOOR = "genai_live", "google_genai", "node", "floor"
CONVERSATIONS = "genai_live_conversations"
SHARED, PLAIN, FLOOR_MASKING_IN_PYTHON = "genai_live_shared", "genai_live_plain", "floor_masking_in_python"

PEERS = {
    entry.name: entry
    for entry in (
        Entry(OURS, "genai_live", _python("genai_live_client"), ("orjson", "pybase64")),
        Entry("genai_live_callback", "genai_live, callback", _python("genai_live_client", "--callback"), ("orjson", "pybase64")),
        Entry(SHARED, "genai_live, shared reader", _python("genai_live_client", "--shared"), ("orjson", "pybase64")),
        Entry(
            CONVERSATIONS,
            "genai_live, conversations",
            _python("genai_live_client", "--conversations"),
            ("orjson", "pybase64"),
        ),
        Entry(PLAIN, "genai_live without `speed`", _python("genai_live_client", "--without-speed")),
        Entry(GOOGLE, "google-genai (asyncio)", _python("google_genai"), ("google.genai",)),
        Entry(NODE, "@google/genai (Node)", ("node", "benchmarks/node/client.mjs")),
        Entry("websocket_client", "websocket-client, bare", _python("websocket_client"), ("orjson", "pybase64")),
        Entry("websockets", "websockets, asyncio, bare", _python("websockets_bare"), ("websockets", "orjson", "pybase64")),
        Entry(
            "websockets_threads",
            "websockets, threads, bare",
            _python("websockets_bare", "--threads"),
            ("websockets", "orjson", "pybase64"),
        ),
        Entry(FLOOR, "floor: bare socket, no types", _python("floor"), ("orjson", "pybase64", "websockets")),
        Entry(
            FLOOR_MASKING_IN_PYTHON,
            "floor, masking in Python",
            _python("floor", "--mask-in-python"),
            ("orjson", "pybase64"),
        ),
    )
}


def title(name: str) -> str:
    """How a peer is called in tables."""
    return PEERS[name].title
