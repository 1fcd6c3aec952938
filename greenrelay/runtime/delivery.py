"""One message for many processes of this node.

Source: Processes, "Functions", row broadcast.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from greenrelay.core.message import NO_CONTEXT, Message
from greenrelay.core.pid import Pid
from greenrelay.errors import InboxFull
from greenrelay.runtime.node import Node
from greenrelay.runtime.process import Process


def deliver_to_all(
    node: Node,
    pids: Sequence[Pid],
    topic: str,
    payload: object,
    sender: Pid | None = None,
    context: Mapping[str, object] = NO_CONTEXT,
) -> int:
    """Deliver a message to those of ``pids`` that are there; return how many took it.

    Members that are full are passed by. Raises what the first of the others says of the message,
    once all have been asked.
    """
    message = Message(topic, payload, sender, context)
    # Each connection among them sends the same bytes: see Message.
    message.frame = b""
    processes = node.processes
    count = 0
    refusal: Exception | None = None
    for pid in pids:
        member: Process | None = processes.get(pid)
        if member is None:
            continue
        try:
            if member.deliver(message):
                count += 1
        except InboxFull:
            continue
        except Exception as error:
            refusal = refusal or error
    if refusal is not None:
        raise refusal
    return count
