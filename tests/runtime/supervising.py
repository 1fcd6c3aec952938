"""What tests ask supervisors."""

from __future__ import annotations

import greenrelay as gr
from greenrelay.core.strategy import ChildInfo
from tests.probe import Probe


def children(probe: Probe, supervisor: gr.Pid) -> dict[str, ChildInfo]:
    """Return what ``supervisor`` says of its children, by their ids."""
    return {info.id: info for info in probe.do(gr.call, supervisor, "which_children")}
