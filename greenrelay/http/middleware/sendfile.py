"""``sendfile``: a view names a file in a header, and the client gets the file.

Source: HTTP, "Middleware", row sendfile. ``X-Sendfile: reports/may.pdf`` in the answer of a view is
replaced by that file of ``sendfile.directory``, with ranges and conditional requests. The header is
taken as it is: nothing in it is decoded.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps

from flask import current_app, request
from greenlet import getcurrent
from werkzeug.exceptions import HTTPException, NotFound
from werkzeug.wrappers import Response

from greenrelay.config.directory import directory as directory_option
from greenrelay.config.options import option
from greenrelay.errors import ConfigError
from greenrelay.http.middleware.decorator import Handler, View, around_view, keyword_options
from greenrelay.http.served_file import fill, find, media_type, open_file
from greenrelay.transport.upgrade import UPGRADE

log = logging.getLogger("greenrelay.http")

HEADER = "X-Sendfile"


@dataclass(frozen=True, slots=True)
class SendfileOptions:
    """``directory`` is where the files are; a relative path starts at the working directory.

    In a file of the configuration it starts at the folder of that file.
    """

    directory: str = option("sendfile.directory", directory_option, "")

    def __post_init__(self) -> None:
        # Not required by itself: a router that does not list the middleware needs none.
        if not self.directory:
            raise ValueError("sendfile.directory is missing; it is required")


def sendfile(*view: object, **options: object) -> Callable[[View], View]:
    """Return a decorator that sends the file that a view names; it goes under the route decorator.

    Its option is that of the YAML router without ``sendfile.``: ``directory="/srv/reports"``.
    Raises ConfigError, also for a directory that is not there, and TypeError when the parentheses
    are missing.
    """
    typed = keyword_options("sendfile", "sendfile", SendfileOptions, view, options)
    if not os.path.isdir(typed.directory):
        raise ConfigError([f"sendfile: directory: {typed.directory!r} is no directory"])
    return around_view(sendfile_middleware(typed))


def sendfile_middleware(options: SendfileOptions) -> Callable[[Handler], Handler]:
    """Return the middleware itself, for typed options."""
    directory = os.path.abspath(options.directory)

    def wrap(handler: Handler) -> Handler:
        @wraps(handler)
        def sent() -> Response:
            response = handler()
            name = response.headers.pop(HEADER, None)
            # Of an error the text is wanted, and a client that is relayed gets no file.
            if name is None or not 200 <= response.status_code < 300 or _is_relayed():
                return response
            return _file_instead(response, directory, name)

        return sent

    return wrap


def _file_instead(response: Response, directory: str, name: str) -> Response:
    try:
        path = None if name.endswith("/") else find(directory, name)
        file = None if path is None else open_file(path)
        if file is None:
            raise NotFound
        answer = current_app.response_class(status=response.status, headers=response.headers)
        # Flask gives every answer this type; a view that means it has nothing else to say either.
        if response.mimetype in (None, response.default_mimetype):
            answer.mimetype = media_type(name)
        if "Cache-Control" not in answer.headers:
            answer.cache_control.no_cache = True
        return fill(answer, file)
    except HTTPException as error:
        if error.code == NotFound.code:
            log.warning("%s: %s %r is no file in %s", request.path, HEADER, name, directory)
        # As an answer, not as an exception: what stands around this has headers to add.
        refusal: Response = current_app.make_response(current_app.handle_user_exception(error))
        return refusal
    finally:
        response.close()


def _is_relayed() -> bool:
    upgrade = request.environ.get(UPGRADE)
    scope = getattr(getcurrent(), "greenrelay_scope", None)
    return (upgrade is not None and upgrade.acceptance is not None) or (
        scope is not None and scope.stream is not None
    )
