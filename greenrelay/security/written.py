"""Tokens that say themselves whose they are: signed by itsdangerous, and JSON Web Tokens.

Source: HTTP, "Security"; RFC 7519 and RFC 8725. What is revoked is known by the part of the token
that is signed: a signature can be written in more than one way, what it covers cannot.

Expiry is checked here and not by the libraries, so that there is one clock.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Callable, Mapping
from hashlib import sha256
from importlib import import_module
from secrets import token_urlsafe
from time import time
from typing import Any

from itsdangerous import BadData, URLSafeSerializer

from greenrelay.security.actor import Actor, plain
from greenrelay.security.revocation import Revocations
from greenrelay.security.settings import StoreSettings
from greenrelay.security.token_store import TokenStore, fingerprint

NO_JWT = "needs PyJWT: pip install 'greenrelay[jwt]'"
# No clock gets there; infinity and what is no float are further.
_FAR = 1e15
# Claims that are no meta of the actor.
REGISTERED = ("iss", "sub", "aud", "exp", "nbf", "iat", "jti", "groups")


class WrittenStore(TokenStore):
    """A store whose tokens hold claims; ``_write`` and ``_read`` are how."""

    def __init__(self, settings: StoreSettings, now: Callable[[], float] = time) -> None:
        super().__init__(settings, now)
        self._revoked = Revocations()

    def take_over(self, old: TokenStore) -> None:
        """Know what ``old`` has revoked."""
        if isinstance(old, WrittenStore):
            self._revoked = old._revoked

    def _create(self, actor: Actor) -> str:
        taken = sorted(actor.meta.keys() & set(REGISTERED))
        if taken:
            raise ValueError(f"meta: {taken[0]!r} is the name of a claim; it must be another")
        claims: dict[str, object] = {
            **{key: plain(value) for key, value in actor.meta.items()},
            "sub": actor.id,
            "exp": actor.expires_at,
            "iat": self.now(),
            # Two tokens of one actor differ, so each can be revoked by itself.
            "jti": token_urlsafe(12),
        }
        if actor.groups:
            claims["groups"] = list(actor.groups)
        return self._write(claims)

    def _actor(self, token: str) -> Actor | None:
        claims = self._read(token)
        if not isinstance(claims, Mapping):
            return None
        actor_id, groups = claims.get("sub"), claims.get("groups", [])
        end, start = _time(claims.get("exp")), _time(claims.get("nbf", 0))
        if not isinstance(actor_id, str) or not actor_id or end is None or start is None:
            return None
        if start > self.now() + self.settings.leeway or not _is_list_of_texts(groups):
            return None
        lease = self._revoked.lease(_key(token))
        if lease is None:
            return None
        meta = {key: value for key, value in claims.items() if key not in REGISTERED}
        try:
            return Actor(actor_id, meta, tuple(groups), end + self.settings.leeway, lease)
        except RecursionError:
            # Maps in maps in maps, deeper than Python calls.
            return None

    def _revoke(self, token: str, actor: Actor) -> None:
        assert actor.expires_at is not None, "every token has an end"
        self._revoked.revoke(_key(token), actor.expires_at, self.now())

    @abstractmethod
    def _write(self, claims: dict[str, object]) -> str: ...

    @abstractmethod
    def _read(self, token: str) -> object: ...


class SignedStore(WrittenStore):
    """Tokens of itsdangerous."""

    def __init__(self, settings: StoreSettings, now: Callable[[], float] = time) -> None:
        super().__init__(settings, now)
        # The salt keeps what else the program signs with this secret from being a token.
        self._serializer = URLSafeSerializer(
            settings.secret or "", "greenrelay.token", signer_kwargs={"digest_method": sha256}
        )

    def _write(self, claims: dict[str, object]) -> str:
        return str(self._serializer.dumps(claims))

    def _read(self, token: str) -> object:
        try:
            found: object = self._serializer.loads(token)
        except (BadData, RecursionError):
            return None
        return found


class JwtStore(WrittenStore):
    """JSON Web Tokens, its own or, with a public key, somebody else's."""

    def __init__(self, settings: StoreSettings, now: Callable[[], float] = time) -> None:
        super().__init__(settings, now)
        try:
            # It is an extra, and imports ssl, which nobody else may have patched by now.
            jwt = import_module("jwt")
        except ImportError:
            raise ValueError(NO_JWT) from None
        self._jwt: Any = jwt
        self._key = _jwt_key(jwt, settings)

    def _write(self, claims: dict[str, object]) -> str:
        settings = self.settings
        if settings.has_public_key:
            raise ValueError("this store has a public key only: it cannot create tokens")
        if settings.audience:
            claims["aud"] = settings.audience[0]
        if settings.issuer is not None:
            claims["iss"] = settings.issuer
        return str(self._jwt.encode(claims, settings.secret, settings.algorithms[0]))

    def _read(self, token: str) -> object:
        settings = self.settings
        wanted = ["sub", "exp", *(["iss"] if settings.issuer else [])]
        options = {
            "require": wanted + (["aud"] if settings.audience else []),
            "verify_exp": False,
            "verify_nbf": False,
            "verify_iat": False,
            # Without one of our own, a token that is meant for somebody is meant for somebody else.
            "verify_aud": True,
        }
        try:
            found: object = self._jwt.decode(
                token,
                self._key,
                algorithms=list(settings.algorithms),
                audience=list(settings.audience) or None,
                issuer=settings.issuer,
                options=options,
            )
        except (self._jwt.PyJWTError, ValueError, TypeError, RecursionError):
            # Beside its own errors PyJWT lets through what odd headers and numbers raise.
            return None
        return found


def _jwt_key(library: Any, settings: StoreSettings) -> Any:
    """Return the key tokens are checked with; raises ValueError for one that is none."""
    if not settings.has_public_key:
        return settings.secret
    key: Any = None
    for name in settings.algorithms:
        try:
            key = library.get_algorithm_by_name(name).prepare_key(settings.public_key)
        except NotImplementedError:
            raise ValueError(f"{name} needs cryptography: pip install cryptography") from None
        except (library.PyJWTError, ValueError, TypeError) as error:
            raise ValueError(f"public_key is no key for {name}: {error}") from None
    return key


def _key(token: str) -> bytes:
    return fingerprint(token.rpartition(".")[0])


def _time(value: object) -> float | None:
    """Return seconds since the epoch, as a claim has them; None for what is no such number."""
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not is_number or not isinstance(value, (int, float)) or abs(value) > _FAR:
        return None
    return None if math.isnan(value) else float(value)


def _is_list_of_texts(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(each, str) for each in value)
