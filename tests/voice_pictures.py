"""Pictures of ``<genai-live-voice>`` for its guide, wide and narrow, light and dark: ``python -m tests.voice_pictures``."""

from __future__ import annotations

import sys
import tempfile
import wave
from array import array
from math import pi, sin
from pathlib import Path

from tests.browsers import Browser, microphone
from tests.voice_pages import OUTPUT_RATE, PageServer, page_server
from tests.waiting import until

FOLDER = Path(__file__).parent.parent / "docs" / "pictures"
WIDTHS = {"wide": 620, "narrow": 300}
SCHEMES = ("light", "dark")
ELEMENT = "document.querySelector('genai-live-voice')"

ANSWER = "I found it. Your order left Hamburg this morning and will be with you tomorrow before noon."


def murmur(rate: int, seconds: float) -> array[int]:
    """Sound that comes and goes as speech does."""
    times = (at / rate for at in range(int(rate * seconds)))
    return array("h", (round(loudness(time) * sin(2 * pi * 170 * time)) for time in times))


def loudness(time: float) -> float:
    return 9000 * max(0.0, sin(2 * pi * 1.7 * time)) * (0.4 + 0.6 * sin(4.1 * time) ** 2)


def take(browser: Browser, server: PageServer, picture: Path, width: int, scheme: str) -> None:
    """One picture, of a conversation in which the second answer is being spoken."""
    page = browser.page(server.url, viewport={"width": width, "height": 400}, colorScheme=scheme, deviceScaleFactor=2)
    page.click("genai-live-voice .primary")
    visit = server.visit()
    visit.begin()
    until(lambda: len(visit.messages) > 55)
    visit.tell("user_words", at=1.0, text="Good morning! Is my order on its way?", final=True)
    visit.tell("model_words", at=2.0, text="Good morning. Let me have a look, one", final=False)
    visit.tell("interrupted", at=2.4, heard=1.0, exact=True)
    visit.tell("user_words", at=3.0, text="It is number 5 2 1 7.", final=True)
    visit.tell("model_words", at=4.0, text=ANSWER, final=False)
    visit.state("speaking")
    visit.play(murmur(OUTPUT_RATE, 4))
    until(lambda: visit.played > 1.8)
    page.screenshot(picture, "main")
    page.close()


def main(folder: Path = FOLDER) -> None:
    folder.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as temporary, page_server() as server:
        sound = Path(temporary, "murmur.wav")
        with wave.open(str(sound), "wb") as writing:
            writing.setparams((1, 2, 48_000, 0, "NONE", ""))
            writing.writeframes((murmur(48_000, 2.4) + array("h", bytes(2 * 48_000 * 20))).tobytes())
        with Browser(*microphone(sound)) as browser:
            for name, width in WIDTHS.items():
                for scheme in SCHEMES:
                    take(browser, server, folder / f"voice-{name}-{scheme}.png", width, scheme)


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
