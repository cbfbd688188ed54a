"""``python -m genai_live.cli``: the same as the command ``genai-live``. Runs on the main thread."""

from __future__ import annotations

import sys

from genai_live.__main__ import main

sys.exit(main())
