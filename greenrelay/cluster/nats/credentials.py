"""Who a client says it is: user and password, token, nkey, or JWT with its nkey.

Source: the NATS client protocol, CONNECT; ADR-14 of NATS for keys and credentials files. A server
that wants a key sends a nonce, which the seed signs; the seed itself is never sent.
"""

from __future__ import annotations

import re
from base64 import b32decode, b32encode, urlsafe_b64encode
from binascii import Error, crc_hqx
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib import import_module

Sign = Callable[[bytes], bytes]
_SEED_BYTES = 32
# Of a seed's two first bytes: five bits "S", then what the key is for. "U" is a user.
_SEED, _USER = 18 << 3, 20 << 3
_BLOCK = re.compile(r"-----BEGIN ([A-Z ]+)-----\s+(\S+)\s+-+END \1-+")
NO_LIBRARY = "signing with an nkey needs cryptography: pip install cryptography"


@dataclass(frozen=True, slots=True)
class Credentials:
    """What proves who a client is; all empty where the server asks nobody."""

    user: str = ""
    password: str = field(default="", repr=False)
    token: str = field(default="", repr=False)
    jwt: str = field(default="", repr=False)
    seed: str = field(default="", repr=False)

    def answer(self, nonce: str) -> dict[str, object]:
        """Return the fields of CONNECT for a server that has sent ``nonce``.

        Raises ValueError for a seed that is none, or that nothing here can sign with.
        """
        if self.seed:
            public, sign = key_of(self.seed)
            signature = urlsafe_b64encode(sign(nonce.encode())).rstrip(b"=").decode()
            who: dict[str, object] = {"jwt": self.jwt} if self.jwt else {"nkey": public}
            return {**who, "sig": signature}
        if self.token:
            return {"auth_token": self.token}
        return {"user": self.user, "pass": self.password} if self.user else {}


def parse_credentials(text: str) -> Credentials:
    """Return what a credentials file holds; raises ValueError for any other text."""
    blocks = dict(_BLOCK.findall(text))
    jwt, seed = blocks.get("NATS USER JWT", ""), blocks.get("USER NKEY SEED", "")
    if not jwt or not seed:
        raise ValueError("it must have the blocks NATS USER JWT and USER NKEY SEED")
    key_of(seed)
    return Credentials(jwt=jwt, seed=seed)


def key_of(seed: str) -> tuple[str, Sign]:
    """Return the public key of a user's seed, and what signs with it; raises ValueError."""
    try:
        raw = b32decode(seed + "=" * (-len(seed) % 8))
    except (Error, ValueError):
        raw = b""
    body, check = raw[:-2], raw[-2:]
    if len(raw) != 4 + _SEED_BYTES or crc_hqx(body, 0).to_bytes(2, "little") != check:
        raise ValueError('the seed must look like "SU…" and be complete')
    kind = (raw[0] & 0x07) << 5 | (raw[1] & 0xF8) >> 3
    if raw[0] & 0xF8 != _SEED or kind != _USER:
        raise ValueError('the seed must be that of a user: "SU…"')
    public, sign = _signer(body[2:])
    named = bytes((_USER,)) + public
    return b32encode(named + crc_hqx(named, 0).to_bytes(2, "little")).decode().rstrip("="), sign


def _signer(secret: bytes) -> tuple[bytes, Sign]:
    # It is nobody's extra but that of keys, and takes its time to load.
    try:
        ed25519 = import_module("cryptography.hazmat.primitives.asymmetric.ed25519")
    except ImportError:
        raise ValueError(NO_LIBRARY) from None
    key = ed25519.Ed25519PrivateKey.from_private_bytes(secret)
    return key.public_key().public_bytes_raw(), key.sign
