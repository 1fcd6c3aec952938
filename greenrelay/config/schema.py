"""A JSON Schema of configuration files, for editors.

Source: Configuration, the item on ``greenrelay schema``. It is made of the same dataclasses the
loader reads with. Dotted keys and nested maps mean the same, so each prefix of an option's name is
a definition of its own, in which every way to cut the rest of the name into keys is a property.

What one value says of another is beyond a schema: references, clashes, which middleware an option
belongs to, limits of numbers that are written as text. There it allows more than the loader.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from greenrelay.config.document import OPEN_KEYS
from greenrelay.config.entries import Entry
from greenrelay.config.fragment import Fragment, any_of, fragment_of, text_like
from greenrelay.config.middleware import LISTS, MiddlewareSpec
from greenrelay.config.options import described_options
from greenrelay.config.read import entry_name

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

DIALECT = "https://json-schema.org/draft/2020-12/schema"
_VARIABLE: Fragment = {
    "type": "string",
    "pattern": r"\$\{env:[A-Za-z_][A-Za-z0-9_]*(?:\|[^}]*)?\}",
}
_NULL: Fragment = {"type": "null"}
_OWN_KEYS = {r"(^|\.)x-": True}
_NAME = fragment_of(entry_name)
_VERSION: Fragment = {"enum": ["1.0", "1", 1]}


def schema(
    kinds: Mapping[str, type[Entry]], middleware: Mapping[str, MiddlewareSpec]
) -> dict[str, object]:
    """Return the schema of files that may hold these kinds of entries and this middleware."""
    definitions: dict[str, object] = {}
    for kind, cls in sorted(kinds.items()):
        _EntrySchema(kind, cls, middleware, definitions).write()
    definitions["entry"] = _entry(kinds)
    entries = {"type": "array", "items": {"$ref": "#/$defs/entry"}}
    top = {
        "version": any_of((_VERSION, _VARIABLE, _NULL)),
        "namespace": any_of((_NAME, _VARIABLE, _NULL)),
        "entries": entries,
    }
    return {
        "$schema": DIALECT,
        "title": "greenrelay configuration",
        "anyOf": [
            entries,
            {
                "type": "object",
                "required": ["entries"],
                "properties": top,
                "patternProperties": _OWN_KEYS,
                "additionalProperties": False,
            },
        ],
        "$defs": definitions,
    }


def _entry(kinds: Iterable[str]) -> Fragment:
    names = sorted(kinds)
    chosen = [
        {
            "if": {"required": ["kind"], "properties": {"kind": {"const": kind}}},
            "then": {"$ref": f"#/$defs/{kind}"},
        }
        for kind in names
    ]
    properties = {
        "name": any_of((_NAME, _VARIABLE)),
        "kind": any_of(({"enum": names}, _VARIABLE)),
    }
    return {
        "type": "object",
        "required": ["name", "kind"],
        "properties": properties,
        "allOf": chosen,
    }


class _EntrySchema:
    """Writes the definitions of one kind: one for each prefix of its options."""

    def __init__(
        self,
        kind: str,
        cls: type[Entry],
        middleware: Mapping[str, MiddlewareSpec],
        definitions: dict[str, object],
    ) -> None:
        self._kind = kind
        self._definitions = definitions
        own = {field.name for field in dataclasses.fields(cls)}
        self._open = {name for name in OPEN_KEYS if name in own}
        self._leaves: dict[str, Fragment] = {"name": {}, "kind": {}}
        self._required: list[str] = []
        # Maps whose keys are known, even if there is none.
        self._maps: set[str] = set()
        self._add_options(cls)
        for stage, (list_key, options_key) in LISTS.items():
            if options_key in self._open:
                self._open.remove(options_key)
                self._add_middleware(stage, list_key, options_key, middleware)

    def write(self) -> None:
        """Add the definitions."""
        self._write_prefix("")

    def _add_options(self, cls: type[DataclassInstance], prefix: str = "") -> None:
        for names, spec in described_options(cls, prefix):
            for name in names:
                self._leaves[name] = _value(fragment_of(spec.read), spec.is_required)
            if spec.is_required:
                self._required.append(names[0])

    def _add_middleware(
        self, stage: str, list_key: str, options_key: str, middleware: Mapping[str, MiddlewareSpec]
    ) -> None:
        specs = [spec for spec in middleware.values() if spec.stage == stage]
        for spec in specs:
            if spec.options is not None:
                self._add_options(spec.options, f"{options_key}.")
        self._maps.add(options_key)
        self._leaves[list_key] = _value(_names([spec.name for spec in specs]), False)

    def _write_prefix(self, prefix: str) -> str:
        """Write the definition of the map at ``prefix``, and return how to refer to it."""
        name = f"{self._kind}:{prefix.rstrip('.')}" if prefix else self._kind
        reference = f"#/$defs/{name}"
        if name in self._definitions:
            return reference
        definition: dict[str, object] = {"type": ["object", "null"] if prefix else "object"}
        self._definitions[name] = definition
        definition["properties"] = {
            key: self._property(prefix + key) for key in self._keys_below(prefix)
        }
        definition["patternProperties"] = _OWN_KEYS | {
            rf"^{open_name}\.": True for open_name in self._open if not prefix
        }
        definition["additionalProperties"] = prefix.rstrip(".") in self._open
        required = [_required(each) for each in self._required]
        if required and not prefix:
            definition["allOf"] = required
        return reference

    def _keys_below(self, prefix: str) -> list[str]:
        keys: dict[str, None] = {}
        for leaf in [*self._leaves, *self._open, *self._maps]:
            if leaf.startswith(prefix):
                parts = leaf.removeprefix(prefix).split(".")
                keys |= {".".join(parts[: end + 1]): None for end in range(len(parts))}
        return list(keys)

    def _property(self, name: str) -> Fragment:
        found: list[Fragment] = []
        if name in self._leaves:
            found.append(self._leaves[name])
        if name in self._open | self._maps or any(
            leaf.startswith(name + ".") for leaf in self._leaves
        ):
            found.append({"$ref": self._write_prefix(name + ".")})
        return any_of(tuple(found))


def _value(fragment: Fragment, is_required: bool) -> Fragment:
    if not fragment:
        return fragment
    choices = [*_choices(fragment), _VARIABLE]
    # Null is not given.
    return {"anyOf": choices if is_required else [*choices, _NULL]}


def _choices(fragment: Fragment) -> list[object]:
    found = fragment.get("anyOf")
    return found if isinstance(found, list) else [fragment]


def _names(names: list[str]) -> Fragment:
    if not names:
        return any_of((text_like(","), {"type": "array", "maxItems": 0}))
    one = f"(?:{'|'.join(names)})"
    listed = {"anyOf": [{"enum": names}, _VARIABLE]}
    return any_of(
        (
            text_like(rf"[\s,]*(?:{one}(?:\s*,[\s,]*{one})*)?[\s,]*"),
            {"type": "array", "items": listed, "uniqueItems": True},
        )
    )


def _required(name: str) -> Fragment:
    """Return that the option must be given, whichever way its name is cut into keys."""
    parts = name.split(".")
    ways: list[Fragment] = [{"required": [name]}]
    for end in range(1, len(parts)):
        key, rest = ".".join(parts[:end]), ".".join(parts[end:])
        inner = {"type": "object", **_required(rest)}
        ways.append({"required": [key], "properties": {key: inner}})
    return any_of(tuple(ways))
