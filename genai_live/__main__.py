"""The program ``genai-live``, and ``python -m genai_live``: ``genai_live.cli`` from its first moment to its last. Main thread."""

from __future__ import annotations

import sys

from genai_live import _starting  # which guards the program since the package began to load


def main() -> int:
    """Runs the command; returns its exit status."""
    from genai_live import cli

    try:
        _starting.release()
        return cli.main()
    except KeyboardInterrupt:  # before the command had begun, or while it told how it had ended
        print(f"{cli.PROGRAM}: interrupted", file=sys.stderr)
        return cli.INTERRUPTED
    finally:
        _starting.guard()


if __name__ == "__main__":
    sys.exit(main())
