"""Whether the head of a request leaves no doubt about where the request ends, and what it is for.

Source: RFC 9112, sections 3.2, 5.1 and 6.3. What a proxy in front takes for one request must not be
two here, with the second one a client's that nobody has checked. pywsgi takes the first of several
lengths, any text that Python reads as a number, and codings it does not know as no body at all.
"""

from __future__ import annotations

import re
from email import errors
from http.client import HTTPMessage

_NAMES = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z\n]*", re.ASCII)

# What a proxy is asked for, and any server has to understand.
_ABSOLUTE = re.compile(r"https?://([^/?#@]+)(?:/|(?=\?)|$)([^#]*)", re.IGNORECASE)

# What is wrong with header fields. The parser is one of e-mail, which finds fault with bodies too:
# that of a form with files is not there yet, so it has none of the parts that its type promises.
_DEFECTS = (
    errors.FirstHeaderLineIsContinuationDefect,
    errors.InvalidHeaderDefect,
    errors.MisplacedEnvelopeHeaderDefect,
    errors.MissingHeaderBodySeparatorDefect,
)


class AmbiguousHead(ValueError):
    """The header fields do not say clearly where the request ends, or whose it is."""


def check_framing(fields: HTTPMessage) -> None:
    """Raise AmbiguousHead where readers could differ about the end of the request."""
    names = fields.keys()
    is_broken = any(isinstance(defect, _DEFECTS) for defect in fields.defects)
    if is_broken or not _NAMES.fullmatch("\n".join(names)):
        raise AmbiguousHead("a header field has no name that could be one")
    lowered = [name.lower() for name in names]
    if lowered.count("host") > 1:
        raise AmbiguousHead("there is more than one Host")
    if "transfer-encoding" in lowered:
        codings = fields.get_all("transfer-encoding") or [""]
        if [coding.strip().lower() for coding in codings] != ["chunked"]:
            raise AmbiguousHead(f"Transfer-Encoding is {', '.join(codings)!r}; it must be chunked")
        if "content-length" in lowered:
            raise AmbiguousHead("there are Transfer-Encoding and Content-Length")
    elif "content-length" in lowered:
        lengths = fields.get_all("content-length") or [""]
        if len(lengths) > 1 or not (lengths[0].isascii() and lengths[0].strip().isdigit()):
            raise AmbiguousHead(f"Content-Length is {', '.join(lengths)!r}; it must be one number")


def settle_target(target: str, version: str, fields: HTTPMessage) -> str:
    """Return the path that is asked for; ``fields`` has one Host then, that of the target.

    Raises AmbiguousHead.
    """
    if version == "HTTP/1.1" and "host" not in fields:
        raise AmbiguousHead("there is no Host")
    if target.startswith("/") or ":" not in target:
        return target
    found = _ABSOLUTE.fullmatch(target)
    if found is None:
        raise AmbiguousHead(f"the target is {target!r}; it must be a path, or http://host/path")
    del fields["host"]
    fields["Host"] = found[1]
    return f"/{found[2]}"
