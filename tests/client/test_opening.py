"""Connecting: TCP, the handshake, TLS and proxies, and what each failure is."""

from __future__ import annotations

import ssl
from typing import Any

import gevent
import pytest
from gevent import ssl as gevent_ssl
from websockets.utils import accept_key

from greenrelay import Node
from greenrelay.client import connect
from greenrelay.errors import ConnectionRefused, HandshakeFailed, InvalidURL, Timeout
from tests.client.upstream import TEXT, Gone, Peer, echo, frame, running, upstream


def answering(answer: bytes, *, hangs: bool = True) -> Any:
    """Return a script that answers every request with these bytes."""

    def script(peer: Peer) -> None:
        peer.read_head()
        peer.write(answer.replace(b"ACCEPT", accept_key(peer.header("Sec-WebSocket-Key")).encode()))
        if hangs:
            peer.hang()

    return script


def refusal(answer: bytes, *, hangs: bool = True, **options: Any) -> HandshakeFailed:
    with upstream(answering(answer, hangs=hangs)) as url, pytest.raises(HandshakeFailed) as caught:
        connect(url, **options)
    return caught.value


SWITCHING = b"HTTP/1.1 101 Switching Protocols\r\n"
GOOD = SWITCHING + b"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ACCEPT\r\n"


def test_a_port_nobody_listens_on_refuses() -> None:
    with running(echo) as server:
        server.stop()

        with pytest.raises(ConnectionRefused, match="Connection refused") as caught:
            connect(server.url)

    assert isinstance(caught.value, ConnectionError)
    assert caught.value.url == server.url


def test_a_host_that_has_no_address_refuses() -> None:
    with pytest.raises(ConnectionRefused, match="no connection to no-such-host"):
        connect("ws://no-such-host.invalid/")


def test_a_server_that_never_answers_the_handshake_times_out() -> None:
    with upstream(Peer.hang) as url, pytest.raises(Timeout, match="connecting to ws://127"):
        connect(url, open_timeout="50ms")


def test_a_server_that_answers_byte_by_byte_has_the_same_deadline() -> None:
    def script(peer: Peer) -> None:
        peer.read_head()
        for byte in GOOD * 100:
            peer.write(bytes((byte,)))
            # Slower than the deadline allows the whole answer, faster than it allows one byte.
            gevent.sleep(0.01)

    with upstream(script) as url, pytest.raises(Timeout):
        connect(url, open_timeout="100ms")


def test_a_server_that_speaks_something_else_is_known_at_once() -> None:
    failed = refusal(b"SSH-2.0-OpenSSH_9.2\r\n")

    assert (failed.status, failed.body) == (0, b"SSH-2.0-OpenSSH_9.2\r\n")
    assert str(failed) == (
        "websocket handshake: the server's answer: b'SSH-2.0-OpenSSH_9.2\\r\\n' is no HTTP"
    )


def test_garbage_is_no_answer() -> None:
    assert refusal(bytes(range(256)) * 8).status == 0


def test_an_answer_without_an_end_is_cut() -> None:
    failed = refusal(b"HTTP/1.1 200 OK\r\n" + b"X-Long: " + b"x" * 200_000)

    assert "its head is over 65536 bytes" in str(failed)


def test_a_server_that_closes_before_it_answers_has_failed() -> None:
    failed = refusal(b"", hangs=False)

    assert "the connection was closed before it" in str(failed)


def test_a_server_that_resets_before_it_answers_has_failed() -> None:
    def script(peer: Peer) -> None:
        peer.read_head()
        peer.reset()

    with upstream(script) as url, pytest.raises(HandshakeFailed, match="connection was lost"):
        connect(url)


