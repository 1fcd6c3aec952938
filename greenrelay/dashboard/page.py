"""The files of the page, and what a browser is told of them.

Source: Operations, "Dashboard" (no external asset). The files are a few hundred kilobytes at most
and are read once. Nothing of the page is inline, and nothing comes from elsewhere, so the policy
of the page forbids both.
"""

from __future__ import annotations

import hashlib
import html
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from werkzeug.wrappers import Response

FOLDER = Path(__file__).parent / "static"
_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self'",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'self'",
        "frame-ancestors 'none'",
    )
)
_HEADERS = {
    "Content-Security-Policy": _POLICY,
    "X-Content-Type-Options": "nosniff",
    # Not "no-referrer": then a form would have no Origin.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


@dataclass(frozen=True, slots=True)
class Asset:
    """A file of the page."""

    content: bytes
    media_type: str
    tag: str


@lru_cache(maxsize=1)
def assets() -> dict[str, Asset]:
    """Return every file by its name."""
    found = {}
    for path in sorted(FOLDER.iterdir()):
        if path.suffix in _TYPES:
            content = path.read_bytes()
            tag = hashlib.sha256(content).hexdigest()[:16]
            found[path.name] = Asset(content, _TYPES[path.suffix], tag)
    return found


def answer_asset(name: str) -> Response:
    """Answer with a script, a style or a picture; 404 for all else."""
    asset = assets().get(name)
    if asset is None or name.endswith(".html"):
        return answer_text(404, "There is no such file.")
    answer = Response(asset.content, 200, _HEADERS, content_type=asset.media_type)
    answer.cache_control.no_cache = True
    answer.set_etag(asset.tag)
    return answer


def answer_page(name: str, status: int = 200, **values: str) -> Response:
    """Answer with a page, in which each ``{{name}}`` is the text of that name, escaped."""
    text = assets()[name].content.decode()
    for key, value in values.items():
        text = text.replace(f"{{{{{key}}}}}", html.escape(value))
    answer = Response(text, status, _HEADERS, content_type=_TYPES[".html"])
    answer.cache_control.no_store = True
    return answer


def answer_text(status: int, sentence: str) -> Response:
    """Answer with one sentence."""
    answer = Response(f"{sentence}\n", status, _HEADERS, mimetype="text/plain")
    answer.cache_control.no_store = True
    return answer
