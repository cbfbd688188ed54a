"""docs/house.svg: the layers of the library as a picture. ``python -m tests.house_picture`` draws it anew."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape

from tests.house import LAYERS, PACKAGE, ROOT

PICTURE = ROOT / "docs" / "house.svg"
WIDTH, MARGIN, BOX, GAP, LETTER = 900, 130, 30, 8, 8.2
"""Units of the picture: its width, room for the layers' names, a box's height, the space between two, a letter's width."""
STYLE = """
    .room { fill: #eef3fb; stroke: #6b8fc9; } .file { fill: #ffffff; stroke: #b9c2cc; } .layer { fill: none; stroke: #dfe4ea; }
    text { fill: #1d2733; } .name { fill: #5a6673; }
    @media (prefers-color-scheme: dark) {
      .room { fill: #1d2a3d; } .file { fill: #14181d; } .layer { stroke: #39424c; }
      text { fill: #e3e8ee; } .name { fill: #a7b1bc; }
    }
"""


def picture() -> str:
    """The picture as SVG: a band for each layer, programs above, the ground below; folders are filled, files are not."""
    top, bands = 10, []
    for name, rooms in reversed(LAYERS.items()):
        boxes, height = placed(sorted(rooms, key=lambda room: (not is_folder(room), room.lstrip("_"))), top + GAP)
        band = f'<rect class="layer" x="4" y="{top}" width="{WIDTH - 8}" height="{height + 2 * GAP}" rx="8"/>'
        label = f'<text class="name" x="18" y="{top + GAP + BOX / 2 + 5}">{escape(name)}</text>'
        bands += [band, label, *boxes]
        top += height + 2 * GAP + 4
    letters = 'font-family="system-ui, sans-serif" font-size="14"'
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {top + 26}" {letters}>'
    foot = f'<text class="name" x="18" y="{top + 16}">A module imports from its own layer and from those below it.</text>'
    return "\n".join([head, f"<style>{STYLE}</style>", *bands, foot, "</svg>\n"])


def is_folder(room: str) -> bool:
    return (PACKAGE / room).is_dir()


def placed(rooms: list[str], top: float) -> tuple[list[str], int]:
    """The boxes of a layer, in as many rows as they need, and how high they are together."""
    boxes, x, row = [], float(MARGIN), 0
    for room in rooms:
        width = len(room) * LETTER + 20
        if x + width > WIDTH - 16:
            x, row = MARGIN, row + 1
        boxes += box(room, x, top + row * (BOX + GAP), width)
        x += width + GAP
    return boxes, (row + 1) * BOX + row * GAP


def box(room: str, x: float, y: float, width: float) -> Iterator[str]:
    kind = "room" if is_folder(room) else "file"
    yield f'<rect class="{kind}" x="{x:g}" y="{y:g}" width="{width:g}" height="{BOX}" rx="5"/>'
    yield f'<text x="{x + width / 2:g}" y="{y + BOX / 2 + 5:g}" text-anchor="middle">{escape(room)}</text>'


if __name__ == "__main__":
    PICTURE.write_text(picture(), encoding="utf-8")
