"""The queue `upkeep`."""

from __future__ import annotations

from gatekeeper.bootstrap import parts


def look_at_threshold(account_id: str) -> str:
    """Look at an account's threshold at the end of a cool-down."""
    return parts().ledger.topoffs.look_at_threshold(account_id).value
