"""The rules of the house, as a function from a module's source to what is wrong with it.

Source: ``docs/architecture.md``, "Rooms". Pure: it reads text, so it can be tested with text.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass

PACKAGE = "greenrelay"
MODULE_LINES, FUNCTION_LINES = 400, 60
BAD_NAME = re.compile(r"Manager|Helper|Utils|Base(?![a-z0-9])")

GROUND = frozenset({"errors", "durations", "printable"})
DOORS = frozenset({"", "process", "web", "client", "testing", "gunicorn"})
# Room: the rooms it may import. A room may always import itself and the ground.
MAY_IMPORT: dict[str, frozenset[str]] = {
    "errors": frozenset(),
    "durations": frozenset({"errors"}),
    "printable": frozenset(),
    "core": frozenset(),
    "runtime": frozenset({"core"}),
    "relay": frozenset({"core"}),
    "websocket": frozenset({"core"}),
    "config": frozenset({"core", "security"}),
    "security": frozenset({"core"}),
    "transport": frozenset({"core", "runtime", "relay", "websocket"}),
    "cluster": frozenset({"core", "runtime"}),
}
MAY_IMPORT["proving"] = frozenset({"core", "runtime"})
MAY_IMPORT["metrics"] = MAY_IMPORT["transport"] | {"transport"}
MAY_IMPORT["http"] = MAY_IMPORT["metrics"] | {"metrics", "config", "security"}
MAY_IMPORT["dashboard"] = MAY_IMPORT["http"] | {"http", "cluster"}
MAY_IMPORT["boot"] = MAY_IMPORT["dashboard"] | {"dashboard"}
MAY_IMPORT["reload"] = MAY_IMPORT["boot"] | {"boot"}
MAY_IMPORT["admin"] = MAY_IMPORT["reload"] | {"reload"}
MAY_IMPORT["extension"] = MAY_IMPORT["admin"] | {"admin"}
MAY_IMPORT["cli"] = MAY_IMPORT["extension"] | {"extension"}

PURE = frozenset({"core", "relay", "websocket"})
IMPURE_MODULES = frozenset(
    {"time", "random", "os", "socket", "gevent", "flask", "werkzeug", "yaml", "geventwebsocket"}
)
# What comes from outside the standard library, and the rooms that may use it.
OUTSIDE: dict[str, frozenset[str]] = {
    "gevent": frozenset(
        {
            "runtime",
            "transport",
            "metrics",
            "boot",
            "admin",
            "cli",
            "cluster",
            "proving",
            "dashboard",
        }
    ),
    "greenlet": frozenset({"runtime", "transport", "cluster", "http", "proving"}),
    "pytest": frozenset({"proving"}),
    "yaml": frozenset({"config"}),
    "websockets": frozenset({"websocket"}),
    "geventwebsocket": frozenset({"transport", "gunicorn"}),
    "gunicorn": frozenset({"transport", "gunicorn"}),
    "flask": frozenset(
        {"http", "dashboard", "metrics", "boot", "extension", "reload", "admin", "cli"}
    ),
    "werkzeug": frozenset(
        {"http", "dashboard", "metrics", "boot", "extension", "reload", "admin", "cli"}
    ),
    "itsdangerous": frozenset({"security"}),
    "jwt": frozenset({"security"}),
    "msgspec": frozenset({"cluster"}),
    "prometheus_client": frozenset({"metrics", "http"}),
    "opentelemetry": frozenset({"metrics", "http"}),
}


@dataclass(frozen=True, slots=True)
class Import:
    """One imported module; ``is_for_types`` when only a type checker follows it."""

    module: str
    line: int
    is_for_types: bool


def problems(path: str, source: str) -> list[str]:
    """Return what is wrong with the module at ``path``, relative to the package's folder."""
    tree = ast.parse(source)
    room = room_of(path)
    found = [f"{path}:{line}: {what}" for line, what in shape_problems(tree, source)]
    for each in imports(tree):
        why = import_problem(room, each)
        if why:
            found.append(f"{path}:{each.line}: {room or 'the door'} imports {each.module}: {why}")
    return found


