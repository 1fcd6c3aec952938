"""What goes over an open connection, and every way in which the server can end it or fail."""

from __future__ import annotations

import random
import zlib
from struct import pack
from typing import Any

import gevent
import pytest

from greenrelay.client import Client, Message, connect
from greenrelay.errors import ConnectionClosed, InvalidCloseCode, Timeout
from tests.client.upstream import (
    BINARY,
    CLOSE,
    PING,
    PONG,
    TEXT,
    Peer,
    close_frame,
    echo,
    frame,
    serve_echo,
    silent,
    upstream,
)
from tests.probe import wait_for


def sending(*pieces: bytes) -> Any:
    """Return a script that accepts, sends these bytes and then does nothing."""

    def script(peer: Peer) -> None:
        peer.accept(then=b"".join(pieces))
        peer.hang()

    return script


def closed_by(*pieces: bytes, **options: Any) -> ConnectionClosed:
    """Return how a client ends that gets these bytes."""
    with upstream(sending(*pieces)) as url:
        client = connect(url, **options)
        with pytest.raises(ConnectionClosed) as caught:
            _receive_some(client, 1_000_000)
    assert (client.code, client.reason) == (caught.value.code, caught.value.reason)
    assert not client.is_open
    return caught.value


def test_messages_have_type_and_data() -> None:
    with upstream(echo) as url, connect(url) as client:
        client.send("größe")
        client.send(b"\x00\xff")
        client.send(bytearray(b"array"))

        got = [client.receive() for _ in range(3)]

    assert got == [
        Message("text", "größe"),
        Message("binary", b"\x00\xff"),
        Message("binary", b"array"),
    ]


@pytest.mark.parametrize("size", [0, 1, 125, 126, 65535, 65536, 3_000_000])
def test_messages_of_every_size_come_back(size: int) -> None:
    data = random.Random(size).randbytes(size)

    with upstream(echo) as url, connect(url) as client:
        client.send(data)

        assert client.receive().data == data


def test_only_text_and_bytes_can_be_sent() -> None:
    with (
        upstream(echo) as url,
        connect(url) as client,
        pytest.raises(TypeError, match="data is dict; it must be str or bytes"),
    ):
        client.send({"a": 1})  # type: ignore[arg-type]


def test_what_comes_with_the_handshake_is_not_lost() -> None:
    with upstream(sending(frame(TEXT, "early"))) as url:
        client = connect(url)

        assert client.receive().data == "early"
        client._conversation.abort("over")


def test_iteration_ends_when_the_server_closes() -> None:
    pieces = (frame(TEXT, "one"), frame(TEXT, "two"), close_frame(4001, "enough"))

    with upstream(sending(*pieces)) as url:
        client = connect(url)

        assert [message.data for message in client] == ["one", "two"]

    assert (client.code, client.reason) == (4001, "enough")


def test_the_answer_to_a_close_frame_is_an_echo_of_its_code() -> None:
    answers: list[tuple[int, bytes]] = []

    def script(peer: Peer) -> None:
        peer.accept(then=close_frame(4001, "enough"))
        answers.append(peer.frame())

    with upstream(script) as url:
        list(connect(url))
        wait_for(lambda: answers)

    assert answers == [(CLOSE, pack("!H", 4001))]


def test_close_sends_code_and_reason_and_waits_for_the_echo() -> None:
    frames: list[tuple[int, bytes]] = []

    def script(peer: Peer) -> None:
        peer.accept()
        frames.append(peer.frame())
        peer.write(frame(CLOSE, frames[0][1]))

    with upstream(script) as url:
        client = connect(url)
        assert (client.code, client.reason) == (None, "")

        client.close(4002, "bye")
        client.close()

    assert frames == [(CLOSE, pack("!H", 4002) + b"bye")]
    assert (client.code, client.reason) == (4002, "bye")


def test_a_code_that_may_not_be_sent_is_refused() -> None:
    with upstream(echo) as url, connect(url) as client, pytest.raises(InvalidCloseCode):
        client.close(1006)


