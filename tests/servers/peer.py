"""A WebSocket client in a process of its own: ``websockets.sync.client``, told what to do.

Commands come as lines of JSON on stdin, ``[name, {argument: value}]``; each is answered by one line
on stdout, ``{"value": …}`` or ``{"error": …}``. tests/servers/client.py is the other side. Bytes
travel as ``{"base64": …}``.
"""

from __future__ import annotations

import base64
import json
import socket
import ssl
import sys
from itertools import count
from typing import Any

from websockets.client import ClientProtocol
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.frames import Frame, Opcode
from websockets.http11 import Response
from websockets.sync.client import ClientConnection, connect, unix_connect
from websockets.uri import parse_uri

TIMEOUT = 30.0

sockets: dict[int, ClientConnection] = {}
numbers = count(1)


def pack(data: str | bytes) -> object:
    """Return a message as JSON has it."""
    return data if isinstance(data, str) else {"base64": base64.b64encode(data).decode()}


def unpack(data: Any) -> str | bytes:
    """Return a message that ``pack`` has made JSON of."""
    return data if isinstance(data, str) else base64.b64decode(data["base64"])


def open_socket(
    url: str,
    origin: str | None,
    subprotocols: list[str],
    headers: dict[str, str],
    unix: str | None,
    trusted: str | None,
    get_first: str | None,
) -> object:
    """Do a handshake; ``get_first`` is a path to GET before, on the same TCP connection."""
    options: dict[str, Any] = {
        "origin": origin,
        "subprotocols": subprotocols or None,
        "additional_headers": headers,
        "open_timeout": TIMEOUT,
        "close_timeout": TIMEOUT,
        "proxy": None,
    }
    if trusted is not None:
        options["ssl"] = ssl.create_default_context(cafile=trusted)
    if get_first is not None:
        options["sock"] = _get(url, get_first)
    try:
        opened = unix_connect(unix, url, **options) if unix else connect(url, **options)
    except InvalidStatus as refusal:
        return _refusal(refusal.response)
    number = next(numbers)
    sockets[number] = opened
    assert opened.response is not None
    return {
        "number": number,
        "subprotocol": opened.subprotocol,
        "cookies": opened.response.headers.get_all("Set-Cookie"),
    }


def _get(url: str, path: str) -> socket.socket:
    uri = parse_uri(url)
    sock = socket.create_connection((uri.host, uri.port), TIMEOUT)
    sock.sendall(f"GET {path} HTTP/1.1\r\nHost: {uri.host}:{uri.port}\r\n\r\n".encode())
    answer = b""
    while b"\r\n\r\n" not in answer:
        answer += sock.recv(65536)
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200"), answer
    (length,) = (
        int(line.split(b":")[1])
        for line in head.lower().split(b"\r\n")
        if line.startswith(b"content-length")
    )
    while len(body) < length:
        body += sock.recv(65536)
    assert len(body) == length, answer
    return sock


def _refusal(response: Response) -> object:
    return {
        "status": response.status_code,
        "body": (response.body or b"").decode(),
        "headers": {name.lower(): value for name, value in response.headers.raw_items()},
    }


def send_early(url: str, text: str) -> object:
    """Send the handshake and a message as one TCP segment; return the first message back."""
    uri = parse_uri(url)
    protocol = ClientProtocol(uri)
    protocol.send_request(protocol.connect())
    head = b"".join(protocol.data_to_send())
    frame = Frame(Opcode.TEXT, text.encode()).serialize(mask=True)
    with socket.create_connection((uri.host, uri.port), TIMEOUT) as sock:
        sock.sendall(head + frame)
        while data := sock.recv(65536):
            protocol.receive_data(data)
            for event in protocol.events_received():
                if isinstance(event, Frame) and event.opcode is Opcode.TEXT:
                    return bytes(event.data).decode()
    raise EOFError("closed without an answer")


def send(number: int, data: Any) -> None:
    """Send one message."""
    sockets[number].send(unpack(data))


def receive(number: int) -> object:
    """Return the next message."""
    return pack(sockets[number].recv(timeout=TIMEOUT))


def wait_closed(number: int) -> object:
    """Read until the server has closed; return the messages, its close code and reason."""
    opened = sockets.pop(number)
    messages = []
    try:
        while True:
            messages.append(pack(opened.recv(timeout=3 * TIMEOUT)))
    except ConnectionClosed as closed:
        got = closed.rcvd
        code, reason = (got.code, got.reason) if got is not None else (1006, "")
    return {"messages": messages, "code": code, "reason": reason}


def close(number: int, code: int, reason: str) -> object:
    """Do a closing handshake; return what the server has answered."""
    opened = sockets.pop(number)
    opened.close(code, reason)
    got = opened.protocol.close_rcvd
    return [got.code, got.reason] if got is not None else [1006, ""]


def drop(number: int) -> None:
    """Cut TCP, if it is not closed yet."""
    opened = sockets.pop(number, None)
    if opened is not None:
        opened.socket.close()


COMMANDS = {
    each.__name__: each
    for each in (open_socket, send_early, send, receive, wait_closed, close, drop)
}


def main() -> None:
    for line in sys.stdin:
        name, arguments = json.loads(line)
        try:
            answer = {"value": COMMANDS[name](**arguments)}
        except Exception as error:
            answer = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
