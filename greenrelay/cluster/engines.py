"""The engine that an address names.

Source: Cluster, first example.
"""

from __future__ import annotations

from importlib import import_module

from greenrelay.cluster.address import Address, parse_address
from greenrelay.cluster.engine import Engine
from greenrelay.cluster.local import LocalEngine
from greenrelay.errors import EngineError

NATS = "greenrelay.cluster.nats.engine"


def engine_at(text: str, app: str) -> Engine:
    """Return the engine at the address ``text`` for one node of ``app``; nothing is connected.

    Raises EngineError for an address that is none, and where a library is missing.
    """
    address = parse_address(text)
    return LocalEngine() if address.is_local else _nats(address, app)


def _nats(address: Address, app: str) -> Engine:
    # What it needs is an extra, which the engine "local" does without.
    try:
        module = import_module(NATS)
    except ImportError as error:
        why = f"{error.name} is missing: pip install 'greenrelay[cluster]'"
        raise EngineError(address.shown, why) from None
    engine: Engine = module.NatsEngine(address, app)
    return engine
