"""Reads one YAML file, text or Python mapping into Values that know where they stand.

Source: Configuration, the item "Strict". YAML is read as its version 1.2 says: only ``true`` and
``false`` are booleans, dates are text. Refused are duplicate keys, tags, more than 1 MiB, and what
aliases blow up to more than 100,000 values (a reader would otherwise hold gigabytes for a small
file). ``<<`` merges maps, as people expect of anchors kept under an ``x-`` key.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, NoReturn

import yaml

from greenrelay.config.mark import Mark, Problem, raise_problems, shown
from greenrelay.config.value import (
    HALF,
    MAX_DEPTH,
    MAX_NODES,
    UNREAD,
    Data,
    Unread,
    Value,
    from_python,
    is_unicode,
)
from greenrelay.errors import ConfigError

MAX_BYTES = 1024 * 1024

Source = str | os.PathLike[str] | Mapping[str, object] | Sequence[object]

_TAG = "tag:yaml.org,2002:"
# Longer digit strings stay text: they are identifiers, and no number here needs them.
_SCALARS: dict[str, tuple[re.Pattern[str], Callable[[str], Data]]] = {
    "null": (re.compile(r"~|null|Null|NULL|"), lambda text: None),
    "bool": (re.compile(r"true|True|TRUE|false|False|FALSE"), lambda text: text.lower() == "true"),
    "int": (
        re.compile(r"[-+]?[0-9]{1,18}|0o[0-7]{1,20}|0x[0-9a-fA-F]{1,16}"),
        lambda text: int(text, 0 if text[:2] in {"0o", "0x"} else 10),
    ),
    "float": (
        re.compile(
            r"[-+]?(?:\.[0-9]+|[0-9]+\.[0-9]*)(?:[eE][-+]?[0-9]+)?"
            r"|[-+]?[0-9]+[eE][-+]?[0-9]+|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)"
        ),
        lambda text: float(text.lower().replace(".inf", "inf").replace(".nan", "nan")),
    ),
}


def read_sources(source: Source, problems: list[Problem]) -> tuple[list[Value], list[str]]:
    """Return the root value of every file of a source, and the texts of what cannot be read.

    A list of nothing but paths are files; anything else is one source, see read_source.
    """
    roots: list[Value] = []
    refusals: list[str] = []
    sources: Sequence[Source] = _files(source) or [source]
    for each in sources:
        try:
            root, found = read_source(each)
        except ConfigError as error:
            refusals += error.problems
        else:
            roots.append(root)
            problems += found
    return roots, refusals


def _files(source: Source) -> list[str | os.PathLike[str]]:
    """Return the paths of a list of paths, each once; of anything else nothing."""
    if isinstance(source, (str, os.PathLike, Mapping)):
        return []
    paths = [each for each in source if isinstance(each, (str, os.PathLike))]
    return list(dict.fromkeys(paths)) if len(paths) == len(source) else []


def read_source(source: Source) -> tuple[Value, list[Problem]]:
    """Return the root value of a configuration and what is wrong with it so far.

    A path, or a str without a line break, is a file; a str with one is YAML text. Raises
    ConfigError for what cannot be read at all: no file, too big, not UTF-8, not YAML.
    """
    if isinstance(source, str) and "\n" in source:
        return read_text(source)
    if isinstance(source, (str, os.PathLike)):
        return _read_file(os.fspath(source))
    problems: list[Problem] = []
    return from_python(source, Mark("<mapping>"), problems), problems


def read_text(text: str, file: str = "<text>") -> tuple[Value, list[Problem]]:
    """Return the root value of YAML text and its problems; ``file`` is what marks name.

    Raises ConfigError as read_source does.
    """
    if len(text.encode("utf-8", "surrogatepass")) > MAX_BYTES:
        _refuse(Mark(file), f"is larger than {MAX_BYTES} bytes; a configuration must be smaller")
    try:
        node = _Loader(text).get_single_node()
    except yaml.MarkedYAMLError as error:
        _refuse_syntax(error, text, file)
    except yaml.reader.ReaderError as error:
        mark = _mark_at(file, text[: error.position])
        _refuse(mark, f"character U+{ord(text[error.position]):04X} may not stand in YAML")
    if node is None:
        _refuse(Mark(file), "is empty; it must hold a map with entries or a list of entries")
    reader = _NodeReader(file)
    return reader.value(node), reader.problems


def _read_file(path: str) -> tuple[Value, list[Problem]]:
    try:
        with Path(path).open("rb") as stream:
            content = stream.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        # A ValueError is what a path gives that has a NUL in it.
        reason = error.strerror if isinstance(error, OSError) else error
        _refuse(Mark(path), f"cannot be read: {reason}")
    if len(content) > MAX_BYTES:
        _refuse(Mark(path), f"is larger than {MAX_BYTES} bytes; a configuration must be smaller")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        mark = _mark_at(path, content[: error.start].decode("utf-8", "replace"))
        _refuse(mark, f"byte 0x{content[error.start]:02x} is not UTF-8; save the file as UTF-8")
    return read_text(text, path)


def _mark_at(file: str, before: str) -> Mark:
    lines = before.split("\n")
    return Mark(file, len(lines), len(lines[-1]) + 1)


def _refuse(mark: Mark, text: str) -> NoReturn:
    raise_problems([Problem(mark, text)])


def _refuse_syntax(error: yaml.MarkedYAMLError, text: str, file: str) -> NoReturn:
    place = error.problem_mark or error.context_mark
    assert place is not None  # PyYAML's scanner, parser and composer always give one.
    lines = text.split("\n")
    line = lines[place.line] if place.line < len(lines) else ""
    indent = line[: len(line) - len(line.lstrip())]
    if "\t" in indent:
        mark = Mark(file, place.line + 1, indent.index("\t") + 1)
        _refuse(mark, "a tab indents this line; YAML indents with spaces only")
    reason = f"{error.context}: {error.problem}" if error.context else f"{error.problem}"
    _refuse(Mark(file, place.line + 1, place.column + 1), f"is not YAML: {reason}")


class _Loader(yaml.SafeLoader):
    """A safe loader with the scalars of YAML 1.2 and a limit on depth."""

    _depth = 0

    def get_single_node(self) -> yaml.Node | None:
        try:
            return super().get_single_node()
        except (ValueError, OverflowError):
            # What PyYAML makes a character of is any number that is written in an escape.
            problem = r"an escape is above \U0010FFFF and so names no character"
            place = self.get_mark()
            raise yaml.scanner.ScannerError(None, None, problem, place) from None

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        # PyYAML recurses here; without a limit a file of brackets ends in RecursionError.
        self._depth += 1
        if self._depth > MAX_DEPTH:
            problem = f"maps and lists nested deeper than {MAX_DEPTH} levels"
            place = self.peek_event().start_mark  # type: ignore[no-untyped-call]
            raise yaml.composer.ComposerError(None, None, problem, place)
        node = super().compose_node(parent, index)
        self._depth -= 1
        return node


# A table of its own: the one it inherits belongs to every user of PyYAML in the process, and reads
# `yes` as true and `1:30` as a number.
_Loader.yaml_implicit_resolvers = {}
for _name, (_pattern, _) in _SCALARS.items():
    _Loader.add_implicit_resolver(_TAG + _name, re.compile(f"(?:{_pattern.pattern})$"), None)


class _NodeReader:
    """Turns nodes into Values. Aliases are expanded and counted as often as they are used."""

    def __init__(self, file: str) -> None:
        self.problems: list[Problem] = []
        self._file = file
        self._count = 0
        self._open: set[int] = set()

    def value(self, node: yaml.Node, key_mark: Mark | None = None) -> Value:
        mark = self._mark(node)
        self._count += 1
        if self._count > MAX_NODES:
            _refuse(mark, f"aliases expand the file to more than {MAX_NODES} values; use fewer")
        if id(node) in self._open:
            _refuse(mark, "an alias stands inside the very value it names; write the value out")
        self._open.add(id(node))
        data = self._data(node, mark)
        self._open.remove(id(node))
        return Value(data, mark, key_mark)

    def _mark(self, node: yaml.Node) -> Mark:
        return Mark(self._file, node.start_mark.line + 1, node.start_mark.column + 1)

    def _data(self, node: yaml.Node, mark: Mark) -> Data:
        if isinstance(node, yaml.MappingNode) and node.tag == _TAG + "map":
            return self._map(node)
        if isinstance(node, yaml.SequenceNode) and node.tag == _TAG + "seq":
            return tuple(self.value(item) for item in node.value)
        if isinstance(node, yaml.ScalarNode) and node.tag == _TAG + "str":
            return self._text(node.value, mark)
        name = node.tag.removeprefix(_TAG)
        if not isinstance(node, yaml.ScalarNode) or name not in _SCALARS:
            tag = node.tag.replace(_TAG, "!!")
            self.problems.append(Problem(mark, f'tag "{tag}" is not allowed; write a plain value'))
            return UNREAD
        pattern, convert = _SCALARS[name]
        if not pattern.fullmatch(node.value):
            self.problems.append(Problem(mark, f"{shown(node.value)} is not !!{name}"))
            return UNREAD
        return convert(node.value)

    def _text(self, text: str, mark: Mark) -> str | Literal[Unread.UNREAD]:
        if is_unicode(text):
            return text
        try:
            # JSON, which YAML includes, writes a character above U+FFFF as two escapes.
            return text.encode("utf-16", "surrogatepass").decode("utf-16")
        except UnicodeDecodeError:
            self.problems.append(Problem(mark, f"{shown(text)} has {HALF}"))
            return UNREAD

    def _map(self, node: yaml.MappingNode) -> dict[str, Value]:
        result: dict[str, Value] = {}
        merged: list[yaml.Node] = []
        for key_node, value_node in node.value:
            mark = self._mark(key_node)
            if not isinstance(key_node, yaml.ScalarNode):
                self.problems.append(Problem(mark, "a list or map cannot be a key; write text"))
                continue
            key = self._text(key_node.value, mark)
            if key is UNREAD:
                continue
            if key == "<<" and key_node.style is None:
                merged.append(value_node)
            elif key in result:
                text = f"key is given twice; the first is at {result[key].where}"
                self.problems.append(Problem(mark, text, key))
            else:
                result[key] = self.value(value_node, mark)
        for value_node in merged:
            self._merge(result, value_node)
        return result

    def _merge(self, result: dict[str, Value], node: yaml.Node) -> None:
        sources = node.value if isinstance(node, yaml.SequenceNode) else [node]
        for source in sources:
            data = self.value(source).data
            if isinstance(data, dict):
                for key, item in data.items():
                    result.setdefault(key, item)
            else:
                text = "<< merges a map or a list of maps"
                self.problems.append(Problem(self._mark(source), text))
