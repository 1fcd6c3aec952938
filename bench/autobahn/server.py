"""What is tested: ``/`` relays every client to a process that sends back what it gets.

``python -m bench.autobahn.server`` prints its address and serves until its input ends. It is the
whole product: our server, a Flask view, the relay, a target process for each client. Only the
limits are wider than the defaults, as the cases send messages of 16 MiB and of 65,536 fragments.
"""

from __future__ import annotations

from gevent import monkey

monkey.patch_all()

import logging  # noqa: E402 - patched before anything else is imported
import sys  # noqa: E402
from dataclasses import dataclass  # noqa: E402
from typing import Any  # noqa: E402

from flask import Flask  # noqa: E402
from gevent.socket import wait_read  # noqa: E402

from greenrelay import receive, send, spawn  # noqa: E402
from greenrelay.core.message import Message  # noqa: E402
from greenrelay.http.middleware.websocket_relay import RelayOptions, relay_middleware  # noqa: E402
from greenrelay.http.state import state_of  # noqa: E402
from greenrelay.transport import opening  # noqa: E402
from greenrelay.transport.server import Server  # noqa: E402
from greenrelay.web import GreenRelay, relay  # noqa: E402

LARGEST = 16 * 1024 * 1024
FRAGMENTS = 1 << 18


@dataclass(frozen=True, slots=True)
class Wide(RelayOptions):
    """Options under which every case fits."""

    max_message_size: int = LARGEST
    queue_messages: int = 4096
    queue_bytes: int = 4 * LARGEST
    compression: bool = True


def echo() -> None:
    """Send each message back to its client, text as text and binary as binary."""
    while True:
        message = receive()
        if not isinstance(message, Message):
            continue
        if message.topic == "ws.message":
            payload: Any = message.payload
            send(payload["client_pid"], "ws.send", payload["data"])
        elif message.topic == "ws.leave":
            return


def make_app() -> Flask:
    """Return the app with its one view."""
    app = Flask("bench.autobahn")
    GreenRelay(app)

    def view() -> Any:
        return relay(spawn(echo))

    app.get("/")(relay_middleware(Wide())(view))
    return app


def main() -> None:
    """Serve on a free port of this machine until standard input ends."""
    logging.basicConfig(level=logging.ERROR)
    opening.MAX_FRAGMENTS = FRAGMENTS  # type: ignore[attr-defined]  # made elsewhere, used there
    app = make_app()
    server = Server(app)
    server.start()
    state_of(app).start()
    print(server.url.partition("://")[2], flush=True)
    wait_read(sys.stdin.fileno())
    server.close()
    state_of(app).node.shutdown(0.5)
    server.stop(timeout=1)


if __name__ == "__main__":
    main()
