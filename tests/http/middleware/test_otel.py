"""The middleware ``otel``: one trace from the request to what is written to other clients."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import pytest
from flask import Flask, abort
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

import greenrelay as gr
from greenrelay.http.state import state_of
from greenrelay.transport.ledger import CONTEXT
from greenrelay.web import GreenRelay, otel, relay, stream, traced, websocket_relay
from tests.probe import assert_receive, wait_for
from tests.relaying import Bench, relaying
from tests.serving import connected, http, serving
from tests.streaming import EventClient

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT = f"00-{TRACE}-00f067aa0ba902b7-01"
UNSAMPLED = f"00-{TRACE}-00f067aa0ba902b7-00"
EXPORTER = InMemorySpanExporter()


@pytest.fixture
def spans() -> Iterator[InMemorySpanExporter]:
    """The spans that end in a test; a provider is set once for the OS process."""
    if not isinstance(trace.get_tracer_provider(), TracerProvider):
        provider = TracerProvider()
        provider.add_span_processor(SimpleSpanProcessor(EXPORTER))
        trace.set_tracer_provider(provider)
    EXPORTER.clear()
    yield EXPORTER
    EXPORTER.clear()


def by_name(exporter: InMemorySpanExporter) -> dict[str, ReadableSpan]:
    return {span.name: span for span in exporter.get_finished_spans()}


def traced_app(name: str) -> Flask:
    """Return an app whose router has the middleware."""
    app = Flask(name)
    endpoints = {"user": "/users/{id}", "crash": "/crash", "shut": "/shut"}
    config: list[Any] = [
        {"name": "gateway", "kind": "http.service", "addr": "127.0.0.1:0"},
        {
            "name": "traced",
            "kind": "http.router",
            "meta": {"server": "gateway"},
            "prefix": "/t",
            "middleware": ["otel"],
            "post_middleware": ["websocket_relay", "sse_relay"],
        },
    ]
    for name, path in {**endpoints, "chat": "/chat", "events": "/events"}.items():
        meta, func = {"router": "traced"}, f"{__name__}:{name}"
        entry = {"name": name, "kind": "http.endpoint", "meta": meta, "path": path, "func": func}
        config.append(entry)
    GreenRelay(app, config)
    return app


def user(id: str) -> str:
    return id


def crash() -> None:
    raise ZeroDivisionError("on purpose")


def shut() -> None:
    abort(410)


def room() -> None:
    """Hand what a client says to all clients, through another process."""
    speaker = gr.spawn(speak)
    for message in gr.inbox():
        payload: Any = message.payload
        with traced(message):
            if message.topic == "ws.join":
                gr.join("room", payload["client_pid"])
                gr.send(payload["client_pid"], "ws.send", "joined")
            elif message.topic == "sse.join":
                gr.send(payload["client_pid"], "sse.message", "joined")
            elif message.topic == "ws.message":
                take(payload["client_pid"], payload["data"], speaker)


def take(client_pid: gr.Pid, said: str, speaker: gr.Pid) -> None:
    """Do what a client asks for, or hand on what it says."""
    if said == "move":
        gr.send(client_pid, "ws.control", {"target_pid": gr.spawn(room)})
    elif said == "busy":
        unread = gr.inbox()
        wait_for(lambda: len(unread))
    else:
        gr.send(speaker, "say", said)


def speak() -> None:
    for message in gr.inbox():
        with traced(message, "speak"):
            gr.broadcast("room", "ws.send", message.payload)


def chat() -> Any:
    return relay(gr.spawn(room))


def events() -> Any:
    return stream(gr.spawn(room))


def test_a_request_is_a_span_of_the_clients_trace(spans: InMemorySpanExporter) -> None:
    with serving(traced_app("one")) as address:
        http(address, "/t/users/7?secret=1", headers={"traceparent": PARENT, "User-Agent": "me"})

    (span,) = spans.get_finished_spans()
    assert span.name == "GET /t/users/<id>"
    assert span.kind is SpanKind.SERVER
    assert span.context is not None
    assert f"{span.context.trace_id:032x}" == TRACE
    assert span.parent is not None
    assert f"{span.parent.span_id:016x}" == "00f067aa0ba902b7"
    assert dict(span.attributes or {}) == {
        "http.request.method": "GET",
        "http.route": "/t/users/<id>",
        "http.response.status_code": 200,
        "url.path": "/t/users/7",
        "url.scheme": "http",
        "server.address": "127.0.0.1",
        "server.port": int(address.rpartition(":")[2]),
        "network.protocol.version": "1.1",
        "client.address": "127.0.0.1",
        "user_agent.original": "me",
    }


@pytest.mark.parametrize(
    ("host", "address", "port"),
    [
        ("[2001:db8::1]:8443", "2001:db8::1", 8443),
        ("[::1]", "::1", None),
        ("a.test", "a.test", None),
    ],
)
def test_the_address_of_the_server_is_what_the_client_calls_it(
    spans: InMemorySpanExporter, host: str, address: str, port: int | None
) -> None:
    with serving(traced_app("host")) as served:
        http(served, "/t/users/7", headers={"Host": host})

    (span,) = spans.get_finished_spans()
    attributes = span.attributes or {}
    assert (attributes["server.address"], attributes.get("server.port")) == (address, port)


@pytest.mark.parametrize(
    ("path", "name", "status", "code"),
    [
        ("/t/crash", "GET /t/crash", 500, StatusCode.ERROR),
        ("/t/shut", "GET /t/shut", 410, StatusCode.UNSET),
        ("/t/nowhere", "GET", 404, StatusCode.UNSET),
    ],
)
def test_only_failures_of_the_server_are_errors(
    spans: InMemorySpanExporter, path: str, name: str, status: int, code: StatusCode
) -> None:
    with serving(traced_app("errors")) as address:
        http(address, path)

    (span,) = spans.get_finished_spans()
    assert (span.name, span.status.status_code) == (name, code)
    assert (span.attributes or {})["http.response.status_code"] == status


def test_one_trace_has_request_join_message_target_fan_out_and_write(
    spans: InMemorySpanExporter,
) -> None:
    headers = {"traceparent": PARENT}
    with (
        serving(traced_app("chat")) as address,
        connected(address, "/t/chat", headers=headers) as client,
        connected(address, "/t/chat") as other,
    ):
        assert client.recv() == "joined"
        assert other.recv() == "joined"
        spans.clear()
        client.send("tea")
        assert client.recv() == "tea"
        assert other.recv() == "tea"

    found = [
        span
        for span in spans.get_finished_spans()
        if span.context is not None and f"{span.context.trace_id:032x}" == TRACE
    ]
    named = {span.name: span for span in found}
    writes = [span for span in found if span.name == "ws.send write"]
    chain = ["ws.message send", "ws.message process", "speak", "ws.send write"]
    assert len(writes) == 2
    for outer, inner in pairwise(chain):
        parent, context = named[inner].parent, named[outer].context
        assert parent is not None
        assert context is not None
        assert parent.span_id == context.span_id


def test_the_join_is_in_the_trace_of_the_upgrade(spans: InMemorySpanExporter) -> None:
    with (
        serving(traced_app("join")) as address,
        connected(address, "/t/chat", headers={"traceparent": PARENT}) as client,
    ):
        assert client.recv() == "joined"
        found = by_name(spans)

    chain = ["GET /t/chat", "ws.join send", "ws.join process", "ws.send write"]
    assert (found["GET /t/chat"].attributes or {})["http.response.status_code"] == 101
    for outer, inner in pairwise(chain):
        parent, context = found[inner].parent, found[outer].context
        assert parent is not None
        assert context is not None
        assert parent.span_id == context.span_id
        assert f"{context.trace_id:032x}" == TRACE


def test_the_leave_is_in_the_trace_of_the_upgrade(spans: InMemorySpanExporter) -> None:
    with (
        serving(traced_app("leave")) as address,
        connected(address, "/t/chat", headers={"traceparent": PARENT}) as client,
    ):
        assert client.recv() == "joined"
        client.close()
        wait_for(lambda: "ws.leave process" in by_name(spans))

    assert_chain(by_name(spans), "GET /t/chat", "ws.leave send", "ws.leave process")


def test_both_targets_of_a_transfer_are_told_in_the_trace_of_the_upgrade(
    spans: InMemorySpanExporter,
) -> None:
    with (
        serving(traced_app("transfer")) as address,
        connected(address, "/t/chat", headers={"traceparent": PARENT}) as client,
    ):
        assert client.recv() == "joined"
        spans.clear()
        client.send("move")
        # From the new room.
        assert client.recv() == "joined"

    chain = ("ws.message send", "ws.message process")
    assert_chain(by_name(spans), *chain)
    found = by_name(spans)
    for name in ("ws.leave process", "ws.join process"):
        assert_chain(found, name.replace("process", "send"), name)


def test_a_stream_is_left_in_the_trace_of_its_request(spans: InMemorySpanExporter) -> None:
    with serving(traced_app("stream")) as address:
        client = EventClient(address, "/t/events", headers={"traceparent": PARENT})
        assert client.event().data == "joined"
        client.drop()
        wait_for(lambda: "sse.leave process" in by_name(spans))

    assert_chain(by_name(spans), "GET /t/events", "sse.leave send", "sse.leave process")


def test_the_wait_in_an_inbox_lies_between_two_spans(spans: InMemorySpanExporter) -> None:
    with (
        serving(traced_app("wait")) as address,
        connected(address, "/t/chat", headers={"traceparent": PARENT}) as client,
    ):
        assert client.recv() == "joined"
        client.send("busy")
        client.send("tea")
        assert client.recv() == "tea"
        found = spans.get_finished_spans()

    sent = [span for span in found if span.name == "ws.message send"]
    handled = [span for span in found if span.name == "ws.message process"]
    busy, waited = sorted(handled, key=lambda span: span.start_time or 0)
    # The room got to the second one when it had done with the first, long after it was sent.
    assert (sent[1].end_time or 0) <= (busy.end_time or 0) <= (waited.start_time or 0)
    assert parent_of(waited) == id_of(sent[1])


def test_a_request_carries_what_is_in_its_environ_when_it_becomes_a_process(
    node: gr.Node,
) -> None:
    app = Flask("around")
    GreenRelay(app, node=node)
    app.get("/")(lambda: str(gr.context()["tenant"]))
    inner = app.wsgi_app

    def around(environ: Any, start_response: Any) -> Any:
        environ[CONTEXT] = {"tenant": "blue"}
        return inner(environ, start_response)

    app.wsgi_app = around  # type: ignore[method-assign]

    with serving(app) as address:
        assert http(address, "/")[2] == "blue"


def assert_chain(found: dict[str, ReadableSpan], *names: str) -> None:
    """Each is the child of the one before, all in the client's trace."""
    for outer, inner in pairwise(names):
        assert parent_of(found[inner]) == id_of(found[outer])
    context = found[names[0]].context
    assert context is not None
    assert f"{context.trace_id:032x}" == TRACE


