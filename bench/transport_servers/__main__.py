"""``python -m bench.transport_servers NAME echo|news`` serves until it is ended.

It prints its port and process id as one line of JSON. Servers that stand on blocking code are
monkey-patched, as their documentation says and as ``greenrelay run`` does.
"""

from __future__ import annotations

import json
import os
import sys
from importlib import import_module

from gevent import monkey

# gunicorn patches its workers itself.
UNPATCHED = (
    "raw_tcp",
    "asyncio_websockets",
    "uvloop_picows",
    "bare",
    "gunicorn_worker",
    "gunicorn_gevent",
)
NAME, KIND = sys.argv[1:]

if NAME not in UNPATCHED:
    monkey.patch_all()


def announce(port: int) -> None:
    """Tell the bench where to connect and whose memory to look at."""
    print(json.dumps({"port": port, "pid": os.getpid()}), flush=True)


import_module(f"bench.transport_servers.{NAME}").serve(KIND == "news", announce)
