"""The asyncio workloads on uvloop's event loop."""

from __future__ import annotations

import uvloop

from bench.contenders import asyncio_lives, asyncio_messages
from bench.contenders.asyncio_loop import run_all

WORKLOADS = run_all(uvloop.new_event_loop, asyncio_messages.MAINS + asyncio_lives.MAINS)
