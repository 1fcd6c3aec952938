"""Source: Operations, "Dashboard" (a live tail that costs nothing while nobody looks)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from flask import Flask

from greenrelay.http.state import state_of
from greenrelay.process import RelayTarget, send
from greenrelay.transport.recent import RECENT
from greenrelay.transport.tap import KEPT, SHOWN, Tail, look, look_away
from greenrelay.web import relay, sse_relay, stream, websocket_relay
from tests.probe import wait_for
from tests.serving import connected, relay_app, serving
from tests.streaming import EventClient


class Echo(RelayTarget):
    """Says again what a client says."""

    def on_message(self, payload: dict[str, Any]) -> None:
        """Say it again."""
        send(payload["client_pid"], "ws.send", payload["data"])


def app_of(app: Flask) -> None:
    node = state_of(app).node

    @app.get("/ws")
    @websocket_relay()
    def ws() -> Any:
        return relay(node.names.owner("echo") or node.spawn(Echo, name="echo"))

    @app.get("/events")
    @sse_relay()
    def events() -> Any:
        return stream()


@contextmanager
def event_client(address: str) -> Iterator[EventClient]:
    client = EventClient(address, "/events")
    try:
        yield client
    finally:
        client.drop()


def the_only(app: Flask) -> Any:
    (found,) = state_of(app).connections
    return found


def seen(tail: Tail) -> list[tuple[str, str, str]]:
    return [(each.direction, each.topic, each.text) for each in tail.take()[0]]


def test_a_tail_shows_both_directions_until_one_looks_away() -> None:
    with relay_app("tap") as app:
        app_of(app)
        with serving(app) as address, connected(address, "/ws") as client:
            client.send("before")
            assert client.recv() == "before"
            connection = the_only(app)
            tail = look(connection)

            client.send("hello")
            client.send(b"\x00\xff")
            assert (client.recv(), client.recv()) == ("hello", b"\x00\xff")

            assert sorted(seen(tail)) == [
                ("in", "ws.message", "00 ff"),
                ("in", "ws.message", "hello"),
                ("out", "ws.send", "00 ff"),
                ("out", "ws.send", "hello"),
            ]
            look_away(connection, tail)
            look_away(connection, tail)
            assert connection.tap is None
            client.send("after")
            assert client.recv() == "after"
            assert seen(tail) == []


def test_two_may_look_at_one_socket() -> None:
    with relay_app("tap") as app:
        app_of(app)
        with serving(app) as address, connected(address, "/ws") as client:
            connection = the_only(app)
            one, other = look(connection), look(connection)
            client.send("hello")
            assert client.recv() == "hello"

            look_away(connection, one)

            assert len(seen(one)) == 2
            assert connection.tap is not None
            client.send("again")
            assert client.recv() == "again"
            assert [text for _, _, text in seen(other)] == ["hello", "hello", "again", "again"]


def test_a_tail_keeps_a_bounded_part_of_what_goes_by() -> None:
    with relay_app("tap") as app:
        app_of(app)
        with serving(app) as address, connected(address, "/ws") as client:
            tail = look(the_only(app))

            for _ in range(KEPT):
                client.send("x" * (SHOWN + 5))
                assert client.recv()

            found, missed = tail.take()
            assert (len(found), missed) == (KEPT, KEPT)
            assert {(len(each.text), each.size) for each in found} == {(SHOWN, SHOWN + 5)}
            assert tail.take() == ([], 0)


def test_a_stream_is_seen_as_well() -> None:
    with relay_app("tap") as app:
        app_of(app)
        with serving(app) as address, event_client(address):
            relayed = the_only(app)
            tail = look(relayed)

            state_of(app).node.send(relayed.pid, relayed.session.message_topic, {"n": 1})

            ((way, topic, text),) = seen(tail)
            assert (way, topic) == ("out", relayed.session.message_topic)
            assert '"n":1' in text


def test_the_last_that_are_over_are_kept_with_their_reasons() -> None:
    with relay_app("tap") as app:
        app_of(app)
        ledger = state_of(app).connections.ledger
        with serving(app) as address:
            for number in range(3):
                with connected(address, "/ws") as client:
                    client.close(4000 + number, f"reason {number}")
            with connected(address, "/ws") as client:
                client.drop()
            wait_for(lambda: len(ledger.recent) == 4)

            found = [(each.code, each.by_client, each.clean) for each in ledger.recent]
            assert found == [
                (4000, True, True),
                (4001, True, True),
                (4002, True, True),
                (1006, True, False),
            ]
            assert ledger.recent[0].reason == "reason 0"
            assert ledger.recent.maxlen == RECENT
