from flask import Flask, request

from greenrelay import inbox, send, spawn
from greenrelay.web import GreenRelay, relay, websocket_relay
from tests.serving import connected, serving


def echo() -> None:
    for message in inbox():
        if message.topic == "ws.message":
            payload = message.payload
            assert isinstance(payload, dict)
            send(
                payload["client_pid"], "ws.send", {"type": payload["type"], "data": payload["data"]}
            )


def test_a_view_hands_its_client_to_a_process() -> None:
    app = Flask(__name__)
    GreenRelay(app)

    @app.get("/ws")
    @websocket_relay()
    def ws():  # type: ignore[no-untyped-def]
        return relay(spawn(echo), metadata={"user": request.args.get("user")})

    with serving(app) as address, connected(address, "/ws?user=7") as client:
        client.send("hello")
        client.send(b"\x00\xff")

        assert client.recv() == "hello"
        assert client.recv() == b"\x00\xff"
        assert client.close(4000, "bye") == (4000, "")
