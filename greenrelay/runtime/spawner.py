"""Values that go along: with those a process spawns and with the messages it sends.

Source: Processes, "Functions", row with_context.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from greenrelay.core.message import NO_CONTEXT
from greenrelay.core.pid import Pid
from greenrelay.runtime.current import current_node, current_process
from greenrelay.runtime.messaging import (
    Duration,
    call_in,
    exec,
    inherited,
    spawn,
    spawn_linked,
    spawn_linked_monitored,
    spawn_monitored,
)


@dataclass(frozen=True, slots=True)
class Spawner:
    """Spawns and sends with ``values`` added to the context of whoever calls it.

    It can be kept, shared and handed on; the calling process's own context stays as it is.
    """

    values: Mapping[str, object]

    def with_context(self, **values: object) -> Spawner:
        """Return a spawner with these values as well; they win over the ones it has."""
        return Spawner(MappingProxyType({**self.values, **values}))

    def spawn(self, entry: object, *args: Any, **options: Any) -> Pid:
        """Start a process that inherits the values; see greenrelay.process.spawn."""
        return spawn(entry, *args, **self._added(options))

    def spawn_linked(self, entry: object, *args: Any, **options: Any) -> Pid:
        """Spawn a process linked to this one; see spawn."""
        return spawn_linked(entry, *args, **self._added(options))

    def spawn_monitored(self, entry: object, *args: Any, **options: Any) -> Pid:
        """Spawn a process this one gets an EXIT for; see spawn."""
        return spawn_monitored(entry, *args, **self._added(options))

    def spawn_linked_monitored(self, entry: object, *args: Any, **options: Any) -> Pid:
        """Spawn a process linked to this one, which gets an EXIT for it too; see spawn."""
        return spawn_linked_monitored(entry, *args, **self._added(options))

    def exec(self, entry: object, *args: Any, **options: Any) -> Any:
        """Spawn, wait and return the value; see greenrelay.process.exec."""
        return exec(entry, *args, **self._added(options))

    def send(self, dest: str, topic: str, payload: object = None) -> bool:
        """Send a message that carries the values; see greenrelay.process.send."""
        process = current_process()
        if process is None:
            node = current_node("send")
            return node.send(dest, topic, payload, context=inherited(None, self.values))
        process.sent += 1
        if process.outlet is not None:
            process.outlet(dest, topic, payload)
        context = inherited(process, self.values)
        return process.node.route(dest, topic, payload, process.pid, context)

    def call(
        self, dest: str, topic: str, payload: object = None, timeout: Duration | None = 5.0
    ) -> Any:
        """Send a request that carries the values; see greenrelay.process.call."""
        return call_in(self.values, dest, topic, payload, timeout)

    def _added(self, options: dict[str, Any]) -> dict[str, Any]:
        return {**options, "context": {**self.values, **(options.get("context") or NO_CONTEXT)}}


def with_context(**values: object) -> Spawner:
    """Return a spawner whose children inherit, and whose messages carry, these values.

    They add to the context of the process that uses it, at the moment it does.
    """
    return Spawner(MappingProxyType(values))
