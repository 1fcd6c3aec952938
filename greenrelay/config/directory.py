"""How the path of a directory is written: ``public``, ``/srv/public``.

Source: HTTP, "Entries" (``http.static``) and "Middleware" (``sendfile``). Where a relative one
starts is the matter of ``anchor``.
"""

from __future__ import annotations

from greenrelay.config.fragment import fragment_of, written_as
from greenrelay.config.mark import shown
from greenrelay.config.read import text


@written_as(fragment_of(text))
def directory(value: object) -> str:
    """Read the path of a directory; whether it is there is not looked at."""
    path = text(value)
    if "\0" in path:
        raise ValueError(f"is {shown(value)}; no path has a NUL in it")
    return path


@written_as({"type": "string", "pattern": r"^\s*(?!\.)[^\s/\\](?:[^/\\]*[^\s/\\])?\s*$"})
def file_name(value: object) -> str:
    """Read the name of a file inside some directory."""
    name = text(value)
    if name.startswith(".") or any(letter in name for letter in "/\\\0"):
        rule = "it must be the name of a file, without slashes and without a dot in front"
        raise ValueError(f"is {shown(value)}; {rule}")
    return name
