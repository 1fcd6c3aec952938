"""Runs the tests with the standard library patched by gevent: ``pytest -p tests.patched``.

Programs that serve patch it as their first act; the tests do without, unless they are told to.
"""

from __future__ import annotations

import sys

from gevent import monkey

if any(name.startswith("greenrelay.") for name in sys.modules):
    raise ImportError("tests.patched came too late: greenrelay has been imported")
monkey.patch_all()
