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
lobby.met          the scout    PID of the lobby of another worker
lobby.here         a lobby      rooms: {name: [PID, number of people]}, crashes: {name: number}
=================  ===========  ===============================================

Each room is linked and monitored. The link ends the rooms with the lobby, should it crash: the next
lobby knows nothing of them. The monitor tells the lobby of every ending, normal ones too. The lobby
traps links, so that a crashed room does not end it.

On several workers each has a lobby, which starts the rooms there: whoever comes is served by a
process of his own worker. The lobbies find each other by a group (``app/scout.py``), tell each
other of their rooms, and bring the processes of one room together (``app/parts.py``). They need no
name in the cluster, and none of them is missed for longer than it takes to notice that it is gone.
"""

from __future__ import annotations

import logging
from dataclasses import asdict
from typing import Any

from app import frame, room, scout
from app.directory import Directory, Report
from app.post import post
from greenrelay import (
    Cancel,
    Exit,
    HostFull,
    LinkDown,
    Message,
    cancel,
    monitor,
    pid,
    receive,
    register,
    reply,
    set_options,
    spawn_linked,
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
    scout_pid = spawn_linked(scout.run, pid(), host=HOST)
    while True:
        event = receive()
        match event:
            case Message():
                _handle(directory, event)
            case Exit(pid=ended, result=result):
                _forget(directory, str(ended), has_crashed=result.error is not None)
            case LinkDown(pid=ended, result=result) if ended == scout_pid:
                raise RuntimeError(f"without the scout no other lobby is found: {result.reason}")
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
            _tell_others(directory)
        case "lobby.move":
            _move(directory, payload["client_pid"], payload["nick"], payload["room"])
        case "lobby.met":
            _meet(directory, payload)
        case "lobby.here":
            _hear(directory, str(message.sender), Report(**payload))
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
    crashes = directory.crash_count(name)
    try:
        others = directory.others(name)
        room_pid = str(spawn_linked_monitored(room.run, name, crashes, others, host=HOST))
    except HostFull as problem:
        log.warning("%s: no room for room %s: %s", pid(), name, problem)
        return None
    directory.add(name, room_pid)
    log.info("%s: room %s is %s", pid(), name, room_pid)
    _tell_others(directory)
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


def _meet(directory: Directory, lobby: str) -> None:
    """Get to know the lobby of another worker, which hears of the rooms here."""
    if lobby not in directory.elsewhere and lobby != pid():
        monitor(lobby)
        directory.elsewhere[lobby] = Report()
        post(lobby, "lobby.here", asdict(directory.report()))


def _hear(directory: Directory, lobby: str, report: Report) -> None:
    """Learn which rooms another worker has, and introduce them to those of the same name here."""
    _meet(directory, lobby)
    known = directory.elsewhere[lobby].rooms
    before = directory.all_counts()
    directory.elsewhere[lobby] = report
    for name, (room_pid, _) in report.rooms.items():
        is_new = name not in known or known[name][0] != room_pid
        if is_new and name in directory.pids:
            post(directory.pids[name], "room.meet", room_pid)
    if directory.all_counts() != before:
        _announce(directory)


def _tell_others(directory: Directory) -> None:
    report = asdict(directory.report())
    for lobby in directory.elsewhere:
        post(lobby, "lobby.here", report)


def _forget(directory: Directory, ended: str, *, has_crashed: bool) -> None:
    if directory.elsewhere.pop(ended, None) is not None:
        log.info("%s: the lobby %s is gone", pid(), ended)
        _announce(directory)
        return
    name = directory.remove(ended, has_crashed=has_crashed)
    if name is None:
        return
    if has_crashed:
        log.warning(
            "%s: room %s (%s) crashed; it starts anew when the next tab asks for it",
            pid(),
            name,
            ended,
        )
    else:
        log.info("%s: room %s (%s) ended", pid(), name, ended)
    _announce(directory)
    _tell_others(directory)


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
    counts = directory.all_counts()
    for room_pid in directory.crowded():
        post(room_pid, "lobby.rooms", counts)
