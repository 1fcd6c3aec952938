"""Text of any kind as a token of a subject, and back; pure.

Source: Cluster, "The engine". A token of NATS must not have dots, spaces or wildcards, so all but
ASCII letters, digits, ``-`` and ``_`` is written as ``=`` and two hexadecimal digits a byte. Two
texts never have one token. A text too long for a subject is written as its hash, and that only
where nobody has to read it back.
"""

from __future__ import annotations

import re
from hashlib import blake2b
from urllib.parse import quote, unquote

# A subject has a few tokens and must stay below the server's limit of 4,096 bytes for a line.
MAX_TOKEN = 480
_HASH = "=h"
_PLAIN = re.compile(r"[A-Za-z0-9_-]+")
_TOKEN = re.compile(rb"(?:[A-Za-z0-9_-]|=[0-9A-F]{2})+")
_EMPTY = "=="


def token_of(text: str) -> str:
    """Return the token for ``text``."""
    if _PLAIN.fullmatch(text) and len(text) <= MAX_TOKEN:
        return text
    if not text:
        return _EMPTY
    # quote leaves "." and "~" as they are, and what it escapes has "%" where this has "=".
    escaped = quote(text, safe="", errors="surrogatepass").replace(".", "%2E").replace("~", "%7E")
    token = escaped.replace("%", "=")
    if len(token) <= MAX_TOKEN:
        return token
    return _HASH + blake2b(text.encode("utf-8", "surrogatepass"), digest_size=24).hexdigest()


def text_of(token: bytes) -> str | None:
    """Return the text of a token, or None if it is a hash or was not made here."""
    if not _TOKEN.fullmatch(token):
        return None
    try:
        return unquote(token.decode("ascii").replace("=", "%"), errors="strict")
    except UnicodeDecodeError:
        return None
