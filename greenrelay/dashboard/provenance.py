"""The configuration in force, each value with the place it comes from.

Source: Operations, "Dashboard"; Configuration, the item on ``greenrelay config``.
"""

from __future__ import annotations

from typing import Any

from greenrelay.config.effective import DEFAULT, settings
from greenrelay.config.resolve import Configuration
from greenrelay.http.registry import middleware_specs

MAX_ROWS = 5000
Row = dict[str, Any]


def provenance(configuration: Configuration) -> list[Row]:
    """Return every setting of every entry; secrets are masked."""
    middleware = middleware_specs([])
    found: list[Row] = []
    for entry in configuration.all:
        for each in settings(entry, middleware):
            found.append(
                {
                    "entry": entry.id,
                    "kind": entry.kind,
                    "name": each.name,
                    "value": each.shown,
                    "origin": each.origin,
                    "is_default": each.origin == DEFAULT,
                }
            )
    return found[:MAX_ROWS]
