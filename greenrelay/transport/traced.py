"""Messages of a connection that carry a context, such as that of a trace.

Source: Operations, "Logs and traces": the context travels inside messages. A connection has the
context of the request it was; without one none of this is called.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING

from greenrelay.core.message import Message

if TYPE_CHECKING:
    from greenrelay.transport.life import Life
    from greenrelay.transport.stream import Stream

log = logging.getLogger("greenrelay.transport")


def sending(relayed: Life | Stream, target: str, topic: str) -> Mapping[str, object]:
    """Return the context for a message that ``relayed`` is about to send."""
    tracer = None if relayed.figures is None else relayed.figures.ledger.tracer
    if tracer is None:
        return relayed.context
    return tracer.sends(relayed.context, topic, relayed.pid, target)


def was_written(relayed: Life | Stream, message: Message) -> None:
    """Note that a message with a context was written, or waits for the client."""
    tracer = None if relayed.figures is None else relayed.figures.ledger.tracer
    if tracer is not None:
        tracer.writes(message.context, message.topic, relayed.pid, relayed.depth())


def tell_in_context(relayed: Life | Stream, target: str, topic: str, payload: object) -> None:
    """Send what no inbox limit may refuse, in the context of ``relayed``."""
    process = relayed.node.find(target)
    if process is None:
        return
    message = Message(topic, payload, relayed.pid, sending(relayed, target, topic))
    try:
        process.deliver_surely(message)
    except Exception:
        # The target is a connection itself, and the metadata is no JSON.
        log.exception("%s: %s was lost on the way to the target", relayed.pid, topic)
