"""Traces: the context of a span inside messages, and the spans of what a connection does.

Source: Operations, "Logs and traces". A greenlet inherits no context of another one, so that of a
span travels as values of a message's context, under the names of the W3C headers (``traceparent``).
Who sends a message ends its span at once, and who handles it begins another; what lies between is
the wait in the inbox.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import MappingProxyType
from typing import TYPE_CHECKING

from greenrelay.core.message import Message
from greenrelay.runtime.current import current_process

try:
    from opentelemetry import propagate, trace
    from opentelemetry.context import Context
except ImportError:  # It is an extra.
    IS_INSTALLED = False
else:
    IS_INSTALLED = True

if TYPE_CHECKING:
    from opentelemetry.trace import Span, Tracer

SYSTEM = "greenrelay"


@contextmanager
def traced(message: Message, name: str | None = None) -> Iterator[object]:
    """Run a block as the handling of ``message``: a span in the trace that the message carries.

    What the process sends and spawns inside carries the span on. ``name`` is that of the span,
    ``TOPIC process`` if not given. Yields the span of OpenTelemetry; one that records nothing for a
    message that carries no trace, and None where OpenTelemetry is not installed.
    """
    if not IS_INSTALLED:
        yield None
        return
    context = _trace_in(message.context)
    if context is None:
        yield trace.INVALID_SPAN
        return
    process = current_process()
    mine = None if process is None else process.pid
    span = tracer().start_span(
        name or f"{message.topic} process",
        context=context,
        kind=trace.SpanKind.CONSUMER,
        attributes=_attributes(message.topic, "process", message.sender, mine),
    )
    with trace.use_span(span, end_on_exit=True):
        if process is None:
            yield span
            return
        before = process.context
        process.context = carried(before, span)
        try:
            yield span
        finally:
            process.context = before


def tracer() -> Tracer:
    """Return the tracer of this library."""
    return trace.get_tracer(SYSTEM)


def extracted(carrier: Mapping[str, object]) -> Context:
    """Return the context that headers, or the context of a message, carry."""
    # Not on top of the current one: what runs here has nothing to do with it.
    return propagate.extract(carrier, Context())


def _trace_in(carrier: Mapping[str, object]) -> Context | None:
    """Return the trace that a message's context carries; None where it carries other things."""
    found = extracted(carrier)
    return found if trace.get_current_span(found).get_span_context().is_valid else None


def carried(context: Mapping[str, object], span: Span) -> Mapping[str, object]:
    """Return ``context`` with the values that carry ``span`` on."""
    values: dict[str, object] = dict(context)
    propagate.inject(values, trace.set_span_in_context(span, extracted(context)))
    return MappingProxyType(values)


class ConnectionSpans:
    """The spans of what connections do for messages that carry a context."""

    def sends(
        self, context: Mapping[str, object], topic: str, client: str, target: str
    ) -> Mapping[str, object]:
        """Make a span of a message to the target, and return the context to carry it on."""
        parent = _trace_in(context)
        if parent is None:
            return context
        span = tracer().start_span(
            f"{topic} send",
            context=parent,
            kind=trace.SpanKind.PRODUCER,
            attributes=_attributes(topic, "send", client, target),
        )
        # One that is not sampled has nothing to add: what is carried says so already.
        is_sampled = span.is_recording()
        span.end()
        return carried(context, span) if is_sampled else context

    def writes(self, context: Mapping[str, object], topic: str, client: str, queued: int) -> None:
        """Make a span of a message that was written, or waits behind ``queued`` others."""
        parent = _trace_in(context)
        if parent is None:
            return
        span = tracer().start_span(
            f"{topic} write",
            context=parent,
            kind=trace.SpanKind.PRODUCER,
            attributes={
                **_attributes(topic, "write", None, client),
                "greenrelay.queued": queued,
            },
        )
        span.end()


def _attributes(
    topic: str, operation: str, sender: str | None, destination: str | None
) -> dict[str, str | int]:
    found: dict[str, str | int] = {
        "messaging.system": SYSTEM,
        "messaging.operation.name": operation,
        "messaging.destination.name": topic,
    }
    if sender is not None:
        found["greenrelay.sender"] = sender
    if destination is not None:
        found["greenrelay.destination"] = destination
    return found
