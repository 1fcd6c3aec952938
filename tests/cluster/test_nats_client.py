"""The client of NATS against a real server, and against nats-py on the other side."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import gevent
import pytest
from gevent import socket as gevent_socket
from gevent.server import StreamServer

from greenrelay.cluster.address import parse_address
from greenrelay.cluster.nats import wire
from greenrelay.cluster.nats.bucket import Bucket, Conflict
from greenrelay.cluster.nats.client import Client
from greenrelay.cluster.nats.connector import Patience
from greenrelay.cluster.nats.dial import Line, ServerInfo
from greenrelay.cluster.nats.outbox import Outbox
from greenrelay.cluster.nats.owner import NobodyAnswers
from greenrelay.cluster.nats.parser import Event, Message, Parser
from greenrelay.cluster.server import DevelopmentServer
from greenrelay.errors import EngineError
from tests.cluster.oracle import oracle
from tests.probe import wait_for

QUICK = Patience(connect=0.5, first_connect=0.3)


class Owner:
    """Who a client works for; records its ups and downs."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def on_connecting(self) -> None:
        """Nothing has to be done."""

    def greeting(self) -> bytes:
        return b""

    def on_up(self) -> None:
        self.told.append("up")

    def on_down(self, why: str) -> None:
        self.told.append(why)


Connect = Callable[..., Client]


def asked(client: Client, subject: bytes, data: bytes, header: bytes = b"") -> Message:
    """Make a request, again while nobody answers.

    The server cuts an oracle off whose machine is too busy for its pings; nats-py connects again.
    """
    answers: list[Message] = []

    def is_answered() -> bool:
        with suppress(NobodyAnswers):
            answers.append(client.request(subject, data, header))
        return bool(answers)

    wait_for(is_answered)
    return answers[0]


@contextmanager
def serving(handle: Callable[[gevent_socket.socket, object], None]) -> Iterator[int]:
    """Be a server for the body, and yield its port."""
    server = StreamServer(("127.0.0.1", 0), handle)
    server.start()
    assert server.server_port is not None
    yield server.server_port
    server.stop()


@pytest.fixture
def connect(nats_server: DevelopmentServer) -> Iterator[Connect]:
    """Start clients of the server, and stop them afterwards."""
    clients: list[Client] = []

    def connect(url: str = nats_server.url, outbox: Outbox | None = None) -> Client:
        client = Client(parse_address(url), Owner(), patience=QUICK, outbox=outbox)
        clients.append(client)
        client.start()
        return client

    yield connect
    for client in clients:
        client.stop()
        client.stop()


def test_our_requests_are_answered_by_nats_py(
    nats_server: DevelopmentServer, connect: Connect, app: str, tmp_path: Path
) -> None:
    client, subject = connect(), b"echo.1"

    with oracle(tmp_path, nats_server.url, "echo", subject.decode()):
        plain = asked(client, subject, b"\x00\r\nany bytes")
        header = wire.header_of({"X-One": "1"})
        answered = asked(client, subject, b"with a header", header)

    assert plain[4] == b"\x00\r\nany bytes"
    assert plain[3] == b""
    assert answered[4] == b"with a header"
    assert wire.fields_of(answered[3]) == {"X-One": "1"}


def test_what_nats_py_publishes_comes_in_order(
    nats_server: DevelopmentServer, connect: Connect, tmp_path: Path
) -> None:
    got: list[Message] = []
    client = connect()
    client.subscribe(b"numbers.*", got.append)
    client.flush(5)

    with oracle(tmp_path, nats_server.url, "publish", "numbers.x", "500"):
        wait_for(lambda: len(got) == 500)

    assert [int(message[4]) for message in got] == list(range(500))
    assert wire.fields_of(got[7][3]) == {"X-Number": "7"}
    assert got[8][3] == b""


def test_our_rows_are_a_bucket_for_nats_py(
    nats_server: DevelopmentServer, connect: Connect, tmp_path: Path
) -> None:
    bucket = Bucket(connect(), "oracle_rows", replicas=0)
    bucket.ensure()
    first = bucket.put("n.a", b"one", 0)
    second = bucket.put("n.b", b"two", 0, ttl=60)
    gone = bucket.put("n.c", b"three", 0)
    bucket.delete("n.c", gone)

    with oracle(tmp_path, nats_server.url, "rows", "oracle_rows") as path:
        found = [json.loads(line) for line in path.read_text().splitlines() if line != "ready"]

    assert sorted(found) == [["n.a", "one", first], ["n.b", "two", second]]


