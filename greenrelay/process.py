"""Processes: what a process calls. See ``docs/processes.md``."""

from __future__ import annotations

from greenrelay.cluster.node_events import NodeDown, NodeEvents, NodeUp, node_events, nodes
from greenrelay.core.events import (
    Cancel,
    Event,
    Exit,
    ExitError,
    GroupEvent,
    Joined,
    Left,
    LinkDown,
    MonitorRef,
    Result,
)
from greenrelay.core.message import Message
from greenrelay.core.pid import Pid
from greenrelay.core.restart import RestartPolicy
from greenrelay.core.strategy import Child, ChildInfo
from greenrelay.runtime.channel import Events, GroupEvents, Inbox
from greenrelay.runtime.grouping import broadcast, groups, join, leave, members, watch
from greenrelay.runtime.info import ProcessInfo
from greenrelay.runtime.listening import listen, unlisten
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
from greenrelay.runtime.spawner import Spawner, with_context
from greenrelay.runtime.supervision import Supervisor
from greenrelay.runtime.timers import Timer
from greenrelay.runtime.upgrade import upgrade

__all__ = [
    "REPLY_LATER",
    "Cancel",
    "Child",
    "ChildInfo",
    "Event",
    "Events",
    "Exit",
    "ExitError",
    "GroupEvent",
    "GroupEvents",
    "Inbox",
    "Joined",
    "Left",
    "LinkDown",
    "Message",
    "MonitorRef",
    "Node",
    "NodeDown",
    "NodeEvents",
    "NodeUp",
    "Pid",
    "ProcessInfo",
    "RelayTarget",
    "RestartPolicy",
    "Result",
    "Server",
    "Spawner",
    "Supervisor",
    "Timer",
    "broadcast",
    "call",
    "cancel",
    "context",
    "events",
    "exec",
    "exit",
    "get_options",
    "groups",
    "inbox",
    "info",
    "join",
    "leave",
    "link",
    "listen",
    "lookup",
    "members",
    "monitor",
    "node_events",
    "nodes",
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
    "unlisten",
    "unmonitor",
    "unregister",
    "upgrade",
    "watch",
    "whereis",
    "with_context",
]
