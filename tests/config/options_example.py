"""Middleware as other rooms register it, for the tests of this folder."""

from __future__ import annotations

from dataclasses import dataclass

from greenrelay.config.options import boolean, choice, duration, integer, option, size, text_list
from greenrelay.config.resolve import MiddlewareSpec


@dataclass(frozen=True, slots=True)
class RelayOptions:
    allowed_origins: tuple[str, ...] = option(
        "wsrelay.allowed.origins", text_list, (), ("allow_origins", "allowed_origins")
    )
    max_message_size: int = option("wsrelay.max.message.size", size, 65536)
    ping_interval: float = option("wsrelay.ping.interval", duration, 25.0)
    max_connections: int = option("wsrelay.max.connections", integer, 10000)
    per_ip: int = option("wsrelay.max.connections.per.ip", integer, 0)
    slow_policy: str = option("wsrelay.slow.policy", choice("close", "drop_oldest"), "close")


@dataclass(frozen=True, slots=True)
class CorsOptions:
    origins: tuple[str, ...] = option("cors.allow.origins", text_list, ("*",))
    credentials: bool = option("cors.allow.credentials", boolean, False)

    def __post_init__(self) -> None:
        if self.credentials and "*" in self.origins:
            raise ValueError('cors.allow.origins "*" does not go with cors.allow.credentials')


MIDDLEWARE = {
    "cors": MiddlewareSpec("cors", "pre", CorsOptions),
    "metrics": MiddlewareSpec("metrics", "pre"),
    "websocket_relay": MiddlewareSpec("websocket_relay", "post", RelayOptions),
}
