"""A queue of two ends, for what waits: messages unread, tasks ready.

It is a list and the place of its first item, and not a ``collections.deque``, because compiled code
reaches into a list without a call.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

# Fewer items that have been taken are not worth moving the others.
SLACK = 64


class Fifo:
    """Items in the order in which they were appended."""

    __slots__ = ("_head", "_items")

    def __init__(self, items: Iterable[Any] = ()) -> None:
        self._items: list[Any] = list(items)
        self._head = 0

    def __len__(self) -> int:
        return len(self._items) - self._head

    def __iter__(self) -> Iterator[Any]:
        return iter(self._items[self._head :])

    def __getitem__(self, index: int) -> Any:
        return self._items[self._head + index]

    def __setitem__(self, index: int, item: Any) -> None:
        self._items[self._head + index] = item

    def __delitem__(self, index: int) -> None:
        del self._items[self._head + index]

    def append(self, item: Any) -> None:
        """Add the last item."""
        self._items.append(item)

    def extend(self, items: Iterable[Any]) -> None:
        """Add items, the last one last."""
        for item in items:
            self.append(item)

    def appendleft(self, item: Any) -> None:
        """Add an item before the first."""
        if self._head:
            self._head -= 1
            self._items[self._head] = item
        else:
            self._items.insert(0, item)

    def popleft(self) -> Any:
        """Take the first item; raises IndexError when there is none."""
        items = self._items
        head = self._head
        item = items[head]
        head += 1
        if head == len(items):
            items.clear()
            head = 0
        elif head > SLACK and head * 2 > len(items):
            # Each item is moved once at most for each one that was taken.
            del items[:head]
            head = 0
        else:
            items[head - 1] = None
        self._head = head
        return item

    def joined(self, other: Fifo, items: Iterable[Any]) -> Fifo:
        """Return a queue of ``items``, all those of this one and of ``other`` in a new order."""
        return Fifo(items)

    def clear(self) -> None:
        """Drop all items."""
        self._items.clear()
        self._head = 0
