"""Readers of options that several middleware have: origins, and names as HTTP writes them.

Source: HTTP, "Middleware" (options are typed and checked when the configuration is read). Their
problems stand at the option itself, and are told with all others.
"""

from __future__ import annotations

from greenrelay.config.fragment import fragment_of, written_as
from greenrelay.config.mark import shown
from greenrelay.config.options import text_list
from greenrelay.relay.origin import parse_origins
from greenrelay.websocket.handshake import is_token


@written_as(fragment_of(text_list))
def origin_patterns(value: object) -> tuple[str, ...]:
    """Read patterns of origins."""
    patterns = text_list(value)
    try:
        return parse_origins(patterns).patterns
    except ValueError as error:
        raise ValueError(f"is {shown(value)}; {error}") from None


@written_as(fragment_of(text_list))
def token_list(value: object) -> tuple[str, ...]:
    """Read names of headers, methods or subprotocols; ``*`` is one too."""
    names = text_list(value)
    for name in names:
        if not is_token(name):
            raise ValueError(f"is {shown(value)}; {shown(name)} has a space or a separator in it")
    return names
