"""The three sorts of token stores, with a clock of their own."""

from __future__ import annotations

import base64
import json
import sys
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from itsdangerous import URLSafeSerializer

from greenrelay.security.authority import make_store
from greenrelay.security.opaque import OpaqueStore
from greenrelay.security.settings import StoreSettings, settings_problems
from greenrelay.security.token_store import TokenStore
from greenrelay.security.written import WrittenStore

SECRET = "a secret of more than thirty-two bytes"
OTHER = "another secret of more than thirty-two"


class Clock:
    """The time, which moves by hand."""

    def __init__(self) -> None:
        self.now = 1_700_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def made(clock: Clock, type: str = "opaque", **options: Any) -> TokenStore:
    settings = StoreSettings(type, secret=SECRET, **options)
    assert settings_problems(settings) == []
    return make_store(settings, clock)


@pytest.fixture(params=["opaque", "signed", "jwt"])
def store(request: pytest.FixtureRequest, clock: Clock) -> TokenStore:
    return made(clock, request.param)


def test_a_token_makes_the_actor_it_was_made_for(store: TokenStore, clock: Clock) -> None:
    token = store.create("ada", {"role": "admin"}, "1h", groups=["members"])

    actor = store.validate(token)

    assert actor is not None
    assert (actor.id, dict(actor.meta), actor.groups) == ("ada", {"role": "admin"}, ("members",))
    assert actor.expires_at == clock.now + 3600


def test_meta_may_hold_lists_and_maps(store: TokenStore) -> None:
    actor = store.validate(store.create("ada", {"tags": ["a", {"b": [1, None]}]}))

    assert actor is not None
    assert actor.meta["tags"] == ("a", {"b": (1, None)})


def test_a_token_lasts_24_hours_unless_something_else_is_said(
    store: TokenStore, clock: Clock
) -> None:
    actor = store.validate(store.create("ada"))

    assert actor is not None
    assert actor.expires_at == clock.now + 86400


def test_a_token_is_over_when_its_time_is(store: TokenStore, clock: Clock) -> None:
    token = store.create("ada", expires_in=60)

    clock.now += 59.9
    assert store.validate(token) is not None
    clock.now += 0.1

    assert store.validate(token) is None
    assert not store.revoke(token)


def test_a_revoked_token_is_good_for_nothing_and_no_other_is_touched(store: TokenStore) -> None:
    token, other = store.create("ada"), store.create("ada")

    assert store.revoke(token)

    assert store.validate(token) is None
    assert not store.revoke(token)
    assert store.validate(other) is not None


def test_revoking_tells_whoever_has_validated_the_token(store: TokenStore) -> None:
    told: list[str] = []
    token = store.create("ada")
    actor, again = store.validate(token), store.validate(token)
    assert actor is not None
    assert again is not None
    actor.watch(lambda: told.append("one"))
    again.watch(lambda: told.append("other"))

    store.revoke(token)

    assert told == ["one", "other"]
    assert not actor.is_valid(store.now())


@pytest.mark.parametrize(
    "token", ["", "x", "a.b", "a.b.c", "\u0661", "x" * 10_000, ".", "..", "=" * 9]
)
def test_what_is_no_token_makes_no_actor(store: TokenStore, token: str) -> None:
    assert store.validate(token) is None
    assert not store.revoke(token)


def test_a_token_of_another_store_makes_no_actor(store: TokenStore, clock: Clock) -> None:
    other = make_store(StoreSettings(store.settings.type, secret=OTHER), clock)

    assert store.validate(other.create("ada")) is None


def test_a_changed_token_makes_no_actor(store: TokenStore) -> None:
    token = store.create("ada", {"role": "guest"})

    for index in range(0, len(token) - 1, 5):
        changed = "A" if token[index] != "A" else "B"
        assert store.validate(token[:index] + changed + token[index + 1 :]) is None


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (("",), "id"),
        (("ada", {}, 0), "expires_in"),
        (("ada", {}, 1e15), "expires_in"),
        (("ada", {}, "soon"), "soon"),
    ],
)
def test_what_cannot_be_a_token_is_refused(
    store: TokenStore, arguments: tuple[Any, ...], why: str
) -> None:
    with pytest.raises(ValueError, match=why):
        store.create(*arguments)


