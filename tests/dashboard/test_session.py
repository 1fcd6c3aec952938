"""Source: Operations, "Dashboard" (CSRF-safe; a password)."""

from __future__ import annotations

from greenrelay.dashboard.attempts import ALLOWED, MAX_ADDRESSES, WINDOW, Attempts
from greenrelay.dashboard.session import SECONDS, Sessions, is_password, key_of

NOW = 1_000_000.0


def sessions(password: str | None = "a password", secret: str | None = None) -> Sessions:
    return Sessions(key_of("app:dashboard", password, secret))


def test_a_session_lasts_twelve_hours() -> None:
    cookie = sessions().begin(NOW)

    assert sessions().ends_at(cookie, NOW + SECONDS - 1) == NOW + SECONDS
    assert sessions().ends_at(cookie, NOW + SECONDS) is None


def test_no_two_sessions_are_alike() -> None:
    assert sessions().begin(NOW) != sessions().begin(NOW)


def test_a_cookie_that_was_changed_is_not_good() -> None:
    cookie = sessions().begin(NOW)
    until, rest = cookie.split(".", 1)

    assert sessions().ends_at(f"{int(until) + 1}.{rest}", NOW) is None
    assert sessions().ends_at(cookie[:-1], NOW) is None
    assert sessions().ends_at("", NOW) is None
    assert sessions().ends_at("é.é.é", NOW) is None


def test_another_password_or_another_secret_ends_all_sessions() -> None:
    cookie = sessions().begin(NOW)

    assert sessions("another one").ends_at(cookie, NOW) is None
    assert sessions(secret="of the app").ends_at(cookie, NOW) is None


def test_a_session_that_was_ended_is_over() -> None:
    one = sessions()
    cookie, other = one.begin(NOW), one.begin(NOW)

    one.end(cookie, NOW)

    assert one.ends_at(cookie, NOW) is None
    assert one.ends_at(other, NOW) is not None


def test_the_token_of_a_page_belongs_to_its_session() -> None:
    one, other = sessions().begin(NOW), sessions().begin(NOW)

    assert sessions().token(one) == sessions().token(one)
    assert sessions().token(one) != sessions().token(other)
    assert sessions().token(one) not in one


def test_a_password_is_the_whole_of_it() -> None:
    assert is_password("a password", "a password")
    assert not is_password("a passwor", "a password")
    assert not is_password("\udcff", "a password")


def test_an_address_may_fail_five_times_a_minute() -> None:
    attempts = Attempts()

    for number in range(ALLOWED):
        assert attempts.may_try("203.0.113.5", NOW)
        attempts.failed("203.0.113.5", NOW + number)

    assert not attempts.may_try("203.0.113.5", NOW + ALLOWED)
    assert attempts.may_try("203.0.113.6", NOW + ALLOWED)
    assert attempts.may_try("203.0.113.5", NOW + WINDOW)


def test_a_network_of_ipv6_is_one_address() -> None:
    attempts = Attempts()

    for number in range(ALLOWED):
        attempts.failed(f"2001:db8::{number}", NOW)

    assert not attempts.may_try("2001:db8::ffff", NOW)
    assert attempts.may_try("2001:db8:0:1::1", NOW)


def test_what_is_kept_of_failures_is_bounded() -> None:
    attempts = Attempts()

    for number in range(MAX_ADDRESSES + 10):
        attempts.failed(f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}", NOW)

    assert len(attempts._failures) == MAX_ADDRESSES
