"""The queue `upkeep`."""

from __future__ import annotations

from gatekeeper.bootstrap import parts


def look_at_threshold(account_id: str) -> str:
    """Look at an account's threshold at the end of a cool-down."""
    return parts().ledger.topoffs.look_at_threshold(account_id).value


def turn_cycle(account_id: str) -> str:
    """Start an account's new billing cycle, unless its first call has."""
    ledger = parts().ledger
    started = ledger.cycles.turn(ledger.accounts.account(account_id))
    return "started" if started else "had_started"
