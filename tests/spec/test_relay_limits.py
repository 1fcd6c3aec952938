"""WebSocket Relay: "Options" - caps, deadlines and rates."""

from typing import Any

import gevent
import pytest
from flask import request
from websockets.frames import Opcode

from greenrelay import inbox, process, receive, spawn
from greenrelay.http.middleware.websocket_relay import RelayOptions
from greenrelay.http.state import state_of
from greenrelay.relay.slowness import SlowPolicy
from greenrelay.web import relay
from tests.probe import assert_receive, wait_for
from tests.relaying import UPGRADE, Bench, relaying

OFFER = "permessage-deflate; client_max_window_bits"


def idle() -> None:
    for message in inbox():
        if message.topic == "ws.leave":
            return


def test_the_options_have_the_defaults_of_the_page() -> None:
    """``wsrelay.max.connections``, ``.per.ip``, ``.per.user`` 10000, 0, 0; …"""
    options = RelayOptions()

    assert options.max_message_size == 64 * 1024
    assert options.max_connections == 10_000
    assert (options.max_connections_per_ip, options.max_connections_per_user) == (0, 0)
    assert (options.ping_interval, options.ping_timeout) == (25, 10)
    assert options.handshake_timeout == 10
    assert (options.queue_messages, options.queue_bytes) == (256, 1024 * 1024)
    assert options.slow_policy == SlowPolicy("close")
    assert (options.rate_messages, options.rate_bytes) == (0, 0)
    assert (options.subprotocols, options.compression) == ((), False)
    assert (options.drain_code, options.drain_period) == (1012, 10)


@pytest.mark.parametrize(("interval", "timeout"), [(5.0, 5.0), (0.0, 10.0), (60.0, 10.0)])
def test_a_ping_interval_below_the_timeout_shortens_it(interval: float, timeout: float) -> None:
    assert RelayOptions(ping_interval=interval).ping_timeout == timeout