def test_a_server_that_ignores_the_close_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("greenrelay.transport.client_conversation.CLOSE_TIMEOUT", 0.05)

    with upstream(silent) as url:
        client = connect(url)
        client.close()

    assert client.code == 1006
    assert client.reason == "the server did not answer the closing handshake"


def test_what_came_before_the_end_is_read_before_it() -> None:
    with upstream(echo) as url:
        client = connect(url)
        client.send("kept")
        wait_for(lambda: client._conversation._messages)
        client.close()

        assert client.receive().data == "kept"
        with pytest.raises(ConnectionClosed):
            client.receive()
        with pytest.raises(ConnectionClosed):
            client.send("too late")
        with pytest.raises(ConnectionClosed):
            client.ping()


# deadlines


def test_receive_has_a_deadline_and_the_client_lives_on() -> None:
    with upstream(echo) as url, connect(url) as client:
        with pytest.raises(Timeout, match=r"client.receive\(\): nothing came within 0.02 s"):
            client.receive(timeout="20ms")

        client.send("still here")
        assert client.receive(timeout=30).data == "still here"


def test_the_read_timeout_is_the_deadline_of_every_receive() -> None:
    with (
        upstream(echo) as url,
        pytest.raises(Timeout),
        connect(url, read_timeout="20ms") as client,
    ):
        list(client)


def test_a_server_that_does_not_read_ends_a_send_in_time() -> None:
    with upstream(silent) as url:
        client = connect(url, write_timeout="50ms")

        with pytest.raises(Timeout, match=r"client.send\(\)"):
            client.send(b"x" * 50_000_000)

    assert (client.code, client.reason) == (1006, "the server did not read in time")


def test_a_server_that_falls_silent_is_noticed() -> None:
    with upstream(silent) as url:
        client = connect(url, ping_interval="20ms", ping_timeout="20ms")
        with pytest.raises(ConnectionClosed):
            client.receive()

    assert (client.code, client.reason) == (1011, "keepalive")


def test_a_server_that_answers_pings_is_kept() -> None:
    pings: list[bytes] = []

    def script(peer: Peer) -> None:
        peer.accept()
        for opcode, payload in peer.frames():
            if opcode == PING:
                pings.append(payload)
                peer.write(frame(PONG, payload))
            if opcode == CLOSE:
                peer.write(frame(CLOSE, payload))
                return

    with upstream(script) as url, connect(url, ping_interval=0.5, ping_timeout=0.5) as client:
        wait_for(lambda: len(pings) > 1)

        assert client.is_open


def test_without_an_interval_nothing_is_pinged() -> None:
    with upstream(silent) as url:
        client = connect(url, ping_interval=None)

        assert client._conversation._pings._timer is None
        client._conversation.abort("over")


def test_ping_measures_the_round_trip() -> None:
    with upstream(echo) as url, connect(url) as client:
        assert 0 < client.ping() < 5


def test_a_ping_that_is_not_answered_times_out() -> None:
    with upstream(silent) as url:
        client = connect(url, ping_timeout="20ms", ping_interval=None)
        with pytest.raises(Timeout, match=r"client.ping\(\)"):
            client.ping()
        client._conversation.abort("over")


def test_pings_of_the_server_are_answered() -> None:
    answers: list[tuple[int, bytes]] = []

    def script(peer: Peer) -> None:
        peer.accept(then=frame(PING, b"1") + frame(PING, b"2"))
        answers.extend((peer.frame(), peer.frame()))
        serve_echo(peer)

    with upstream(script) as url, connect(url):
        wait_for(lambda: len(answers) == 2)

    assert answers == [(PONG, b"1"), (PONG, b"2")]


# a server that fails


def test_a_reset_is_1006() -> None:
    def script(peer: Peer) -> None:
        peer.accept()
        peer.frame()
        peer.reset()

    with upstream(script) as url:
        client = connect(url)
        client.send("go")
        with pytest.raises(ConnectionClosed, match="1006: connection lost: Connection reset"):
            client.receive()


