"""Keys and tokens of NATS, made anew for each test."""

from __future__ import annotations

import json
import time
from base64 import b32encode, urlsafe_b64encode
from binascii import crc_hqx
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

OPERATOR, ACCOUNT, USER = 14 << 3, 0, 20 << 3
_SEED = 18 << 3


@dataclass(frozen=True)
class Key:
    """A key: its public part, and its seed."""

    public: str
    seed: str
    private: Ed25519PrivateKey

    def token(self, subject: str, kind: str, **claims: object) -> str:
        """Return a token about ``subject``, signed with this key."""
        body = {
            "jti": subject,
            "iat": int(time.time()),
            "iss": self.public,
            "name": kind,
            "sub": subject,
            "nats": {**claims, "type": kind, "version": 2},
        }
        parts = [_encode(json.dumps({"typ": "JWT", "alg": "ed25519-nkey"}).encode())]
        parts.append(_encode(json.dumps(body).encode()))
        return ".".join([*parts, _encode(self.private.sign(".".join(parts).encode()))])


def make_key(kind: int = USER) -> Key:
    """Return a new key."""
    private = Ed25519PrivateKey.generate()
    public = _checked(bytes((kind,)) + private.public_key().public_bytes_raw())
    head = bytes((_SEED | kind >> 5, (kind & 31) << 3))
    return Key(public, _checked(head + private.private_bytes_raw()), private)


def _checked(raw: bytes) -> str:
    return b32encode(raw + crc_hqx(raw, 0).to_bytes(2, "little")).decode().rstrip("=")


def _encode(data: bytes) -> str:
    return urlsafe_b64encode(data).decode().rstrip("=")
