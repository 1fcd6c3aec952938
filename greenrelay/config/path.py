"""Paths of endpoints: ``/users/{id}``, and ``/files/{rest...}`` whose tail takes what is left.

Source: HTTP, "Entries". A parameter is a whole segment. Two paths have the same shape when they
differ in the names of their parameters only: no request could tell them apart.
"""

from __future__ import annotations

import keyword
import re
from dataclasses import dataclass

from greenrelay.config.fragment import written_as
from greenrelay.config.mark import shown

_PARAMETER = re.compile(r"\{([^{}]*?)(\.\.\.)?\}")
# For the schema: segments are fixed texts or parameters, and a tail is the last.
_NAME = r"[A-Za-z_][A-Za-z0-9_]*"
_PATH = rf"^(?=/)(?!.*//)(?:/(?:[^\s?#<>{{}}/]*|\{{{_NAME}\}}))*(?:/\{{{_NAME}\.\.\.\}})?$"


@dataclass(frozen=True, slots=True)
class Parameter:
    """A segment that is handed to the view as ``name``; a tail spans several segments."""

    name: str
    is_tail: bool = False


@dataclass(frozen=True, slots=True)
class PathPattern:
    """A path as written and its segments: fixed texts and parameters."""

    text: str
    segments: tuple[str | Parameter, ...]

    def __str__(self) -> str:
        return self.text

    @property
    def shape(self) -> tuple[str, ...]:
        """The segments with ``{}`` for a parameter and ``{...}`` for a tail."""
        return tuple(
            segment if isinstance(segment, str) else "{...}" if segment.is_tail else "{}"
            for segment in self.segments
        )


@written_as({"type": "string", "pattern": _PATH})
def parse_path(value: object) -> PathPattern:
    """Return the pattern of an endpoint's path; raises ValueError with the rule it breaks."""
    text = _checked(value)
    parts = text[1:].split("/")
    segments = tuple(_segment(part, text) for part in parts)
    if "" in parts[:-1]:
        raise ValueError(f'is {shown(text)}; it must not contain "//"')
    names = [segment.name for segment in segments if isinstance(segment, Parameter)]
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"is {shown(text)}; parameter {shown(name)} is repeated")
    if any(isinstance(segment, Parameter) and segment.is_tail for segment in segments[:-1]):
        raise ValueError(f"is {shown(text)}; a tail {{name...}} must be the last segment")
    return PathPattern(text, segments)


@written_as({"type": "string", "pattern": r"^(?!.*//)/[^\s?#<>{}]*$"})
def parse_prefix(value: object) -> str:
    """Return the prefix of a router without its last slash; raises ValueError.

    ``/`` becomes ``""``. A prefix has no parameters.
    """
    text = _checked(value)
    if "{" in text or "}" in text:
        raise ValueError(f"is {shown(text)}; a prefix has no parameters, put them in the path")
    if "//" in text:
        raise ValueError(f'is {shown(text)}; it must not contain "//"')
    return text.rstrip("/")


def _checked(value: object) -> str:
    if not isinstance(value, str) or not value.startswith("/"):
        raise ValueError(f'is {shown(value)}; it must be text that starts with "/"')
    if "<" in value or ">" in value:
        raise ValueError(f"is {shown(value)}; a parameter is written {{id}}, not <id>")
    if any(character.isspace() or character in "?#" for character in value):
        raise ValueError(f'is {shown(value)}; it must not contain spaces, "?" or "#"')
    return value


def _segment(part: str, text: str) -> str | Parameter:
    if "{" not in part and "}" not in part:
        return part
    match = _PARAMETER.fullmatch(part)
    if match is None:
        raise ValueError(f"is {shown(text)}; a parameter is a whole segment such as {{id}}")
    name = match[1]
    # Werkzeug, which makes a rule of it, knows ASCII names only.
    if not (name.isascii() and name.isidentifier()) or keyword.iskeyword(name):
        raise ValueError(
            f"is {shown(text)}; parameter {shown(name)} must be a Python identifier in ASCII, no "
            "keyword"
        )
    return Parameter(name, is_tail=match[2] is not None)
