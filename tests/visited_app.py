"""A Flask app with a voice, for servers in processes of their own; its settings are JSON in VISITED_SETTINGS."""

from __future__ import annotations

import json
import os

from flask import Flask

from genai_live import Client
from genai_live.web.flask import LiveVoice

app = Flask(__name__)
app.secret_key = "a secret of tests"
LiveVoice(app, Client(shared_reader=True), model="emulator", **json.loads(os.environ.get("VISITED_SETTINGS", "{}")))
app.add_url_rule("/", view_func=lambda: "a page")
