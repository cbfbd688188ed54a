"""Every row of the protocol's field list is declared, with its name, its kind and its backends, and survives the codec."""

from __future__ import annotations

import json
from datetime import datetime, timezone
from enum import Enum
from pathlib import Path
from typing import Any

import pytest

from genai_live import _wire, types
from genai_live.types import Message, WireField, fields_of

DATA = Path(__file__).parent / "data"
ROWS: list[dict[str, Any]] = json.loads((DATA / "fields.json").read_text())
ENUMS: dict[str, Any] = json.loads((DATA / "enums.json").read_text())

# What the newer release accepts although the list, made from the older one, says otherwise.
NEWER_SUPPORT = {
    ("LiveConnectConfig", "translation_config"): (True, True),
    ("GenerationConfig", "translation_config"): (True, True),
    ("Blob", "display_name"): (True, True),
    ("FileData", "display_name"): (True, True),
    ("ComputerUse", "disabled_safety_policies"): (True, True),
    ("LiveConnectConfig", "http_options"): (True, True),
}
# What is declared beyond the list: this library's own settings, and what has no row of its own.
OWN_FIELDS = {
    "HttpOptions": {
        "proxy", "ca_bundle", "ssl_context", "connect_retries", "ping_interval", "silence_limit", "write_timeout",
        "max_message_bytes", "queue_bytes",
    },
    "LiveConnectParameters": {"callbacks"},
    "LiveServerMessage": {"top_level_interaction_status", "decode_error", "error", "reconnecting", "reconnected"},
    "LiveMusicServerMessage": {"decode_error", "error"},
}  # fmt: skip
KINDS = {
    "string": ("string", "one"),
    "bool": ("bool", "one"),
    "int32": ("integer", "one"),
    "int64": ("integer", "one"),
    "bytes-base64": ("bytes", "one"),
    "duration-string": ("duration", "one"),
    "timestamp-string": ("timestamp", "one"),
    "json": ("json", "one"),
    "object (google.protobuf.Struct)": ("struct", "one"),
    "map<string,string>": ("string", "map"),
    "enum:NULL_VALUE": ("string", "one"),
    "enum:UNKNOWN|PRIORITIZE_QUALITY|BALANCED|PRIORITIZE_COST": ("string", "one"),
}
SAMPLES: dict[str, Any] = {
    "string": "text",
    "bool": False,
    "integer": 0,
    "number": 0.5,
    "bytes": b"\x00\xffbytes",
    "duration": 9.5,
    "timestamp": datetime(2025, 1, 2, 3, 4, 5, 678000, tzinfo=timezone.utc),
    "struct": {"some_key": [1, None], "otherKey": {"deep_key": True}},
    "json": {"some_key": "value"},
}
FIELD_ROWS = [row for row in ROWS if row["field_snake"]]
TYPE_NAMES = sorted({row["type"] for row in ROWS})


def row_name(row: dict[str, Any]) -> str:
    return f"{row['type']}.{row['field_snake']}"


def declared(row: dict[str, Any]) -> WireField:
    cls: type[Message] = getattr(types, row["type"])
    return next(field for field in fields_of(cls) if field.name == row["field_snake"])


def sample(field: WireField, depth: int = 0) -> Any:
    """A value for a field; nested messages hold one level of values of their own."""
    if field.kind == "message":
        assert field.type is not None
        one: Any = field.type()
        if depth == 0:
            one = field.type(**{inner.name: sample(inner, 1) for inner in fields_of(field.type) if inner.kind != "object"})
    elif field.kind == "enum":
        assert field.type is not None
        one = list(field.type)[-1]
    else:
        one = SAMPLES[field.kind]
    return {"list": [one, one], "joined": [one, one], "map": {"my_key": one}}.get(field.shape, one)


GENERATION = "generationConfig."


@pytest.mark.parametrize("name", TYPE_NAMES)
def test_every_type_of_the_list_exists(name: str) -> None:
    cls = getattr(types, name)
    assert issubclass(cls, Message)
    assert cls.__doc__


@pytest.mark.parametrize("name", TYPE_NAMES)
def test_a_type_has_no_fields_beyond_the_list_except_the_ones_named_here(name: str) -> None:
    listed = {row["field_snake"] for row in FIELD_ROWS if row["type"] == name}
    assert {field.name for field in fields_of(getattr(types, name))} == listed | OWN_FIELDS.get(name, set())


