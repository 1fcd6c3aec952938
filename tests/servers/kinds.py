"""The servers greenrelay must run on, as command lines. Source: HTTP, "Servers it must run on"."""

from __future__ import annotations

from tests.servers.running import ADDRESS, BIN, GREENRELAY, GUNICORN, Running
from tests.servers.site import CONFIG

APP = "tests.servers.wsgi:app"
DOOR = ("-c", "python:greenrelay.gunicorn")
GEVENT_WEBSOCKET = "geventwebsocket.gunicorn.workers.GeventWebSocketWorker"


def gunicorn(*options: str, app: str = APP, port: int = 0) -> list[str]:
    """Return the command line of a gunicorn with an access log."""
    address = f"127.0.0.1:{port}"
    common = ["--no-control-socket", "--access-logfile", "-", "-b", address]
    return [GUNICORN, *common, *options, app]


SERVERS = {
    "run": [GREENRELAY, "run", str(CONFIG)],
    "worker": gunicorn("-k", "greenrelay.gunicorn.Worker"),
    "gevent-websocket": gunicorn("-k", GEVENT_WEBSOCKET),
    "gevent+door": gunicorn("-k", "gevent", *DOOR),
    "gevent_pywsgi+door": gunicorn("-k", "gevent_pywsgi", *DOOR),
    "gevent": gunicorn("-k", "gevent"),
    "gevent_pywsgi": gunicorn("-k", "gevent_pywsgi"),
}
# Not in the table, but people have their own servers.
OTHERS = {"pywsgi": [str(BIN / "python"), "-m", "tests.servers.plain"]}
# Where gevent-websocket's ``environ["wsgi.websocket"]`` works: not in gunicorn's own HTTP parser.
WITH_OLD_DOOR = ("run", "worker", "gevent-websocket")


def address_of(server: Running) -> str:
    """Wait for a server to listen and return its ``host:port``."""
    return server.wait_for(ADDRESS)[0]
