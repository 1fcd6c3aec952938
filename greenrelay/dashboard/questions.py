"""What the page may ask, each by a function; an answer has a form in JSON.

Source: Operations, "Dashboard". An answer is a window of a list, or all of one thing: never all of
everything.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from greenrelay.dashboard import processes, sockets
from greenrelay.dashboard.asked import Asked, BadQuestion
from greenrelay.dashboard.overview import overview
from greenrelay.dashboard.provenance import provenance
from greenrelay.dashboard.reader import Reader
from greenrelay.dashboard.reports import reports
from greenrelay.dashboard.scope import Scope
from greenrelay.runtime.function_process import FunctionProcess
from greenrelay.runtime.grouping import members
from greenrelay.transport.recent import Closed

Question = Callable[[Reader, Asked], Any]


def ask_overview(reader: Reader, asked: Asked) -> Any:
    """Return totals, and how late the hub was since the last time."""
    found = dict(reader.totals.get(None, lambda: overview(reader.scope.node)))
    found["lag"] = reader.lag.take()
    found["hub_reports"] = sum(each.kind == "hub" for each in reports())
    return found


def ask_sockets(reader: Reader, asked: Asked) -> Any:
    """Return a window of the sockets that a filter lets through."""
    wanted = sockets.SocketFilter(
        text=asked.text("text", ""),
        path=asked.text("path", ""),
        user=asked.text("user", ""),
        address=asked.text("address", ""),
        target=asked.text("target", ""),
        state=asked.choice("state", "", *sockets.STATES),
        queue=asked.number("queue", 0, 0, 10_000_000),
    )
    order = asked.choice("order", *sockets.ORDERS)
    first, end = asked.window()
    found = reader.sockets.get(
        (wanted, order), lambda: sockets.find(reader.scope.relayed(), wanted, order)
    )
    rows = []
    for pid in found[first:end]:
        # Those that are over meanwhile keep their row until the list is made anew.
        relayed = reader.scope.find(pid)
        rows.append({"pid": pid, "is_gone": True} if relayed is None else sockets.row(relayed))
    return {
        "total": len(found),
        "offset": first,
        "open": sum(len(state.connections) for state in reader.scope.states()),
        "rows": rows,
    }


def ask_socket(reader: Reader, asked: Asked) -> Any:
    """Return one socket and its new traffic; or, where it is over, how it has ended."""
    pid = asked.text("pid")
    relayed = reader.scope.find(pid)
    if relayed is None:
        reader.look_away(pid)
        closed = next((each for each in _closed(reader.scope) if each.pid == pid), None)
        return {"closed": None if closed is None else sockets.closed_row(closed)}
    if asked.flag("tail"):
        reader.look(relayed)
    else:
        reader.look_away(pid)
    return {"socket": sockets.details(relayed), **reader.traffic(pid)}


def ask_processes(reader: Reader, asked: Asked) -> Any:
    """Return a window of the processes, as a list or as a tree."""
    node = reader.scope.node
    order, text = asked.choice("order", *processes.ORDERS), asked.text("text", "")
    first, end = asked.window()
    reader.depths.look(list(node.processes.values()), node.timers.now())
    growth = reader.depths.growth
    found = reader.processes.get((order, text), lambda: processes.find(node, text, order, growth))
    rows = []
    for pid in found.pids[first:end]:
        process, level = node.processes.get(pid), found.levels.get(pid, 0)
        rows.append(
            {"pid": pid, "level": level, "is_gone": True}
            if process is None
            else processes.row(process, level, growth)
        )
    total = len(found.pids)
    return {"total": total, "offset": first, "open": len(node.processes), "rows": rows}


def ask_process(reader: Reader, asked: Asked) -> Any:
    """Return one process and what it was sent of late; None where it has ended."""
    pid = asked.text("pid")
    process = reader.scope.node.processes.get(pid)
    if isinstance(process, FunctionProcess) and asked.flag("tail"):
        reader.listen(process)
    else:
        reader.look_away(pid)
    shown = None if process is None else processes.details(process)
    return {"process": shown, **reader.traffic(pid)}


def ask_groups(reader: Reader, asked: Asked) -> Any:
    """Return groups and names."""
    node = reader.scope.node
    return {"groups": processes.groups(node), "names": processes.names(node)}


def ask_group(reader: Reader, asked: Asked) -> Any:
    """Return a window of the members of one group."""
    node, group = reader.scope.node, asked.text("group", limit=1000)
    first, end = asked.window()
    # Of all nodes: it may wait, the first time.
    found = members(group)
    rows = []
    for pid in found[first:end]:
        process, relayed = node.processes.get(pid), reader.scope.find(pid)
        if relayed is not None:
            rows.append({**sockets.row(relayed), "entry": relayed.entry})
        elif process is not None or pid.node != node.id:
            rows.append({"pid": pid, "entry": process.entry if process else "", "user": ""})
    return {"total": len(found), "offset": first, "rows": rows}


def ask_services(reader: Reader, asked: Asked) -> Any:
    """Return services, with their restarts."""
    return {"services": processes.services(reader.scope.node)}


def ask_closes(reader: Reader, asked: Asked) -> Any:
    """Return a window of the last that are over, the newest first."""
    text, code = asked.text("text", "").lower(), asked.text("code", "")
    first, end = asked.window()
    found = [each for each in _closed(reader.scope) if _is_wanted(each, text, code)]
    rows = [sockets.closed_row(each) for each in found[first:end]]
    return {"total": len(found), "offset": first, "rows": rows}


def ask_reports(reader: Reader, asked: Asked) -> Any:
    """Return the last warnings and errors, or those of the watchdog only."""
    kind = asked.choice("kind", "", "hub", "log")
    found = [each for each in reports() if kind in ("", each.kind)]
    names = ("number", "at", "kind", "level", "logger", "text")
    return {"reports": [{name: getattr(each, name) for name in names} for each in found]}


def ask_settings(reader: Reader, asked: Asked) -> Any:
    """Return the configuration, with provenance."""
    configuration = reader.scope.in_force()
    return {"files": configuration.files, "settings": provenance(configuration)}


QUESTIONS: Mapping[str, Question] = {
    "overview": ask_overview,
    "sockets": ask_sockets,
    "socket": ask_socket,
    "processes": ask_processes,
    "process": ask_process,
    "groups": ask_groups,
    "group": ask_group,
    "services": ask_services,
    "closes": ask_closes,
    "reports": ask_reports,
    "settings": ask_settings,
}


def question(name: object) -> Question:
    """Return the question of that name; raises BadQuestion."""
    found = QUESTIONS.get(name) if isinstance(name, str) else None
    if found is None:
        raise BadQuestion(f"ask: it must be one of {', '.join(QUESTIONS)}")
    return found


def _closed(scope: Scope) -> list[Closed]:
    found = [each for state in scope.states() for each in state.connections.ledger.recent]
    return sorted(found, key=lambda each: -each.at)


def _is_wanted(closed: Closed, text: str, code: str) -> bool:
    if code and str(closed.code) != code:
        return False
    texts = (closed.pid, closed.path, closed.user, closed.remote_addr, closed.reason)
    return not text or any(text in each.lower() for each in texts)
