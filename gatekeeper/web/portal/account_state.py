"""How an account stands, in two words, for lists of accounts."""

from __future__ import annotations

from dataclasses import dataclass

from gatekeeper.domain.account import Account
from gatekeeper.domain.call import Decision, decide


@dataclass(frozen=True, slots=True)
class AccountState:
    """The words, and the tone of their badge."""

    words: str
    tone: str


def account_state(account: Account) -> AccountState:
    """Say what an account most needs to be looked at for; the worst comes first."""
    if account.suspended:
        return AccountState("Suspended", "bad")
    if decide(account.standing).decision is Decision.DROP:
        return AccountState("Calls are dropped", "bad")
    if account.blocked_by is not None:
        return AccountState("Top-off failed", "warning")
    if account.balance <= 0:
        return AccountState("Overdraft", "warning")
    if account.balance < account.topoff.threshold:
        return AccountState("Low balance", "warning")
    return AccountState("In order", "good")
