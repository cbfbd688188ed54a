"""The notebooks of ``samples/notebook``, run by a kernel; ``python -m tests.sample_notebooks`` keeps the outputs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent.parent / "samples" / "notebook"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
WITHIN = 120
"""Seconds for one cell."""


def read(file: Path) -> Any:
    """A notebook, checked against the format."""
    import nbformat

    notebook = nbformat.read(file, as_version=4)
    nbformat.validate(notebook)
    return notebook


def run(file: Path) -> Any:
    """The notebook with fresh outputs; a cell that raises fails."""
    from nbclient import NotebookClient

    notebook = read(file)
    client = NotebookClient(notebook, timeout=WITHIN, kernel_name="python3", resources={"metadata": {"path": str(FOLDER)}})
    client.record_timing = False
    client.store_widget_state = False
    return client.execute()


def kept(notebook: Any) -> list[list[list[str]]]:
    """What each cell shows, by kind."""
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    return [[sorted(output.get("data", {output.output_type: ""})) for output in cell.outputs] for cell in cells]


def main() -> None:
    """Runs all, and writes them with their outputs."""
    import nbformat

    for file in NOTEBOOKS:
        nbformat.write(run(file), file)
        print(f"{file.name}: {file.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