def room_of(path: str) -> str:
    """Return the room of a path such as ``core/pid.py``; "" for ``__init__.py``."""
    first = path.split("/")[0].removesuffix(".py")
    return "" if first == "__init__" else first


def imports(tree: ast.Module) -> list[Import]:
    """Return every import of a module, also those inside functions."""
    return list(_imports(tree, is_for_types=False))


def _imports(node: ast.AST, *, is_for_types: bool) -> Iterator[Import]:
    if isinstance(node, ast.Import):
        for alias in node.names:
            yield Import(alias.name, node.lineno, is_for_types)
    elif isinstance(node, ast.ImportFrom):
        prefix = "." * node.level + (node.module or "")
        # ``from greenrelay import core`` names a room in its second half.
        names = [f".{alias.name}" for alias in node.names] if prefix == PACKAGE else [""]
        for name in names:
            yield Import(prefix + name, node.lineno, is_for_types)
    elif isinstance(node, ast.If) and _is_type_checking(node.test):
        for child in node.body:
            yield from _imports(child, is_for_types=True)
        for child in node.orelse:
            yield from _imports(child, is_for_types=is_for_types)
    else:
        for below in ast.iter_child_nodes(node):
            yield from _imports(below, is_for_types=is_for_types)


def _is_type_checking(test: ast.expr) -> bool:
    return ast.unparse(test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING")


def import_problem(room: str, found: Import) -> str:
    """Return why ``room`` may not import that, or ""."""
    top, _, rest = found.module.partition(".")
    if not top:
        return "imports are absolute"
    if top != PACKAGE:
        return _outside_problem(room, top)
    other = rest.split(".")[0]
    if found.is_for_types and other != room:
        return "imports for types only stay inside their room"
    if other == room and room not in DOORS:
        return ""
    if other in DOORS:
        return "" if room == "" and other == "process" else "nobody imports a door"
    if room in DOORS or other in GROUND - {room, "durations"}:
        return ""
    if other == "durations" and room != "errors":
        return ""
    if room not in MAY_IMPORT:
        return f"the table in {__name__} has no row for this room"
    return "" if other in MAY_IMPORT[room] else "imports go down only"


def _outside_problem(room: str, top: str) -> str:
    if room in PURE and top in IMPURE_MODULES:
        return "the room is pure: time, chance and the outside come in as arguments"
    if top in OUTSIDE and room not in OUTSIDE[top]:
        return f"only {', '.join(sorted(OUTSIDE[top]))} may"
    return ""


def shape_problems(tree: ast.Module, source: str) -> Iterator[tuple[int, str]]:
    """Yield (line, what is wrong) for sizes, names and docstrings."""
    lines = source.count("\n") + (not source.endswith("\n") and bool(source))
    if lines > MODULE_LINES:
        yield lines, f"the module has {lines} lines; {MODULE_LINES} at most"
    if tree.body and not ast.get_docstring(tree):
        yield 1, "the module has no docstring"
    for node, is_public in _definitions(tree, is_public=True):
        kind = "class" if isinstance(node, ast.ClassDef) else "function"
        if BAD_NAME.search(node.name):
            yield node.lineno, f"{kind} {node.name}: say what it is, not Manager, Helper, Utils"
        if is_public and not ast.get_docstring(node) and not _is_overload(node):
            yield node.lineno, f"{kind} {node.name} has no docstring"
        size = (node.end_lineno or node.lineno) - node.lineno + 1
        if kind == "function" and size > FUNCTION_LINES:
            yield node.lineno, f"function {node.name} has {size} lines; {FUNCTION_LINES} at most"


Definition = ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


def _definitions(node: ast.AST, *, is_public: bool) -> Iterator[tuple[Definition, bool]]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, Definition):
            shown = is_public and not child.name.startswith("_")
            yield child, shown
            # What is inside a function is nobody's but its own.
            inside = shown and isinstance(child, ast.ClassDef)
            yield from _definitions(child, is_public=inside)
        else:
            yield from _definitions(child, is_public=is_public)


def _is_overload(node: Definition) -> bool:
    return any("overload" in ast.unparse(each) for each in node.decorator_list)