def test_groups_are_a_list(store: TokenStore) -> None:
    with pytest.raises(ValueError, match="groups"):
        store.create("ada", groups="members")


def test_a_store_keeps_hashes_and_no_tokens(clock: Clock) -> None:
    store = made(clock)
    assert isinstance(store, OpaqueStore)

    token = store.create("ada")

    assert token not in repr(vars(store))
    assert token.encode() not in repr(vars(store)).encode()
    assert len(store) == 1


def test_opaque_tokens_that_are_over_leave_the_memory(clock: Clock) -> None:
    store = made(clock)
    assert isinstance(store, OpaqueStore)
    for _ in range(10):
        store.create("ada", expires_in=60)

    clock.now += 61
    store.create("ada", expires_in=60)

    assert len(store) == 1


@pytest.mark.parametrize("type", ["signed", "jwt"])
def test_what_was_revoked_is_forgotten_when_it_is_over(clock: Clock, type: str) -> None:
    store = made(clock, type)
    assert isinstance(store, WrittenStore)
    store.revoke(store.create("ada", expires_in=60))
    assert len(store._revoked) == 1

    clock.now += 61
    store.revoke(store.create("ada", expires_in=60))

    assert len(store._revoked) == 1


@pytest.mark.parametrize("type", ["signed", "jwt"])
def test_a_revoked_token_does_not_come_back_with_its_signature_written_otherwise(
    clock: Clock, type: str
) -> None:
    store = made(clock, type)
    token = store.create("ada")
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    # The last letter of 32 bytes in base64 has two bits that mean nothing.
    same = [token[:-1] + letters[letters.index(token[-1]) ^ bit] for bit in (0, 1, 2, 3)]
    # Newer versions of PyJWT take one of them only.
    assert type == "jwt" or any(store.validate(each) for each in same[1:])

    store.revoke(token)

    assert [store.validate(each) for each in same] == [None] * 4


@pytest.mark.parametrize("type", ["signed", "jwt"])
def test_meta_with_the_name_of_a_claim_is_refused(clock: Clock, type: str) -> None:
    with pytest.raises(ValueError, match="'exp' is the name of a claim"):
        made(clock, type).create("ada", {"exp": 1})


def test_what_else_was_signed_with_the_secret_is_no_token(clock: Clock) -> None:
    claims = {"sub": "ada", "exp": clock.now + 60}

    forged = URLSafeSerializer(SECRET).dumps(claims)

    assert made(clock, "signed").validate(str(forged)) is None


def test_a_reloaded_store_knows_on_what_it_has_known(store: TokenStore, clock: Clock) -> None:
    token, revoked = store.create("ada"), store.create("bob")
    store.revoke(revoked)

    new = made(clock, store.settings.type, expiration=60.0)
    new.take_over(store)

    assert new.validate(token) is not None
    assert new.validate(revoked) is None


# JSON Web Tokens


def encoded(clock: Clock, key: Any = SECRET, algorithm: str = "HS256", **claims: Any) -> str:
    """A token as somebody else makes it."""
    given = {"sub": "ada", "exp": clock.now + 60, **claims}
    kept = {name: value for name, value in given.items() if value is not None}
    return str(jwt.encode(kept, key, algorithm))


def unsigned(clock: Clock, header: dict[str, object]) -> str:
    parts = [header, {"sub": "ada", "exp": clock.now + 60}]
    texts = [base64.urlsafe_b64encode(json.dumps(part).encode()).decode() for part in parts]
    return ".".join([*(text.rstrip("=") for text in texts), ""])


