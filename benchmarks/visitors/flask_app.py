"""The Flask app that is measured: ``LiveVoice`` of docs/web.md. VISITORS_URL is the service, VISITORS_MODEL what it does."""

from __future__ import annotations

import os

from flask import Flask

from genai_live import Client
from genai_live.web.flask import LiveVoice

PAGE = "<ul>" + "".join(f"<li>{number}" for number in range(2_000)) + "</ul>"

app = Flask(__name__)
app.secret_key = "a secret of benchmarks"
options = {"base_url": os.environ["VISITORS_URL"], "ca_bundle": os.environ["VISITORS_CA"]}
client = Client(api_key="k", http_options=options, shared_reader=True)
LiveVoice(app, client, model=os.environ["VISITORS_MODEL"], limit=10_000, idle_timeout=None)
app.add_url_rule("/", view_func=lambda: PAGE)
