"""Pictures of notebooks for the guide: ``python -m tests.notebook_pictures [FOLDER]``."""

from __future__ import annotations

import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from genai_live.emulator import LiveEmulator
from tests.browsers import Browser, microphone
from tests.jupyter import Jupyter, OpenNotebook, opened
from tests.notebook_cells import ELEMENT, OPENING, QUESTION, TALK, start

FOLDER = Path(__file__).parent.parent / "docs" / "pictures"
WIDE = {"viewport": {"width": 1100, "height": 1000}, "colorScheme": "light"}
HEARS = "Could you tell me what the weather will be like in Lisbon tomorrow?"

TOOLS = """
def get_weather(city: str) -> dict:
    return {"city": city, "temperature": 22}

config = {"response_modalities": ["AUDIO"], "output_audio_transcription": {}, "tools": [get_weather]}
session = client.live.connect(model="emulator", config=config, run_tools=True)
"""


def picture(notebook: OpenNotebook, number: int, file: Path) -> None:
    """One cell with its output."""
    selector = f".jp-Notebook .jp-Cell:nth-child({number + 1} of .jp-Cell)"
    notebook.page.evaluate(f"document.querySelector({selector!r}).scrollIntoView()")
    notebook.page.screenshot(file, selector)


def main(folder: Path) -> None:
    """Takes all of them, in JupyterLab."""
    with TemporaryDirectory() as place, LiveEmulator(voice=False, hears=[HEARS]) as emulator:
        sound = Path(place) / "question.wav"
        QUESTION.save(sound)
        browser, jupyter = Browser(*microphone(sound), "--autoplay-policy=no-user-gesture-required"), Jupyter(Path(place))
        try:
            ask = "turn = show(session).ask('What is the weather in Lisbon?')"
            jupyter.write("guide.ipynb", OPENING.format(url=emulator.url) + TOOLS, ask, TALK)
            with opened(browser, jupyter, "guide.ipynb", **WIDE) as notebook:
                notebook.run(0, 1)
                notebook.until_done(1)
                picture(notebook, 1, folder / "notebook-turn.png")
                notebook.run(2)
                notebook.until_done(2)
                start(notebook)
                notebook.page.until(f"{ELEMENT}.state === 'speaking' && {ELEMENT}.stats.playedSeconds > 1")
                picture(notebook, 2, folder / "notebook-voice.png")
        finally:
            browser.close()
            jupyter.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER)
