"""The nodes of a cluster as one of them sees them: rows of a list.

Source: Operations, "Dashboard"; Cluster. What is here is known without asking anybody;
``observer.py`` has what other nodes tell.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import islice
from typing import Any
from weakref import WeakKeyDictionary

from greenrelay.dashboard.observer import summary
from greenrelay.runtime.node import Node

MAX_NAMES = 5000
Row = dict[str, Any]
# The names that each engine knows, with their owners: it tells of them to whoever has asked once.
_OWNERS: WeakKeyDictionary[Any, dict[str, str]] = WeakKeyDictionary()


def cluster_of(node: Node, told: Mapping[str, Row]) -> Row:
    """Return the nodes, names and groups that ``node`` knows of, and what it counts.

    ``told`` is what other nodes have told of themselves, by their ids.
    """
    mine = {**summary(node), "is_here": True, "state": "here"}
    mesh: Any = node.cluster
    if mesh is None:
        return {"is_alone": True, "is_reachable": True, "nodes": [mine], "names": [], "groups": []}
    owners = _owners(mesh.engine)
    nodes = [{**mine, "incarnation": mesh.engine.me.incarnation}]
    for node_id, link in sorted(mesh.links.items()):
        row = {**told.get(node_id, {}), **_linked(link), "node": node_id, "is_here": False}
        nodes.append(row)
    for each in nodes:
        each["name_count"] = sum(f"{{{each['node']}@" in owner for owner in owners.values())
    return {
        "is_alone": False,
        "is_reachable": mesh.is_reachable,
        "nodes": nodes,
        "names": [{"name": name, "pid": owners[name]} for name in sorted(owners)[:MAX_NAMES]],
        "groups": _groups(nodes, mesh.groups.names()),
        "counts": dict(mesh.counts),
        "engine_counts": dict(mesh.engine.counters),
    }


def _linked(link: Any) -> Row:
    """Return what is known of a node by the link to it."""
    state = "connected" if link.session.is_open else "connecting"
    return {"state": state, "incarnation": link.member.incarnation, "frames": len(link.session)}


def _groups(nodes: Iterable[Row], elsewhere: Iterable[str]) -> list[Row]:
    """Return the groups with how many members each node has, as far as they have told."""
    found: dict[str, dict[str, int]] = {name: {} for name in islice(elsewhere, MAX_NAMES)}
    for each in nodes:
        for name, count in each.get("groups", {}).items():
            found.setdefault(name, {})[each["node"]] = count
    return [{"name": name, "nodes": found[name]} for name in sorted(found)]


def _owners(engine: Any) -> dict[str, str]:
    owners = _OWNERS.get(engine)
    if owners is None:
        owners = _OWNERS[engine] = {}
        engine.watch(_keeper(owners))
    return owners


def _keeper(owners: dict[str, str]) -> Any:
    def keep(name: str, owner: str | None) -> None:
        if owner is None:
            owners.pop(name, None)
        else:
            owners[name] = owner

    return keep
