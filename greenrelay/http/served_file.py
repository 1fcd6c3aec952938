"""Files as answers: which one a name means, and the file in whole, in part or not at all.

Source: HTTP, "Entries" (``http.static``) and "Middleware" (``sendfile``: "with ranges; never
outside the directory"); RFC 9110, sections 13 (conditional requests) and 14 (range requests).

Theory. A name comes from outside. It is joined by Werkzeug's ``safe_join``, which knows no way up;
then links are resolved, and what they come to must be in the directory as well. The file is opened
once and asked what it is by its descriptor, so that nobody can exchange it between two looks; a
pipe or a device is never read. What is sent is as long as the file was then: one that grows is cut
off there, and one that shrinks ends the connection, since its client has been promised more.
"""

from __future__ import annotations

import errno
import logging
import mimetypes
import os
import posixpath
import stat
from datetime import UTC, datetime
from typing import Any, BinaryIO

from flask import request
from werkzeug.exceptions import HTTPException, NotFound, PreconditionFailed
from werkzeug.http import parse_date, parse_range_header
from werkzeug.security import safe_join
from werkzeug.wrappers import Response

log = logging.getLogger("greenrelay.http")

# How much is read at a time. With 8 KiB others wait four times as long beside a download of 100 MB
# (100 ms at most, 25 ms with this); more than this makes it hardly faster.
PIECE = 64 * 1024
# How a name says that there is no such file; anything else, such as too many open files, does not.
_NO_FILE = frozenset(
    {
        errno.ENOENT,
        errno.ENOTDIR,
        errno.EACCES,
        errno.ELOOP,
        errno.ENAMETOOLONG,
        errno.ENXIO,
        errno.EISDIR,
    }
)
# A pipe without a writer is opened at once, and a link that was put there since is not followed.
_FLAGS = os.O_NONBLOCK | os.O_NOFOLLOW
# What a file is whose name says that it is compressed: the file is asked for, not what is in it.
_COMPRESSED = {
    "gzip": "application/gzip",
    "bzip2": "application/x-bzip2",
    "xz": "application/x-xz",
}
_UNKNOWN = "application/octet-stream"


def find(directory: str, name: str) -> str | None:
    """Return the path of what ``name`` means in ``directory``, without links; None for nothing.

    ``name`` is relative, with slashes. Raises NotFound for one that leads out of the directory, in
    whatever way and whether there is something or not, and for what no path is made of.
    """
    joined = None if "\0" in name or "\\" in name else safe_join(directory, name)
    if joined is None:
        raise NotFound
    root, path = os.path.realpath(directory), os.path.realpath(joined)
    if os.path.commonpath((root, path)) != root:
        raise NotFound
    return path if os.path.exists(path) else None


def open_file(path: str) -> BinaryIO | None:
    """Return the file at a path that ``find`` has returned, opened; None if it is no file."""
    try:
        file = open(path, "rb", buffering=0, opener=_open)  # noqa: SIM115 - the caller closes it
    except OSError as error:
        _raise_unless_missing(error)
        return None
    if stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        return file
    file.close()
    return None


def media_type(name: str) -> str:
    """Return the media type of a file by its name."""
    # What has no slash before its name may be taken for a URL with a scheme.
    found, encoding = mimetypes.guess_type(f"./{posixpath.basename(name)}")
    if encoding is not None:
        return _COMPRESSED.get(encoding, _UNKNOWN)
    return found or _UNKNOWN


def fill(response: Response, file: BinaryIO) -> Response:
    """Make ``response`` the answer with ``file`` to the running request, and return it.

    Validators that it has stay. Raises PreconditionFailed and RequestedRangeNotSatisfiable, which
    are answers too; then the file is closed, else with the response.
    """
    facts = os.fstat(file.fileno())
    body = FileBody(file, facts.st_size)
    response.response = body
    response.direct_passthrough = True
    response.content_length = facts.st_size
    response.accept_ranges = "bytes"
    if not response.get_etag()[0]:
        response.set_etag(f"{facts.st_mtime_ns:x}-{facts.st_size:x}")
    if response.last_modified is None:
        response.last_modified = datetime.fromtimestamp(int(facts.st_mtime), UTC)
    try:
        _heed_conditions(response, facts.st_size)
    except HTTPException:
        body.close()
        raise
    return response


