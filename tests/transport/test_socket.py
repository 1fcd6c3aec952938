from __future__ import annotations

import os
import socket as std_socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import gevent
import pytest
from gevent import socket
from gevent import ssl as gevent_ssl

from greenrelay.transport import socket as module
from greenrelay.transport.socket import ClientSocket
from tests.probe import wait_for


class Ends:
    """A ClientSocket, the other end of it, and what it has called back."""

    def __init__(self, sock: Any, peer: Any, *, limit_messages: int = 4) -> None:
        self.peer = peer
        self.data = b""
        self.lost: list[str] = []
        self.closed = 0
        self.react: Callable[[bytes], object] = bytes
        self.socket = ClientSocket(sock, self, (limit_messages, 1_000_000), self._on_closed)

    def on_data(self, data: bytes) -> None:
        self.data += data
        self.react(data)

    def on_lost(self, reason: str) -> None:
        self.lost.append(reason)

    def _on_closed(self) -> None:
        self.closed += 1

    def fill(self) -> list[bytes]:
        """Write frames until one has to wait; return them all."""
        frames: list[bytes] = []
        while not self.socket.queued:
            frames.append(bytes([len(frames) % 256]) * 100_000)
            assert self.socket.write(frames[-1])
        return frames

    def read(self, count: int) -> bytes:
        """Read so many bytes at the other end."""
        found = b""
        with gevent.Timeout(30):
            while len(found) < count:
                found += self.peer.recv(1_000_000)
        return found


@pytest.fixture
def ends() -> Iterator[Ends]:
    left, right = socket.socketpair()
    both = Ends(left, right)
    yield both
    both.socket.abort()
    right.close()


def let_the_hub_look() -> None:
    """Return when the hub has looked at all sockets and called back for those that are ready.

    The first callback may be this one's own, before the others of the same look.
    """
    near, far = socket.socketpair()
    with near, far:
        for _ in range(2):
            socket.wait_write(near.fileno())


def test_it_reads_nothing_before_start(ends: Ends) -> None:
    ends.peer.sendall(b"early")
    let_the_hub_look()
    assert ends.data == b""

    ends.socket.start()

    wait_for(lambda: ends.data == b"early")
    assert ends.socket.bytes_in == 5


def test_a_write_goes_straight_to_the_kernel(ends: Ends) -> None:
    assert ends.socket.write(b"hello")

    assert ends.peer.recv(10) == b"hello"
    assert ends.socket.bytes_out == 5


def test_what_the_kernel_does_not_take_waits_and_follows_in_order(ends: Ends) -> None:
    frames = ends.fill()
    frames.append(b"last")
    assert ends.socket.write(b"last")

    expected = b"".join(frames)
    assert ends.read(len(expected)) == expected
    wait_for(lambda: not ends.socket.queued)
    assert ends.socket.bytes_out == len(expected)


def test_a_full_outbox_takes_no_more_but_a_last_frame(ends: Ends) -> None:
    ends.fill()
    while ends.socket.write(b"more"):
        pass
    count = ends.socket.queued

    ends.socket.write(b"close", is_last=True)

    assert ends.socket.queued == count + 1
    assert not ends.socket.write(b"more")


def test_a_paused_socket_leaves_data_in_the_kernel(ends: Ends) -> None:
    ends.socket.start()
    ends.socket.pause()
    ends.peer.sendall(b"later")
    let_the_hub_look()
    assert ends.data == b""

    ends.socket.resume()

    wait_for(lambda: ends.data == b"later")


def test_the_end_of_tcp_is_told_once(ends: Ends) -> None:
    ends.socket.start()
    ends.peer.close()

    wait_for(lambda: ends.closed)
    assert ends.lost == ["connection closed by the client"]
    assert not ends.socket.is_open
    assert ends.socket.write(b"into the void")
    ends.socket.abort()
    assert (ends.closed, len(ends.lost)) == (1, 1)


def test_a_write_that_fails_is_the_end_of_tcp(ends: Ends) -> None:
    ends.peer.close()

    assert ends.socket.write(b"x")

    assert ends.lost == ["connection lost: Broken pipe"]
    assert ends.closed == 1


