"""The methods of pydantic's models, which google-genai's types are, for programs that come from there. Runs on any thread.

They give what pydantic gives: fields under Python's names, absent ones as None, bytes and enums as they are. ``to_dict`` and
``to_json`` give what is on the wire.
"""

from __future__ import annotations

import copy
import json
import typing
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

from genai_live.types import _values
from genai_live.types._fields import WireField, field_codec, fields_of

if TYPE_CHECKING:
    from typing_extensions import Self


class PydanticMethods:
    """What programs written for google-genai call on its types."""

    def model_dump(
        self,
        *,
        mode: str = "python",
        by_alias: bool = False,
        exclude_none: bool = False,
        exclude_unset: bool = False,
        exclude_defaults: bool = False,
        include: Collection[str] | None = None,
        exclude: Collection[str] | None = None,
    ) -> dict[str, Any]:
        """The message as a dict under Python's names, or with ``by_alias`` in camelCase; ``mode="json"`` as JSON has the values.

        ``exclude_none``, ``exclude_unset`` and ``exclude_defaults`` all leave out what is absent, because None is every default.
        ``include`` and ``exclude`` are names of fields of this message itself.
        """
        dump = _Dump(mode == "json", by_alias, exclude_none or exclude_unset or exclude_defaults)
        return dump.message(self, include, exclude or ())

    def model_dump_json(self, *, indent: int | None = None, **options: Any) -> str:
        """The message as JSON text under Python's names; ``options`` are those of ``model_dump``."""
        separators = None if indent is not None else (",", ":")
        return json.dumps(self.model_dump(**{**options, "mode": "json"}), indent=indent, separators=separators)

    def to_json_dict(self) -> dict[str, Any]:
        """``model_dump(mode="json", exclude_none=True)``, as google-genai has it."""
        return self.model_dump(mode="json", exclude_none=True)

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """A copy, with some fields changed."""
        copied = copy.deepcopy(self) if deep else copy.copy(self)
        for name, value in (update or {}).items():
            setattr(copied, name, value)
        return copied

    @classmethod
    def model_validate(cls, obj: Any) -> Self:
        """A message from a dict, or the message itself; as ``from_dict``."""
        message: Any = cls
        return typing.cast("Self", obj if isinstance(obj, cls) else message.from_dict(obj))

    @classmethod
    def model_validate_json(cls, json_data: str | bytes) -> Self:
        """A message from JSON text; as ``from_json``."""
        message: Any = cls
        return typing.cast("Self", message.from_json(json_data))


class _Dump(typing.NamedTuple):
    as_json: bool
    by_alias: bool
    without_none: bool

    def message(self, held: Any, include: Collection[str] | None = None, exclude: Collection[str] = ()) -> dict[str, Any]:
        """The fields that JSON can hold, in the order of declaration, then what came under names that are not known here."""
        dumped: dict[str, Any] = {}
        for field in fields_of(type(held)):
            value = getattr(held, field.name)
            left_out = field.name in exclude or (include is not None and field.name not in include)
            if left_out or field.kind == "object" or (value is None and self.without_none):
                continue
            dumped[field.wire if self.by_alias else field.name] = None if value is None else self.value(field, value)
        return {**held.__dict__.get("extra", {}), **dumped}

    def value(self, field: WireField, value: Any) -> Any:
        if field.kind == "message":
            if isinstance(value, (list, tuple)):
                return [self.value(field, item) for item in value]
            if field.shape == "map" and isinstance(value, Mapping):
                return {key: self.one(item) for key, item in value.items()}
            return self.one(value)
        return field_codec(field, (_values.read_json, _values.write_json))[1](value) if self.as_json else value

    def one(self, held: Any) -> Any:
        return self.message(held) if isinstance(held, PydanticMethods) else held
