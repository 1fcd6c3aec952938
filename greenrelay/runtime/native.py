"""What compiled code asks of the machine without a call of Python."""

from __future__ import annotations

from time import monotonic as monotonic
