"""A real Jupyter server, and notebooks of it in a real browser: JupyterLab or Notebook 7, whichever a test asks for.

Its settings, files and kernels are in a folder of the test's own.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.browsers import Browser, Page
from tests.waiting import PATIENCE, until

ROOT = Path(__file__).parent.parent
FRONT_ENDS = {"lab": "lab/tree/{}?reset", "notebook": "notebooks/{}"}
"""Under which address each front end opens a file, and no other."""
REMOTE = "jupyter.test"
"""A name that is not of this machine, for a browser that is told where it is."""
EXPOSED = ("--LabApp.expose_app_in_browser=True", "--JupyterNotebookApp.expose_app_in_browser=True")


class Jupyter:
    """A server, without a token, in ``folder``."""

    def __init__(self, folder: Path) -> None:
        for package in ("jupyterlab", "notebook", "anywidget"):
            pytest.importorskip(package, reason=f"{package} is in the extra test-all")
        self.folder = folder / "files"
        self._runtime = folder / "runtime"
        self.folder.mkdir()
        self._log = (folder / "jupyter.log").open("w")
        environment = {
            **os.environ,
            "JUPYTER_CONFIG_DIR": str(folder / "config"),
            "JUPYTER_DATA_DIR": str(folder / "data"),
            "JUPYTER_RUNTIME_DIR": str(self._runtime),
            "JUPYTERLAB_SETTINGS_DIR": str(folder / "lab" / "settings"),
            "JUPYTERLAB_WORKSPACES_DIR": str(folder / "lab" / "workspaces"),
            "PYTHONPATH": str(ROOT),
        }
        options = [f"--ServerApp.{name}=" for name in ("token", "password")]
        options += ["--no-browser", "--allow-root", "--ServerApp.port=0", "--ServerApp.allow_remote_access=True", *EXPOSED]
        command = [sys.executable, "-m", "jupyterlab", *options, f"--ServerApp.root_dir={self.folder}"]
        self._process = subprocess.Popen(command, env=environment, stdout=self._log, stderr=self._log)
        try:
            until(self._said_where)
        except BaseException:
            self.close()
            raise

    def _said_where(self) -> bool:
        assert self._process.poll() is None, Path(self._log.name).read_text()
        found = [file.read_text() for file in self._runtime.glob("jpserver-*.json")]
        if not "".join(found).rstrip().endswith("}"):  # not written yet
            return False
        settings = json.loads(found[0])
        self.url = settings["url"]
        self.remote_url = f"http://{REMOTE}:{settings['port']}/"
        """As a browser on another machine sees it."""
        return True

    def write(self, name: str, *cells: str) -> Path:
        """A notebook with these cells."""
        sources = [textwrap.dedent(cell).strip() for cell in cells]
        made = [
            {"cell_type": "code", "id": f"cell-{at}", "source": source, "metadata": {}, "outputs": [], "execution_count": None}
            for at, source in enumerate(sources)
        ]
        kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
        file = self.folder / name
        file.write_text(json.dumps({"cells": made, "metadata": kernel, "nbformat": 4, "nbformat_minor": 5}))
        return file

    def close(self) -> None:
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(PATIENCE)
        self._log.close()


class OpenNotebook:
    """A notebook in a page of a browser."""

    def __init__(self, page: Page) -> None:
        self.page = page

    def run(self, *numbers: int) -> None:
        """Has cells run one after the other, without waiting for them."""
        self.page.evaluate(f"({RUN})({json.dumps(numbers)})")

    def command(self, name: str, **arguments: Any) -> None:
        self.page.evaluate(f"jupyterapp.commands.execute({json.dumps(name)}, {json.dumps(arguments)}).then(() => null)")

    def outputs(self, number: int) -> str:
        """The text of a cell's outputs."""
        return str(self.page.evaluate(f"({CELL})({number}).querySelector('.jp-Cell-outputArea')?.innerText ?? ''"))

    def until_done(self, number: int) -> None:
        """Waits until a cell has run."""
        self.page.until(f"({DONE})({number})")


CELL = "(number) => document.querySelectorAll('.jp-Notebook .jp-Cell')[number]"
DONE = """(number) => {
  const { model } = jupyterapp.shell.currentWidget.content.widgets[number];
  return model.executionCount !== null && model.executionState !== "running";
}"""
RUN = """async (numbers) => {
  const panel = jupyterapp.shell.currentWidget;
  await panel.context.ready;
  await panel.sessionContext.ready;
  for (const number of numbers) {
    panel.content.activeCellIndex = number;
    const { model } = panel.content.activeCell;
    const before = model.executionCount;
    jupyterapp.commands.execute("notebook:run-cell");
    while (model.executionState !== "running" && model.executionCount === before) {
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }
}"""
"""Runs the next cell once the one before it is running: the command looks for its cell when it is about to run it."""


def far_away(jupyter: Jupyter) -> tuple[str, str]:
    """Options of a browser that is on another machine than Jupyter, which it reaches by a secure way."""
    trusted = f"--unsafely-treat-insecure-origin-as-secure={jupyter.remote_url.rstrip('/')}"
    return f"--host-resolver-rules=MAP {REMOTE} 127.0.0.1", trusted


@contextmanager
def opened(
    browser: Browser, jupyter: Jupyter, name: str, front_end: str = "lab", *, remote: bool = False, **options: Any
) -> Iterator[OpenNotebook]:
    """A notebook in a page, whose kernel is ready."""
    url = jupyter.remote_url if remote else jupyter.url
    page = browser.page(url + FRONT_ENDS[front_end].format(name), **options)
    try:
        page.until(f"globalThis.jupyterapp?.shell?.currentWidget?.context?.path === {json.dumps(name)}")
        page.until("jupyterapp.shell.currentWidget.content?.widgets?.length > 0")
        page.until("jupyterapp.shell.currentWidget.sessionContext.session?.kernel?.status === 'idle'")
        yield OpenNotebook(page)
    finally:
        page.close()
