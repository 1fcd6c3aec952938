"""The body of a request as a view reads it: up to a limit, and with errors that are answers.

Source: HTTP, "Entries", ``limits.body_size`` and ``timeouts.read``. A body that says it is too
large is refused before the view runs, as if no route had been found, so middleware and the app's
own error handler see the 413. One in chunks says so only while it is read, and then the reader gets
413, as it gets 408 for a client that stalls and 400 for one that leaves or sends what is no body.
Flask answers with what a view lets out of these.

Servers differ in how they tell of a client that leaves in the middle: some raise, others end the
body there, as if it had been meant to be so short.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from werkzeug.exceptions import ClientDisconnected, RequestEntityTooLarge
from werkzeug.exceptions import RequestTimeout as TooSlow

from greenrelay.http.scope import note_lost_body
from greenrelay.transport.upgrade import Environ

# In the environ: the limit that the body of a request says it passes.
TOO_LARGE = "greenrelay.body_too_large"
_GUNICORN_ERRORS = "gunicorn.http.errors"


def limit_body(environ: Environ, limit: int | None) -> None:
    """Bound the body of a request that has one; nothing is read of one that is too large."""
    length = environ.get("CONTENT_LENGTH")
    if not length and "HTTP_TRANSFER_ENCODING" not in environ:
        return
    promised = int(length) if length and length.isdecimal() else None
    body = environ["wsgi.input"] = RequestBody(environ["wsgi.input"], limit, promised)
    if limit is not None and promised is not None and promised > limit:
        environ[TOO_LARGE] = limit
        body.refuse()


def too_large(limit: int | None) -> RequestEntityTooLarge:
    """Return the answer to a body of more than ``limit`` bytes."""
    return RequestEntityTooLarge(f"The body is larger than the {limit} bytes this server takes.")


class RequestBody:
    """What ``wsgi.input`` is; ``limit`` bytes at most, None is any number.

    ``promised`` is how many there will be, None where nobody has said so.
    """

    __slots__ = ("_left", "_limit", "_missing", "_source")

    def __init__(self, source: Any, limit: int | None, promised: int | None = None) -> None:
        self._source = source
        self._limit = self._left = limit
        self._missing = promised or 0

    def __getattr__(self, name: str) -> Any:
        # Servers look for what is theirs, such as the socket behind it.
        return getattr(self._source, name)

    def refuse(self) -> None:
        """Let whoever reads know that it is too large, and read nothing for that."""
        self._left = -1

    def read(self, size: int | None = -1) -> bytes:
        """Read ``size`` bytes or all."""
        return self._read(self._source.read, size, is_line=False)

    def readinto(self, buffer: memoryview) -> int:
        """Read as much as there is room for, and return how much that was."""
        data = self.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def readline(self, size: int | None = -1) -> bytes:
        """Read one line."""
        return self._read(self._source.readline, size, is_line=True)

    def readlines(self, hint: int | None = -1) -> list[bytes]:
        """Read all lines."""
        return list(self)

    def __iter__(self) -> Iterator[bytes]:
        while line := self.readline():
            yield line

    def _read(self, read: Any, size: int | None, *, is_line: bool) -> bytes:
        wanted = -1 if size is None else size
        left = self._left
        if left is not None and left < 0:
            raise too_large(self._limit)
        if left is not None and (wanted < 0 or wanted > left):
            # One more than there may be tells whether there is.
            wanted = left + 1
        data = _from_server(read, wanted)
        self._missing -= len(data)
        # A line may be shorter than what is asked for, anything else is at the end only.
        is_end = not data if is_line else wanted < 0 or len(data) < wanted
        if is_end and wanted and self._missing > 0:
            note_lost_body()
            raise ClientDisconnected
        if left is not None:
            if len(data) > left:
                raise too_large(self._limit)
            self._left = left - len(data)
        return data


def _from_server(read: Any, wanted: int) -> bytes:
    try:
        data: bytes = read() if wanted < 0 else read(wanted)
    except TimeoutError as error:
        raise TooSlow from error
    except OSError as error:
        # That is also what pywsgi says of chunks that are none.
        note_lost_body()
        raise ClientDisconnected from error
    except Exception as error:
        # And what gunicorn says of them, in a class of its own; it need not be installed.
        if type(error).__module__ != _GUNICORN_ERRORS:
            raise
        raise ClientDisconnected from error
    return data
