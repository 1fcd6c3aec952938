"""Source: Operations, "Metrics and health": upgrades by result and cause."""

from __future__ import annotations

import pytest

from greenrelay.transport.ledger import ROUTE, STREAM, UNMATCHED, WEBSOCKET, Ledger
from greenrelay.transport.opening import Opened, counted


@pytest.mark.parametrize(
    ("opened", "outcome"),
    [
        (Opened(True, tuple), "accepted"),
        (Opened(False, tuple), "client_left"),
        (None, "target_gone"),
    ],
)
@pytest.mark.parametrize("kind", [WEBSOCKET, STREAM])
def test_what_becomes_of_a_request_is_counted_by_its_route(
    kind: str, opened: Opened | None, outcome: str
) -> None:
    ledger = Ledger()

    with counted(ledger, kind, {ROUTE: "/ws/<room>"}) as count:
        assert count(opened) is opened

    assert ledger.asked == {(kind, "/ws/<room>", outcome): 1}


def test_one_that_fails_is_counted_as_that() -> None:
    ledger = Ledger()

    with pytest.raises(OSError, match="gone"), counted(ledger, WEBSOCKET, {}):
        raise OSError("gone")

    assert ledger.asked == {(WEBSOCKET, UNMATCHED, "failed"): 1}
