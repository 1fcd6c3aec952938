"""Every exception greenrelay raises.

::

    BaseException
      ProcessExit                     raised in a process that has to end
        ProcessUpgrade                raised in a process that goes on with other code
    Exception
      GreenRelayError
        InvalidPid (ValueError)       text that is not a PID
        InvalidDuration (ValueError)  text or number that is not a duration
        InvalidSize (ValueError)      text or number that is not a size
        InvalidCloseCode (ValueError) close code that may not be sent
        InvalidRelayCommand (ValueError)  X-WS-Relay, ws.control and the like
        InvalidEventName, UnsendablePayload (ValueError)  a topic, a payload that cannot be sent
        NotInProcess (RuntimeError)   call that only a process can make
        UnknownEntry, UnknownHost, UnknownName, UnknownOption (LookupError)
        HostFull, InboxFull           a limit of a process host
        NameTaken, NotOwner           names
        NotMember                     leaving a group that was not joined
        ReservedTopic (ValueError)    topic that starts with "@"
        Timeout (TimeoutError)        nothing came in time
        ProcessDown                   the process that was called has ended
        ProcessFailed, RemoteError    what was run with exec, called on another node, failed
        NodeStopped                   the node is shut down
        ConfigError (ValueError)      all problems of a configuration at once
        UnsupportedServer (RuntimeError)  the WSGI server cannot do what was asked
        InvalidURL (ValueError)       text that is not the address of a WebSocket
        ConnectionRefused, ConnectionClosed (ConnectionError)  a WebSocket client's connection
        EngineError                   the engine of a cluster cannot do or say something
        HandshakeFailed               the server answered with something else than a WebSocket

Facts are attributes, the text is made in ``__str__``. Source: Processes, "Functions".
"""

from __future__ import annotations

from collections.abc import Sequence


class ProcessExit(BaseException):
    """Raised inside a process that has been told to end.

    It is a BaseException, so ``except Exception`` does not swallow it; code that swallows it all
    the same meets it again at its next greenrelay call. ``reason`` says why the process ends.
    """

    def __init__(self, reason: str = "normal") -> None:
        super().__init__(reason)
        self.reason = reason


class ProcessUpgrade(ProcessExit):
    """Raised inside a process by upgrade(): its old code is left and other code runs."""

    def __init__(self) -> None:
        super().__init__("normal")


class GreenRelayError(Exception):
    """Anything greenrelay raises on purpose, save ProcessExit."""


class _InvalidText(GreenRelayError, ValueError):
    _what = "value"
    _allowed = ""

    def __init__(self, text: object, why: str = "") -> None:
        super().__init__(text, why)
        self.text, self.why = text, why

    def __str__(self) -> str:
        return f"{self._what} {self.text!r}: {self.why or self._allowed}"


class InvalidPid(_InvalidText):
    """Text that is not a PID; ``text`` is what was given, ``why`` what is wrong with it."""

    _what = "PID"
    _allowed = "a PID looks like {node@host|id}"


class InvalidDuration(_InvalidText):
    """Not a duration; ``text`` is what was given, ``why`` what is wrong with it."""

    _what = "duration"
    _allowed = 'it must be seconds or text such as "250ms", "30s", "1m30s", "2h"'


class InvalidSize(_InvalidText):
    """Not a size; ``text`` is what was given, ``why`` what is wrong with it."""

    _what = "size"
    _allowed = 'it must be bytes or text such as "64KiB", "1MiB", "500kB"'


class InvalidCloseCode(GreenRelayError, ValueError):
    """A close code that an application may not send; ``code`` is what was given."""

    def __init__(self, code: object) -> None:
        super().__init__(code)
        self.code = code

    def __str__(self) -> str:
        return f"close code {self.code!r}: it must be in 1000-1003, 1007-1014 or 3000-4999"


class InvalidRelayCommand(GreenRelayError, ValueError):
    """A relay command with a bad field: ``field``, the ``value`` found and the ``rule`` broken.

    ``source`` is ``X-WS-Relay``, ``ws.control``, ``X-SSE-Relay`` or ``sse.control``.
    """

    def __init__(self, field: str, value: object, rule: str, source: str = "X-WS-Relay") -> None:
        super().__init__(field, value, rule)
        self.field, self.value, self.rule, self.source = field, value, rule, source

    def __str__(self) -> str:
        shown = repr(self.value)
        if len(shown) > 200:
            shown = shown[:200] + "…"
        return f"{self.source}: {self.field} is {shown}; it {self.rule}"


