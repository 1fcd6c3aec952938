"""What a token store is made of, and what is wrong with that.

Source: HTTP, "Security"; RFC 7518, 3.2 for the length of a secret. A secret is never quoted.
"""

from __future__ import annotations

from dataclasses import dataclass, field

OPAQUE, SIGNED, JWT = "opaque", "signed", "jwt"
TYPES = (OPAQUE, SIGNED, JWT)
# The settings that mean something to some types only.
PARTICULAR = ("secret", "public_key", "algorithms", "audience", "issuer", "leeway")
# By name and how many bytes a secret must have at least; the others need a key of two halves.
SECRET_BYTES = {"HS256": 32, "HS384": 48, "HS512": 64}
PUBLIC_ALGORITHMS = (
    *("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"),
    *("ES256", "ES384", "ES512", "EdDSA"),
)
ALGORITHMS = (*SECRET_BYTES, *PUBLIC_ALGORITHMS)
SIGNED_SECRET_BYTES = 32
# Beyond it a clock would not be one any more.
SHORTEST, LONGEST = 0.001, 100 * 365 * 86400.0


@dataclass(frozen=True, slots=True)
class StoreSettings:
    """The settings of one token store; times in seconds."""

    type: str = OPAQUE
    expiration: float = 86400.0
    secret: str | None = field(default=None, repr=False)
    public_key: str | None = field(default=None, repr=False)
    algorithms: tuple[str, ...] = ("HS256",)
    audience: tuple[str, ...] = ()
    issuer: str | None = None
    leeway: float = 0.0

    def uses(self, name: str) -> bool:
        """Whether a setting means something to a store of this type."""
        if name not in PARTICULAR:
            return True
        if self.type == JWT:
            return name != ("secret" if self.has_public_key else "public_key")
        return self.type == SIGNED and name == "secret"

    @property
    def has_public_key(self) -> bool:
        """Whether tokens are only read here: somebody else has the private key."""
        return self.type == JWT and self.algorithms[0] not in SECRET_BYTES


def settings_problems(settings: StoreSettings) -> list[tuple[str, str]]:
    """Return (setting, what is wrong with it) for all that is wrong."""
    lasts = settings.expiration
    if not SHORTEST <= lasts <= LONGEST:
        limit = "at least 1ms" if lasts < SHORTEST else "at most 36500d"
        return [("expiration", f"is {lasts:g} s; it must be {limit}")]
    if settings.type == OPAQUE:
        return []
    if settings.type == SIGNED:
        return _secret_problems(settings.secret, SIGNED_SECRET_BYTES, "type signed")
    names = settings.algorithms
    if not names:
        return [("algorithms", f"is empty; it must list some of {', '.join(ALGORITHMS)}")]
    if len({name in SECRET_BYTES for name in names}) > 1:
        # Else a public key could be taken for a secret.
        return [("algorithms", "must all need a secret (HS…), or all a public key")]
    if settings.has_public_key:
        what = f"is missing; {names[0]} needs the public key as PEM"
        return [] if settings.public_key else [("public_key", what)]
    return _secret_problems(
        settings.secret, max(SECRET_BYTES[name] for name in names), ", ".join(names)
    )


def _secret_problems(secret: str | None, least: int, why: str) -> list[tuple[str, str]]:
    if secret is None:
        return [("secret", f"is missing; {why} needs {least} bytes, as ${{env:TOKEN_SECRET}}")]
    length = len(secret.encode())
    if length >= least:
        return []
    return [("secret", f"is {length} bytes long; {why} needs {least} at least")]
