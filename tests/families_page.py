"""docs/families.md: the table of ``genai_live.families`` as a page. ``python -m tests.families_page`` writes it anew."""

from __future__ import annotations

from pathlib import Path

from genai_live.families import CELLS, FAMILIES, ModelFamily

PAGE = Path(__file__).parent.parent / "docs" / "families.md"
HEAD = """# Families of models

What differs between Live models, as `genai_live.families` has it: the first family counts whose pattern is found in the model's
name. What a family refuses is a `ConfigError` before anything is dialled. A program changes the table by putting a row before the
others:

```python
import dataclasses

from genai_live import Client, families

client = Client(api_key="any")
row = families.family_of("gemini-3.8-live", client)
families.FAMILIES.insert(0, dataclasses.replace(row, thinking_level="taken"))
print(families.family_of("gemini-3.8-live", client).thinking_level)  # -> taken
```

`extra_setup=` of `connect` is not held against the table at all. A cell that is missing below was never recorded, and has the
value that the first section says. A live check is one that somebody made against the service and published; nothing here was
checked by this project.
"""


def shown(value: object) -> str:
    if isinstance(value, frozenset):
        return " or ".join(sorted(value)) or "none"
    return {True: "yes", False: "no", None: "any"}.get(value, str(value))  # type: ignore[arg-type]


def page() -> str:
    plain = ModelFamily("plain", "")
    sections = [HEAD, "## Where nothing else is known\n", *(f"- `{cell}`: {shown(getattr(plain, cell))}" for cell in CELLS)]
    for family in FAMILIES:
        backend = {"mldev": "Developer API", "vertex": "Vertex AI"}.get(family.backend or "", "both services")
        sections.append(f"\n## {family.name}\n\n`{family.pattern}`, {backend}\n")
        sections += [
            f"- `{cell}`: {shown(getattr(family, cell))}. From: {family.source(cell)}" for cell in CELLS if cell in family.sources
        ]
    return "\n".join(sections) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
