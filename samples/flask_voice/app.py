"""Talk with the model on a web page: ``gunicorn -k gthread --threads 8 samples.flask_voice.app:app``, then http://127.0.0.1:8000."""

import os

from flask import Flask

from genai_live.web.flask import LiveVoice

PAGE = """<!doctype html><title>Talk</title><script type="module" src="/voice/genai-live-voice.js"></script>
<genai-live-voice src="/voice/"></genai-live-voice>"""

app = Flask(__name__)
app.secret_key = os.environ.get("SECRET_KEY")
LiveVoice(app, model=os.environ.get("MODEL", "gemini-3.8-live"))
app.add_url_rule("/", view_func=lambda: PAGE)
