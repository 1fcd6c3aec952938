from __future__ import annotations

from collections.abc import Callable

import pytest

from greenrelay.config.address import Address, parse_address
from greenrelay.config.path import Parameter, parse_path, parse_prefix
from greenrelay.config.read import (
    anything_list,
    boolean,
    choice,
    duration,
    entry_name,
    import_path,
    integer,
    integer_from,
    methods,
    number_from,
    size,
    text,
    text_list,
)


@pytest.mark.parametrize(
    ("read", "written", "value"),
    [
        (duration, "1m30s", 90.0),
        (size, "64KiB", 65536),
        (boolean, True, True),
        (boolean, " False", False),
        (integer, "-5", -5),
        (integer, 5, 5),
        (integer_from(0, 9), "9", 9),
        (number_from(0), "0.5", 0.5),
        (number_from(0), 2, 2.0),
        (text, " a ", "a"),
        (text_list, "a, b,", ("a", "b")),
        (text_list, ["a"], ("a",)),
        (anything_list, [1, None], (1, None)),
        (choice("close", "open"), "open ", "open"),
        (methods, "get, POST, GET", ("GET", "POST")),
        (entry_name, "a-b.c_1", "a-b.c_1"),
        (import_path, "app.ws:Room.run", "app.ws:Room.run"),
        (parse_address, ":8080", Address("", 8080)),
        (parse_address, "127.0.0.1:0", Address("127.0.0.1", 0)),
        (parse_address, "[::1]:80", Address("::1", 80)),
        (parse_address, "unix:/run/a.sock", Address(path="/run/a.sock")),
        (parse_prefix, "/", ""),
        (parse_prefix, "/a/b/", "/a/b"),
    ],
)
def test_values_are_read_as_people_write_them(
    read: Callable[[object], object], written: object, value: object
) -> None:
    assert read(written) == value


# No float is as large.
HUGE = 10**400


@pytest.mark.parametrize("read", [integer, integer_from(0), number_from(0), size, duration])
def test_whatever_is_a_space_may_stand_around_a_number(read: Callable[[object], float]) -> None:
    assert read("\x1f5\u2007") == 5


@pytest.mark.parametrize(
    ("read", "written", "message"),
    [
        (boolean, "yes", 'is "yes"; it must be true or false'),
        (boolean, 1, "is 1; it must be true or false"),
        (integer, True, "is true; it must be a whole number"),
        (integer, "1.5", 'is "1.5"; it must be a whole number'),
        (integer_from(0, 9), 10, "is 10; it must be 0 to 9"),
        (integer_from(1), 0, "is 0; it must be at least 1"),
        (number_from(0), "x", 'is "x"; it must be a number'),
        pytest.param(number_from(0, 9), HUGE, "is 1000", id="huge"),
        pytest.param(number_from(0), -HUGE, "is -1000", id="hugely negative"),
        pytest.param(duration, str(HUGE), f"duration '{HUGE}': it must be finite", id="huge text"),
        pytest.param(duration, HUGE, f"duration {HUGE}: it must be finite", id="huge duration"),
        pytest.param(size, str(HUGE), f"size '{HUGE}': it must be at most 9223", id="huge size"),
        (size, 2**63, "size 9223372036854775808: it must be at most 9223372036854775807 bytes"),
        (number_from(0), True, "is true; it must be a number"),
        (number_from(0), [1], "is [1]; it must be a number"),
        (text, 1.1, "is 1.1; it must be text, write it in quotes"),
        (text, " ", 'is " "; it must be text that is not empty'),
        (text, ["a" * 99], 'is ["' + "a" * 78 + "…; it must be text that is not empty"),
        (text_list, 5, 'is 5; it must be a list or text such as "a, b"'),
        (text_list, [5], "is 5; it must be text, write it in quotes"),
        (choice("a", "b"), None, "is null; it must be one of a, b"),
        (parse_address, 80, "is 80; it must look like"),
        (parse_address, "unix:", 'is "unix:"; a path must follow unix:'),
        (parse_address, "unix:/a\0b", 'is "unix:/a\\u0000b"; a path must follow unix:'),
        (parse_address, "[a]b:80", 'is "[a]b:80"; it must look like'),
        (parse_address, "a[b:80", 'is "a[b:80"; it must look like'),
        (parse_address, ":x", 'is ":x"; it must look like'),
        (parse_address, ":65536", 'is ":65536"; a port is at most 65535'),
        (parse_address, "::1:80", 'is "::1:80"; write an IPv6 address in brackets'),
        (parse_address, "http//a:80", 'is "http//a:80"; it must look like'),
        (parse_prefix, "/{a}", 'is "/{a}"; a prefix has no parameters'),
        (parse_prefix, "/a//b", 'is "/a//b"; it must not contain "//"'),
        (parse_path, "/a//b", 'is "/a//b"; it must not contain "//"'),
        (parse_path, "/<id>", 'is "/<id>"; a parameter is written {id}, not <id>'),
        (parse_path, "/a?b", 'is "/a?b"; it must not contain spaces, "?" or "#"'),
        (parse_path, "/a-{b}", 'is "/a-{b}"; a parameter is a whole segment such as {id}'),
        (parse_path, "/{1}", 'is "/{1}"; parameter "1" must be a Python identifier'),
        (parse_path, "/{ä}", 'is "/{ä}"; parameter "ä" must be a Python identifier in ASCII'),
        (parse_path, "/{class}", 'is "/{class}"; parameter "class" must be a Python identifier'),
        (parse_path, "/{a}/{a...}", 'is "/{a}/{a...}"; parameter "a" is repeated'),
        (parse_path, "/{a...}/b", 'is "/{a...}/b"; a tail {name...} must be the last segment'),
    ],
)
def test_what_cannot_be_read_says_what_is_allowed(
    read: Callable[[object], object], written: object, message: str
) -> None:
    with pytest.raises(ValueError, match=r"is |must be") as caught:
        read(written)

    assert str(caught.value).startswith(message)


def test_a_path_is_its_fixed_texts_and_parameters() -> None:
    pattern = parse_path("/users/{id}/{rest...}")

    assert pattern.segments == ("users", Parameter("id"), Parameter("rest", is_tail=True))
    assert pattern.shape == ("users", "{}", "{...}")


@pytest.mark.parametrize("written", [":80", "127.0.0.1:0", "[::1]:80", "unix:/a"])
def test_an_address_is_shown_as_it_is_written(written: str) -> None:
    assert str(parse_address(written)) == written