def parent_of(span: ReadableSpan) -> int:
    assert span.parent is not None
    return span.parent.span_id


def id_of(span: ReadableSpan) -> int:
    assert span.context is not None
    return int(span.context.span_id)


def test_what_is_not_sampled_makes_no_spans_and_still_arrives(spans: InMemorySpanExporter) -> None:
    with (
        serving(traced_app("unsampled")) as address,
        connected(address, "/t/chat", headers={"traceparent": UNSAMPLED}) as client,
    ):
        assert client.recv() == "joined"
        client.send("tea")
        assert client.recv() == "tea"

    assert spans.get_finished_spans() == ()


def test_a_process_keeps_its_own_context_around_what_it_traces(node: gr.Node) -> None:
    def handle() -> tuple[bool, bool]:
        before = gr.context()
        with traced(gr.Message("topic", context={"traceparent": PARENT})):
            inside = gr.context()
        return "traceparent" in inside, gr.context() is before

    assert node.run(handle) == (True, True)


def test_a_message_without_a_trace_begins_none(node: gr.Node, spans: InMemorySpanExporter) -> None:
    def handle() -> bool:
        with traced(gr.Message("topic", None)):
            return "traceparent" in gr.context()

    assert node.run(handle) is False
    assert spans.get_finished_spans() == ()