@pytest.mark.parametrize("row", FIELD_ROWS, ids=row_name)
def test_a_field_has_the_names_of_the_list(row: dict[str, Any]) -> None:
    field = declared(row)
    assert field.wire == row["wire"]
    assert field.vertex_wire == row.get("wire_vertex", row["wire"])


@pytest.mark.parametrize("row", FIELD_ROWS, ids=row_name)
def test_a_field_has_the_support_of_the_list_or_of_the_newer_release(row: dict[str, Any]) -> None:
    field = declared(row)
    support = NEWER_SUPPORT.get((row["type"], row["field_snake"]), (row["mldev"], row["vertex"]))
    assert (field.mldev, field.vertex) == support


@pytest.mark.parametrize("row", [row for row in FIELD_ROWS if "path" in row], ids=row_name)
def test_a_flattened_field_has_the_path_of_the_list(row: dict[str, Any]) -> None:
    assert f"setup.{declared(row).path}" == row["path"]


@pytest.mark.parametrize("field", [each for each in fields_of(types.LiveConnectConfig) if each.path.startswith(GENERATION)])
def test_a_setting_with_a_path_is_a_field_of_the_type_that_it_leads_to(field: WireField) -> None:
    """Else the emulator, and ``generation_config={...}``, know nothing of it."""
    assert field.path.removeprefix(GENERATION) in {each.wire for each in fields_of(types.GenerationConfig)}


@pytest.mark.parametrize("row", FIELD_ROWS, ids=row_name)
def test_a_field_has_the_kind_of_the_list(row: dict[str, Any]) -> None:
    field, kind = declared(row), row["kind"]
    if kind.startswith("<class"):
        assert field.kind == "object"
    elif kind == "number":
        # top_k is listed as a number after google-genai's type; the service has an int32.
        assert field.kind == ("integer" if field.name == "top_k" else "number")
    elif "message:" in kind:
        assert (field.kind, field.type) == ("message", getattr(types, kind.rpartition(":")[2].rstrip(">")))
        assert (field.shape == "map") == kind.startswith("map")
    elif kind in KINDS:
        assert field.kind == KINDS[kind][0]
        assert row["repeated"] or field.shape == KINDS[kind][1]
    else:
        assert (field.kind, field.type) == ("enum", getattr(types, kind.removeprefix("enum:")))
    if row["repeated"]:
        assert field.shape in ("list", "joined")


@pytest.mark.parametrize("row", FIELD_ROWS, ids=row_name)
def test_a_field_says_what_it_means(row: dict[str, Any]) -> None:
    note = declared(row).note
    assert note.endswith(".")
    assert note != row["notes"]


@pytest.mark.parametrize("vertex", [False, True])
@pytest.mark.parametrize("row", [row for row in FIELD_ROWS if not row["kind"].startswith("<class")], ids=row_name)
def test_a_value_survives_the_codec_under_the_wires_name(row: dict[str, Any], vertex: bool) -> None:
    field = declared(row)
    cls: type[Message] = getattr(types, row["type"])
    held = cls(**{field.name: sample(field)})
    data = held.to_dict()
    assert list(data) == [row["wire"]]
    assert json.loads(json.dumps(data)) == data
    wire = row.get("wire_vertex", row["wire"]) if vertex else row["wire"]
    assert _wire.decode(cls, {wire: data[row["wire"]]}, vertex=vertex) == held


@pytest.mark.parametrize("row", [row for row in FIELD_ROWS if not row["kind"].startswith("<class")], ids=row_name)
def test_a_field_is_taken_in_both_spellings_by_every_reader(row: dict[str, Any]) -> None:
    field = declared(row)
    cls: type[Message] = getattr(types, row["type"])
    held = cls(**{field.name: sample(field)})
    value = held.to_dict()[row["wire"]]
    for spelling in (row["field_snake"], row["wire"]):
        assert cls.from_dict({spelling: value}) == held
        assert _wire.decode(cls, {spelling: value}) == held


def enum_rows() -> dict[str, list[str]]:
    newer = ENUMS["_newer_python_3.4.0"]
    rows = {name: list(values) for name, values in ENUMS.items() if not name.startswith("_")}
    for name, values in newer.items():
        rows.setdefault(name.removesuffix(" (added)"), []).extend(values)
    return rows


@pytest.mark.parametrize(("name", "values"), enum_rows().items(), ids=list(enum_rows()))
def test_an_enum_has_every_value_of_the_list_and_no_other(name: str, values: list[str]) -> None:
    enum: type[Enum] = getattr(types, name)
    assert sorted(member.value for member in enum) == sorted(values)
    assert all(member.name == member.value.upper() for member in enum)
    assert enum.__doc__