def test_a_token_of_somebody_else_makes_an_actor_with_its_claims(clock: Clock) -> None:
    token = encoded(clock, role="admin", groups=["members"], iat=1, jti="x")

    actor = made(clock, "jwt").validate(token)

    assert actor is not None
    assert (actor.id, dict(actor.meta), actor.groups) == ("ada", {"role": "admin"}, ("members",))


@pytest.mark.parametrize("name", ["none", "None", "NONE", "nOnE", ""])
def test_a_token_without_a_signature_makes_no_actor(clock: Clock, name: str) -> None:
    assert made(clock, "jwt").validate(unsigned(clock, {"alg": name, "typ": "JWT"})) is None


@pytest.mark.parametrize(
    "claims",
    [
        {"sub": None},
        {"sub": ""},
        {"exp": None},
        {"exp": "soon"},
        {"exp": float("inf")},
        {"exp": float("nan")},
        {"exp": 10**400},
        {"exp": True},
        {"nbf": 1_700_000_001},
        {"nbf": "later"},
        {"groups": "admins"},
        {"groups": [1]},
    ],
)
def test_a_token_whose_claims_are_no_actors_makes_none(
    clock: Clock, claims: dict[str, object]
) -> None:
    header = {"alg": "HS256", "typ": "JWT"}
    body = {"sub": "ada", "exp": clock.now + 60, **claims}
    kept = {name: value for name, value in body.items() if value is not None}
    token = jwt.api_jws.encode(json.dumps(kept).encode(), SECRET, "HS256", header)

    assert made(clock, "jwt").validate(token) is None


def test_a_token_with_claims_in_claims_in_claims_makes_no_actor(clock: Clock) -> None:
    body = f'{{"sub": "ada", "exp": {clock.now + 60}, "x": {"[" * 900 + "]" * 900}}}'
    token = jwt.api_jws.encode(body.encode(), SECRET, "HS256", {"typ": "JWT"})

    assert made(clock, "jwt").validate(token) is None


def test_a_token_of_another_algorithm_makes_no_actor(clock: Clock) -> None:
    long = SECRET * 2

    store = make_store(StoreSettings("jwt", secret=long, algorithms=("HS256",)), clock)

    assert store.validate(encoded(clock, long, "HS512")) is None
    assert store.validate(encoded(clock, long, "HS256")) is not None


@pytest.mark.parametrize("audience", ["other", ["other", "more"]])
def test_a_token_for_somebody_makes_no_actor_where_nobody_says_who_this_is(
    clock: Clock, audience: object
) -> None:
    assert made(clock, "jwt").validate(encoded(clock, aud=audience)) is None


@pytest.mark.parametrize("audience", [None, "other", ["other"], 7])
def test_a_token_for_another_audience_makes_no_actor(clock: Clock, audience: object) -> None:
    store = made(clock, "jwt", audience=("app", "site"))

    assert store.validate(encoded(clock, aud=audience)) is None
    assert store.validate(encoded(clock, aud=["x", "site"])) is not None
    assert store.validate(store.create("ada")) is not None


@pytest.mark.parametrize("issuer", [None, "https://other.example", 7])
def test_a_token_of_another_issuer_makes_no_actor(clock: Clock, issuer: object) -> None:
    store = made(clock, "jwt", issuer="https://id.example")
    token = jwt.api_jws.encode(
        json.dumps({"sub": "ada", "exp": clock.now + 60, "iss": issuer}).encode(), SECRET, "HS256"
    )

    assert store.validate(token) is None
    assert store.validate(encoded(clock, iss="https://id.example")) is not None
    assert store.validate(store.create("ada")) is not None


def test_leeway_allows_for_clocks_that_differ(clock: Clock) -> None:
    store = made(clock, "jwt", leeway=30.0)

    actor = store.validate(encoded(clock, exp=clock.now - 29, nbf=clock.now + 29))

    assert actor is not None
    assert actor.expires_at == clock.now + 1
    assert store.validate(encoded(clock, exp=clock.now - 30)) is None


def pem(key: Any) -> str:
    public = key.public_key()
    encoding, form = serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    return str(public.public_bytes(encoding, form).decode())


def test_a_public_key_reads_the_tokens_of_who_has_the_other_half(clock: Clock) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    settings = StoreSettings("jwt", public_key=pem(key), algorithms=("ES256",))
    store = make_store(settings, clock)

    assert store.validate(encoded(clock, key, "ES256")) is not None
    other = ec.generate_private_key(ec.SECP256R1())
    assert store.validate(encoded(clock, other, "ES256")) is None
    with pytest.raises(ValueError, match="it cannot create tokens"):
        store.create("ada")


def test_a_public_key_is_not_taken_for_a_secret(clock: Clock) -> None:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    store = make_store(StoreSettings("jwt", public_key=pem(key), algorithms=("RS256",)), clock)
    claims = json.dumps({"sub": "ada", "exp": clock.now + 60}).encode()
    head = base64.urlsafe_b64encode(b'{"alg":"HS256","typ":"JWT"}').rstrip(b"=")
    signed = head + b"." + base64.urlsafe_b64encode(claims).rstrip(b"=")
    hmac = jwt.get_algorithm_by_name("HS256").sign(signed, pem(key).encode())
    forged = (signed + b"." + base64.urlsafe_b64encode(hmac).rstrip(b"=")).decode()

    assert store.validate(forged) is None
    assert store.validate(encoded(clock, key, "RS256")) is not None


def test_without_pyjwt_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "jwt", None)

    with pytest.raises(ValueError, match=r"pip install 'greenrelay\[jwt\]'"):
        make_store(StoreSettings("jwt", secret=SECRET))


def test_a_key_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="public_key is no key for RS256"):
        make_store(StoreSettings("jwt", public_key="no key", algorithms=("RS256",)))


def test_a_setting_means_something_to_some_types_only() -> None:
    opaque, signed, secret = (StoreSettings(type) for type in ("opaque", "signed", "jwt"))
    public = StoreSettings("jwt", algorithms=("ES256",))

    assert [each.uses("expiration") for each in (opaque, signed, secret, public)] == [True] * 4
    assert [each.uses("secret") for each in (opaque, signed, secret)] == [False, True, True]
    assert [each.uses("public_key") for each in (opaque, signed, secret)] == [False] * 3
    assert [public.uses(name) for name in ("public_key", "secret")] == [True, False]
    assert [each.uses("audience") for each in (opaque, signed, secret)] == [False, False, True]


@pytest.mark.parametrize(
    ("settings", "field", "why"),
    [
        (StoreSettings("signed"), "secret", "is missing; type signed needs 32 bytes"),
        (
            StoreSettings("signed", secret="short"),
            "secret",
            "is 5 bytes long; type signed needs 32",
        ),
        (StoreSettings("jwt", secret="s" * 31), "secret", "is 31 bytes long; HS256 needs 32"),
        (
            StoreSettings("jwt", secret="s" * 63, algorithms=("HS256", "HS512")),
            "secret",
            "is 63 bytes long; HS256, HS512 needs 64",
        ),
        (StoreSettings("jwt", algorithms=("RS256",)), "public_key", "is missing; RS256 needs"),
        (StoreSettings("jwt", algorithms=("RS256", "HS256")), "algorithms", "or all a public key"),
        (StoreSettings("jwt", algorithms=()), "algorithms", "is empty"),
        (StoreSettings(expiration=0), "expiration", "it must be at least 1ms"),
        (StoreSettings(expiration=1e10), "expiration", "it must be at most 36500d"),
    ],
)
def test_settings_that_fit_not_together_say_so(
    settings: StoreSettings, field: str, why: str
) -> None:
    [(found_field, text)] = settings_problems(settings)

    assert found_field == field
    assert why in text
