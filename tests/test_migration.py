"""A script written for google-genai's asyncio Live runs here when its import changes and ``async`` and ``await`` are deleted."""

from __future__ import annotations

import re
from typing import Any

import pytest

from genai_live import Client, types
from genai_live.errors import ConfigError
from tests.servers import answer_every_text, client_of, live_server

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


def test_connect_takes_its_parameters_as_the_javascript_page_passes_them() -> None:
    opened: list[str] = []
    with live_server(answer_every_text) as url:
        parameters = {
            "model": "gemini-2.0-flash-live-001",
            "config": {"responseModalities": [types.Modality.TEXT]},
            "callbacks": {"onopen": lambda: opened.append("open")},
        }
        with client_of(url).live.connect(parameters) as session:
            assert session.ask("Hi", timeout=60).text == "Hi"
        assert opened == ["open"]


def test_connect_takes_live_connect_parameters_beside_its_own_arguments() -> None:
    config = types.LiveConnectConfig(response_modalities=["TEXT"])
    parameters = types.LiveConnectParameters(model="gemini-2.0-flash-live-001", config=config)
    with live_server(answer_every_text) as url, client_of(url).live.connect(parameters, timeout=60) as session:
        assert session.ask("Hi", timeout=60).text == "Hi"


@pytest.mark.parametrize(
    ("parameters", "named", "words"),
    [
        ("gemini-3.8-live", {}, "model: is passed by its name: connect(model=...)"),
        ({"model": "m"}, {"model": "m"}, "model: is given twice, as an argument and in parameters"),
        ({"modle": "m"}, {}, "parameters.modle: unknown key; did you mean 'model'?"),
        ({"model": "m", "callbacks": {"onmesage": 1}}, {}, "callbacks: unknown callback 'onmesage'; did you mean 'on_message'?"),
        ({}, {}, "model: must be a str such as 'gemini-live-2.5-flash-preview', not NoneType"),
        (3, {}, "parameters: must be LiveConnectParameters or a dict of it, not int"),
    ],
)
def test_what_connect_cannot_take_is_said_in_a_sentence(parameters: Any, named: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=f"^{re.escape(words)}$"):
        Client("key").live.connect(parameters, **named)
