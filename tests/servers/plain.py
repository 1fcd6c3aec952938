"""The app on gevent's own pywsgi server, with nothing of greenrelay in the server."""

from __future__ import annotations

from gevent import monkey

monkey.patch_all()

import signal  # noqa: E402 - nothing may be imported before the patch

import gevent  # noqa: E402
from gevent.pywsgi import WSGIServer  # noqa: E402

from tests.servers.wsgi import app  # noqa: E402


def main() -> None:
    """Serve until SIGTERM."""
    server = WSGIServer(("127.0.0.1", 0), app)
    server.start()
    gevent.signal_handler(signal.SIGTERM, server.stop)
    print(f"on http://127.0.0.1:{server.server_port}", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
