"""Environment variables in configuration text: ``${env:NAME}`` and ``${env:NAME|default}``.

Source: Configuration, the item on ``${env:NAME}``. They are replaced in values that are parsed
already, so what a variable holds is text and never becomes YAML. Keys, and everything under a key
that starts with ``x-``, stay as written.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from greenrelay.config.mark import Problem, shown
from greenrelay.config.secret import is_secret_name, without_users
from greenrelay.config.value import UNREAD, Value, is_unicode

_START = "${env:"
_REFERENCE = re.compile(r"\$\{env:([A-Za-z_][A-Za-z0-9_]*)(?:\|([^}]*))?\}")


def interpolate(
    value: Value, environ: Mapping[str, str], problems: list[Problem], name: str = ""
) -> Value:
    """Return the value with every reference replaced; ``name`` is its dotted name.

    A variable that is unset and has no default is added to the problems, and so is a reference
    that cannot be read; the text it stands in is UNREAD then. A secret is not quoted.
    """
    if isinstance(value.data, str) and _START in value.data:
        text, faults = _replaced(value.data, environ, name)
        problems.extend(Problem(value.mark, fault, name) for fault in faults)
        used = tuple(match[1] for match in _REFERENCE.finditer(value.data) if match[1] in environ)
        return Value(UNREAD if faults else text, value.mark, value.key_mark, used)
    if isinstance(value.data, dict):
        items = {
            key: item
            if key.startswith("x-")
            else interpolate(item, environ, problems, f"{name}.{key}" if name else key)
            for key, item in value.data.items()
        }
        return Value(items, value.mark, value.key_mark)
    if isinstance(value.data, tuple):
        parts = tuple(interpolate(item, environ, problems, name) for item in value.data)
        used = tuple(name for part in parts for name in part.variables)
        return Value(parts, value.mark, value.key_mark, used)
    return value


def _replaced(text: str, environ: Mapping[str, str], name: str) -> tuple[str, list[str]]:
    faults = []
    # A secret that was written into the file is not to stand in a log as well.
    quoted = "" if is_secret_name(name) else f"{shown(without_users(text))}: "
    if _START in _REFERENCE.sub("", text):
        faults.append(f"{quoted}write ${{env:NAME}} or ${{env:NAME|default}}")

    def value_of(match: re.Match[str]) -> str:
        variable, default = match[1], match[2] or ""
        if variable not in environ and match[2] is None:
            way_out = f"set it or write ${{env:{variable}|default}}"
            faults.append(f"environment variable {variable} is not set; {way_out}")
        if _START in default:
            faults.append(f"{quoted}a default is text, it cannot be another variable")
        found = environ.get(variable, default)
        if not is_unicode(found):
            faults.append(f"environment variable {variable} is not UTF-8")
        return found

    return _REFERENCE.sub(value_of, text), faults
