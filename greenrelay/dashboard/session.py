"""Sessions of a dashboard: the signed cookie of a browser, and the token of its page.

Source: Operations, "Dashboard" (CSRF-safe). Nothing is kept for a session: the cookie says when it
ends, and is signed. The token is made of the cookie, so only a page that this server has given to
the very browser knows it, and every worker of the server comes to the same.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass, field

SECONDS = 12 * 3600
# What deriving a key of a password costs whoever guesses: 16 MiB and some 40 ms for each.
_COST = {"n": 2**14, "r": 8, "p": 1}


@dataclass(slots=True)
class Sessions:
    """Makes and reads the sessions of one dashboard; another ``key`` means that none is good."""

    key: bytes = field(repr=False)
    _ended: dict[str, float] = field(default_factory=dict)

    def begin(self, now: float) -> str:
        """Return the cookie of a new session; ``now`` is in seconds since the epoch."""
        body = f"{int(now + SECONDS)}.{secrets.token_urlsafe(18)}"
        return f"{body}.{self._sign('session', body)}"

    def ends_at(self, cookie: str, now: float) -> float | None:
        """Return when the session of a cookie ends; None for a cookie that is not good."""
        body, _, signature = cookie.rpartition(".")
        if not _are_equal(signature, self._sign("session", body)) or cookie in self._ended:
            return None
        until = float(body.partition(".")[0])
        return until if now < until else None

    def token(self, cookie: str) -> str:
        """Return the token of the pages of a session."""
        return self._sign("token", cookie)

    def end(self, cookie: str, now: float) -> None:
        """Let a session be over before its time; other workers do not hear of it."""
        self._ended = {each: until for each, until in self._ended.items() if now < until}
        until = self.ends_at(cookie, now)
        if until is not None:
            self._ended[cookie] = until

    def _sign(self, what: str, text: str) -> str:
        message = f"{what}:{text}".encode("utf-8", "replace")
        return hmac.new(self.key, message, hashlib.sha256).hexdigest()


def key_of(entry_id: str, password: str | None, secret: str | bytes | None) -> bytes:
    """Return the key of a dashboard: the same in all workers, another with another password.

    Without a password the cookie proves nothing, so the key need not be a secret.
    """
    salt = hashlib.sha256(_bytes(secret) + b"\0greenrelay.dashboard\0" + entry_id.encode()).digest()
    if password is None:
        return salt
    return hashlib.scrypt(password.encode(), salt=salt, **_COST, dklen=32)


def is_password(given: str, password: str) -> bool:
    """Compare in a time that tells nothing of where they differ."""
    return _are_equal(given, password)


def _are_equal(one: str, other: str) -> bool:
    return hmac.compare_digest(one.encode("utf-8", "replace"), other.encode("utf-8", "replace"))


def _bytes(secret: str | bytes | None) -> bytes:
    if secret is None:
        return b""
    return secret if isinstance(secret, bytes) else secret.encode()
