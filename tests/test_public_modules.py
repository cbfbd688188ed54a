"""The public modules show their public names and nothing else, and ``help()`` says what each field means."""

from __future__ import annotations

import importlib
import inspect
import subprocess
import sys
from types import ModuleType

import pytest

import genai_live
from genai_live import LiveCallbacks, ReconnectPolicy, Turn, errors, types
from genai_live._field_docs import below_fields, documented
from genai_live.types import Message
from tests import public_names

MODULES = [
    genai_live,
    types,
    errors,
    *(importlib.import_module(f"genai_live.{name}") for name in (
        "api_client", "audio", "auth", "callbacks", "client", "emulator", "families", "live", "live_models", "music",
        "notebook", "reconnection", "session", "tokens", "tools", "turn", "voice", "web",
    )),
]  # fmt: skip
RECORDS = [errors.CloseInfo, LiveCallbacks, ReconnectPolicy, Turn, types.Blob, types.LiveServerMessage]


def test_every_public_module_is_looked_at() -> None:
    plugin = "genai_live.testing"  # pytest's: it does with the public API
    assert {*(module.__name__ for module in MODULES), plugin} == set(public_names.public_modules())


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.__name__)
def test_dir_lists_what_a_star_import_gives(module: ModuleType) -> None:
    assert dir(module) == sorted(module.__all__)
    assert all(hasattr(module, name) for name in module.__all__)
    assert not {"Any", "TYPE_CHECKING", "annotations", "dataclass"} & set(dir(module))


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: record.__name__)
def test_help_shows_the_meaning_of_each_field(record: type) -> None:
    text = inspect.getdoc(record) or ""
    summary, _, fields = text.partition("\n\nFields:\n")
    assert summary
    names = [name for name in record.__dataclass_fields__ if name != "extra"]  # type: ignore[attr-defined]
    assert all(f"\n    {name} (" in f"\n{fields}" for name in names)


def test_help_has_the_words_of_the_declaration() -> None:
    assert "time_left (Seconds): Seconds until the server ends the connection." in (types.LiveServerGoAway.__doc__ or "")
    assert "code (int): Close code of RFC 6455 section 7.4;" in (errors.CloseInfo.__doc__ or "")
    assert "executor (Executor): Where the functions run" in (LiveCallbacks.__doc__ or "")


def test_a_class_without_source_keeps_its_sentence() -> None:
    class Loose:
        """One sentence."""

        field: int = 0

    Loose.__module__ = "genai_live.nowhere"
    assert below_fields(Loose) == {}
    assert documented(Loose).__doc__ == "One sentence."


def test_a_description_begins_with_the_sentence_alone() -> None:
    assert types.describe(types.LiveServerGoAway).splitlines()[1].startswith("  time_left (timeLeft)")


def test_importing_reads_no_table_of_foreign_names() -> None:
    program = (
        "import sys, genai_live\n"
        "genai_live.types.LiveConnectConfig(temperature=1.0)\n"
        "getattr(genai_live.errors, 'bool', None)\n"  # so dataclasses ask for an annotation since Python 3.15
        "found = {'genai_live._foreign_names', 'genai_live.types._twins', 'mimetypes'} & set(sys.modules)\n"
        "assert not found, found\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)


def test_help_of_the_package_begins_with_how_to_use_it() -> None:
    assert "from genai_live import Client" in (genai_live.__doc__ or "")
    assert "Google marks the" in (genai_live.__doc__ or "")


EVERY_TYPE = [found for found in (getattr(types, name) for name in types.__all__) if hasattr(found, "__dataclass_fields__")]


@pytest.mark.parametrize("cls", EVERY_TYPE, ids=lambda cls: cls.__name__)
def test_every_type_that_has_fields_says_what_they_mean(cls: type[Message]) -> None:
    assert bool(types.fields_of(cls)) == ("\n\nFields:\n" in (cls.__doc__ or ""))
