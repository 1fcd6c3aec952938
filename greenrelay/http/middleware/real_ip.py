"""``real_ip``: the address of the client behind proxies that are trusted to tell it.

Source: HTTP, "Middleware", row real_ip.

Theory. Anybody can send these headers, so they count only where the peer is a trusted proxy, and in
X-Forwarded-For only what trusted proxies have written: each writes at the right end whom it has its
request from. So the list is read from the right for as long as those it names are trusted, and the
first that is not is the client. What stands further left came from that client, and may be a lie.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_network

from flask import request
from werkzeug.datastructures import Headers
from werkzeug.wrappers import Response

from greenrelay.config.fragment import fragment_of, written_as
from greenrelay.config.mark import shown
from greenrelay.config.options import boolean, option, text_list
from greenrelay.config.read import read_each
from greenrelay.http.middleware.decorator import Handler, View, around_view, keyword_options

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

# In the order in which they count.
SINGLE = ("True-Client-IP", "X-Real-IP")
FORWARDED = "X-Forwarded-For"
PRIVATE = (
    "127.0.0.0/8",
    "10.0.0.0/8",
    "172.16.0.0/12",
    "192.168.0.0/16",
    "169.254.0.0/16",
    "100.64.0.0/10",
    "::1/128",
    "fc00::/7",
    "fe80::/10",
)
# The peer of a Unix socket has no address. It is on this machine, as one at this address is.
_LOCAL = IPv4Address("127.0.0.1")
_BRACKETED = re.compile(r"\[([0-9A-Fa-f:.]+)\](?::[0-9]{1,5})?")
_IPV4_WITH_PORT = re.compile(r"([0-9.]+):[0-9]{1,5}")
_MAPPED = IPv6Network("::ffff:0:0/96")


@written_as(fragment_of(text_list))
def _subnets(value: object) -> tuple[str, ...]:
    """Read subnets in CIDR notation and single addresses."""
    written = text_list(value)
    try:
        return read_each(_subnet, written)
    except ValueError as error:
        raise ValueError(f"is {shown(value)}; {error}") from None


def _subnet(written: str) -> str:
    try:
        return str(_network(written))
    except ValueError:
        pass
    hint = "a subnet such as 10.0.0.0/8 or fd00::/8, or an address"
    try:
        # Bits behind the prefix: the wrong one of the two may be what was meant.
        meant = f"; did you mean {_network(written, strict=False)}?"
    except ValueError:
        meant = ""
    raise ValueError(f"{shown(written)} must be {hint}{meant}")


def _network(written: str, *, strict: bool = True) -> Network:
    network = ip_network(written, strict)
    if isinstance(network, IPv6Network) and network.subnet_of(_MAPPED):
        # Peers at such addresses are known by the IPv4 address in them.
        mapped = int(network.network_address) & 0xFFFFFFFF
        return IPv4Network((mapped, network.prefixlen - _MAPPED.prefixlen))
    return network


@dataclass(frozen=True, slots=True)
class RealIpOptions:
    """Which peers are trusted proxies: those of ``trusted_subnets``, or all there are."""

    trusted_subnets: tuple[str, ...] = option("real_ip.trusted.subnets", _subnets, PRIVATE)
    trust_all: bool = option("real_ip.trust_all", boolean, False)
    # By version: how many bits follow the prefix, and the prefix. A network's ``in`` is far slower.
    ranges: dict[int, list[tuple[int, int]]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        ranges: dict[int, list[tuple[int, int]]] = {4: [], 6: []}
        for network in map(ip_network, self.trusted_subnets):
            free = network.max_prefixlen - network.prefixlen
            ranges[network.version].append((free, int(network.network_address) >> free))
        object.__setattr__(self, "ranges", ranges)

    def trusts(self, address: Address) -> bool:
        """Whether a proxy at ``address`` is trusted."""
        if self.trust_all:
            return True
        number = int(address)
        return any(number >> free == prefix for free, prefix in self.ranges[address.version])


def real_ip(*view: object, **options: object) -> Callable[[View], View]:
    """Return a decorator that gives a view its client's address; it goes under the route decorator.

    Options are those of the YAML router without ``real_ip.`` and with underscores:
    ``trusted_subnets=["10.0.0.0/8"]``, ``trust_all=True``. Raises ConfigError, and TypeError when
    the parentheses are missing.
    """
    found = keyword_options("real_ip", "real_ip", RealIpOptions, view, options)
    return around_view(real_ip_middleware(found))


def real_ip_middleware(options: RealIpOptions) -> Callable[[Handler], Handler]:
    """Return the middleware itself, for typed options."""

    def wrap(inner: Handler) -> Handler:
        def handle() -> Response:
            client = client_address(
                request.environ.get("REMOTE_ADDR") or "", request.headers, options
            )
            if client is not None:
                request.environ["REMOTE_ADDR"] = request.remote_addr = client
                # The port is the proxy's.
                request.environ.pop("REMOTE_PORT", None)
            return inner()

        return handle

    return wrap


def client_address(peer: str, headers: Headers, options: RealIpOptions) -> str | None:
    """Return the address that a trusted ``peer`` tells of its client; None where there is none.

    ``peer`` is "" at a Unix socket.
    """
    proxy = _peer_address(peer)
    if proxy is None or not options.trusts(proxy):
        return None
    for name in SINGLE:
        found = parse_address(headers.get(name, ""))
        if found is not None:
            return str(found)
    found = _nearest_stranger(headers.get(FORWARDED, "").split(","), options)
    return None if found is None else str(found)


def parse_address(written: str) -> Address | None:
    """Return the address in ``1.2.3.4:80``, ``[2001:db8::1]:80`` or either without; else None."""
    written = written.strip()
    match = _BRACKETED.fullmatch(written) or _IPV4_WITH_PORT.fullmatch(written)
    # A zone is the name of a network card of whoever has written it.
    return None if "%" in written else _address(match[1] if match else written)


def _nearest_stranger(entries: Iterable[str], options: RealIpOptions) -> Address | None:
    """Return the rightmost address that is not trusted; the leftmost where all of them are."""
    found: Address | None = None
    for entry in reversed(list(entries)):
        address = parse_address(entry)
        if address is None:
            # Who comes before that is not known; this is the last that a proxy vouches for.
            return found
        found = address
        if not options.trusts(address):
            return found
    return found


def _peer_address(peer: str) -> Address | None:
    return _address(peer) if peer else _LOCAL


def _address(text: str) -> Address | None:
    """Return an address; an IPv4 one that is written as an IPv6 one is what it is."""
    try:
        if ":" not in text:
            return IPv4Address(text)
        address = IPv6Address(text)
    except ValueError:
        return None
    return address.ipv4_mapped or address