def test_beyond_the_cap_of_an_address_is_503_with_retry_after(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """``wsrelay.max.connections.per.ip``; connection cap reached: 503 with ``Retry-After``; a
    refused client spawns nothing"""
    with relaying(max_connections_per_ip=2) as bench:
        with bench.connect() as first, bench.connect():
            for _ in range(2):
                bench.joined()

            refused = bench.refusal()

            assert refused.status == 503
            assert refused.headers["Retry-After"].isdecimal()
            assert bench.calls == 2
            assert "wsrelay.max.connections.per.ip is 2" in caplog.text
            first.close()
            assert_receive(bench.target, topic="ws.leave")
        with bench.connect():
            bench.joined()


def user_of_request() -> dict[str, object]:
    """Return the metadata for the user that the cookie names, a number or a name or nobody."""
    user = request.cookies.get("user", "")
    if not user:
        return {}
    return {"user_id": int(user) if user.isdecimal() else user}


def test_beyond_the_cap_of_a_user_is_503_and_the_target_is_cancelled(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """``wsrelay.max.connections.per.user``; user is ``metadata.user_id``"""
    ann, bob, number = ({"Cookie": f"user={name}"} for name in ("ann", "bob", "7"))
    targets: list[str] = []

    def view(bench: Bench) -> Any:
        targets.append(spawn(idle))
        return relay(targets[-1], metadata=user_of_request())

    with relaying(view, max_connections_per_user=1) as bench:
        with bench.connect(headers=ann) as first:
            refused = bench.refusal(headers=ann)

            assert refused.status == 503
            assert refused.headers["Retry-After"].isdecimal()
            assert "wsrelay.max.connections.per.user is 1" in caplog.text
            bench.wait_gone(targets[-1])
            # Others are not counted together with her, and those that are nobody not at all.
            with bench.connect(headers=bob), bench.connect(headers=number):
                assert bench.refusal(headers=number).status == 503
            with bench.connect(), bench.connect():
                pass
            first.close()
        wait_for(lambda: not bench.connections())
        with bench.connect(headers=ann) as again:
            again.close()
        wait_for(lambda: not bench.connections())


def test_a_refused_upgrade_gives_the_place_of_its_address_and_user_back() -> None:
    answers: list[Any] = [("no", 401), relay("nobody", metadata={"user_id": 1}), "no"]

    with relaying(
        lambda b: answers[b.calls - 1], max_connections_per_ip=1, max_connections_per_user=1
    ) as bench:
        assert [bench.refusal().status for _ in answers] == [401, 503, 200]


def test_a_view_that_takes_longer_than_the_handshake_may_is_503(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """``wsrelay.handshake.timeout``"""
    spawned: list[str] = []

    def view(bench: Bench) -> Any:
        spawned.append(spawn(idle))
        receive()

    with relaying(view, handshake_timeout="50ms", max_connections=1) as bench:
        for _ in range(2):
            refused = bench.refusal()

            assert refused.status == 503
            assert refused.headers["Retry-After"].isdecimal()
        assert "wsrelay.handshake.timeout, 0.05 s" in caplog.text
        for pid in spawned:
            bench.wait_gone(pid)
        assert len(state_of(bench.app).connections) == 0


def test_a_timeout_of_the_view_itself_is_the_views_business() -> None:
    def view(bench: Bench) -> Any:
        with gevent.Timeout(0.01, False):  # type: ignore[arg-type]  # gevent's own idiom
            receive()
        return relay(bench.target.pid)

    with relaying(view, handshake_timeout=5) as bench, bench.connect():
        bench.joined()


def test_a_handshake_timeout_of_0_is_none() -> None:
    with relaying(handshake_timeout=0) as bench, bench.connect():
        bench.joined()


def test_a_flood_of_pings_counts_as_messages_do() -> None:
    """``wsrelay.rate.messages``: beyond it 1008"""
    with relaying(rate_messages=5) as bench, bench.connect() as client:
        bench.joined()
        for _ in range(50):
            client.protocol.send_ping(b"")
        client._flush()

        assert client.wait_closed() == (1008, "rate limit")


def test_what_was_read_before_a_connection_is_terminated_counts_too() -> None:
    rate = 50
    got: list[str] = []

    def target() -> None:
        for message in inbox():
            payload: Any = message.payload
            if message.topic == "ws.message":
                got.append(payload["data"])
                process.terminate(payload["client_pid"])
            elif message.topic == "ws.leave":
                return

    with relaying(lambda b: relay(spawn(target)), rate_messages=rate) as bench:
        with bench.connect() as client:
            wait_for(bench.connections)
            connection = bench.connections()[0]
            for number in range(20 * rate):
                client.protocol.send_text(str(number).encode())
            # In one piece, so that the server has read all of it when the target ends it.
            client.sock.sendall(b"".join(client.protocol.data_to_send()))
            bench.wait_gone(connection.session.target_pid)

        # The rate itself, and what came back of it meanwhile.
        assert rate <= len(got) < 2 * rate


def test_the_pings_of_one_read_are_answered_each() -> None:
    with relaying() as bench, bench.connect() as client:
        bench.joined()
        for number in range(100):
            client.protocol.send_ping(b"%d" % number)
        client._flush()

        for number in range(100):
            frame = client.frame()
            assert frame is not None
            assert (frame.opcode, bytes(frame.data)) == (Opcode.PONG, b"%d" % number)


def test_compression_is_off_unless_it_is_switched_on() -> None:
    """``wsrelay.compression``: ``off``; permessage-deflate ``on``"""
    offer = {"Sec-WebSocket-Extensions": "permessage-deflate"}
    # The client of the tests takes no answer to what it has not offered itself.
    with relaying() as bench, bench.connect(headers=offer) as client:
        assert "Sec-WebSocket-Extensions" not in client.response.headers


@pytest.mark.parametrize("policy", ["drop_oldest", "drop_newest", "block 5s"])
def test_where_a_frame_may_not_be_sent_after_all_none_refers_to_another(
    policy: str,
) -> None:
    answer = extensions_of(compression="on", slow_policy=policy)

    assert "server_no_context_takeover" in answer


def test_compression_is_agreed_on_where_it_is_on() -> None:
    answer = extensions_of(compression=True)

    assert "permessage-deflate" in answer
    assert "server_no_context_takeover" not in answer


def extensions_of(**options: Any) -> str:
    """Return what a server answers to a client that offers compression."""
    with relaying(**options) as bench:
        host, _, port = bench.address.rpartition(":")
        fields = {**UPGRADE, "Host": bench.address, "Sec-WebSocket-Extensions": OFFER}
        lines = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
        with gevent.socket.create_connection((host, int(port))) as sock:
            sock.sendall(f"GET /ws HTTP/1.1\r\n{lines}\r\n".encode())
            head = sock.recv(65536).decode()
            bench.joined()
    found = [line for line in head.split("\r\n") if line.startswith("Sec-WebSocket-Extensions")]
    return "".join(found)
