"""WebSocket Relay: "Topics from the relay to the target"."""

import pytest
from websockets.frames import Opcode

from greenrelay.core.message import Message
from greenrelay.core.pid import Pid
from tests.probe import assert_nothing, assert_receive, settle, wait_for
from tests.relaying import Bench, relaying


def topics(bench: Bench) -> list[str]:
    settle(bench.node)
    return [item.topic for item in bench.target.items if isinstance(item, Message)]


# from the relay to the target


def test_ws_join() -> None:
    """``ws.join``: client connected; ``client_pid``, ``metadata``, ``subprotocol``, ``path``,
    ``remote_addr``, ``reason``"""
    with relaying(command={"metadata": {"user_id": 7}}) as bench, bench.connect("/ws?x=1"):
        message = assert_receive(bench.target, topic="ws.join")

        (connection,) = bench.connections()
        assert message.payload == {
            "client_pid": connection.pid,
            "metadata": {"user_id": 7},
            "subprotocol": None,
            "path": "/ws",
            "remote_addr": "127.0.0.1",
            "reason": "connect",
        }
        assert isinstance(message.payload["client_pid"], Pid)
        assert message.sender == connection.pid


def test_a_path_is_text_in_any_script() -> None:
    with relaying() as bench:
        bench.app.add_url_rule("/räume/blau", view_func=bench.app.view_functions["ws"])
        with bench.connect("/r%C3%A4ume/blau"):
            join = assert_receive(bench.target, topic="ws.join")

            assert join.payload["path"] == "/räume/blau"


def test_ws_message_text() -> None:
    """``ws.message``: ``client_pid``, ``type`` (``text`` / ``binary``), ``data`` (str / bytes),
    ``metadata``"""
    with relaying(command={"metadata": {"a": 1}}) as bench, bench.connect() as client:
        client_pid = bench.joined()
        client.send("grüße 🌍\x00")

        message = assert_receive(bench.target, topic="ws.message")
        assert message.payload == {
            "client_pid": client_pid,
            "type": "text",
            "data": "grüße 🌍\x00",
            "metadata": {"a": 1},
        }
        assert message.sender == client_pid


def test_ws_message_binary() -> None:
    with relaying() as bench, bench.connect() as client:
        client_pid = bench.joined()
        client.send(bytes(range(256)))

        payload = assert_receive(bench.target, topic="ws.message").payload
        assert payload == {
            "client_pid": client_pid,
            "type": "binary",
            "data": bytes(range(256)),
            "metadata": {},
        }
        assert type(payload["data"]) is bytes


@pytest.mark.parametrize("data", ["", b""])
def test_an_empty_message_is_a_message(data: str | bytes) -> None:
    with relaying() as bench, bench.connect() as client:
        bench.joined()
        client.send(data)

        assert assert_receive(bench.target, topic="ws.message").payload["data"] == data


def test_a_fragmented_message_is_one_message() -> None:
    with relaying() as bench, bench.connect() as client:
        bench.joined()
        client.protocol.send_text("grü".encode()[:3], fin=False)
        client.protocol.send_ping(b"between")
        client.protocol.send_continuation("ü".encode()[1:] + b"n", fin=True)
        client._flush()

        assert assert_receive(bench.target, topic="ws.message").payload["data"] == "grün"
        frame = client.frame()
        assert frame is not None
        assert (frame.opcode, bytes(frame.data)) == (Opcode.PONG, b"between")


def test_ws_heartbeat() -> None:
    """``ws.heartbeat``: every ``heartbeat_interval``; ``client_pid``, ``uptime`` (seconds),
    ``message_count``, ``metadata``, ``rtt`` (seconds or None), ``queued``"""
    command = {"heartbeat_interval": "20ms", "metadata": {"a": 1}}
    with relaying(command=command) as bench, bench.connect() as client:
        client_pid = bench.joined()
        first = assert_receive(bench.target, topic="ws.heartbeat")
        client.send("one")
        client.send("two")
        for _ in range(2):
            assert_receive(bench.target, topic="ws.message")
        later = first
        while later.payload["message_count"] < 2:
            later = assert_receive(bench.target, topic="ws.heartbeat")

        assert first.sender == client_pid
        assert first.payload == {
            "client_pid": client_pid,
            "uptime": first.payload["uptime"],
            "message_count": 0,
            "metadata": {"a": 1},
            "rtt": None,
            "queued": 0,
        }
        assert isinstance(first.payload["uptime"], float)
        assert later.payload["message_count"] == 2
        assert later.payload["uptime"] > first.payload["uptime"]


def test_the_heartbeat_knows_the_round_trip_of_the_last_ping() -> None:
    """``rtt`` (seconds or None)"""
    with (
        relaying(
            command={"heartbeat_interval": 0.02}, ping_interval=0.02, ping_timeout=0.02
        ) as bench,
        bench.connect() as client,
    ):
        bench.joined()
        for _ in range(2):
            client.frame()
        wait_for(lambda: bench.connections()[0]._pulse.rtt is not None)
        bench.target.items.clear()
        rtt = assert_receive(bench.target, topic="ws.heartbeat").payload["rtt"]

        assert isinstance(rtt, float)
        assert rtt >= 0


def test_ws_leave() -> None:
    """``ws.leave``: client disconnected; ``client_pid``, ``reason``, ``code``, ``clean``,
    ``metadata``"""
    with relaying(command={"metadata": {"a": 1}}) as bench, bench.connect() as client:
        client_pid = bench.joined()
        client.close(4000, "see you")

        message = assert_receive(bench.target, topic="ws.leave")
        assert message.payload == {
            "client_pid": client_pid,
            "reason": "see you",
            "code": 4000,
            "clean": True,
            "metadata": {"a": 1},
        }
        assert message.sender == client_pid


def test_one_join_first_and_one_leave_after_the_last_message() -> None:
    """Exactly one join and one leave per attachment; join first, leave after the last message."""
    with relaying() as bench, bench.connect() as client:
        for number in range(50):
            client.protocol.send_text(str(number).encode())
        client.protocol.send_close(1000)
        client._flush()
        client.wait_closed()

        assert topics(bench) == ["ws.join", *["ws.message"] * 50, "ws.leave"]
        data = [item.payload["data"] for item in bench.target.items[1:-1]]  # type: ignore[union-attr, index]
        assert data == [str(number) for number in range(50)]


def test_nothing_comes_after_the_leave() -> None:
    with relaying(command={"heartbeat_interval": 0.005}) as bench, bench.connect() as client:
        bench.joined()
        client.close()
        assert_receive(bench.target, topic="ws.leave")
        bench.target.items.clear()

        assert_nothing(bench.target)
