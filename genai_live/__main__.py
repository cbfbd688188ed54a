"""Runs ``genai_live.cli`` for ``python -m genai_live``. On the main thread."""

from __future__ import annotations

import sys

from genai_live.cli import main

if __name__ == "__main__":
    sys.exit(main())
