"""``python -m genai_live``: the same as the command ``genai-live``. Runs on the main thread."""

from __future__ import annotations

import sys

from genai_live.cli import main

if __name__ == "__main__":
    sys.exit(main())