def test_an_end_without_a_close_frame_is_1006() -> None:
    with upstream(Peer.accept) as url:
        client = connect(url)
        with pytest.raises(ConnectionClosed) as caught:
            client.receive()

    assert (caught.value.code, client.reason) == (1006, "connection closed by the server")


@pytest.mark.parametrize(
    ("data", "code", "reason"),
    [
        (b"HTTP/1.1 200 OK\r\n\r\n", 1002, "control frame is fragmented"),
        (bytes(range(255, 0, -1)), 1002, "masked"),
        (frame(TEXT, b"\xff"), 1007, "text is not UTF-8"),
        (frame(3), 1002, "opcode 3 is not defined"),
        (frame(PING, b"x" * 126), 1002, "control frame is over 125 bytes"),
        (frame(PING, final=False), 1002, "control frame is fragmented"),
        (frame(0, b"x"), 1002, "continuation frame without a message to continue"),
        (frame(CLOSE, b"\x03"), 1002, "close frame with a payload of 1 byte"),
        (close_frame(1005), 1002, "close code 1005 is not allowed"),
        (b"\x81\x80\x00\x00\x00\x00", 1002, "frame from the server is masked"),
        # Lies about lengths.
        (pack("!BBQ", 0x82, 127, 1 << 62), 1009, "is over 16777216"),
        (pack("!BBQ", 0x82, 127, 1 << 63), 1002, "highest bit set"),
        (pack("!BBQ", 0x82, 127, 5), 1002, "not in its shortest form"),
        (pack("!BBH", 0x82, 126, 5) + b"x" * 5, 1002, "not in its shortest form"),
    ],
)
def test_garbage_ends_the_connection_with_its_code(data: bytes, code: int, reason: str) -> None:
    error = closed_by(data)

    assert error.code == code
    assert reason in error.reason


def test_a_frame_that_never_ends_is_found_by_the_ping() -> None:
    unfinished = pack("!BBH", 0x82, 126, 60_000) + b"only this"

    error = closed_by(unfinished, ping_interval="20ms", ping_timeout="20ms")

    assert (error.code, error.reason) == (1011, "keepalive")


def test_garbage_is_answered_with_a_close_frame() -> None:
    answers: list[tuple[int, bytes]] = []

    def script(peer: Peer) -> None:
        peer.accept(then=frame(3))
        answers.append(peer.frame())

    with upstream(script) as url:
        list(connect(url))
        wait_for(lambda: answers)

    assert answers == [(CLOSE, pack("!H", 1002) + b"opcode 3 is not defined")]


def test_a_message_over_max_size_is_1009() -> None:
    assert closed_by(frame(BINARY, b"x" * 1025), max_size="1KiB").code == 1009


def test_an_inflating_bomb_is_1009() -> None:
    deflater = zlib.compressobj(wbits=-15)
    bomb = deflater.compress(bytes(50_000_000)) + deflater.flush(zlib.Z_SYNC_FLUSH)

    def script(peer: Peer) -> None:
        peer.accept("Sec-WebSocket-Extensions: permessage-deflate")
        peer.write(frame(BINARY, bomb[:-4], rsv=0x40))
        peer.hang()

    with upstream(script) as url:
        client = connect(url, compression="deflate", max_size="1MiB")
        with pytest.raises(ConnectionClosed) as caught:
            client.receive()

    assert (caught.value.code, caught.value.reason) == (
        1009,
        "message inflates to more than 1048576 bytes",
    )


def test_bytes_in_any_order_end_cleanly_or_as_documented() -> None:
    chance = random.Random(6455)
    chunks = [chance.randbytes(chance.randint(1, 300)) for _ in range(100)]

    def script(peer: Peer) -> None:
        peer.accept(then=chunks[peer.number - 1])

    with upstream(script) as url:
        codes = set()
        for _ in chunks:
            client = connect(url)
            list(client)
            codes.add(client.code)

    assert codes <= {1002, 1006, 1007, 1009}


# back-pressure


