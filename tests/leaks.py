"""The leak check of ``greenrelay.testing``, and the parts of it that tests look into."""

from __future__ import annotations

from greenrelay.proving.leaks import Counts, LeakCheck, no_leaks

__all__ = ["Counts", "LeakCheck", "no_leaks"]
