"""The way through a proxy that the environment names.

Source: WebSocket client; RFC 9110, section 9.3.6 (CONNECT). Of ``ws_proxy``, ``http_proxy`` and
``all_proxy`` the first that is set counts, for wss ``wss_proxy``, ``https_proxy`` and
``all_proxy``; ``no_proxy`` names the hosts and networks that are reached without.
"""

from __future__ import annotations

import re
from ipaddress import ip_address, ip_network
from typing import Any
from urllib import request as urllib_request

from greenrelay.errors import ConnectionRefused, HandshakeFailed, InvalidURL
from greenrelay.transport.client_stream import read_head, send_all
from greenrelay.websocket.client_address import Address, parse_proxy
from greenrelay.websocket.client_handshake import read_answer

_NAMES = {False: ("ws", "http", "all"), True: ("wss", "https", "all")}
_USER = re.compile(r"^(\w+://)?[^/]*@")


def proxy_for(address: Address) -> Address | None:
    """Return the proxy that leads to ``address``, None for the straight way; raises InvalidURL."""
    # The type stubs know them on some systems only.
    environment: Any = urllib_request
    found: dict[str, str] = environment.getproxies_environment()
    name = next((name for name in _NAMES[address.is_secure] if found.get(name)), None)
    if name is None or environment.proxy_bypass_environment(
        f"{address.host}:{address.port}", found
    ):
        return None
    if _is_in_networks(address.host, found.get("no", "")):
        return None
    try:
        return parse_proxy(found[name])
    except InvalidURL as error:
        shown = _USER.sub(r"\1***@", found[name])
        why = f"{name}_proxy of the environment: {error.why}"
        raise InvalidURL(shown, why) from None


def _is_in_networks(host: str, names: str) -> bool:
    """Whether ``host`` is an address in a network of ``names``, such as ``10.0.0.0/8``."""
    try:
        address = ip_address(host)
    except ValueError:
        return False
    for name in names.split(","):
        try:
            network = ip_network(name.strip(" []"), strict=False)
        except ValueError:
            continue
        if address in network:
            return True
    return False


def tunnel(sock: Any, proxy: Address, address: Address) -> None:
    """Make ``sock``, which is connected to ``proxy``, one to ``address``.

    Raises ConnectionRefused when the proxy will not, OSError.
    """
    host = f"[{address.host}]" if ":" in address.host else address.host
    target = f"{host}:{address.port}"
    lines = [f"CONNECT {target} HTTP/1.1", f"Host: {target}"]
    if proxy.credentials:
        lines.append(f"Proxy-Authorization: {proxy.credentials}")
    send_all(sock, "\r\n".join([*lines, "", ""]).encode())
    try:
        head, rest = read_head(sock)
        answer = read_answer(head)
    except HandshakeFailed as error:
        why = f"the proxy {proxy.shown} answers no HTTP: {error.why}"
        raise ConnectionRefused(address.shown, why) from error
    if not 200 <= answer.status < 300:
        why = f"the proxy {proxy.shown} refuses CONNECT {target} with {answer.status}"
        raise ConnectionRefused(address.shown, why)
    if rest:
        why = f"the proxy {proxy.shown} sends {rest[:40]!r} before anything was asked"
        raise ConnectionRefused(address.shown, why)
