"""Which web pages may open a relayed connection, by the Origin header of their browser.

Source: WebSocket Relay, "Refusals before the upgrade", paragraph "Origins"; RFC 6454, section 7.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

_SCHEME = r"[A-Za-z][A-Za-z0-9+.\-]*"
_LABEL = r"[A-Za-z0-9_~\-]+"
_IPV6 = r"\[[0-9A-Fa-f:.]+\]"
_HOST = rf"{_IPV6}|{_LABEL}(?:\.{_LABEL})*\.?"
_GLOB_HOST = rf"{_IPV6}|[A-Za-z0-9_~*\-]+(?:\.[A-Za-z0-9_~*\-]+)*\.?"
_ORIGIN = re.compile(rf"({_SCHEME})://({_HOST})(?::([0-9]{{1,5}}))?")
_OWN_HOST = re.compile(rf"({_HOST})(?::([0-9]{{1,5}}))?")
_PATTERN = re.compile(rf"(?:({_SCHEME})://)?({_GLOB_HOST})(?::([0-9]{{1,5}}|\*))?")
_DEFAULT_PORTS = {"http": 80, "https": 443}
_HTTP_SCHEMES = {"ws": "http", "wss": "https"}
_ANY_PORT = -1


@dataclass(frozen=True, slots=True)
class OriginPolicy:
    """Which origins are allowed besides the request's own; ``patterns`` as configured."""

    patterns: tuple[str, ...] = ()
    require_origin: bool = False
    _rules: tuple[_Rule, ...] = ()

    @property
    def allows_all(self) -> bool:
        """Whether a bare ``*`` is listed, which deserves a warning at the start."""
        return "*" in self.patterns

    @property
    def allows_null(self) -> bool:
        """Whether ``null``, the origin of files and sandboxed frames, is listed."""
        return any(pattern.lower() == "null" for pattern in self.patterns)

    def allows(self, origin: str | None, *, scheme: str, host: str) -> bool:
        """Whether a page of ``origin`` (the header, None if absent) may connect.

        ``scheme`` and ``host`` are the request's own, after a trusted proxy; ``host`` may name
        a port. Whatever is not an origin is refused, never an error.
        """
        if origin is None:
            return not self.require_origin
        if origin.lower() == "null":
            return self.allows_null
        match = _ORIGIN.fullmatch(origin)
        if match is None:
            return False
        found = _site(*match.groups())
        if self.allows_all or found == _own_site(scheme, host):
            return True
        return any(rule.allows(found) for rule in self._rules)


def parse_origins(values: Iterable[str], *, require_origin: bool = False) -> OriginPolicy:
    """Return the policy for patterns, each of which may be a comma list of them.

    Raises ValueError that names the first pattern which cannot match any origin.
    """
    lists = [values] if isinstance(values, str) else values
    patterns = tuple(text for item in lists for part in item.split(",") if (text := part.strip()))
    rules = tuple(_rule(text) for text in patterns if text != "*" and text.lower() != "null")
    return OriginPolicy(patterns, require_origin, rules)


@dataclass(frozen=True, slots=True)
class _Site:
    scheme: str
    host: str
    port: int | None


@dataclass(frozen=True, slots=True)
class _Rule:
    scheme: str | None
    host: re.Pattern[str]
    port: int | None

    def allows(self, site: _Site) -> bool:
        if self.scheme is not None and self.scheme != site.scheme:
            return False
        if self.port != _ANY_PORT:
            wanted = _DEFAULT_PORTS.get(site.scheme) if self.port is None else self.port
            if wanted != site.port:
                return False
        return self.host.fullmatch(site.host) is not None


def _site(scheme: str, host: str, port: str | None) -> _Site:
    scheme = scheme.lower()
    scheme = _HTTP_SCHEMES.get(scheme, scheme)
    number = int(port) if port is not None else _DEFAULT_PORTS.get(scheme)
    return _Site(scheme, host.lower(), number)


def _own_site(scheme: str, host: str) -> _Site | None:
    match = _OWN_HOST.fullmatch(host)
    return _site(scheme, match[1], match[2]) if match else None


def _rule(text: str) -> _Rule:
    match = _PATTERN.fullmatch(text)
    if match is None:
        raise ValueError(
            f"origin pattern {text!r}: it must look like https://*.example.com, "
            "localhost:* or app.example.com:8443, or be null or *"
        )
    scheme, host, port = match.groups()
    if scheme is not None:
        scheme = _HTTP_SCHEMES.get(scheme.lower(), scheme.lower())
    number = None if port is None else _ANY_PORT if port == "*" else int(port)
    return _Rule(scheme, _host_pattern(host.lower()), number)


def _host_pattern(host: str) -> re.Pattern[str]:
    labels = []
    for label in host.split("."):
        # An empty label is no label, so a star that is all of one stands for a character or more.
        glob = "[^.]+" if label == "*" else re.escape(label).replace(r"\*", "[^.]*")
        labels.append(glob)
    return re.compile(r"\.".join(labels))
