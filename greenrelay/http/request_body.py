"""The body of a request as a view reads it: up to a limit, and with errors that are answers.

Source: HTTP, "Entries", ``limits.body_size`` and ``timeouts.read``. A body that says it is too
large is refused before the view runs; one in chunks says so only while it is read, and then the
reader gets 413, as it gets 408 for a client that stalls and 400 for one that leaves or sends what
is no body. Flask answers with what a view lets out of these.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from werkzeug.exceptions import ClientDisconnected, RequestEntityTooLarge
from werkzeug.exceptions import RequestTimeout as TooSlow

from greenrelay.transport.upgrade import Environ


def limit_body(environ: Environ, limit: int | None) -> bool:
    """Bound the body of a request that has one; False when it says it is too large."""
    length = environ.get("CONTENT_LENGTH")
    if not length and "HTTP_TRANSFER_ENCODING" not in environ:
        return True
    if limit is not None and length and length.isdecimal() and int(length) > limit:
        return False
    environ["wsgi.input"] = RequestBody(environ["wsgi.input"], limit)
    return True


class RequestBody:
    """What ``wsgi.input`` is; ``limit`` bytes at most, None is any number."""

    __slots__ = ("_left", "_source")

    def __init__(self, source: Any, limit: int | None) -> None:
        self._source = source
        self._left = limit

    def __getattr__(self, name: str) -> Any:
        # Servers look for what is theirs, such as the socket behind it.
        return getattr(self._source, name)

    def read(self, size: int | None = -1) -> bytes:
        """Read ``size`` bytes or all."""
        return self._read(self._source.read, size)

    def readline(self, size: int | None = -1) -> bytes:
        """Read one line."""
        return self._read(self._source.readline, size)

    def readlines(self, hint: int | None = -1) -> list[bytes]:
        """Read all lines."""
        return list(self)

    def __iter__(self) -> Iterator[bytes]:
        while line := self.readline():
            yield line

    def _read(self, read: Any, size: int | None) -> bytes:
        wanted = -1 if size is None else size
        left = self._left
        if left is not None and (wanted < 0 or wanted > left):
            # One more than there may be tells whether there is.
            wanted = left + 1
        try:
            data: bytes = read() if wanted < 0 else read(wanted)
        except TimeoutError as error:
            raise TooSlow from error
        except OSError as error:
            # That is also what pywsgi and gunicorn say of chunks that are none.
            raise ClientDisconnected from error
        if left is not None:
            if len(data) > left:
                raise RequestEntityTooLarge
            self._left = left - len(data)
        return data
