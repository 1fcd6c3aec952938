"""The views and processes that the servers under test serve; ``app`` is for gunicorn."""

from __future__ import annotations

import copy
import gc
import os
import socket
import time
from pathlib import Path
from typing import Any

from flask import abort, current_app, make_response, request
from markupsafe import escape
from werkzeug.wrappers import Response

from greenrelay import (
    Exit,
    Message,
    Node,
    Server,
    exit,
    inbox,
    receive,
    register,
    send,
    spawn,
    spawn_linked_monitored,
)
from greenrelay.http.state import state_of
from greenrelay.web import relay

CONFIG = Path(__file__).with_name("echo.yaml")
CLOCK = "clock"


def answer() -> None:
    """A target: echoes, and on the words "crash" and "bye" does what they say."""
    for message in inbox():
        if message.topic == "ws.message":
            _answer(message.payload)


def _answer(payload: Any) -> None:
    client, data = payload["client_pid"], payload["data"]
    if data == "crash":
        exit("crashed on demand")
    if data == "bye":
        send(client, "ws.close", {"code": 4001, "reason": "bye"})
    else:
        send(client, "ws.send", {"type": payload["type"], "data": data})


def clock() -> None:
    """A service that says when it has started, and where."""
    register(CLOCK)
    print(f"clock runs in {os.getpid()}", flush=True)
    for _ in inbox():
        pass


def index() -> str:
    return f"{request.method} {len(request.get_data())}"


def state() -> dict[str, object]:
    node: Node = state_of(current_app).node
    return {"node": node.id, "pid": os.getpid(), "processes": len(node.processes)}


def memory() -> str:
    """What the process has in memory, in bytes, without what is only not collected yet."""
    gc.collect()
    return str(int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE"))


def slow() -> str:
    """A view that goes on when the server has closed, and then needs processes."""
    print("slow has begun", flush=True)
    # No server tells a view that it listens no more: it has to be tried.
    while not _is_closed():
        time.sleep(0.01)
    print("slow goes on", flush=True)
    child = spawn_linked_monitored(len, "four")
    event = receive(timeout=30)
    assert isinstance(event, Exit)
    assert event.pid == child
    return "spawned"


def _is_closed() -> bool:
    host, _, port = request.host.partition(":")
    try:
        socket.create_connection((host, int(port)), 1).close()
    except OSError:
        return True
    return False


def echo() -> Response:
    response = make_response(relay(spawn(answer), subprotocols=["v2", "v1"]))
    response.set_cookie("seen", "yes")
    return response


def name_and_answer() -> None:
    """A target that tells its client what it was told of it, then echoes."""
    join: Any = receive("ws.join").payload
    send(join["client_pid"], "ws.send", f"{join['path']} {join['remote_addr']}")
    answer()


class Quiet(Server):
    """A target without a greenlet of its own: echoes."""

    def handle_message(self, message: Message) -> None:
        if message.topic == "ws.message":
            _answer(message.payload)


def quiet() -> Response:
    return relay(spawn(Quiet))


def who() -> Response:
    return relay(spawn(name_and_answer))


def private() -> None:
    abort(401)


def dead() -> Response:
    return relay("{nobody@test|1}")


def old() -> str:
    """A view as people wrote them for gevent-websocket."""
    ws = request.environ.get("wsgi.websocket")
    if ws is None:
        return "no websocket"
    while (message := ws.receive()) is not None:
        if message == "fail":
            abort(500)
        if message == "all":
            for each in ws.handler.server.clients.values():
                each.ws.send("to all")
        else:
            ws.send(message)
        if message == "bye":
            ws.close()
            break
    return ""


def copied() -> str:
    """A view that looks at its environ as error reporters do."""
    ws = request.environ.get("wsgi.websocket")
    return f"{hasattr(ws, '__html__')} {copy.copy(ws) is not None} {escape(repr(ws))}"
