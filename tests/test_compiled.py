"""What a reader cannot see in the source of compiled modules: see ``docs/architecture.md``."""

from __future__ import annotations

from pathlib import Path

GENERATED = Path(__file__).parents[1] / "build" / "cython"


def test_no_method_is_taken_from_a_typed_variable() -> None:
    """Cython would make a function of it that has forgotten whose it is."""
    found = [
        str(path.relative_to(GENERATED))
        for path in GENERATED.rglob("*.c")
        if "__Pyx_CFunc_" in path.read_text()
    ]

    assert found == []
