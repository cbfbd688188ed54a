"""An extension of griffe: the text that ``wire("...")`` gives a field of a wire type becomes the field's documentation."""

from __future__ import annotations

import ast
from typing import Any

import griffe


class WireDocs(griffe.Extension):
    """Reads what ``genai_live.types`` keeps beside each field, since the site is made without importing the library."""

    def on_attribute_instance(self, *, node: ast.AST | griffe.ObjectNode, attr: griffe.Attribute, **_: Any) -> None:
        """Called for every attribute of a class."""
        if attr.docstring is None and isinstance(node, ast.AnnAssign) and isinstance(node.value, ast.Call):
            called, arguments = node.value.func, node.value.args
            if isinstance(called, ast.Name) and called.id == "wire" and arguments and isinstance(arguments[0], ast.Constant):
                attr.docstring = griffe.Docstring(str(arguments[0].value), parent=attr)
                attr.value = None
