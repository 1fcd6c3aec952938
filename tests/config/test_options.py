from __future__ import annotations

from collections.abc import Mapping

import pytest

from greenrelay.config.loader import read_text
from greenrelay.config.options import option_names, read_options
from tests.config.options_example import CorsOptions, RelayOptions


def texts_of(values: Mapping[str, object]) -> list[str]:
    options, problems = read_options(RelayOptions, values)
    assert options is None
    return [f"{problem.field}: {problem.text}" for problem in problems]


def test_nothing_given_is_all_defaults() -> None:
    assert read_options(RelayOptions, {}) == (RelayOptions(), [])


def test_dotted_and_nested_options_are_read_alike() -> None:
    dotted = read_options(RelayOptions, {"wsrelay.max.message.size": "1KiB"})
    nested = read_options(RelayOptions, {"wsrelay": {"max": {"message": {"size": "1KiB"}}}})

    assert dotted == nested == (RelayOptions(max_message_size=1024), [])


def test_an_option_may_be_the_beginning_of_another() -> None:
    values = {"wsrelay.max.connections": "5", "wsrelay.max.connections.per.ip": 2}

    assert read_options(RelayOptions, values) == (RelayOptions(max_connections=5, per_ip=2), [])


def test_aliases_count_in_their_order() -> None:
    last = {"allowed_origins": "c"}
    middle = last | {"allow_origins": ["b"]}
    first = middle | {"wsrelay": {"allowed": {"origins": "a, d"}}}

    origins = []
    for values in (last, middle, first):
        options, _ = read_options(RelayOptions, values)
        assert options is not None
        origins.append(options.allowed_origins)

    assert origins == [("c",), ("b",), ("a", "d")]


def test_null_and_x_options_are_not_given() -> None:
    values = {"wsrelay.ping.interval": None, "x-note": 1}

    assert read_options(RelayOptions, values) == (RelayOptions(), [])


def test_all_problems_are_told_at_once() -> None:
    found = texts_of({"wsrelay.pong": 1, "wsrelay.slow.policy": "run", "wsrelay.ping": 3})

    assert [text.partition(";")[0] for text in found] == [
        'wsrelay.slow.policy: is "run"',
        "wsrelay.pong: unknown option",
        "wsrelay.ping: is 3",
    ]


def test_a_value_that_is_no_configuration_is_a_problem() -> None:
    (found,) = texts_of({"wsrelay.ping.interval": object})

    assert found.startswith("wsrelay.ping.interval: is <class 'object'>; it must be text,")


def test_a_rule_between_options_is_a_problem_of_them_all() -> None:
    options, problems = read_options(CorsOptions, {"cors.allow.credentials": "true"})

    assert options is None
    assert [str(problem) for problem in problems] == [
        '<options>: cors.allow.origins "*" does not go with cors.allow.credentials'
    ]


def test_values_with_marks_give_located_problems() -> None:
    root, _ = read_text("wsrelay:\n  ping.interval: soon\n", "c.yaml")

    _, problems = read_options(RelayOptions, root)

    assert str(problems[0]).startswith("c.yaml:2:3: wsrelay.ping.interval: duration 'soon'")


@pytest.mark.parametrize("name", ["allow_origins", "wsrelay.ping.interval"])
def test_names_of_a_class_include_its_aliases(name: str) -> None:
    assert name in option_names(RelayOptions)
