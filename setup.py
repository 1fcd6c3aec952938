"""Compiles the modules on the path of each message; without a compiler they run as Python.

All else about the package is in ``setup.cfg``.
"""

from __future__ import annotations

import os
from pathlib import Path

from setuptools import Extension, setup

COMPILED = (
    "core.fifo",
    "core.value",
    "core.message",
    "core.events",
    "core.topology",
    "runtime.task",
    "runtime.run_queue",
    "runtime.worker",
    "runtime.timers",
    "runtime.scheduler",
    "runtime.inbox",
    "runtime.waiter",
    "runtime.host",
    "runtime.process",
    "runtime.function_process",
    "runtime.channel",
    "runtime.current",
    "runtime.reaper",
    "runtime.supervisor",
    "runtime.server",
    "runtime.home",
    "runtime.node",
    "runtime.messaging",
    "runtime.delivery",
    "websocket.frames",
    "websocket.protocol",
    "relay.session",
    "transport.socket",
    "transport.life",
    "transport.connection",
    "cluster.wire",
    "cluster.bundle",
    "cluster.session",
    "cluster.casting",
    "cluster.remote",
    "cluster.link",
    "cluster.mesh",
)


def extensions() -> list[Extension]:
    """Return what to compile; nothing where GREENRELAY_PURE_PYTHON is set or Cython is missing."""
    if os.environ.get("GREENRELAY_PURE_PYTHON"):
        return []
    try:
        import greenlet
        from Cython.Build import cythonize
    except ImportError:
        return []
    modules = [
        Extension(
            f"greenrelay.{name}",
            [str(Path("greenrelay", *name.split(".")).with_suffix(".py"))],
            include_dirs=[str(Path(greenlet.__file__).parent.parent)],
            # What Cython writes warns of nothing that concerns anybody, and nobody debugs it.
            extra_compile_args=["-O2", "-g0", "-w"],
        )
        for name in COMPILED
    ]
    compiled: list[Extension] = cythonize(
        modules,
        build_dir="build/cython",
        compiler_directives={
            "language_level": 3,
            # Types are in the .pxd files only; what annotations say is for mypy.
            "annotation_typing": False,
            "binding": True,
            # No compiled module counts from the end of a list.
            "wraparound": False,
        },
    )
    for each in compiled:
        # Without a C compiler the Python stays. Cython makes extensions anew, and forgets this.
        each.optional = True
    return compiled


setup(ext_modules=extensions())