@pytest.mark.parametrize(
    ("answer", "body"),
    [
        (b"HTTP/1.1 403 Forbidden\r\nContent-Length: 7\r\n\r\nno entry", b"no entr"),
        (
            b"HTTP/1.1 403 Forbidden\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nno\r\n0\r\n\r\n",
            b"no",
        ),
        (b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n", b""),
        # Cut off: what there is counts.
        (b"HTTP/1.1 403 Forbidden\r\nContent-Length: 99\r\n\r\nno", b"no"),
    ],
)
def test_a_refusal_has_status_and_body(answer: bytes, body: bytes) -> None:
    failed = refusal(answer)

    assert (failed.status, failed.body) == (403, body)


def test_a_body_until_the_end_of_the_connection_is_read() -> None:
    failed = refusal(b"HTTP/1.1 503 Busy\r\n\r\ncome back later", hangs=False)

    assert (failed.status, failed.body) == (503, b"come back later")


def test_a_huge_body_is_cut() -> None:
    def script(peer: Peer) -> None:
        peer.read_head()
        peer.write(b"HTTP/1.1 500 Oops\r\n\r\n")
        while True:
            peer.write(b"x" * 65536)

    with upstream(script) as url, pytest.raises(HandshakeFailed) as caught:
        connect(url)

    assert len(caught.value.body) == 65536


def test_a_redirect_is_not_followed() -> None:
    failed = refusal(b"HTTP/1.1 301 Moved\r\nLocation: ws://example.com/\r\n\r\n", hangs=False)

    assert failed.status == 301
    assert failed.why == "it must be 101, and a redirect to 'ws://example.com/' is not followed"


@pytest.mark.parametrize(
    ("head", "why"),
    [
        (SWITCHING + b"\r\n", "Upgrade is '' and Connection ''"),
        (GOOD.replace(b"ACCEPT", b"d3Jvbmc=") + b"\r\n", "does not answer the key"),
        (GOOD + b"Sec-WebSocket-Protocol: soap\r\n\r\n", "subprotocol 'soap' was not offered"),
        (GOOD + b"Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n", "was not offered"),
        (GOOD + b"no header\r\n\r\n", "'no header' is no header"),
    ],
)
def test_an_answer_that_does_not_fit_the_question_has_failed(head: bytes, why: str) -> None:
    assert why in str(refusal(head))


@pytest.mark.parametrize(
    "parameters",
    ["server_max_window_bits=7", "server_no_context_takeover=1", "wrong", "client_max_window_bits"],
)
def test_compression_that_makes_no_sense_has_failed(parameters: str) -> None:
    header = f"Sec-WebSocket-Extensions: permessage-deflate; {parameters}\r\n\r\n"

    failed = refusal(GOOD + header.encode(), compression="deflate")

    assert "agrees to nothing" in str(failed)


def test_informational_answers_before_the_answer_are_skipped() -> None:
    answer = b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + GOOD + b"\r\n" + frame(TEXT, "hello")

    with upstream(answering(answer)) as url:
        client = connect(url)

        assert client.receive().data == "hello"
        client._conversation.abort("over")


def test_a_server_that_only_informs_has_failed() -> None:
    failed = refusal(b"HTTP/1.1 100 Continue\r\n\r\n" * 33)

    assert failed.status == 100
    assert failed.why == "that is more than 32 informational answers and no other"


def test_the_request_has_what_was_asked_for() -> None:
    heads: list[str] = []

    def script(peer: Peer) -> None:
        peer.accept("Sec-WebSocket-Protocol: chat.v1")
        heads.append(peer.head)

    with upstream(script) as url:
        address = url.removeprefix("ws://").rstrip("/")
        client = connect(
            f"ws://ada:l%20ove@{address}/a%20b/ü?q=1&r=ö",
            headers={"X-Key": "1", "Cookie": "a=b"},
            subprotocols=["chat.v2", "chat.v1"],
            compression="deflate",
        )
        client.close()

    lines = heads[0].splitlines()
    assert client.subprotocol == "chat.v1"
    assert lines[0] == "GET /a%20b/%C3%BC?q=1&r=%C3%B6 HTTP/1.1"
    for line in (
        f"Host: {address}",
        "Sec-WebSocket-Protocol: chat.v2, chat.v1",
        "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits",
        "Authorization: Basic YWRhOmwgb3Zl",
        "X-Key: 1",
        "Cookie: a=b",
    ):
        assert line in lines


@pytest.mark.parametrize(
    "options",
    [
        {"headers": {"X\r\nY": "1"}},
        {"headers": {"X": "1\r\nY: 2"}},
        {"headers": {"Host": "elsewhere"}},
        {"headers": {"X": "\u20ac"}},
        {"subprotocols": ["a b"]},
        {"compression": "zip"},
        {"queue": 0},
    ],
)
def test_what_cannot_be_sent_is_refused_before_anything_is(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"must be|not to be set|is not Latin-1"):
        connect("ws://127.0.0.1:1/", **options)


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"subprotocols": "chat"}, r"subprotocols is 'chat'; it must be a list, \['chat'\]"),
        ({"headers": "X: 1"}, "headers has 'X'; it must be a mapping of names to values, or pairs"),
        ({"headers": {1: "1"}}, r"headers has \(1, '1'\); it must be a mapping"),
        ({"ssl_context": True}, r"ssl_context is True; it must be an ssl\.SSLContext"),
        ({"relay_to": "{n@h|1}", "reconnect": True}, "reconnect is True; it must be a dict of"),
    ],
)
def test_an_option_of_another_kind_is_an_error(
    node: Node, options: dict[str, Any], why: str
) -> None:
    with pytest.raises(TypeError, match=why):
        connect("ws://127.0.0.1:1/", **options)


