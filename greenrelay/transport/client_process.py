"""A client that was opened inside a process is one itself, and closes with its owner.

Source: WebSocket client, "Opened inside a process". Owner and client monitor each other: the
client closes with 1001 when its owner ends, however that ends, and the owner gets an EXIT for the
client. A lost connection is an abnormal ending, which spreads to whoever has linked to the client.
"""

from __future__ import annotations

from greenrelay.core.events import Cancel, Event, Exit, ExitError, Result
from greenrelay.core.message import Message
from greenrelay.runtime.node import Node
from greenrelay.runtime.process import Process
from greenrelay.transport.client_conversation import Conversation

ENTRY = "websocket client"


class ClientProcess(Process):
    """The process around a conversation; its result's value is ``{"code", "reason", "clean"}``."""

    __slots__ = ("_conversation", "_result")

    def __init__(self, node: Node, owner: Process, conversation: Conversation) -> None:
        place = node.take_place(None)
        super().__init__(node, place, node.new_pid(place), ENTRY)
        self._conversation = conversation
        self._result: Result | None = None
        conversation.on_over = self._on_over
        node.admit(self)
        node.monitor(self, owner.pid)
        node.monitor(owner, self.pid)

    def deliver(self, message: Message) -> bool:
        """Take no message: a client is told what to do by its methods."""
        return False

    def deliver_event(self, event: Event) -> None:
        """Close: the owner has ended, a linked process has, or somebody cancels the client."""
        if isinstance(event, Exit):
            self._conversation.close(1001, "owner exited")
        elif isinstance(event, Cancel):
            self._conversation.close(1001, event.reason or "going away")
        else:
            self._result = Result(
                None, ExitError("ProcessExit", event.result.reason), event.result.reason
            )
            self._conversation.close(1011, "linked process failed")

    def end(self, result: Result) -> None:
        """Cut the connection."""
        self._result = self._result or result
        self._conversation.abort(result.reason)

    def _on_over(self) -> None:
        conversation = self._conversation
        value = {
            "code": conversation.code,
            "reason": conversation.reason,
            "clean": conversation.is_clean,
        }
        if self._result is not None:
            self.finish(Result(value, self._result.error, self._result.reason))
        elif conversation.is_clean:
            self.finish(Result(value))
        else:
            why = conversation.reason or "connection lost"
            self.finish(Result(value, ExitError("ConnectionClosed", why), why))
