"""The lobby: starts rooms when somebody asks for one, and knows which there are.

What the lobby receives, and from whom:

=================  ===========  ===============================================
topic              from         payload
=================  ===========  ===============================================
lobby.open (call)  the view     name of a room; the reply is its PID, None if there is no place
lobby.count        a room       number of people in it
lobby.move         a room       client_pid, nick, room: take that connection to that room
ws.control.done    a client     the connection has moved
ws.control.failed  a client     the connection has not moved, and why
=================  ===========  ===============================================

Each room is linked and monitored. The link ends the rooms with the lobby, should it crash: the next
lobby knows nothing of them. The monitor tells the lobby of every ending, normal ones too. The lobby
traps links, so that a crashed room does not end it.
"""

from __future__ import annotations

import logging
from typing import Any

from app import frame, room
from app.directory import Directory
from app.post import post
from greenrelay import (
    Cancel,
    Exit,
    HostFull,
    LinkDown,
    Message,
    cancel,
    pid,
    receive,
    register,
    reply,
    set_options,
    spawn_linked_monitored,
)

NAME = "lobby"
HOST = "app:processes"

log = logging.getLogger("app.lobby")


def run() -> None:
    """Be the lobby until cancelled."""
    set_options(trap_links=True)
    register(NAME)
    directory = Directory()
    while True:
        event = receive()
        match event:
            case Message():
                _handle(directory, event)
            case Exit(pid=ended, result=result):
                _forget(directory, str(ended), has_crashed=result.error is not None)
            case LinkDown(pid=ended, result=result):
                # The EXIT of the same ending came first and has done all that there is to do.
                log.debug("%s: trapped the crash of %s: %s", pid(), ended, result.reason)
            case Cancel():
                return


def _handle(directory: Directory, message: Message) -> None:
    payload: Any = message.payload
    match message.topic:
        case "lobby.open":
            reply(message, _open(directory, payload))
        case "lobby.count":
            directory.count(str(message.sender), payload)
            _announce(directory)
        case "lobby.move":
            _move(directory, payload["client_pid"], payload["nick"], payload["room"])
        case "ws.control.done":
            log.debug("%s: %s has moved", pid(), message.sender)
        case "ws.control.failed":
            log.warning("%s: %s could not move: %s", pid(), message.sender, payload)
            _refuse(str(message.sender), "that room has just ended, try again")
        case topic:
            log.warning("%s: the lobby knows no topic %r", pid(), topic)


def _open(directory: Directory, name: str) -> str | None:
    if name in directory.pids:
        return directory.pids[name]
    if directory.is_full and not _make_place(directory):
        return None
    crashes = directory.crashes.get(name, 0)
    try:
        room_pid = str(spawn_linked_monitored(room.run, name, crashes, host=HOST))
    except HostFull as problem:
        log.warning("%s: no room for room %s: %s", pid(), name, problem)
        return None
    directory.add(name, room_pid)
    log.info("%s: room %s is %s", pid(), name, room_pid)
    return room_pid


def _make_place(directory: Directory) -> bool:
    room_pid = directory.first_empty()
    if room_pid is None:
        return False
    log.info("%s: room %s is empty and makes place", pid(), room_pid)
    directory.remove(room_pid, has_crashed=False)
    # Who was on the way into it gets a 503, tries again and has it started anew.
    cancel(room_pid, reason="making place")
    return True


def _forget(directory: Directory, room_pid: str, *, has_crashed: bool) -> None:
    name = directory.remove(room_pid, has_crashed=has_crashed)
    if name is None:
        return
    if has_crashed:
        log.warning(
            "%s: room %s (%s) crashed; it starts anew when the next tab asks for it",
            pid(),
            name,
            room_pid,
        )
    else:
        log.info("%s: room %s (%s) ended", pid(), name, room_pid)
    _announce(directory)


def _move(directory: Directory, client: str, nick: str, name: str) -> None:
    room_pid = _open(directory, name)
    if room_pid is None:
        _refuse(client, "there are too many rooms, go to one of those there are")
        return
    metadata = {"nick": nick, "room": name}
    post(client, "ws.control", {"target_pid": room_pid, "metadata": metadata})


def _refuse(client: str, why: str) -> None:
    post(client, "ws.send", {"type": "text", "data": frame.error(why)})


def _announce(directory: Directory) -> None:
    counts = dict(directory.counts)
    for room_pid in directory.crowded():
        post(room_pid, "lobby.rooms", counts)
