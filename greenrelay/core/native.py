"""What compiled code asks of CPython's garbage collector; as Python, it asks nothing.

Collecting garbage costs by the object that is tracked. A message whose payload is text or a number
can be in no cycle, and with ten thousand of them unread that is a third of all time.
"""

from __future__ import annotations


def is_collected(value: object) -> bool:
    """Whether ``value`` may be in a cycle, for all that is known here."""
    return True


def untrack(value: object) -> None:
    """Take ``value``, which is in no cycle and never will be, out of the collector's sight."""