def test_a_row_changes_only_from_the_revision_that_was_expected(connect: Connect) -> None:
    bucket = Bucket(connect(), "revisions", replicas=0)
    created = bucket.ensure()
    assert bucket.ensure() == created
    revision = bucket.put("k", b"1", 0)

    with pytest.raises(Conflict):
        bucket.put("k", b"2", 0)
    with pytest.raises(Conflict):
        bucket.delete("k", revision + 1)
    later = bucket.put("k", b"3", revision)

    for row in (bucket.get("k"), bucket.get_exactly("k")):
        assert row is not None
        assert (row.revision, row.value) == (later, b"3")
    bucket.delete("k", later)
    for row in (bucket.get("k"), bucket.get_exactly("k")):
        assert row is not None
        assert row.value is None
    assert bucket.get("other") is None
    assert bucket.get_exactly("other") is None


@pytest.mark.parametrize(
    ("name", "setting"),
    [
        ("plain", {"allow_msg_ttl": False, "subject_delete_marker_ttl": 0}),
        ("deep", {"max_msgs_per_subject": 2}),
        ("mute", {"subject_delete_marker_ttl": 0}),
        ("brief", {"max_age": 60_000_000_000}),
        ("full", {"discard": "old", "max_msgs": 5}),
    ],
)
def test_a_bucket_whose_settings_are_not_ours_is_refused(
    connect: Connect, name: str, setting: dict[str, object]
) -> None:
    """at most one live owner among nodes that see the quorum"""
    client = connect()
    ours = json.loads(Bucket(client, f"foreign_{name}", replicas=0)._wish(1))
    wish = json.dumps({**ours, **setting}).encode()
    made = client.request(f"$JS.API.STREAM.CREATE.KV_foreign_{name}".encode(), wish)
    assert "error" not in json.loads(made[4])

    with pytest.raises(EngineError, match="was not made by greenrelay; delete it"):
        Bucket(client, f"foreign_{name}", replicas=0).ensure()


def test_a_request_nobody_answers_fails_at_once(connect: Connect) -> None:
    with pytest.raises(EngineError, match="nobody answers to nowhere"):
        connect().request(b"nowhere", b"")


def test_a_request_that_is_not_answered_in_time_fails(connect: Connect) -> None:
    client, deaf = connect(), connect()
    deaf.subscribe(b"deaf", lambda message: None)
    deaf.flush(5)

    with pytest.raises(EngineError, match=r"no answer within 0\.05 s"):
        client.request(b"deaf", b"", timeout=0.05)


def test_too_many_requests_are_refused_and_counted(connect: Connect) -> None:
    client, deaf = connect(), connect()
    deaf.subscribe(b"deaf.too", lambda message: None)
    deaf.flush(5)
    answers: list[Message | None] = []

    tokens = [client.ask(b"deaf.too", b"", answers.append) for _ in range(1030)]

    assert tokens.count(None) == 6
    assert client.counters["too many requests"] == 6
    client.stop()
    assert answers == [None] * 1024


def test_what_finds_no_room_is_refused_and_counted(connect: Connect) -> None:
    client = connect(outbox=Outbox(max_size=1000))

    sent = [client.publish(b"x", b"y" * 90) for _ in range(20)]

    assert sent == [True] * 9 + [False] * 11
    assert client.counters["outbox full"] == 11
    assert client.flush(5)
    assert client.publish(b"x", b"y" * 90)


