"""Text of others on one line of a terminal or a log.

Source: Operations, "Logs and traces". A path, a reason or a name that a client has chosen may hold
line breaks, which would forge lines of a log, and controls, which move the cursor of whoever reads
it.
"""

from __future__ import annotations


def printable(text: str) -> str:
    r"""Return ``text`` with ``\n``, ``\x1b`` and the like for what shows nothing or moves a cursor.

    Letters of all scripts stay; so does a backslash, so the result is for people to read.
    """
    # Nearly all text is, and one look at it costs next to nothing.
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() else repr(each)[1:-1] for each in text)