class InvalidEventName(GreenRelayError, ValueError):
    """A topic that cannot name a server-sent event; ``why`` says what is wrong with it."""

    def __init__(self, topic: str, why: str) -> None:
        super().__init__(topic, why)
        self.topic, self.why = topic, why

    def __str__(self) -> str:
        return f"event name {self.topic!r}: {self.why}"


class UnsendablePayload(_InvalidText):
    """A payload that cannot leave its node; ``text`` is the part of it, ``why`` what is wrong."""

    _allowed = "None, bool, 64-bit int, float, str, bytes, list, tuple, dict, datetime, UUID or Pid"

    def __str__(self) -> str:
        return f"{self.text} {self.why}; what leaves its node is {self._allowed}"


class NotInProcess(GreenRelayError, RuntimeError):
    """``function`` was called outside a process; ``way_out`` is what to call instead."""

    def __init__(self, function: str, way_out: str = "run it with node.run(entry)") -> None:
        super().__init__(function, way_out)
        self.function, self.way_out = function, way_out

    def __str__(self) -> str:
        return f"greenrelay.{self.function}() was called outside a process; {self.way_out}"


class _Unknown(GreenRelayError, LookupError):
    _what = "thing"

    def __init__(self, name: object, known: Sequence[str] = (), why: str = "") -> None:
        super().__init__(name, tuple(known), why)
        self.name, self.known, self.why = name, tuple(known), why

    def __str__(self) -> str:
        text = f"{self._what} {self.name!r} is not known"
        if self.why:
            text += f": {self.why}"
        if self.known:
            text += f"; known: {', '.join(self.known)}"
        return text


class UnknownEntry(_Unknown):
    """An entry id that is neither an entry nor an importable ``module:callable``."""

    _what = "entry"


class UnknownHost(_Unknown):
    """A process host the node does not have."""

    _what = "host"


class UnknownName(_Unknown):
    """A name that no process has registered."""

    _what = "name"


class UnknownOption(_Unknown):
    """A process option that does not exist."""

    _what = "option"


class HostFull(GreenRelayError):
    """``host`` already runs ``limit`` processes."""

    def __init__(self, host: str, limit: int) -> None:
        super().__init__(host, limit)
        self.host, self.limit = host, limit

    def __str__(self) -> str:
        return f"host {self.host!r} is full: max_processes is {self.limit}"


class InboxFull(GreenRelayError):
    """The message was not taken: ``rule`` lets ``limit`` of them wait for ``pid``, and they do."""

    def __init__(self, pid: str, limit: int, rule: str = "inbox.limit") -> None:
        super().__init__(pid, limit, rule)
        self.pid, self.limit, self.rule = pid, limit, rule

    def __str__(self) -> str:
        return f"inbox of {self.pid} is full: {self.rule} is {self.limit}"


class NameTaken(GreenRelayError):
    """``name`` is registered for ``owner`` already."""

    def __init__(self, name: str, owner: str) -> None:
        super().__init__(name, owner)
        self.name, self.owner = name, owner

    def __str__(self) -> str:
        return f"name {self.name!r} is taken by {self.owner}"


class NotMember(GreenRelayError):
    """``pid`` is not a member of ``group``, so it cannot leave it."""

    def __init__(self, group: str, pid: str) -> None:
        super().__init__(group, pid)
        self.group, self.pid = group, pid

    def __str__(self) -> str:
        return f"{self.pid} is not a member of group {self.group!r}"


class NotOwner(GreenRelayError):
    """``name`` belongs to ``owner``; only it may release the name."""

    def __init__(self, name: str, owner: str) -> None:
        super().__init__(name, owner)
        self.name, self.owner = name, owner

    def __str__(self) -> str:
        return f"name {self.name!r} belongs to {self.owner}; only its owner releases it"


class ReservedTopic(GreenRelayError, ValueError):
    """A topic that starts with ``@``: those are the runtime's own."""

    def __init__(self, topic: object) -> None:
        super().__init__(topic)
        self.topic = topic

    def __str__(self) -> str:
        return f"topic {self.topic!r} is reserved: a topic is text that does not start with '@'"