def test_a_handler_that_fails_does_not_stop_the_reader(
    connect: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    client, other = connect(), connect()
    got: list[bytes] = []

    def handler(message: Message) -> None:
        got.append(message[4])
        raise LookupError("of a handler")

    client.subscribe(b"failing", handler)
    client.flush(5)
    other.publish(b"failing", b"1")
    other.publish(b"failing", b"2")

    wait_for(lambda: len(got) == 2)
    assert client.counters["handler failed"] == 2
    assert "LookupError: of a handler" in caplog.text


def test_frames_and_subscriptions_outlive_their_connection(connect: Connect) -> None:
    client, other = connect(), connect()
    got: list[bytes] = []
    client.subscribe(b"lasting", lambda message: got.append(message[4]))

    client.reconnect("of a test")
    other.reconnect("of a test")
    for number in range(50):
        assert other.publish(b"lasting" if client.is_connected else b"early", b"%d" % number)
    wait_for(lambda: client.is_connected and other.is_connected)
    other.publish(b"lasting", b"late")

    wait_for(lambda: got)
    assert got == [b"late"]
    assert client._owner.told == ["up", "of a test", "up"]  # type: ignore[attr-defined]


def test_a_flood_does_not_keep_others_from_their_turn(nats_server: DevelopmentServer) -> None:
    client = Client(parse_address(nats_server.url), Owner())
    line = Flood(rounds=100)
    client._line = line
    turns = 0

    reader = gevent.spawn(client._read, line)
    while not reader.dead:
        gevent.sleep(0)
        turns += 1

    assert turns > 50
    client.stop()


class Flood(Line):
    """A connection on which there is always more to be read, until it breaks."""

    def __init__(self, rounds: int) -> None:
        super().__init__(gevent_socket.socket(), ("host", 1), ServerInfo(), Parser())
        self._rounds = rounds

    def receive(self) -> list[Event]:
        self._rounds -= 1
        if not self._rounds:
            raise ConnectionError("over")
        return []


@pytest.mark.parametrize(
    ("said", "why"),
    [
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "what answers is no NATS server"),
        (b"INFO {nonsense}\r\n", "its INFO cannot be read"),
        (b'INFO {"version":"2.9.10"}\r\n', "its version is '2.9.10'; it must be 2.12 or newer"),
        (b'INFO {"version":"x"}\r\n', "its version is 'x'"),
        (
            b'INFO {"version":"2.12.0","max_payload":8192}\r\n',
            "its max_payload is 8192; it must be 32768 or more",
        ),
        (
            b'INFO {"version":"2.12.0","tls_required":true}\r\nPING\r\n',
            "it has said more before TLS",
        ),
        (b'INFO {"version":"2.12.0"}\r\n-ERR \'Go Away\'\r\n', "Go Away"),
        (b'INFO {"version":"2.12.0"}\r\nnonsense\r\n', "what answers is no NATS server"),
        (b"", "the server has closed the connection"),
    ],
)
def test_what_is_no_usable_server_is_told(connect: Connect, said: bytes, why: str) -> None:
    def answer(sock: gevent_socket.socket, _: object) -> None:
        sock.sendall(said)
        sock.shutdown(socket.SHUT_WR)
        while sock.recv(4096):
            pass

    with (
        serving(answer) as port,
        pytest.raises(EngineError, match=why) as caught,
    ):
        connect(f"nats://127.0.0.1:{port}")

    assert f"127.0.0.1:{port}: " in str(caught.value)


def test_a_server_that_says_nothing_is_not_waited_for(connect: Connect) -> None:
    def keep_silent(sock: gevent_socket.socket, _: object) -> None:
        sock.recv(1)

    with (
        serving(keep_silent) as port,
        pytest.raises(EngineError, match=r"no answer within 0\.5 s"),
    ):
        connect(f"nats://127.0.0.1:{port}")


def test_the_next_server_is_tried(nats_server: DevelopmentServer, connect: Connect) -> None:
    def answer(sock: gevent_socket.socket, _: object) -> None:
        sock.sendall(b"no NATS\r\n")

    with serving(answer) as port:
        for _ in range(4):
            servers = nats_server.url.replace("127.0.0.1:", f"127.0.0.1:{port},127.0.0.1:")
            assert connect(servers).is_connected


def test_nonsense_in_the_stream_ends_the_connection_and_another_is_made(connect: Connect) -> None:
    lives = 0

    def serve(sock: gevent_socket.socket, _: object) -> None:
        nonlocal lives
        lives += 1
        sock.sendall(b'INFO {"version":"2.12.0"}\r\n')
        while b"PING\r\n" not in sock.recv(65536):
            pass
        sock.sendall(b"PONG\r\n")
        while sock.recv(65536):
            if lives == 1:
                sock.sendall(b"MSG broken\r\n")

    with serving(serve) as port:
        client = connect(f"nats://127.0.0.1:{port}")
        wait_for(lambda: lives == 2 and client.is_connected)
        assert client.counters["broken stream"] == 1
        client.stop()