class FileBody:
    """The content of a file in pieces, ``size`` bytes of it; Werkzeug seeks in it for a range."""

    __slots__ = ("_file", "_left", "_size")

    def __init__(self, file: BinaryIO, size: int) -> None:
        self._file = file
        self._size = self._left = size

    def __iter__(self) -> FileBody:
        return self

    def __next__(self) -> bytes:
        if self._left <= 0:
            raise StopIteration
        piece: bytes = self._file.read(min(PIECE, self._left))
        if not piece:
            log.warning("%s has become shorter while it was sent", self._file.name)
            # To servers the same as a client that has left: they say no more on this connection.
            raise BrokenPipeError(errno.EPIPE, "the file has become shorter")
        self._left -= len(piece)
        return piece

    def seekable(self) -> bool:
        """Say that it can start anywhere."""
        return True

    def seek(self, offset: int) -> None:
        """Start at ``offset``."""
        self._file.seek(offset)
        self._left = self._size - offset

    def tell(self) -> int:
        """Return where it is."""
        return self._size - self._left

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def _open(path: str, flags: int) -> int:
    return os.open(path, flags | _FLAGS)


def _raise_unless_missing(error: OSError) -> None:
    # What is wrong with the machine, such as too many open files, is no 404.
    if error.errno not in _NO_FILE:
        raise error
    if error.errno == errno.EACCES:
        log.warning("%s may not be read by this program", error.filename)


def _heed_conditions(response: Response, size: int) -> None:
    environ: dict[str, Any] = request.environ
    plain = {key: value for key, value in environ.items() if key != "HTTP_RANGE"}
    if plain.get("HTTP_IF_MATCH", "").strip() == "*":
        # It holds wherever there is a file. Werkzeug takes it for a validator that does not fit.
        del plain["HTTP_IF_MATCH"]
    # Conditions come first and ranges second, which Werkzeug does the other way round.
    response.make_conditional(plain)
    if response.status_code == PreconditionFailed.code or _has_changed_since(response):
        raise PreconditionFailed
    asked = request.headers.get("Range")
    if asked is None or response.status_code == 304 or not _is_the_one_begun(response):
        return
    usable = _usable(asked, size)
    if usable is not None:
        ranged = {**plain, "HTTP_RANGE": usable}
        ranged.pop("HTTP_IF_RANGE", None)
        response.make_conditional(ranged, accept_ranges=True, complete_length=size)


def _has_changed_since(response: Response) -> bool:
    since = None if "If-Match" in request.headers else request.if_unmodified_since
    modified = response.last_modified
    return since is not None and modified is not None and modified > since


def _is_the_one_begun(response: Response) -> bool:
    """Say whether If-Range, if there is any, names this very file: RFC 9110, section 13.1.5."""
    begun = request.headers.get("If-Range")
    if begun is None:
        return True
    when = parse_date(begun)
    if when is not None:
        return when == response.last_modified
    etag, is_weak = response.get_etag()
    # Parts of two files that are alike only in meaning do not fit together.
    return not is_weak and begun.strip() == f'"{etag}"'


def _usable(asked: str, size: int) -> str | None:
    """Return the Range if it is one to heed, as Werkzeug reads it: RFC 9110, section 14.2."""
    found = parse_range_header(asked)
    # Several ranges at once would have to be sent as a multipart; the whole may be sent as well.
    if found is None or found.units != "bytes" or len(found.ranges) != 1:
        return None
    # Of a file that is shorter than the end that is asked for, all of it is that.
    is_all = found.ranges[0][0] < -size < 0
    return ("bytes=0-" if is_all else asked) if request.method == "GET" else None