class Timeout(GreenRelayError, TimeoutError):
    """Nothing came within ``seconds``; ``what`` says what was awaited."""

    def __init__(self, what: str, seconds: float) -> None:
        super().__init__(what, seconds)
        self.what, self.seconds = what, seconds

    def __str__(self) -> str:
        return f"{self.what}: nothing came within {self.seconds:g} s"


class ProcessDown(GreenRelayError):
    """The process ``pid`` that was called has ended with ``reason`` before it replied."""

    def __init__(self, pid: str, reason: str) -> None:
        super().__init__(pid, reason)
        self.pid, self.reason = pid, reason

    def __str__(self) -> str:
        return f"process {self.pid} is down: {self.reason}"


class ProcessFailed(GreenRelayError):
    """A process run with exec ended abnormally.

    ``reason`` is its exit reason, ``traceback`` the text of its traceback or "".
    """

    def __init__(self, pid: str, reason: str, traceback: str = "") -> None:
        super().__init__(pid, reason, traceback)
        self.pid, self.reason, self.traceback = pid, reason, traceback

    def __str__(self) -> str:
        return f"process {self.pid} failed: {self.reason}"


class RemoteError(GreenRelayError):
    """An exception of another node: ``type`` is the name of its class, ``message`` its text."""

    def __init__(self, type: str, message: str) -> None:
        super().__init__(type, message)
        self.type, self.message = type, message

    def __str__(self) -> str:
        return f"{self.type}: {self.message}"


class NodeStopped(GreenRelayError):
    """The node is shut down and starts nothing any more."""

    def __init__(self, node: str) -> None:
        super().__init__(node)
        self.node = node

    def __str__(self) -> str:
        return f"node {self.node!r} is shut down"


class ConfigError(GreenRelayError, ValueError):
    """Everything that is wrong with a configuration; ``problems`` has one text for each.

    Each is ``file:line:column: kind "id": field: what is wrong, what is allowed``.
    """

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__(tuple(problems))
        self.problems = tuple(problems)

    def __str__(self) -> str:
        return "\n".join(self.problems)


class UnsupportedServer(GreenRelayError, RuntimeError):
    """The WSGI server ``server`` cannot do ``what``; the text names servers that can."""

    def __init__(self, server: str, what: str = "hand its socket to a relay") -> None:
        super().__init__(server, what)
        self.server, self.what = server, what

    def __str__(self) -> str:
        return (
            f"{self.server} cannot {self.what}; serve with `greenrelay run config.yaml` or "
            "`gunicorn -k greenrelay.gunicorn.Worker`"
        )


class InvalidURL(_InvalidText):
    """Not the address of a WebSocket; ``text`` is what was given, ``why`` what is wrong with it."""

    _what = "URL"
    _allowed = 'it must look like "ws://host:port/path" or "wss://host/path"'


class ConnectionRefused(GreenRelayError, ConnectionError):
    """There is no connection to ``url``: ``why`` says what TCP, TLS or the proxy answered."""

    def __init__(self, url: str, why: str) -> None:
        super().__init__(url, why)
        self.url, self.why = url, why

    def __str__(self) -> str:
        return f"{self.url}: {self.why}"


class HandshakeFailed(GreenRelayError):
    """What answered is no WebSocket; ``why`` says what is wrong with the answer.

    ``status`` is its HTTP status (0: it was no HTTP at all), ``body`` what there was of its body.
    """

    def __init__(self, status: int, body: bytes = b"", why: str = "it must be 101") -> None:
        super().__init__(status, body, why)
        self.status, self.body, self.why = status, body, why

    def __str__(self) -> str:
        answer = f"the server answered {self.status}" if self.status else "the server's answer"
        return f"websocket handshake: {answer}: {self.why}"


class ConnectionClosed(GreenRelayError, ConnectionError):
    """The WebSocket is closed: ``code`` and ``reason`` say how, 1006 is without a close frame."""

    def __init__(self, code: int, reason: str = "") -> None:
        super().__init__(code, reason)
        self.code, self.reason = code, reason

    def __str__(self) -> str:
        return f"websocket closed with {self.code}" + (f": {self.reason}" if self.reason else "")


class EngineError(GreenRelayError):
    """The engine at the address ``engine`` cannot do or say something; ``why`` tells more."""

    def __init__(self, engine: str, why: str) -> None:
        super().__init__(engine, why)
        self.engine, self.why = engine, why

    def __str__(self) -> str:
        return f"cluster engine {self.engine}: {self.why}"
