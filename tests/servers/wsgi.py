"""The app for gunicorn: ``gunicorn tests.servers.wsgi:app``."""

from __future__ import annotations

from greenrelay.web import create_app
from tests.servers.site import CONFIG

app = create_app(CONFIG)
