from __future__ import annotations

import math
from pathlib import Path

import pytest

from greenrelay.config.loader import MAX_BYTES, read_source, read_text
from greenrelay.config.mark import Mark
from greenrelay.config.value import HALF, MAX_DEPTH
from greenrelay.errors import ConfigError


def plain(text: str) -> object:
    root, problems = read_text(text)
    assert problems == []
    return root.plain()


def refusal_of(text: str) -> str:
    with pytest.raises(ConfigError) as caught:
        read_text(text)
    (problem,) = caught.value.problems
    return problem


@pytest.mark.parametrize("word", ["yes", "no", "on", "off", "y", "2024-01-01", "1:30", "1_000"])
def test_what_only_yaml_1_1_converts_is_text(word: str) -> None:
    assert plain(f"a: {word}\n") == {"a": word}


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("true", True),
        ("FALSE", False),
        ("~", None),
        ("", None),
        ("null", None),
        ("-12", -12),
        ("012", 12),
        ("0x1F", 31),
        ("0o17", 15),
        ("1.5", 1.5),
        ("1e3", 1000.0),
        ("-.inf", -math.inf),
        ("'5'", "5"),
        ("!!str 5", "5"),
        ("!!int '5'", 5),
        ("123456789012345678901", "123456789012345678901"),
        ("[a, 1]", ["a", 1]),
    ],
)
def test_scalars_are_those_of_yaml_1_2(written: str, value: object) -> None:
    assert plain(f"a: {written}\n") == {"a": value}


def test_every_key_and_value_has_its_place() -> None:
    root, _ = read_text("a:\n  bc: [x, y]\n", "c.yaml")

    assert isinstance(root.data, dict)
    inner = root.data["a"]
    assert inner.key_mark == Mark("c.yaml", 1, 1)
    assert isinstance(inner.data, dict)
    listed = inner.data["bc"]
    assert (listed.key_mark, listed.mark) == (Mark("c.yaml", 2, 3), Mark("c.yaml", 2, 7))
    assert isinstance(listed.data, tuple)
    assert [item.mark.column for item in listed.data] == [8, 11]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("a:\n\tb: 1\n", "<text>:2:1: a tab indents this line; YAML indents with spaces only"),
        ("a: 1\n \tb: 2\n", "<text>:2:2: a tab indents this line; YAML indents with spaces only"),
        ("a: [1\n", "<text>:2:1: is not YAML: while parsing a flow sequence: expected"),
        ("a: *b\n", "<text>:1:4: is not YAML: found undefined alias"),
        ("a: 1\n---\nb: 2\n", "<text>:2:1: is not YAML: expected a single document"),
        ("a: &x [*x]\n", "<text>:1:4: an alias stands inside the very value it names"),
        ("a: b\x00\n", "<text>:1:5: character U+0000 may not stand in YAML"),
        ('a: "x\\U00110000"\n', "<text>:1:8: is not YAML: an escape is above \\U0010FFFF"),
        ('a: "\\UFFFFFFFF"\n', "<text>:1:7: is not YAML: an escape is above \\U0010FFFF"),
        ("# nothing\n", "<text>: is empty; it must hold a map with entries or a list of entries"),
        ("a" * (MAX_BYTES + 1), f"<text>: is larger than {MAX_BYTES} bytes"),
    ],
)
def test_text_that_is_not_yaml_is_refused_at_its_place(text: str, problem: str) -> None:
    assert refusal_of(text).startswith(problem)


def test_deep_nesting_is_refused_before_it_exhausts_the_stack() -> None:
    assert f"nested deeper than {MAX_DEPTH} levels" in refusal_of("[" * 100_000 + "\n")


def test_aliases_that_blow_up_are_refused() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    for level in range(1, 9):
        lines.append(f"a{level}: &a{level} [{', '.join([f'*a{level - 1}'] * 10)}]")

    assert "aliases expand the file to more than 100000 values" in refusal_of("\n".join(lines))


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("? [a]\n: 1\n", "<text>:1:3: a list or map cannot be a key; write text"),
        ("a: !!int x\n", '<text>:1:4: "x" is not !!int'),
        ("a: !!set {}\n", '<text>:1:4: tag "!!set" is not allowed; write a plain value'),
        ("a: {<<: 5}\n", "<text>:1:9: << merges a map or a list of maps"),
        ('a: "\\ud800"\n', f'<text>:1:4: "\\ud800" has {HALF}'),
        ('"\\udc00": 1\n', f'<text>:1:1: "\\udc00" has {HALF}'),
    ],
)
def test_what_configurations_do_not_use_is_a_problem(text: str, problem: str) -> None:
    _, problems = read_text(text)

    assert [str(found) for found in problems] == [problem]


def test_a_character_that_json_writes_as_two_escapes_is_one() -> None:
    assert plain('{"a\\ud83d\\ude00": "b\\ud83d\\ude00"}\n') == {"a\U0001f600": "b\U0001f600"}


def test_a_quoted_merge_key_is_an_ordinary_key() -> None:
    assert plain("'<<': 5\n") == {"<<": 5}


def test_a_file_may_begin_with_a_byte_order_mark(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_bytes(b"\xef\xbb\xbfa: 1\n")

    root, _ = read_source(path)

    assert root.plain() == {"a": 1}


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"a: 1\nb: caf\xe9\n", ":2:7: byte 0xe9 is not UTF-8; save the file as UTF-8"),
        (b"\xff\xfea\x00", ":1:1: byte 0xff is not UTF-8; save the file as UTF-8"),
        (b"#" * (MAX_BYTES + 1), f": is larger than {MAX_BYTES} bytes"),
    ],
)
def test_a_file_that_is_no_text_is_refused(tmp_path: Path, content: bytes, problem: str) -> None:
    path = tmp_path / "c.yaml"
    path.write_bytes(content)

    with pytest.raises(ConfigError) as caught:
        read_source(str(path))

    assert caught.value.problems[0].startswith(f"{path}{problem}")


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    path = tmp_path / "absent.yaml"

    with pytest.raises(ConfigError) as caught:
        read_source(path)

    assert caught.value.problems == (f"{path}: cannot be read: No such file or directory",)


def test_a_path_that_no_file_can_have_is_told() -> None:
    with pytest.raises(ConfigError, match="a\x00b: cannot be read: embedded null byte"):
        read_source("a\0b")


def test_half_a_character_in_a_mapping_is_a_problem() -> None:
    _, problems = read_source({"a": ["\udcff"]})

    assert [str(found) for found in problems] == [f'<mapping>: a[0]: "\\udcff" has {HALF}']


def test_a_mapping_that_holds_itself_is_refused() -> None:
    source: dict[str, object] = {}
    source["a"] = source

    with pytest.raises(ConfigError, match=r"<mapping>: holds more than 50 levels"):
        read_source(source)
