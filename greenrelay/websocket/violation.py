"""Why a client's connection is ended: a close code and a sentence for the close frame.

Source: RFC 6455, section 7.4.1.
"""

from __future__ import annotations

PROTOCOL_ERROR = 1002
NOT_UTF8 = 1007
TOO_BIG = 1009


class Violation(Exception):
    """What the client sent ends the connection with this close code and reason.

    It never leaves the room: ``Protocol.receive`` turns it into an item.
    """

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(code, reason)
        self.code = code
        self.reason = reason
