"""Pre-match middleware that answers by itself, or adds to the answer of what stands inside.

Source: HTTP, "Middleware". Such a middleware is one function, ``decide``: called for each request,
it returns the answer, or how to finish the one that comes. Around a router it stands as
``finish_answers``, around one view as ``finish_views``; either way it sees every answer, also those
to errors.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from flask import after_this_request, current_app
from werkzeug.datastructures import Headers
from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Response

from greenrelay.http.middleware.decorator import Handler, View, synchronous

# Typed as Flask has it, whose Response it is in truth.
Finish = Callable[[Any], Any]
Decide = Callable[[], Response | Finish]
# In the environ: the relay of events, not the view, lets a page of another origin read the answer.
READER_OF_RELAY = "greenrelay.reader_of_relay"


def finish_answers(decide: Decide) -> Callable[[Handler], Handler]:
    """Return the middleware of a router for ``decide``."""

    def wrap(inner: Handler) -> Handler:
        def handle() -> Response:
            decision = decide()
            if isinstance(decision, Response):
                return decision
            finished: Response = decision(_answer_of(inner, decision))
            return finished

        return handle

    return wrap


def finish_views(decide: Decide) -> Callable[[View], View]:
    """Return the decorator of a view for ``decide``."""

    def decorate(view: View) -> View:
        called = synchronous(view)

        @wraps(view)
        def decorated(*args: Any, **kwargs: Any) -> Any:
            decision = decide()
            if isinstance(decision, Response):
                return decision
            # What the view raises becomes an answer only outside of it.
            after_this_request(decision)
            return called(*args, **kwargs)

        return decorated

    return decorate


def add_vary(headers: Headers, name: str) -> None:
    """Tell caches that the answer depends on the request's header ``name`` as well."""
    # There may be several fields of the name, which Werkzeug's ``vary`` would make the first of.
    values = [value for value in headers.getlist("Vary") if value]
    names = [each.strip().lower() for value in values for each in value.split(",")]
    if name.lower() not in names and "*" not in names:
        headers["Vary"] = ", ".join([*values, name])


def _answer_of(inner: Handler, finish: Finish) -> Response:
    try:
        return inner()
    except HTTPException as error:
        # Another middleware, further inside, has aborted.
        app = current_app
        return app.make_response(app.handle_user_exception(error))
    except Exception:
        # A bug of one: Flask answers it outside.
        after_this_request(finish)
        raise
