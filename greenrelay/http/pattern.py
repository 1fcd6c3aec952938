"""Paths of endpoints in Flask's terms: ``/users/{id}`` is ``/users/<id>``.

Source: HTTP, "Entries", last paragraph. ``{rest...}`` takes the tail, slashes and all.
"""

from __future__ import annotations

import re

_PARAMETER = re.compile(r"\{([^{}.]+)(\.\.\.)?\}")


def flask_path(path: str) -> str:
    """Return the Werkzeug rule for a checked path of the configuration."""
    return _PARAMETER.sub(lambda m: f"<path:{m[1]}>" if m[2] else f"<{m[1]}>", path)
