"""From the root value of a file to typed entries: namespace, ids, kinds, unknown keys.

Source: Configuration. What one entry says of another is checked in ``resolve``; here a bare name
only gets the file's namespace.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from greenrelay.config.entries import KINDS, Entry, Lifecycle
from greenrelay.config.environment import interpolate
from greenrelay.config.mark import Mark, Problem, shown, suggestion
from greenrelay.config.options import option_names, read_fields, unknown_names
from greenrelay.config.override import Overrides
from greenrelay.config.read import entry_name
from greenrelay.config.value import UNREAD, Value, flatten

_TOP_KEYS = ("version", "namespace", "entries")
OPEN_KEYS = ("meta", "options", "post_options")
# `func` and `process` wait for reference.py: bare, they must be entries and no import path.
_REFERENCES = ("server", "router", "host")
DEFAULT_NAMESPACE = "app"


@dataclass(slots=True)
class Document:
    """The entries of all files and everything found wrong so far.

    ``declared`` has the place of every id, also of entries too broken to be in ``entries``;
    ``namespace`` is that of the file that is read.
    """

    problems: list[Problem]
    environ: Mapping[str, str]
    overrides: Overrides = field(default_factory=Overrides)
    kinds: Mapping[str, type[Entry]] = field(default_factory=lambda: KINDS)
    namespace: str = DEFAULT_NAMESPACE
    entries: list[Entry] = field(default_factory=list)
    declared: dict[str, Mark] = field(default_factory=dict)


def read_document(root: Value, document: Document) -> None:
    """Add the entries of one file's root value to the document, and what is wrong with them.

    References to the environment are replaced entry by entry, so that a problem names its entry.
    """
    problems = document.problems
    document.namespace = DEFAULT_NAMESPACE
    listed = root.data if isinstance(root.data, tuple) else _read_top(root, document)
    for item in listed:
        if isinstance(item.data, dict):
            _read_entry(item, document)
        elif item.data is not UNREAD:
            text = f"is {shown(item.plain())}; an entry is a map with name and kind"
            problems.append(Problem(item.mark, text, "entries"))


def entry_ids(root: Value) -> list[str]:
    """Return the ids of the entries of one file, as far as they can be told before it is read."""
    top = root.data if isinstance(root.data, dict) else {"entries": root}
    namespace = top["namespace"].data if "namespace" in top else DEFAULT_NAMESPACE
    listed = top["entries"].data if "entries" in top else ()
    items = [each.data for each in listed] if isinstance(listed, tuple) else []
    names = [each["name"].data for each in items if isinstance(each, dict) and "name" in each]
    return [f"{namespace}:{name}" for name in names]


def _read_top(root: Value, document: Document) -> tuple[Value, ...]:
    problems = document.problems
    if not isinstance(root.data, dict):
        if root.data is not UNREAD:
            text = f"is {shown(root.plain())}; it must be a map with entries or a list of entries"
            problems.append(Problem(root.mark, text))
        return ()
    top = {key: value for key, value in root.data.items() if key != "entries"}
    head = interpolate(Value(top, root.mark), document.environ, problems).data
    assert isinstance(head, dict)
    _checked(head, "version", _read_version, problems)
    document.namespace = _checked(head, "namespace", entry_name, problems) or DEFAULT_NAMESPACE
    problems += unknown_names(root.data, _TOP_KEYS, "key")
    return _listed(root, root.data.get("entries"), problems)


def _listed(root: Value, entries: Value | None, problems: list[Problem]) -> tuple[Value, ...]:
    if entries is None:
        problems.append(Problem(root.mark, "is missing; it must be a list of entries", "entries"))
        return ()
    if isinstance(entries.data, tuple):
        return entries.data
    if entries.data is not UNREAD:
        text = f"is {shown(entries.plain())}; it must be a list of entries"
        problems.append(Problem(entries.where, text, "entries"))
    return ()


def _read_version(value: object) -> str:
    # People forget the quotes, and then YAML sees a number.
    if str(value) not in {"1.0", "1"}:
        raise ValueError(f'is {shown(value)}; it must be "1.0"')
    return "1.0"


def _checked(
    given: Mapping[str, Value],
    key: str,
    read: Callable[[object], str],
    problems: list[Problem],
    subject: str = "",
) -> str | None:
    value = given.get(key)
    if value is None or value.data is None or value.data is UNREAD:
        return None
    try:
        return read(value.plain())
    except ValueError as error:
        problems.append(Problem(value.where, str(error), key, subject))
        return None


def _read_entry(item: Value, document: Document) -> None:
    found: list[Problem] = []
    given = flatten(interpolate(item, document.environ, found), found)
    entry_id, subject = _read_identity(item, given, document)
    cls = _read_kind(item, given, subject, document)
    if entry_id:
        known = [*given, *(option_names(cls) if cls else ())]
        given |= _overrides(entry_id, known, document.overrides, found)
    is_new = bool(entry_id) and _declare(entry_id, item, given["name"], subject, document)
    if cls:
        fields, unread = read_fields(cls, given, item.mark)
        found += unread + _unknown_keys(cls, given)
        if is_new:
            _qualify(fields, document.namespace)
            # Every class of a kind takes what read_fields returns for it; mypy sees only Entry.
            build: Callable[..., Entry] = cls
            used = {name: value.variables for name, value in given.items() if value.variables}
            entry = build(
                id=entry_id, where=item.mark, marks=_marks(given), variables=used, **fields
            )
            document.entries.append(entry)
    document.problems += [dataclasses.replace(problem, subject=subject) for problem in found]


def _overrides(
    entry_id: str, known: list[str], overrides: Overrides, found: list[Problem]
) -> dict[str, Value]:
    given = overrides.of(entry_id, known)
    for name in ("name", "kind"):
        value = given.pop(name, None)
        if value is not None:
            found.append(Problem(value.where, "only the file can give it", name))
    return given


def _read_identity(item: Value, given: Mapping[str, Value], document: Document) -> tuple[str, str]:
    kind_value = given.get("kind")
    named = kind_value.data if kind_value is not None else None
    kind = named if isinstance(named, str) and named else "entry"
    if _is_absent(given, "name"):
        text = "is missing; every entry has one"
        document.problems.append(Problem(item.mark, text, "name", kind))
    name = _checked(given, "name", entry_name, document.problems, kind)
    if name is None:
        return "", kind
    entry_id = f"{document.namespace}:{name}"
    return entry_id, f'{kind} "{entry_id}"'


def _is_absent(given: Mapping[str, Value], key: str) -> bool:
    return key not in given or given[key].data is None


def _read_kind(
    item: Value, given: Mapping[str, Value], subject: str, document: Document
) -> type[Entry] | None:
    problems, kinds = document.problems, document.kinds
    if _is_absent(given, "kind"):
        text = f"is missing; it must be one of {', '.join(sorted(kinds))}"
        problems.append(Problem(item.mark, text, "kind", subject))
        return None
    value = given["kind"]
    if value.data is UNREAD:
        return None
    kind = value.data if isinstance(value.data, str) else ""
    if kind not in kinds:
        text = f"{shown(value.plain())} is not known{suggestion(kind, kinds)}"
        problems.append(Problem(value.where, text, "kind", subject))
    return kinds.get(kind)


def _declare(entry_id: str, item: Value, name: Value, subject: str, document: Document) -> bool:
    first = document.declared.setdefault(entry_id, item.mark)
    if first is item.mark:
        return True
    text = f"{shown(name.plain())} is taken by the entry at {first}; give it another name"
    document.problems.append(Problem(name.where, text, "name", subject))
    return False


def _unknown_keys(cls: type[Entry], given: Mapping[str, Value]) -> list[Problem]:
    names = ["name", "kind", *option_names(cls)]
    own = {field.name for field in dataclasses.fields(cls)}
    return unknown_names(given, names, "key", [name for name in OPEN_KEYS if name in own])


def _marks(given: Mapping[str, Value]) -> dict[str, Mark]:
    marks: dict[str, Mark] = {}
    for name, value in given.items():
        marks[name] = value.where
        if isinstance(value.data, tuple):
            for index, item in enumerate(value.data):
                marks[f"{name}[{index}]"] = item.mark
    return marks


def _qualify(fields: dict[str, object], namespace: str) -> None:
    for name in _REFERENCES:
        reference = fields.get(name)
        if isinstance(reference, str) and reference:
            fields[name] = qualified(reference, namespace)
    lifecycle = fields.get("lifecycle")
    if isinstance(lifecycle, Lifecycle):
        requires = tuple(qualified(reference, namespace) for reference in lifecycle.requires)
        fields["lifecycle"] = dataclasses.replace(lifecycle, requires=requires)


def qualified(reference: str, namespace: str) -> str:
    """Return the reference with a namespace: a bare name takes the given one."""
    return reference if ":" in reference else f"{namespace}:{reference}"