def test_a_queued_write_that_fails_is_the_end_of_tcp(ends: Ends) -> None:
    ends.fill()
    ends.peer.close()

    wait_for(lambda: ends.lost)
    assert ends.closed == 1
    assert ends.socket.queued == 0


def test_abort_closes_the_file_at_once_and_tells_no_loss(ends: Ends) -> None:
    number = ends.socket._sock.fileno()
    ends.fill()

    ends.socket.abort()

    assert (ends.lost, ends.closed) == ([], 1)
    with pytest.raises(OSError, match="Bad file"):
        os.fstat(number)


def test_an_abort_inside_a_callback_ends_the_reading(ends: Ends) -> None:
    ends.react = lambda data: ends.socket.abort()
    ends.socket.start()
    ends.peer.sendall(b"x")

    wait_for(lambda: ends.closed)
    assert ends.lost == []


def test_finish_writes_what_waits_then_ends_its_side_and_waits_for_the_other(ends: Ends) -> None:
    ends.socket.start()
    expected = b"".join(ends.fill())
    ends.socket.finish()
    ends.peer.sendall(b"ignored")

    assert ends.read(len(expected)) == expected
    assert ends.peer.recv(10) == b""
    assert ends.closed == 0
    ends.peer.close()
    wait_for(lambda: ends.closed)
    assert (ends.data, ends.lost) == (b"", [])


