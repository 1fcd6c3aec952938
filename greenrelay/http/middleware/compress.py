"""``compress``: answers in gzip, and in br or zstd where those are installed.

Source: HTTP, "Middleware", row compress ("never a stream or an upgrade"); RFC 9110, sections 8.4
(content codings), 12.5.3 (Accept-Encoding) and 8.8.1 (validators).

Theory. Only an answer that is whole and in memory is compressed: its bytes are a list in the
response. Whatever is produced while it is sent has none: a generator, a file, a stream of events.
An accepted upgrade, and a relay of events that begins, look like an answer without any body.
"""

from __future__ import annotations

import time
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import wraps
from importlib import import_module
from typing import Any, Protocol

from flask import request
from werkzeug.datastructures import Accept
from werkzeug.wrappers import Response

from greenrelay.config.options import choice, option, size
from greenrelay.http.middleware.decorator import Handler, View, around_view, keyword_options
from greenrelay.http.middleware.finish import add_vary

NOT_MODIFIED = 304
# So much is compressed before others have a turn: about 8 ms of gzip.
PIECE = 256 * 1024
# An answer with these has no body, or a part of one.
_UNTOUCHED_STATUSES = frozenset({204, 205, 206})
# Its bytes are meant as they are, or said to be so.
_UNTOUCHED_HEADERS = (
    "Content-Encoding",
    "Content-Range",
    "Content-Digest",
    "Repr-Digest",
    "Digest",
    "Content-MD5",
)
_STREAM = "text/event-stream"
_TYPES = frozenset(
    {
        "application/graphql",
        "application/javascript",
        "application/json",
        "application/ld+json",
        "application/msgpack",
        "application/rtf",
        "application/sql",
        "application/toml",
        "application/vnd.ms-fontobject",
        "application/wasm",
        "application/x-javascript",
        "application/x-ndjson",
        "application/x-www-form-urlencoded",
        "application/x-yaml",
        "application/xml",
        "application/yaml",
        "font/otf",
        "font/ttf",
        "image/bmp",
        "image/vnd.microsoft.icon",
        "image/x-icon",
    }
)
_TYPE_ENDINGS = ("+json", "+xml", "+yaml")


@dataclass(frozen=True, slots=True)
class CompressOptions:
    """How hard to try, and from how many bytes on."""

    level: str = option("compress.level", choice("default", "fastest", "best"), "default")
    min_length: int = option("compress.min.length", size, 1024)


class _Compressor(Protocol):
    def compress(self, data: bytes, /) -> bytes: ...

    def flush(self) -> bytes: ...


class _Brotli:
    """The compressor of ``brotli`` under the names of all others."""

    def __init__(self, module: Any, quality: int) -> None:
        compressor = module.Compressor(quality=quality)
        self.compress: Callable[[bytes], bytes] = compressor.process
        # Its own flush ends a block, not the whole.
        self.flush: Callable[[], bytes] = compressor.finish


def compress(*view: object, **options: object) -> Callable[[View], View]:
    """Return a decorator that compresses the answers of a view; it goes under the route decorator.

    Options are those of the YAML router without ``compress.`` and with underscores:
    ``level="fastest"``, ``min_length="4KiB"``. Raises ConfigError, and TypeError when the
    parentheses are missing.
    """
    typed = keyword_options("compress", "compress", CompressOptions, view, options)
    return around_view(compress_middleware(typed))


def compress_middleware(options: CompressOptions) -> Callable[[Handler], Handler]:
    """Return the middleware itself, for typed options."""

    def wrap(handler: Handler) -> Handler:
        @wraps(handler)
        def compressed() -> Response:
            response = handler()
            if _is_compressible(response):
                _compress(response, options)
            return response

        return compressed

    return wrap


def codings() -> tuple[str, ...]:
    """Return the codings there are, the one that is preferred first."""
    return tuple(_CODINGS)


def _is_compressible(response: Response) -> bool:
    kind = response.mimetype or ""
    is_text = kind.startswith("text/") and kind != _STREAM
    return (
        (is_text or kind in _TYPES or kind.endswith(_TYPE_ENDINGS))
        and response.is_sequence
        and not response.direct_passthrough
        and response.status_code not in _UNTOUCHED_STATUSES
        and not any(name in response.headers for name in _UNTOUCHED_HEADERS)
        and not response.cache_control.no_transform
    )


def _compress(response: Response, options: CompressOptions) -> None:
    data = response.get_data()
    if not data or len(data) < options.min_length:
        return
    # A cache must know, also of an answer that this client gets as it is, or that it has already
    # (RFC 9110, section 15.4.5).
    add_vary(response.headers, "Accept-Encoding")
    if response.status_code == NOT_MODIFIED:
        return
    coding = _choose(request.accept_encodings)
    if coding is None:
        return
    found = _encode(_CODINGS[coding][options.level](), data)
    if len(found) >= len(data):
        return
    response.set_data(found)
    response.content_encoding = coding
    response.content_length = len(found)
    response.headers.pop("Accept-Ranges", None)
    etag, is_weak = response.get_etag()
    if etag and not is_weak:
        response.set_etag(etag, weak=True)


def _choose(accepted: Accept) -> str | None:
    """Return the coding the client likes best, of those it likes alike ours; None for none."""
    best, quality = None, 0.0
    for coding in _CODINGS:
        if accepted.quality(coding) > quality:
            best, quality = coding, accepted.quality(coding)
    # A client that does not name it takes it when there is nothing else.
    plain = next((each for name, each in accepted if name.lower() == "identity"), 0.0)
    return best if quality >= plain else None


def _encode(compressor: _Compressor, data: bytes) -> bytes:
    parts = []
    for start in range(0, len(data), PIECE):
        if start:
            # Where gevent has patched it, as every program with greenrelay lets it, others run.
            time.sleep(0)
        parts.append(compressor.compress(data[start : start + PIECE]))
    return b"".join([*parts, compressor.flush()])


def _module(*names: str) -> Any:
    """Return the first of the modules that is installed, or None."""
    for name in names:
        try:
            return import_module(name)
        except ImportError:
            continue
    return None


def _find_codings() -> dict[str, Mapping[str, Callable[[], _Compressor]]]:
    """Return by coding and level what makes a compressor.

    The best are the last levels that take less than 70 ms for 1 MiB; beyond, the time of all other
    requests is spent on a few per cent.
    """
    found: dict[str, Mapping[str, Callable[[], _Compressor]]] = {}
    # zstd comes first: by default it is as small as gzip in a fifth of the time.
    zstd = _module("compression.zstd")
    if zstd is not None:
        found["zstd"] = _levels(lambda level: zstd.ZstdCompressor(level=level), 1, 3, 12)
    elif (other := _module("zstandard")) is not None:
        found["zstd"] = _levels(
            lambda level: other.ZstdCompressor(level=level).compressobj(), 1, 3, 12
        )
    brotli = _module("brotli", "brotlicffi")
    if brotli is not None:
        found["br"] = _levels(lambda level: _Brotli(brotli, level), 1, 4, 7)
    # 16 more than the largest window is how zlib is told to write gzip.
    found["gzip"] = _levels(
        lambda level: zlib.compressobj(level, zlib.DEFLATED, zlib.MAX_WBITS + 16), 1, 6, 9
    )
    return found


def _levels(
    make: Callable[[int], _Compressor], fastest: int, default: int, best: int
) -> Mapping[str, Callable[[], _Compressor]]:
    return {
        "fastest": lambda: make(fastest),
        "default": lambda: make(default),
        "best": lambda: make(best),
    }


_CODINGS = _find_codings()
