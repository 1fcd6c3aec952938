"""Directories of files under an address: ``http.static``.

Source: HTTP, "Entries", row http.static. It is two rules of Flask, one for the address itself and
one for all below it. The converter of the second weighs more than any other, so that an endpoint
whose path fits as well is asked first.
"""

from __future__ import annotations

import os
import posixpath
from collections.abc import Callable
from urllib.parse import quote

from flask import Flask, current_app, request
from werkzeug.exceptions import NotFound
from werkzeug.routing import PathConverter
from werkzeug.utils import redirect
from werkzeug.wrappers import Response

from greenrelay.config.entries import HttpStatic
from greenrelay.http.served_file import fill, find, media_type, open_file

CONVERTER = "greenrelay_file"
# The one name with a dot in front that is meant for clients: RFC 8615.
_WELL_KNOWN = ".well-known"


class FilePath(PathConverter):
    """All that is left of an address, as Werkzeug's ``path``, but the last to be asked."""

    weight = 100_000


def know_files(app: Flask) -> None:
    """Let rules of ``app`` name the converter; also where there is no static, as one may come."""
    app.url_map.converters[CONVERTER] = FilePath


def mount_static(app: Flask, static: HttpStatic) -> None:
    """Serve the files of ``static`` under its address; ``app`` knows_files."""
    view = _view_of(static)
    for path in (f"{static.path}/", f"{static.path}/<{CONVERTER}:name>"):
        app.add_url_rule(
            path,
            endpoint=static.id,
            view_func=view,
            methods=["GET"],
            provide_automatic_options=False,
        )


def _view_of(static: HttpStatic) -> Callable[..., Response]:
    def view(name: str = "") -> Response:
        if _is_hidden(name):
            raise NotFound
        path, index = _find(static, name)
        if index is not None and name and not name.endswith("/"):
            return _redirect_to_slash(name)
        if path is not None:
            return _answer(static, path, name)
        page = index or _page_for(static, name)
        if page is None:
            raise NotFound
        return _answer(static, page, static.index)

    return view


def _is_hidden(name: str) -> bool:
    """Say whether a segment starts with a dot, as ``.git`` and ``..`` do."""
    first, *rest = name.split("/")
    return (first.startswith(".") and first != _WELL_KNOWN) or any(
        segment.startswith(".") for segment in rest
    )


def _find(static: HttpStatic, name: str) -> tuple[str | None, str | None]:
    """Return the path of the file of that name, and that of the index of such a directory."""
    path = find(static.directory, name)
    if path is None:
        return None, None
    if os.path.isdir(path):
        return None, find(static.directory, posixpath.join(name, static.index))
    return (None, None) if name.endswith("/") else (path, None)


def _page_for(static: HttpStatic, name: str) -> str | None:
    """Return the index where an application in the page knows what the address means."""
    is_file = "." in posixpath.basename(name) or name.startswith(_WELL_KNOWN)
    return find(static.directory, static.index) if static.spa and not is_file else None


def _answer(static: HttpStatic, path: str, name: str) -> Response:
    file = open_file(path)
    if file is None:
        raise NotFound
    response: Response = current_app.response_class(mimetype=media_type(name))
    # The page of an application names the files of its version, so an old one must not be used.
    is_page = static.spa and posixpath.basename(name) == static.index
    if static.cache is None or is_page:
        response.cache_control.no_cache = True
    else:
        response.cache_control.public = True
        response.cache_control.max_age = int(static.cache)
    return fill(response, file)


def _redirect_to_slash(name: str) -> Response:
    # Relative to the address itself: a path that starts with two slashes would name another host.
    query = request.query_string.decode("latin-1")
    location = f"./{quote(posixpath.basename(name))}/"
    return redirect(f"{location}?{query}" if query else location, 308)
