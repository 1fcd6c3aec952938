"""``cors``: which pages of other origins may read the answers, and what they may ask for.

Source: HTTP, "Middleware", row cors; the Fetch standard, "HTTP-CORS protocol"; Private Network
Access, "CORS preflight".

Theory. A browser asks before it sends what no form could send: a preflight. That is answered here,
whatever the path, and nothing behind it hears of it. Every other request goes in, whoever sends it,
and the headers on its answer tell the browser whether the page may read it. Without a preflight a
foreign page can still send: these headers keep nobody from asking. Where one stands around another,
the innermost that the request comes to speaks on the answer, so a strict one is not undone outside.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import wraps
from typing import Any

from flask import current_app, request
from werkzeug.datastructures import Headers
from werkzeug.wrappers import Response

from greenrelay.config.fragment import fragment_of, written_as
from greenrelay.config.options import boolean, duration, option, text_list
from greenrelay.http.middleware.decorator import View, keyword_options, synchronous
from greenrelay.http.middleware.finish import (
    READER_OF_RELAY,
    Finish,
    add_vary,
    finish_answers,
    finish_views,
)
from greenrelay.http.middleware.reader import origin_patterns, token_list
from greenrelay.relay.origin import OriginPolicy, parse_origins
from greenrelay.websocket.handshake import is_token

ALLOW_ORIGIN = "Access-Control-Allow-Origin"
ALLOW_CREDENTIALS = "Access-Control-Allow-Credentials"
EXPOSE_HEADERS = "Access-Control-Expose-Headers"
REQUEST_METHOD = "Access-Control-Request-Method"
REQUEST_HEADERS = "Access-Control-Request-Headers"
REQUEST_PRIVATE_NETWORK = "Access-Control-Request-Private-Network"

ANY = "*"
# Who answers for the running request: the innermost that it has come to.
_SPEAKER = "greenrelay.cors"


@written_as(fragment_of(text_list))
def _methods(value: object) -> tuple[str, ...]:
    """Read methods in any case into upper case, or ``*``; there are more than routers know."""
    return tuple(name.upper() for name in token_list(value))


@dataclass(frozen=True, slots=True)
class CorsOptions:
    """The options of one cors; ``max_age`` in seconds, ``*`` is all there are."""

    allow_origins: tuple[str, ...] = option("cors.allow.origins", origin_patterns, (ANY,))
    allow_methods: tuple[str, ...] = option(
        "cors.allow.methods", _methods, ("GET", "POST", "PUT", "DELETE", "OPTIONS", "PATCH")
    )
    allow_headers: tuple[str, ...] = option(
        "cors.allow.headers",
        token_list,
        ("Origin", "Content-Type", "Accept", "Authorization", "X-Requested-With"),
    )
    expose_headers: tuple[str, ...] = option("cors.expose.headers", token_list, ())
    allow_credentials: bool = option("cors.allow.credentials", boolean, False)
    max_age: float = option("cors.max.age", duration, 86_400.0)
    allow_private_network: bool = option("cors.allow.private.network", boolean, False)
    origins: OriginPolicy = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "origins", parse_origins(self.allow_origins))
        if not self.allow_credentials:
            return
        # To a browser a star that comes with credentials is the name of an origin or a header.
        if self.origins.allows_all:
            raise ValueError(
                "cors.allow.credentials is true while cors.allow.origins is *; list the origins "
                "whose pages may send cookies, such as https://app.example.com"
            )
        if ANY in self.expose_headers:
            raise ValueError(
                "cors.allow.credentials is true while cors.expose.headers is *; list the headers"
            )


def cors(*view: object, **options: object) -> Callable[[View], View]:
    """Return a decorator that lets pages of other origins use a view; it goes under the route's.

    Options are those of the YAML router without ``cors.`` and with underscores:
    ``allow_origins=["https://app.example.com"]``, ``max_age="10m"``. The rule above it takes
    OPTIONS too. Raises ConfigError, and TypeError when the parentheses are missing.
    """
    found = _Cors(keyword_options("cors", "cors", CorsOptions, view, options))

    def decorate(view: View) -> View:
        inside: Any = view if _answers_options(view) else _with_options(view)
        decorated: Any = finish_views(found.decide)(inside)
        # Flask's own answer to OPTIONS would come before any view is asked.
        decorated.provide_automatic_options = False
        decorated.required_methods = {"OPTIONS", *getattr(view, "required_methods", ())}
        result: View = decorated
        return result

    return decorate


def cors_middleware(options: CorsOptions) -> Callable[[View], View]:
    """Return the middleware itself, for typed options."""
    return finish_answers(_Cors(options).decide)


class _Cors:
    """What one of them decides and answers."""

    def __init__(self, options: CorsOptions) -> None:
        self._options = options
        self._origins = options.origins
        self._is_open = options.origins.allows_all

    def decide(self) -> Response | Finish:
        """Return the answer to a preflight, or what finishes that to another request."""
        headers = request.headers
        if request.method == "OPTIONS" and "Origin" in headers and REQUEST_METHOD in headers:
            return self._preflight()
        request.environ[_SPEAKER] = self
        return self._finish

    def _finish(self, response: Any) -> Any:
        if request.environ.get(_SPEAKER) is self:
            self._allow(response.headers)
        return response

    def _allow(self, headers: Headers) -> bool:
        """Say whether the page may read the answer; True if it may."""
        if not self._is_open:
            add_vary(headers, "Origin")
        # A view that names an origin has decided for itself. sse_relay has only said what its own
        # options do: whether the page may read, not which headers.
        is_decided = ALLOW_ORIGIN in headers
        is_by_relay = is_decided and READER_OF_RELAY in request.environ
        origin = None if is_decided and not is_by_relay else self._allowed_origin()
        if origin is None:
            return False
        if not is_by_relay:
            headers[ALLOW_ORIGIN] = origin
            if self._options.allow_credentials:
                headers.setdefault(ALLOW_CREDENTIALS, "true")
        if self._options.expose_headers:
            headers.setdefault(EXPOSE_HEADERS, ", ".join(self._options.expose_headers))
        return True

    def _allowed_origin(self) -> str | None:
        if self._is_open:
            return ANY
        origin = request.headers.get("Origin")
        # Without a host no origin is the request's own, which needs none of this.
        if origin is None or not self._origins.allows(origin, scheme="", host=""):
            return None
        return origin

    def _preflight(self) -> Response:
        response = Response(status=204)
        headers = response.headers
        del headers["Content-Type"]
        if not self._allow(headers):
            return response
        # They are said of the answer proper only.
        headers.pop(EXPOSE_HEADERS, None)
        options = self._options
        methods = _allowed(options.allow_methods, REQUEST_METHOD)
        names = _allowed(options.allow_headers, REQUEST_HEADERS)
        if methods:
            headers["Access-Control-Allow-Methods"] = ", ".join(methods)
        if names:
            headers["Access-Control-Allow-Headers"] = ", ".join(names)
        headers["Access-Control-Max-Age"] = str(int(options.max_age))
        asks_private = request.headers.get(REQUEST_PRIVATE_NETWORK) == "true"
        if asks_private and options.allow_private_network:
            headers["Access-Control-Allow-Private-Network"] = "true"
        return response


def _allowed(listed: tuple[str, ...], header: str) -> tuple[str, ...]:
    """Return what is listed; for ``*`` what the preflight asks for in ``header``."""
    if ANY not in listed:
        return listed
    # Browsers take a star for no header Authorization, and with credentials for none at all.
    asked = (name.strip() for name in request.headers.get(header, "").split(","))
    return tuple(name for name in asked if is_token(name))


def _answers_options(view: View) -> bool:
    """Whether a view says that it takes OPTIONS itself."""
    methods: Any = getattr(view, "methods", None) or ()
    return getattr(view, "provide_automatic_options", None) is False or "OPTIONS" in methods


def _with_options(view: View) -> View:
    """Return a view that answers OPTIONS as Flask does."""

    called = synchronous(view)

    @wraps(view)
    def answer(*args: Any, **kwargs: Any) -> Any:
        if request.method == "OPTIONS":
            return current_app.make_default_options_response()
        return called(*args, **kwargs)

    return answer
