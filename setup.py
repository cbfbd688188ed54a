"""The package's description: README.md, whose links lead to the repository, since a package index has no folder ``docs``.

Everything else is declared in setup.cfg.
"""

import re
from pathlib import Path

from setuptools import setup

REPOSITORY = "https://github.com/genai-live/genai_live/blob/main/"

README = Path(__file__).with_name("README.md").read_text(encoding="utf-8")

setup(long_description=re.sub(r"\]\((?!https?:|#)", f"]({REPOSITORY}", README))
