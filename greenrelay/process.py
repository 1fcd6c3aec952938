"""Processes: what a process calls. See ``docs/processes.md``."""

from __future__ import annotations

from greenrelay.core.events import Cancel, Event, Exit, ExitError, LinkDown, MonitorRef, Result
from greenrelay.core.message import Message
from greenrelay.core.pid import Pid
from greenrelay.runtime.channel import Events, Inbox
from greenrelay.runtime.info import ProcessInfo
from greenrelay.runtime.messaging import (
    call,
    context,
    events,
    exec,
    inbox,
    pid,
    receive,
    reply,
    reply_error,
    send,
    send_after,
    spawn,
    spawn_linked,
    spawn_linked_monitored,
    spawn_monitored,
)
from greenrelay.runtime.node import Node
from greenrelay.runtime.relations import (
    cancel,
    exit,
    get_options,
    info,
    link,
    lookup,
    monitor,
    processes,
    register,
    set_options,
    terminate,
    unlink,
    unmonitor,
    unregister,
    whereis,
)
from greenrelay.runtime.server import REPLY_LATER, RelayTarget, Server, stop
from greenrelay.runtime.timers import Timer

__all__ = [
    "REPLY_LATER",
    "Cancel",
    "Event",
    "Events",
    "Exit",
    "ExitError",
    "Inbox",
    "LinkDown",
    "Message",
    "MonitorRef",
    "Node",
    "Pid",
    "ProcessInfo",
    "RelayTarget",
    "Result",
    "Server",
    "Timer",
    "call",
    "cancel",
    "context",
    "events",
    "exec",
    "exit",
    "get_options",
    "inbox",
    "info",
    "link",
    "lookup",
    "monitor",
    "pid",
    "processes",
    "receive",
    "register",
    "reply",
    "reply_error",
    "send",
    "send_after",
    "set_options",
    "spawn",
    "spawn_linked",
    "spawn_linked_monitored",
    "spawn_monitored",
    "stop",
    "terminate",
    "unlink",
    "unmonitor",
    "unregister",
    "whereis",
]
