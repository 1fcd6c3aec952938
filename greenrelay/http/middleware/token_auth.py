"""``token_auth``: who makes a request, by the token it carries.

Source: HTTP, "Middleware", row token_auth. It looks into a header, then the query, then a cookie;
the first token that is there counts, good or not. It never refuses a request: that is what the
firewalls are for.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from flask import request
from werkzeug.wrappers import Response

from greenrelay.config.fragment import written_as
from greenrelay.config.mark import shown
from greenrelay.config.options import option, text
from greenrelay.http.actor import act_as, act_as_nobody, token_store
from greenrelay.http.middleware.decorator import Handler, View, around_view, keyword_options

STORE_OPTION = "token_auth.store"
_TOKEN = r"[A-Za-z0-9!#$%&'*+.^_`|~-]*"


@written_as({"type": "string", "pattern": rf"^{_TOKEN}$"})
def _name(value: object) -> str:
    if not isinstance(value, str) or not re.fullmatch(_TOKEN, value):
        rule = "it must be a name without spaces, or empty to look for no token there"
        raise ValueError(f"is {shown(value)}; {rule}")
    return value


@written_as({"type": "string"})
def _prefix(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError(f'is {shown(value)}; it must be text such as "Bearer "')
    return value.strip()


@dataclass(frozen=True, slots=True)
class TokenOptions:
    """Where a token may be, and the id of the store that knows it; an empty name is nowhere."""

    store: str = option(STORE_OPTION, text, "")
    header_name: str = option("token_auth.header.name", _name, "Authorization")
    header_prefix: str = option("token_auth.header.prefix", _prefix, "Bearer")
    query_param: str = option("token_auth.query.param", _name, "x-auth-token")
    cookie_name: str = option("token_auth.cookie.name", _name, "x-auth-token")

    def __post_init__(self) -> None:
        if not self.store:
            raise ValueError(f"{STORE_OPTION} is missing; it is required")


def token_auth(*view: object, **options: object) -> Callable[[View], View]:
    """Return a decorator that sets ``g.actor`` for a view; it goes above the firewalls.

    ``store`` is the id of a ``security.token_store``; the other options are those of the YAML
    router without ``token_auth.`` and with underscores: ``header_name="X-Token"``. Raises
    ConfigError, and TypeError when the parentheses are missing.
    """
    found = keyword_options("token_auth", "token_auth", TokenOptions, view, options)
    return around_view(token_middleware(found))


def token_middleware(options: TokenOptions) -> Callable[[Handler], Handler]:
    """Return the middleware itself, for typed options."""

    def wrap(handler: Handler) -> Handler:
        def recognised() -> Response:
            token = _token(options)
            actor = token_store(options.store).validate(token) if token else None
            if actor is not None:
                act_as(actor)
            else:
                # Another one around this one may have recognised somebody.
                act_as_nobody()
            return handler()

        return recognised

    return wrap


def _token(options: TokenOptions) -> str | None:
    if options.header_name:
        found = _after_prefix(request.headers.get(options.header_name, ""), options.header_prefix)
        if found:
            return found
    if options.query_param:
        found = request.args.get(options.query_param, "")
        if found:
            return found
    return request.cookies.get(options.cookie_name) if options.cookie_name else None


def _after_prefix(value: str, prefix: str) -> str:
    """Return the token behind ``prefix``, a word of its own in any case; "" where it is not."""
    if not prefix:
        return value.strip()
    word, _, token = value.strip().partition(" ")
    return token.strip() if word.lower() == prefix.lower() else ""