def test_no_deadline_is_none_as_well_as_0() -> None:
    with upstream(echo) as url, connect(url, open_timeout=None, write_timeout=None) as client:
        client.send("hello")

        assert client.receive().data == "hello"


# TLS


def served(certificate: tuple[str, str]) -> dict[str, Any]:
    context = gevent_ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    return {"ssl_context": context}


@pytest.mark.parametrize("kind", [ssl.SSLContext, gevent_ssl.SSLContext])
def test_tls_is_verified(certificate: tuple[str, str], kind: Any) -> None:
    context = kind(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(certificate[0])

    with upstream(echo, **served(certificate)) as url, connect(url, ssl_context=context) as client:
        client.send("x" * 300_000)

        assert len(client.receive().data) == 300_000


def untrusted(peer: Peer) -> None:
    raise AssertionError("the handshake of TLS has failed")


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_certificate_that_nobody_vouches_for_refuses(
    certificate: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    with (
        upstream(untrusted, **served(certificate)) as url,
        pytest.raises(ConnectionRefused, match="its certificate is not trusted: self-signed"),
    ):
        connect(url)


def test_a_certificate_for_another_name_refuses(certificate: tuple[str, str]) -> None:
    context = ssl.create_default_context(cafile=certificate[0])

    with upstream(untrusted, **served(certificate)) as url:
        elsewhere = url.replace("127.0.0.1", "localhost")
        with pytest.raises(ConnectionRefused, match="Hostname mismatch"):
            connect(elsewhere, ssl_context=context)


def test_a_server_without_tls_refuses_it() -> None:
    def script(peer: Peer) -> None:
        peer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    with upstream(script) as url, pytest.raises(ConnectionRefused, match="TLS failed"):
        connect(url.replace("ws://", "wss://"))


def test_a_server_that_never_answers_the_tls_handshake_times_out() -> None:
    with upstream(Peer.hang) as url, pytest.raises(Timeout):
        connect(url.replace("ws://", "wss://"), open_timeout="50ms")


# proxies


class Proxy:
    """A script that answers CONNECT and then passes bytes on to ``port``."""

    def __init__(self, port: int = 0, answer: bytes = b"HTTP/1.1 200 OK\r\n\r\n") -> None:
        self.port = port
        self.answer = answer
        self.heads: list[str] = []

    def __call__(self, peer: Peer) -> None:
        peer.read_head()
        self.heads.append(peer.head)
        peer.write(self.answer)
        if not self.port:
            peer.hang()
        with gevent.socket.create_connection(("127.0.0.1", self.port)) as onward:
            back = gevent.spawn(self._copy, onward, peer.sock)
            self._copy(peer.sock, onward)
            back.kill()

    @staticmethod
    def _copy(source: Any, sink: Any) -> None:
        try:
            while data := source.recv(65536):
                sink.sendall(data)
        except OSError as error:
            raise Gone from error


@pytest.mark.parametrize("name", ["http_proxy", "ws_proxy", "all_proxy", "HTTP_PROXY"])
def test_a_proxy_of_the_environment_is_used(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    with running(echo) as server:
        proxy = Proxy(server.port)
        with running(proxy) as between:
            monkeypatch.setenv(name, f"http://ada:love@127.0.0.1:{between.port}")
            with connect(server.url) as client:
                client.send("through")
                assert client.receive().data == "through"

    lines = proxy.heads[0].splitlines()
    assert lines[0] == f"CONNECT 127.0.0.1:{server.port} HTTP/1.1"
    assert "Proxy-Authorization: Basic YWRhOmxvdmU=" in lines


def test_tls_goes_through_a_proxy_as_well(
    monkeypatch: pytest.MonkeyPatch, certificate: tuple[str, str]
) -> None:
    context = ssl.create_default_context(cafile=certificate[0])

    with running(echo, **served(certificate)) as server:
        proxy = Proxy(server.port)
        with running(proxy) as between:
            monkeypatch.setenv("https_proxy", f"http://127.0.0.1:{between.port}")
            with connect(server.url, ssl_context=context) as client:
                client.send("through")
                assert client.receive().data == "through"

    assert len(proxy.heads) == 1


def test_the_dot_of_the_root_is_no_part_of_the_name_for_tls(
    monkeypatch: pytest.MonkeyPatch, certificate: tuple[str, str]
) -> None:
    names: list[str | None] = []
    tls = served(certificate)
    tls["ssl_context"].sni_callback = lambda _, name, __: names.append(name)
    trusting = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    trusting.check_hostname, trusting.verify_mode = False, ssl.CERT_NONE

    # A proxy stands for a resolver: not every one knows a name of ours with a dot behind it.
    with running(echo, **tls) as server, running(Proxy(server.port)) as between:
        monkeypatch.setenv("https_proxy", f"http://127.0.0.1:{between.port}")
        connect(f"wss://example.com.:{server.port}/", ssl_context=trusting).close()

    assert names == ["example.com"]


@pytest.mark.parametrize(
    "names", ["example.com,127.0.0.1", "10.0.0.0/8, 127.0.0.0/8", "::/0,127.0.0.1/8", "*"]
)
def test_hosts_of_no_proxy_are_reached_without(monkeypatch: pytest.MonkeyPatch, names: str) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    monkeypatch.setenv("no_proxy", names)

    with upstream(echo) as url, connect(url) as client:
        client.send("straight")

        assert client.receive().data == "straight"


@pytest.mark.parametrize("names", ["10.0.0.0/8", "::/0", "nowhere/8", "127.0.0.1:81"])
def test_hosts_that_no_proxy_does_not_name_take_it(
    monkeypatch: pytest.MonkeyPatch, names: str
) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    monkeypatch.setenv("no_proxy", names)

    for url in ("ws://127.0.0.1/", "ws://example.com/"):
        with pytest.raises(ConnectionRefused, match="no connection to the proxy"):
            connect(url)


def test_a_proxy_that_refuses_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    with running(Proxy(answer=b"HTTP/1.1 407 Who are you\r\n\r\n")) as between:
        monkeypatch.setenv("http_proxy", f"http://ada:love@127.0.0.1:{between.port}")
        with pytest.raises(ConnectionRefused) as caught:
            connect("ws://example.com/")

    assert str(caught.value) == (
        f"ws://example.com/: the proxy http://127.0.0.1:{between.port} "
        "refuses CONNECT example.com:80 with 407"
    )


def test_a_proxy_that_hangs_times_out(monkeypatch: pytest.MonkeyPatch) -> None:
    with running(Peer.hang) as between:
        monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{between.port}")
        with pytest.raises(Timeout):
            connect("ws://example.com/", open_timeout="50ms")


def test_a_proxy_that_is_not_there_refuses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")

    with pytest.raises(ConnectionRefused, match="no connection to the proxy http"):
        connect("ws://example.com/")


@pytest.mark.parametrize("user", ["", "ada:love@"])
def test_a_proxy_of_another_kind_is_an_error_that_shows_no_password(
    monkeypatch: pytest.MonkeyPatch, user: str
) -> None:
    monkeypatch.setenv("all_proxy", f"socks5://{user}127.0.0.1:1080")

    with pytest.raises(InvalidURL) as caught:
        connect("ws://example.com/")

    assert str(caught.value) == (
        f"URL 'socks5://{'***@' if user else ''}127.0.0.1:1080': all_proxy of the environment: "
        "the scheme is 'socks5'; it must be http"
    )
