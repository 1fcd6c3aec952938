"""The machine a measurement runs on: its cores, and what tells it from another machine."""

from __future__ import annotations

import os
import platform
import resource
import time
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

PACKAGES = ("greenrelay", "gevent", "greenlet", "uvloop", "pykka")
_WATCHED_SECONDS = 0.03


def describe(extra: dict[str, str], packages: tuple[str, ...] = PACKAGES) -> dict[str, str]:
    """Return the versions of what is measured, the system and the processor; nothing private."""
    found = {"python": f"{platform.python_implementation()} {platform.python_version()}"}
    for package in packages:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    found |= extra
    release = ".".join(platform.release().split(".")[:2])
    found["system"] = f"{platform.system()} {release}"
    found["processor"] = f"{_processor()}, {os.cpu_count()} cores"
    return found


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    models = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(models, platform.machine())


def pin() -> None:
    """Stay on one core, the idlest, where the system lets one choose."""
    if not hasattr(os, "sched_setaffinity"):
        return
    before = _busy_ticks()
    time.sleep(_WATCHED_SECONDS)
    after = _busy_ticks()
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(allowed, key=lambda core: after[core] - before[core])})


def _busy_ticks() -> dict[int, int]:
    found = {}
    for line in Path("/proc/stat").read_text().splitlines():
        name, *ticks = line.split()
        if name.startswith("cpu") and name != "cpu":
            # The fourth is time idle, the fifth idle but for a disk.
            found[int(name[3:])] = sum(map(int, ticks)) - int(ticks[3]) - int(ticks[4])
    return found


def cpu_seconds() -> float:
    """Return what this OS process and its ended children have had of the processor."""
    own = resource.getrusage(resource.RUSAGE_SELF)
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime
