"""A script written for google-genai's asyncio Live runs here when its import changes and ``async`` and ``await`` are deleted."""

from __future__ import annotations

import re

from tests.servers import answer_every_text, live_server

OFFICIAL = """
from google import genai
from google.genai import types

async def main(url):
    client = genai.Client(api_key="k", http_options={"base_url": url})
    config = types.LiveConnectConfig(
        response_modalities=[types.Modality.TEXT],
        speech_config=types.SpeechConfig(
            voice_config=types.VoiceConfig(prebuilt_voice_config=types.PrebuiltVoiceConfig(voice_name="Kore"))
        ),
        system_instruction=types.Content(parts=[types.Part.from_text(text="Be brief.")]),
    )
    answers = []
    async with client.aio.live.connect(model="gemini-2.0-flash-live-001", config=config) as session:
        for word in ("one", "two"):
            await session.send_client_content(
                turns=types.Content(role="user", parts=[types.Part(text=word)]), turn_complete=True
            )
            async for response in session.receive():
                if response.text is not None:
                    answers.append(response.text)
                if response.server_content and response.server_content.turn_complete:
                    answers.append("|")
    return answers
"""


def moved(script: str) -> str:
    imports = "from google import genai\nfrom google.genai import types"
    return re.sub(r"\b(async|await) ", "", script).replace(imports, "import genai_live as genai\nfrom genai_live import types")


def test_an_official_script_runs_after_changing_the_import_and_deleting_async_and_await() -> None:
    names: dict[str, object] = {}
    exec(compile(moved(OFFICIAL), "moved.py", "exec"), names)
    main = names["main"]
    assert callable(main)
    with live_server(answer_every_text) as url:
        assert main(url) == ["one", "|", "two", "|"]