def test_a_relay_without_the_middleware_carries_no_context(spans: InMemorySpanExporter) -> None:
    with relaying() as bench, bench.connect() as client:
        bench.joined()
        client.send("hello")
        context = _context_of_next(bench)

    assert dict(context) == {}
    assert spans.get_finished_spans() == ()


def _context_of_next(bench: Bench) -> Any:
    found: Any = assert_receive(bench.target, topic="ws.message")
    return found.context


def test_a_decorator_traces_one_view(spans: InMemorySpanExporter) -> None:
    app = Flask("decorated")
    GreenRelay(app)
    app.get("/ws")(otel()(websocket_relay()(chat)))

    with serving(app) as address, connected(address, "/ws") as client:
        assert client.recv() == "joined"

    assert "GET /ws" in by_name(spans)
    assert state_of(app).connections.ledger.tracer is not None


def test_without_parentheses_the_decorator_says_so() -> None:
    with pytest.raises(TypeError, match=r"@otel\(\)"):
        otel(user)


def test_without_opentelemetry_it_does_nothing_and_says_so_once() -> None:
    program = """
import logging, sys
sys.modules["opentelemetry"] = None
logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s %(message)s")
from flask import Flask
import greenrelay as gr
from greenrelay.web import GreenRelay, otel, traced
app = Flask("bare")
GreenRelay(app)
app.get("/one")(otel()(lambda: "one"))
app.get("/other", endpoint="other")(otel()(lambda: "other"))
print(app.test_client().get("/one").text, app.test_client().get("/other").text)
with traced(gr.Message("topic", None)) as span:
    print(span)
"""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program], capture_output=True, text=True, timeout=60
    )

    said = "INFO greenrelay.http otel: opentelemetry-api is not installed, so no request is traced"
    assert done.stdout.splitlines() == ["one other", "None"]
    assert done.stderr.splitlines() == [said]
