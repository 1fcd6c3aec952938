"""What a program is made of and runs on, as far as that can go wrong.

Source: Operations, "Command line", ``doctor``.
"""

from __future__ import annotations

import os
import platform
import resource
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from typing import Any

import gevent
from flask import Flask
from gevent import monkey
from werkzeug.middleware.proxy_fix import ProxyFix

PACKAGES = ("greenrelay", "flask", "werkzeug", "gevent", "gevent-websocket", "gunicorn")
# What a blocking call in any of them would stop the hub for.
PATCHED = ("socket", "ssl", "time", "threading", "select", "subprocess")
_COMPILED = "greenrelay.runtime.node"


def own_facts() -> dict[str, Any]:
    """Return what can be told of this very program."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    return {
        "python": platform.python_version(),
        "packages": {name: found for name in PACKAGES if (found := _version(name))},
        "is_compiled": _is_compiled(),
        "loop": type(gevent.get_hub().loop).__module__.split(".")[1],
        "open_files": {"now": _open_files(), "limit": soft, "hard": hard},
        "unpatched": [name for name in PATCHED if not monkey.is_module_patched(name)],
    }


def has_proxy_fix(app: Flask) -> bool:
    """Whether scheme, host and address are restored from what a proxy says."""
    return isinstance(app.wsgi_app, ProxyFix)


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _is_compiled() -> bool:
    spec = find_spec(_COMPILED)
    return spec is not None and spec.origin is not None and not spec.origin.endswith(".py")


def _open_files() -> int | None:
    try:
        return len(os.listdir("/proc/self/fd"))
    except OSError:
        return None
