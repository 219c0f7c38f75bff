from __future__ import annotations

from gatekeeper.ledger.keys import CALL_KEPT_S
from gatekeeper.ledger.ledger import Ledger
from tests.conftest import NOON_MS


def test_an_outage_is_remembered_as_long_as_calls_are(ledger: Ledger) -> None:
    outages = ledger.outages
    assert not outages.was_away(0, NOON_MS)
    outages.note(NOON_MS, NOON_MS + 5_000)
    assert outages.was_away(NOON_MS + 5_000, NOON_MS + 9_000)
    assert outages.was_away(NOON_MS - 9_000, NOON_MS)
    assert not outages.was_away(NOON_MS + 5_001, NOON_MS + 9_000)
    assert not outages.was_away(NOON_MS - 9_000, NOON_MS - 1)
    later_ms = NOON_MS + 5_001 + CALL_KEPT_S * 1000
    outages.note(later_ms, later_ms + 10)
    assert not outages.was_away(NOON_MS, NOON_MS + 1)
    assert outages.was_away(later_ms, later_ms)
