"""Readers of what a dashboard is made of.

Source: Operations, "Dashboard".
"""

from __future__ import annotations

from greenrelay.config.fragment import text_like, written_as
from greenrelay.config.mark import shown
from greenrelay.config.path import parse_prefix

FULL, READONLY = "full", "readonly"
DASHBOARD_PATH = "/_greenrelay"
MIN_PASSWORD = 8
_ACTION = r"[^\s*]+"


@written_as({"type": "string", "pattern": r"^(?!.*//)/[^\s?#<>{}]*[^\s?#<>{}/]/?$"})
def parse_dashboard_path(value: object) -> str:
    """Read where a dashboard is, without the last slash; the root is the program's own."""
    path = parse_prefix(value)
    if not path:
        raise ValueError(f"is {shown(value)}; it must be a path of its own, as {DASHBOARD_PATH}/")
    return path


@written_as({"type": "string", "pattern": rf"\S[\s\S]{{{MIN_PASSWORD - 2},}}\S"})
def password_text(value: object) -> str:
    """Read a password as it is; a problem does not quote it."""
    if not isinstance(value, str) or len(value.strip()) < MIN_PASSWORD:
        raise ValueError(
            f"it must be text of at least {MIN_PASSWORD} characters, such as "
            "${env:DASHBOARD_PASSWORD}"
        )
    return value


@written_as(text_like(_ACTION))
def policy_action(value: object) -> str:
    """Read the action that policies must allow: a word, and no pattern."""
    word = value.strip() if isinstance(value, str) else ""
    if not word or "*" in word or len(word.split()) > 1:
        raise ValueError(f'is {shown(value)}; it must be a word without "*", such as "observe"')
    return word
