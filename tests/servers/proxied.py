"""The app behind one trusted proxy, in the way that Flask documents."""

from __future__ import annotations

from werkzeug.middleware.proxy_fix import ProxyFix

from greenrelay.web import create_app
from tests.servers.site import CONFIG

app = create_app(CONFIG)
app.wsgi_app = ProxyFix(app.wsgi_app, x_for=1, x_proto=1, x_host=1)  # type: ignore[method-assign]
