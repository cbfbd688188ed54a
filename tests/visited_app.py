"""A Flask app with a voice and the strictest policy, for servers in their own processes; its settings in VISITED_SETTINGS."""

from __future__ import annotations

import json
import os
from pathlib import Path

from flask import Flask, Response, send_from_directory

from genai_live import Client
from genai_live.web.flask import LiveVoice

PAGE = Path(__file__).parent / "js" / "page"
POLICY = "default-src 'none'; script-src 'self'; connect-src 'self'; style-src 'self'"

app = Flask(__name__)
app.secret_key = "a secret of tests"
LiveVoice(app, Client(shared_reader=True), model="emulator", **json.loads(os.environ.get("VISITED_SETTINGS", "{}")))


@app.get("/")
def index() -> Response:
    return send_from_directory(PAGE, "index.html")


@app.get("/<name>")
def file(name: str) -> Response:
    return send_from_directory(PAGE, name)


@app.after_request
def strictly(response: Response) -> Response:
    response.headers["Content-Security-Policy"] = POLICY
    return response
