"""Whether what top-offs have charged in a period, and its spending cap, can be by the entries.

What is counted begins anew with each period, and without an entry where an account that had none
enters one, or outlives one. So it is never more than the entries say since the last period began,
and exactly that while the account is still in the period of that entry.
"""

from __future__ import annotations

from collections.abc import Iterator

from gatekeeper.domain.account import MIN_CHARGE_MINOR, Account
from gatekeeper.domain.line import Line


class SpendingAudit:
    """Follows what one account's top-offs charge in its period."""

    def __init__(self) -> None:
        self._spent_minor = 0
        self._start = ""
        self._then = (0, "")

    def begin(self, line: Line) -> None:
        """Take in a period's beginning, or the account's."""
        self._spent_minor, self._start = 0, line.ref

    def charge(self, line: Line) -> None:
        """Take in a top-off that was charged."""
        amount = line.detail.partition(" ")[0]
        self._spent_minor += int(amount) if amount.isdecimal() else 0

    def pass_reading(self) -> None:
        """Note how things stood when the account was read."""
        self._then = (self._spent_minor, self._start)

    def differences(self, account: Account) -> Iterator[str]:
        """Name what differs, one line each."""
        spent_minor, start = self._then
        is_exact = start == str(account.cycle_start_ms) and account.spent_start_ms is None
        if account.spent_minor > spent_minor or (is_exact and account.spent_minor < spent_minor):
            yield (
                f"by the ledger top-offs have charged {account.spent_minor} in this period, but by"
                f" the entries {spent_minor}"
            )
        yield from self._cap(account)

    def _cap(self, account: Account) -> Iterator[str]:
        cap_minor, is_capped = account.topoff.spending_cap_minor, account.topoff_capped
        if cap_minor is None or not account.topoff.enabled:
            if is_capped:
                yield "top-offs are paused by a spending cap, but they are off or have none"
        elif account.cycle_end_ms is None:
            yield "there is a spending cap, but no period that it counts by"
        else:
            yield from self._pause(account, cap_minor)

    def _pause(self, account: Account, cap_minor: int) -> Iterator[str]:
        # The default price of a credit is not known here: the least that a top-off can cost is.
        price_minor, amount = account.price_minor, account.topoff.amount
        least_minor = amount * price_minor if price_minor else max(MIN_CHARGE_MINOR, amount)
        passes = account.spent_minor + least_minor > cap_minor
        spent = f"{account.spent_minor} of {cap_minor}"
        # A period begins without the mark: the price is first looked at when a charge begins.
        if passes and account.spent_minor and not account.topoff_capped:
            yield f"top-offs have charged {spent}, but the spending cap does not pause them"
        elif account.topoff_capped and price_minor and not passes:
            yield f"top-offs have charged {spent}, but the spending cap pauses them"
