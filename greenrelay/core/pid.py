"""PIDs: the addresses of processes.

Source: Processes, "PIDs". A PID is text of the form ``{node@host|id}``, and so is its value here:
Pid is a str, so it hashes and compares at the speed of str, serves wherever its text serves
(JSON, a header, a dictionary key) and needs no conversion on the way. ``node`` names one running
OS process, with an incarnation, so a PID is never used twice.
"""

from __future__ import annotations

from greenrelay.errors import InvalidPid

_new = str.__new__
_FORBIDDEN = frozenset("{}|@\r\n")


class Pid(str):
    """The address of one process; ``str(pid)`` is its text, ``Pid.parse(text)`` reads it back.

    Raises InvalidPid when a part is empty or holds one of ``{ } | @``.
    """

    __slots__ = ()

    def __new__(cls, node: str, host: str, id: str | int) -> Pid:
        """Build the PID of process ``id`` on ``host`` of ``node``."""
        return cls.parse(f"{{{node}@{host}|{id}}}")

    @classmethod
    def parse(cls, text: object) -> Pid:
        """Return the PID that ``text`` spells, or raise InvalidPid(text, why)."""
        if isinstance(text, Pid):
            return text
        if not isinstance(text, str):
            raise InvalidPid(text, f"it is {type(text).__name__}, not text")
        if len(text) < 2 or text[0] != "{" or text[-1] != "}":
            raise InvalidPid(text, "it lacks its braces; a PID looks like {node@host|id}")
        address, bar, number = text[1:-1].partition("|")
        node, at, host = address.partition("@")
        if not bar or not at:
            raise InvalidPid(text, "it lacks its '@' or '|'; a PID looks like {node@host|id}")
        for name, part in (("node", node), ("host", host), ("id", number)):
            if not part:
                raise InvalidPid(text, f"its {name} is empty; a PID looks like {{node@host|id}}")
            if not _FORBIDDEN.isdisjoint(part):
                raise InvalidPid(text, f"its {name} holds a brace, '|', '@' or a line break")
        return _new(cls, text)

    @property
    def node(self) -> str:
        """The node the process lives on."""
        return str(self[1 : self.index("@")])

    @property
    def host(self) -> str:
        """The host that carries the process, such as ``app:processes``."""
        return str(self[self.index("@") + 1 : self.index("|")])

    @property
    def id(self) -> str:
        """What tells the process from others of its host and node."""
        return str(self[self.index("|") + 1 : -1])

    def __repr__(self) -> str:
        return f"Pid.parse({str.__repr__(self)})"

    def __getnewargs__(self) -> tuple[str, str, str]:  # type: ignore[override]
        return self.node, self.host, self.id


def make_pid(prefix: str, number: int) -> Pid:
    """Return the PID of process ``number``; ``prefix`` is the ``{node@host|`` of a checked PID."""
    return _new(Pid, f"{prefix}{number}}}")
