"""Limits far above what any load sends, so that nobody's limit is what is measured."""

from __future__ import annotations

MESSAGE_SIZE = 32 * 1024 * 1024
BACKLOG = 4096
