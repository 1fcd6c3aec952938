"""The address a server listens on: ``:8080``, ``127.0.0.1:0``, ``[::1]:80``, ``unix:/path``.

Source: HTTP, "Entries", row http.service.
"""

from __future__ import annotations

from dataclasses import dataclass

from greenrelay.config.fragment import text_like, written_as
from greenrelay.config.mark import shown

_ALLOWED = 'it must look like ":8080", "127.0.0.1:0", "[::1]:8080" or "unix:/path"'


@dataclass(frozen=True, slots=True)
class Address:
    """A host ("" is every interface) and port, or the ``path`` of a Unix socket ("" if none)."""

    host: str = ""
    port: int = 0
    path: str = ""

    def __str__(self) -> str:
        if self.path:
            return f"unix:{self.path}"
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@written_as(
    text_like(r"unix:[^\x00]*[^\s\x00]"), text_like(r"(?:\[[^\s/]*\]|[^\s/:\[\]]*):0*[0-9]{1,5}")
)
def parse_address(value: object) -> Address:
    """Return the address a text names; raises ValueError for any other value."""
    if not isinstance(value, str):
        raise ValueError(f"is {shown(value)}; {_ALLOWED}")
    text = value.strip()
    if text.startswith("unix:"):
        if text == "unix:" or "\0" in text:
            raise ValueError(f"is {shown(value)}; a path must follow unix:, without a NUL")
        return Address(path=text.removeprefix("unix:"))
    host, colon, port = text.rpartition(":")
    if not colon or not (port.isascii() and port.isdigit()):
        raise ValueError(f"is {shown(value)}; {_ALLOWED}")
    if len(port) > 5 or int(port) > 65535:
        raise ValueError(f"is {shown(value)}; a port is at most 65535")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    elif ":" in host:
        raise ValueError(f"is {shown(value)}; write an IPv6 address in brackets: [::1]:8080")
    if any(character in "/[]" or character.isspace() for character in host):
        raise ValueError(f"is {shown(value)}; {_ALLOWED}")
    return Address(host, int(port))
