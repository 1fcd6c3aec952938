"""What a running supervisor does when it is called: children come, go, and come back.

Source: Processes, "Supervision"; the words are those of OTP's supervisor.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable

from greenrelay.core.message import Message
from greenrelay.core.pid import Pid
from greenrelay.core.restart import Backoff
from greenrelay.core.strategy import Child, ChildInfo, ChildState
from greenrelay.errors import ProcessDown
from greenrelay.runtime.children import Children
from greenrelay.runtime.member import Member, answer

log = logging.getLogger("greenrelay.runtime")


class Commands:
    """The commands of one running supervisor, on its ``children``."""

    def __init__(self, children: Children) -> None:
        self._children = children
        self._known: dict[str, Callable[[Message], None]] = {
            "start_child": self._start_child,
            "restart_child": self._restart_child,
            "terminate_child": self._terminate_child,
            "delete_child": self._delete_child,
            "which_children": self._which_children,
            "count_children": self._count_children,
        }

    def obey(self, message: Message, ending: str | None) -> None:
        """Do what ``message`` says and answer it, with an error if it makes no sense.

        ``ending`` is why the supervisor ends, if it does: it starts nothing any more.
        """
        try:
            command = self._known.get(message.topic)
            if command is None:
                raise ValueError(
                    f"topic {message.topic!r}: a supervisor knows {', '.join(self._known)}"
                )
            if ending is not None and message.topic in ("start_child", "restart_child"):
                raise ProcessDown(self._children.pid, ending)
            command(message)
        except Exception as error:
            if message.reply_to is not None:
                message.reply_to.fail(error)
            else:
                log.warning(
                    "%s: %s from %s: %s", self._children.pid, message.topic, message.sender, error
                )

    def _start_child(self, message: Message) -> None:
        child, members = message.payload, self._children.members
        if not isinstance(child, Child):
            raise TypeError(f"start_child takes a Child, not {child!r}")
        old = members.get(child.id)
        if old is not None:
            check_is_over(old)
        member = Member(child, Backoff(child.policy))
        self._start(member)
        self._children.add(member)
        answer(message, member.pid)

    def _restart_child(self, message: Message) -> None:
        member = self._find(message.payload)
        if member is None:
            raise LookupError(f"there is no child {message.payload!r} to restart")
        check_is_over(member)
        # It was somebody's decision, so what failed before does not make it wait longer.
        member.backoff = Backoff(member.child.policy)
        self._start(member)
        answer(message, member.pid)

    def _start(self, member: Member) -> None:
        child = member.child
        if not self._children.has_requirements(child):
            raise ValueError(f"child {child.id!r} requires {child.requires}: not all have started")
        self._children.start(member)

    def _terminate_child(self, message: Message) -> None:
        member = self._find(message.payload)
        if member is None:
            answer(message, False)
            return
        member.due_at = None
        if member.pid is not None:
            self._children.must_stop(member)
            member.callers.append(message)
            return
        member.state = ChildState.STOPPED
        self._children.show(member)
        self._children.forget(member)
        answer(message, True)

    def _delete_child(self, message: Message) -> None:
        member = self._find(message.payload)
        if member is None:
            answer(message, False)
            return
        check_is_over(member)
        key = member.child.id
        for other in self._children.members.values():
            if key in other.child.requires:
                raise ValueError(f"child {key!r} is required by {other.child.id!r}")
        self._children.drop(member)
        answer(message, True)

    def _which_children(self, message: Message) -> None:
        infos: tuple[ChildInfo, ...] = tuple(
            member.info() for member in self._children.members.values()
        )
        answer(message, infos)

    def _count_children(self, message: Message) -> None:
        answer(message, dict(Counter(each.state for each in self._children.members.values())))

    def _find(self, key: object) -> Member | None:
        """Return a child by its id or PID; raises TypeError for what can be neither."""
        if not isinstance(key, str):
            raise TypeError(f"a child is named by its id or PID, not by {key!r}")
        member = self._children.by_pid.get(Pid.parse(key)) if key[:1] == "{" else None
        return member or self._children.members.get(key)


def check_is_over(member: Member) -> None:
    """Raise ValueError if ``member`` is alive or about to come back."""
    if member.pid is not None or member.due_at is not None:
        raise ValueError(
            f"child id {member.child.id!r} is taken by {member.pid or 'one that comes back'}"
        )
