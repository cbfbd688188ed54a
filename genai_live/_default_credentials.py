"""Whether this machine may have Google's default credentials. Looks at variables and files, asks no network: any thread."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path

_FILE = "application_default_credentials.json"
"""Where ``gcloud auth application-default login`` leaves them, in gcloud's folder."""
_MACHINE = Path("/sys/class/dmi/id/product_name")
"""Begins with "Google" on a virtual machine of Google's, containers on it included (as google-auth reads it)."""
_GOOGLES_PLACES = (
    "GOOGLE_APPLICATION_CREDENTIALS", "GCE_METADATA_HOST", "GCE_METADATA_ROOT", "GCE_METADATA_IP", "K_SERVICE", "CLOUD_RUN_JOB",
    "FUNCTION_TARGET", "GAE_ENV", "APPENGINE_RUNTIME", "KUBERNETES_SERVICE_HOST", "GOOGLE_CLOUD_SHELL", "CLOUD_ML_JOB",
    "AIP_MODE", "COLAB_RELEASE_TAG",
)  # fmt: skip
"""Variables that name credentials, or that are set where a metadata server gives them."""


def may_be_there(environment: Mapping[str, str]) -> bool:
    """False where google-auth would find none; True where only a look into the file or the network would tell."""
    if any(environment.get(name) for name in _GOOGLES_PLACES) or sys.platform == "win32":
        return True
    return (_folder(environment) / _FILE).is_file() or _is_googles(_MACHINE) or _is_replaced()


def _folder(environment: Mapping[str, str]) -> Path:
    named = environment.get("CLOUDSDK_CONFIG")
    return Path(named) if named else Path(os.path.expanduser("~"), ".config", "gcloud")


def _is_replaced() -> bool:
    """True where the program has put a search of its own in the place of google-auth's, as tests do."""
    found = [sys.modules.get(name) for name in ("google.auth", "google.auth._default")]
    return len({id(getattr(module, "default", None)) for module in found}) > 1


def _is_googles(machine: Path) -> bool:
    try:
        return machine.read_text("ascii", "replace").startswith("Google")
    except OSError:
        return False
