"""``resource_firewall``: only who may do something with a resource reaches a view.

Source: HTTP, "Middleware", row resource_firewall. The target is a name in which ``{param}`` stands
for a parameter of the path. A value stays within its segment, whatever a client writes: ``.``,
``:``, ``*`` and ``%`` in it become ``%2E``, ``%3A``, ``%2A`` and ``%25``. Only the slashes of a
tail (``{rest...}``) divide.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from flask import request

from greenrelay.config.fragment import text_like, written_as
from greenrelay.config.mark import shown
from greenrelay.config.options import option
from greenrelay.http.middleware.decorator import View, keyword_options
from greenrelay.http.middleware.firewall import action_name, guard

log = logging.getLogger("greenrelay.http")

_PARAMETER = re.compile(r"\{([^\W\d]\w*)\}")
_TARGET = r"(?:[^\s*{}]|\{[A-Za-z_][A-Za-z0-9_]*\})+"
_ESCAPED = str.maketrans({character: f"%{ord(character):02X}" for character in "%.:* \t\r\n"})


@written_as(text_like(_TARGET))
def _target(value: object) -> str:
    text = value.strip() if isinstance(value, str) else ""
    if not re.fullmatch(_TARGET, text):
        raise ValueError(f'is {shown(value)}; it must be a name such as "docs/{{id}}", without "*"')
    return text


@dataclass(frozen=True, slots=True)
class ResourceFirewallOptions:
    """What is asked about which resource."""

    action: str = option("resource_firewall.action", action_name, "access")
    target: str = option("resource_firewall.target", _target, "")

    def __post_init__(self) -> None:
        if not self.target:
            raise ValueError("resource_firewall.target is missing; it is required")


def resource_firewall(*view: object, **options: object) -> Callable[[View], View]:
    """Return a decorator that asks the policies before a view; it goes below ``token_auth``.

    ``target`` is the resource, in which ``{param}`` is a parameter of the path; ``action`` is
    "access" unless given. Without an actor the answer is 401, without permission 403. Raises
    ConfigError, and TypeError when the parentheses are missing.
    """
    name = "resource_firewall"
    return resource_middleware(keyword_options(name, name, ResourceFirewallOptions, view, options))


def resource_middleware(options: ResourceFirewallOptions) -> Callable[[View], View]:
    """Return the middleware itself, for typed options."""
    return guard(options.action, lambda: resource_of(options.target, request.view_args or {}))


def parameters(target: str) -> list[str]:
    """Return the names of the parameters in a target."""
    return _PARAMETER.findall(target)


def resource_of(target: str, values: dict[str, Any]) -> str | None:
    """Return the target with the values of the path; None where one is missing or empty."""
    if any(not str(values.get(name, "")) for name in parameters(target)):
        log.error("resource_firewall.target %s: the path has no value for it", target)
        return None
    return _PARAMETER.sub(lambda found: str(values[found[1]]).translate(_ESCAPED), target)
