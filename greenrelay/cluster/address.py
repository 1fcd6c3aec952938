"""The address of an engine: ``local``, ``nats://user:pass@host:4222,host2:4222``, ``tls://…``.

Source: Cluster, first example. Options follow as a query: ``nats://host?ca=/etc/ca.pem&lease=10s``.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qsl, unquote

from greenrelay.cluster.nats.credentials import Credentials, key_of, parse_credentials
from greenrelay.durations import parse_duration
from greenrelay.errors import EngineError

DEFAULT_PORT = 4222
LOCAL = "local"
_ALLOWED = 'it must be "local", "nats://user:pass@host:4222,host2:4222" or "tls://host:4222"'
_UNESCAPED = 'a "?" in a user or password must be written "%3F"'
# What a name cannot be is not looked up: that fails in a way of its own.
_NAME = r"[A-Za-z0-9_-]{1,63}(?:\.[A-Za-z0-9_-]{1,63})*\.?"
_ONCE = 'a "@" in a user or password must be written "%40"; they stand once, before all servers'
_HOST = re.compile(rf"(?:\[([0-9A-Fa-f:.]+)\]|({_NAME}))(?::([0-9]{{1,5}}))?")
_MIN_LEASE, _MAX_LEASE = 2.0, 3600.0

Server = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Address:
    """Where an engine is; ``servers`` is empty for the engine ``local``.

    ``shown`` is the text without its password. ``ca``, ``cert``, ``key``, ``creds`` and ``nkey``
    are files. ``lease`` is how many seconds a name outlives a node that has died; ``replicas`` is
    how many servers keep the names, 0 for what suits the servers.
    """

    shown: str
    servers: tuple[Server, ...] = ()
    is_tls: bool = False
    credentials: Credentials = field(default=Credentials(), repr=False)
    ca: str = ""
    cert: str = ""
    key: str = ""
    creds: str = ""
    nkey: str = ""
    replicas: int = 0
    lease: float = 10.0

    @property
    def is_local(self) -> bool:
        """Whether it names the engine without a server."""
        return not self.servers

    def read_credentials(self) -> Credentials:
        """Return what proves who one is, read from its file; raises EngineError.

        A file is read for each connection, so that a new one counts from the next on.
        """
        name, path = ("creds", self.creds) if self.creds else ("nkey", self.nkey)
        if not path:
            return self.credentials
        try:
            text = Path(path).read_text()
            if self.creds:
                return parse_credentials(text)
            seed = text.strip()
            key_of(seed)
        except (OSError, ValueError) as error:
            raise EngineError(self.shown, f"{name} {path!r}: {error}") from None
        return Credentials(seed=seed)


def parse_address(text: str) -> Address:
    """Return the address that ``text`` names; raises EngineError, which shows no password."""
    if text == LOCAL:
        return Address(LOCAL)
    shown = redacted(text)
    try:
        return _parse(text, shown)
    except ValueError as error:
        raise EngineError(shown, str(error)) from None


def redacted(text: str) -> str:
    """Return an address without what proves who one is."""
    head, at, where = text.rpartition("@")
    if not at:
        return text
    scheme, mark, who = head.partition("://")
    if not mark:
        scheme, who = "", head
    user, colon, _ = who.partition(":")
    return f"{scheme}{mark}{user + ':' if colon else ''}***@{where}"


def server_of(text: str, default_port: int = DEFAULT_PORT) -> Server:
    """Return the (host, port) of ``host:port``, ``host`` or ``[::1]:port``; raises ValueError."""
    found = _HOST.fullmatch(text)
    if not found:
        raise ValueError(f'server is {text!r}; it must look like "host:4222" or "[::1]:4222"')
    port = int(found[3] or default_port)
    if not 0 < port <= 65535:
        raise ValueError(f"port of {text!r} is {port}; it must be in 1-65535")
    return found[1] or found[2], port


def _parse(text: str, shown: str) -> Address:
    scheme, mark, rest = text.partition("://")
    if not mark or scheme not in ("nats", "tls"):
        raise ValueError(_ALLOWED)
    rest, _, query = rest.partition("?")
    who, _, hosts = rest.rstrip("/").rpartition("@")
    if "@" in who:
        raise ValueError(_ONCE)
    try:
        servers = tuple(server_of(each) for each in hosts.split(","))
    except ValueError:
        if not who and "@" in query:
            raise ValueError(_UNESCAPED) from None
        raise
    options = _options(query)
    if who and ("creds" in options or "nkey" in options):
        raise ValueError("it has a user and a file with a key; one of them is enough")
    return Address(shown, servers, scheme == "tls", _credentials(who), **options)  # type: ignore[arg-type]


def _credentials(who: str) -> Credentials:
    user, colon, password = who.partition(":")
    if not colon:
        return Credentials(token=unquote(user))
    return Credentials(user=unquote(user), password=unquote(password))


def _options(query: str) -> dict[str, object]:
    options: dict[str, object] = {}
    for name, value in parse_qsl(query, keep_blank_values=True):
        if "@" in name:
            raise ValueError(_UNESCAPED)
        if name not in _READ:
            raise ValueError(f"option {name!r} is unknown; known: {', '.join(sorted(_READ))}")
        if name in options:
            raise ValueError(f"option {name!r} is there twice")
        options[name] = _READ[name](name, value)
    if ("cert" in options) != ("key" in options):
        raise ValueError("cert and key: the one needs the other")
    if "creds" in options and "nkey" in options:
        raise ValueError("creds and nkey: one of them is enough")
    return options


def _path(name: str, value: str) -> str:
    if not value:
        raise ValueError(f"{name} is empty; it must be a file")
    return value


def _replicas(name: str, value: str) -> int:
    if value not in ("1", "3", "5"):
        raise ValueError(f"{name} is {value!r}; it must be 1, 3 or 5")
    return int(value)


def _lease(name: str, value: str) -> float:
    seconds = parse_duration(value)
    # The server counts whole seconds.
    if not _MIN_LEASE <= seconds <= _MAX_LEASE or seconds != int(seconds):
        raise ValueError(f"{name} is {value!r}; it must be whole seconds from 2s to 1h")
    return seconds


_READ: dict[str, Callable[[str, str], object]] = {
    **dict.fromkeys(("ca", "cert", "key", "creds", "nkey"), _path),
    "replicas": _replicas,
    "lease": _lease,
}
