"""``python -m benchmarks``: runs the suites that are asked for, on the driver's main thread."""

from __future__ import annotations

import sys

from benchmarks.command import main

sys.exit(main())