def test_finish_writes_what_waits_though_the_other_side_is_over_already(
    ends: Ends, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LINGER", 3600.0)
    ends.socket.start()
    expected = b"".join(ends.fill())
    ends.socket.finish()
    ends.peer.shutdown(std_socket.SHUT_WR)
    let_the_hub_look()

    assert b"".join(iter(lambda: ends.peer.recv(1_000_000), b"")) == expected
    wait_for(lambda: ends.closed)
    assert ends.lost == []


def test_finish_waits_a_moment_only(ends: Ends, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LINGER", 0.01)

    ends.socket.finish()
    ends.socket.finish()

    wait_for(lambda: ends.closed)
    assert ends.lost == []


@pytest.fixture
def tls(certificate: tuple[str, str]) -> Iterator[Ends]:
    left, right = socket.socketpair()
    server = gevent_ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(*certificate)
    client = gevent_ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.check_hostname = False
    client.verify_mode = ssl.CERT_NONE
    shaking = gevent.spawn(client.wrap_socket, right)
    sock = server.wrap_socket(left, server_side=True)
    both = Ends(sock, shaking.get(timeout=30))
    yield both
    both.socket.abort()
    both.peer.close()


def test_tls_reads_everything_one_record_hides_behind_another(tls: Ends) -> None:
    tls.socket.start()
    tls.peer.sendall(b"x" * 500_000)

    wait_for(lambda: len(tls.data) == 500_000)


def test_tls_pauses_and_reads_on_in_the_middle_of_a_record(
    tls: Ends, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[int] = []

    def pause(data: bytes) -> None:
        seen.append(len(data))
        tls.socket.pause()

    tls.react = pause
    monkeypatch.setattr(module, "READ_SIZE", 1000)
    tls.socket.start()
    tls.peer.sendall(b"x" * 10_000)

    for count in range(1, 11):
        wait_for(lambda: len(seen) == count)  # noqa: B023 - called at once
        let_the_hub_look()
        assert len(seen) == count
        tls.socket.resume()
    assert sum(seen) == 10_000


def test_tls_writes_in_order_however_slow_the_other_end_is(tls: Ends) -> None:
    tls.socket.start()
    frames = tls.fill()
    frames.append(b"last")
    tls.socket.write(b"last", is_last=True)

    expected = b"".join(frames)
    assert tls.read(len(expected)) == expected
    tls.socket.finish()
    assert tls.peer.recv(10) == b""


def test_tls_survives_that_frames_are_dropped_while_it_is_stuck(tls: Ends) -> None:
    tls.socket.start()
    frames = tls.fill()
    for number in range(3):
        assert tls.socket.write(bytes([number]) * 50_000)

    dropped = 0
    while tls.socket.drop_oldest():
        dropped += 1
    assert tls.socket.write(b"last")

    assert dropped == 3
    expected = b"".join([*frames, b"last"])
    assert tls.read(len(expected)) == expected


def test_frames_that_have_not_begun_are_dropped_oldest_first(ends: Ends) -> None:
    frames = ends.fill()
    for number in range(3):
        assert ends.socket.write(b"%d" % number)

    assert ends.socket.drop_oldest()

    expected = b"".join([*frames, b"1", b"2"])
    assert ends.read(len(expected)) == expected
    wait_for(lambda: not ends.socket.queued)
    assert not ends.socket.drop_oldest()


def test_room_is_told_of_when_the_kernel_takes_what_waits(ends: Ends) -> None:
    told: list[str] = []
    ends.socket.when_room(lambda: told.append("at once"))
    frames = ends.fill()
    ends.socket.when_room(lambda: told.append("later"))
    assert told == ["at once"]

    ends.read(len(b"".join(frames)))

    wait_for(lambda: told == ["at once", "later"])


def test_closing_tells_of_room_so_that_nobody_waits_for_ever(ends: Ends) -> None:
    ends.fill()
    told: list[str] = []
    ends.socket.when_room(lambda: told.append("over"))

    ends.socket.abort()

    assert told == ["over"]
    assert ends.socket.queued == 0


def test_writes_that_are_announced_leave_together(ends: Ends) -> None:
    ends.socket.join_next(3)

    assert all(ends.socket.write(data) for data in (b"one ", b"two "))
    assert ends.socket.bytes_out == 0
    assert ends.socket.write(b"three")

    assert ends.socket.bytes_out == 13
    assert ends.peer.recv(100) == b"one two three"


def test_fewer_writes_than_announced_leave_at_the_end_of_the_turn(ends: Ends) -> None:
    ends.socket.join_next(3)

    ends.socket.write(b"only")

    assert ends.read(4) == b"only"


def test_a_last_write_takes_what_was_joined_along(ends: Ends) -> None:
    ends.socket.join_next(9)
    ends.socket.write(b"answer ")

    ends.socket.write(b"close", is_last=True)

    assert ends.peer.recv(100) == b"answer close"


@pytest.mark.parametrize("end", ["finish", "abort"])
def test_what_was_joined_is_sent_before_the_end(ends: Ends, end: str) -> None:
    ends.socket.join_next(9)
    ends.socket.write(b"answer")

    getattr(ends.socket, end)()

    assert ends.read(6) == b"answer"
    assert ends.peer.recv(1) == b""


def test_no_more_is_joined_than_may_wait() -> None:
    left, right = socket.socketpair()
    ends = Ends(left, right, limit_messages=2)
    ends.socket.join_next(5)

    for data in (b"1", b"2", b"3"):
        assert ends.socket.write(data)

    assert ends.socket.bytes_out == 2
    ends.socket.abort()
    right.close()


def test_joined_frames_that_the_kernel_refuses_wait_one_by_one(ends: Ends) -> None:
    size = ends.socket._sock.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF)
    written = 0
    # Full, but for less than the frames to come.
    with suppress(BlockingIOError):
        while True:
            written += ends.socket._sock.send(b"x" * size)
    ends.socket.join_next(3)

    assert all(ends.socket.write(data) for data in (b"a" * 9000, b"b" * 9000, b"c" * 9000))

    assert ends.socket.queued == 3
    ends.socket.start()
    assert ends.read(written + 27_000)[written:] == b"a" * 9000 + b"b" * 9000 + b"c" * 9000


def test_joined_frames_are_lost_with_the_socket(ends: Ends) -> None:
    ends.socket.join_next(2)
    ends.peer.close()
    ends.socket.write(b"a")

    ends.socket.write(b"b")

    assert ends.lost == ["connection lost: Broken pipe"]
    assert ends.socket.write(b"c")