def test_a_slow_owner_makes_the_client_stop_reading_and_nothing_is_dropped() -> None:
    """A slow owner makes the client stop reading; nothing is dropped."""
    count, size = 2000, 50_000
    written: list[int] = []

    def script(peer: Peer) -> None:
        peer.accept()
        for number in range(count):
            peer.write(frame(BINARY, number.to_bytes(4) + bytes(size)))
            written.append(number)
        peer.write(close_frame(1000))

    with upstream(script) as url:
        client = connect(url, queue=4)
        stalled = _wait_for_a_stall(written)
        assert stalled < count
        assert len(client._conversation._messages) <= 5

        heads = [message.data[:4] for message in client]

    assert heads == [number.to_bytes(4) for number in range(count)]


def _wait_for_a_stall(written: list[int]) -> int:
    # How much the kernel holds is its own affair, and nothing tells that it is full: only time.
    last = -1
    while last != len(written) or not written:
        last = len(written)
        gevent.sleep(0.1)
    return last


def test_many_small_messages_in_one_read_are_all_received() -> None:
    data = b"".join(frame(TEXT, str(number)) for number in range(20_000))

    with upstream(sending(data, close_frame(1000))) as url:
        client = connect(url, queue=1)

        assert [message.data for message in client] == [str(number) for number in range(20_000)]


def test_what_waits_when_tcp_is_lost_is_still_received() -> None:
    def script(peer: Peer) -> None:
        peer.accept(then=b"".join(frame(TEXT, str(number)) for number in range(5000)))
        peer.frame()

    with upstream(script) as url:
        client = connect(url, queue=1)
        wait_for(lambda: client._conversation.is_full)
        client._conversation.on_lost("lost")

        got = [message.data for message in client]
        client._conversation.socket.abort()

    assert got == [str(number) for number in range(len(got))]
    assert got


def test_several_greenlets_share_a_client() -> None:
    with upstream(echo) as url, connect(url, queue=2) as client:
        senders: list[Any] = [gevent.spawn(_send_all, client, number) for number in range(5)]
        receivers: list[Any] = [gevent.spawn(_receive_some, client, 40) for _ in range(5)]
        gevent.joinall([*senders, *receivers], timeout=30, raise_error=True)
        got = [str(text) for receiver in receivers for text in receiver.value]

    assert sorted(got) == sorted(f"{number}:{n}" for number in range(5) for n in range(40))


def _send_all(client: Client, number: int) -> None:
    for n in range(40):
        client.send(f"{number}:{n}")


def _receive_some(client: Client, count: int) -> list[object]:
    return [client.receive(timeout=30).data for _ in range(count)]


# compression


@pytest.mark.parametrize(
    "parameters",
    [
        "",
        "; server_no_context_takeover; client_no_context_takeover",
        "; server_max_window_bits=9; client_max_window_bits=8",
        "; client_max_window_bits=15",
    ],
)
def test_compressed_messages_come_back(parameters: str) -> None:
    bits = 9 if "bits=9" in parameters else 15
    saved: list[int] = []

    def script(peer: Peer) -> None:
        peer.accept(f"Sec-WebSocket-Extensions: permessage-deflate{parameters}")
        inflater = zlib.decompressobj(-15)
        for opcode, payload in peer.frames():
            if opcode == CLOSE:
                peer.write(frame(CLOSE, payload))
                return
            if "client_no" in parameters:
                inflater = zlib.decompressobj(-15)
            plain = inflater.decompress(payload + b"\x00\x00\xff\xff")
            saved.append(len(plain) - len(payload))
            deflater = zlib.compressobj(wbits=-bits)
            data = deflater.compress(plain) + deflater.flush(zlib.Z_SYNC_FLUSH)
            peer.write(frame(opcode, data[:-4], rsv=0x40))

    with upstream(script) as url, connect(url, compression="deflate") as client:
        for number in range(5):
            text = f"message {number} " * 100
            client.send(text)
            assert client.receive(timeout=30).data == text

    assert min(saved) > 900
