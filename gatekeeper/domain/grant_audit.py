"""Whether what a period has granted, and what of it is withheld, can be by its entries (R4).

Two steps lower what was granted without an entry, as no balance changes: a subscription that is
unlinked while it withholds, and a new cycle for an account whose last one had no end. Both happen
only after a status took all the allotment away. So what the entries sum to is exact while there is
some left since the period began, and the most that can be from then on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from gatekeeper.domain.account import Account
from gatekeeper.domain.line import Line


class GrantAudit:
    """Follows the allotment of one account's period; tells `report` what cannot be."""

    def __init__(self, report: Callable[[str], object]) -> None:
        self._report = report
        self._granted = 0
        self._withheld_max = 0
        self._is_exact = False
        self._then = (0, 0, False)

    def begin(self, line: Line) -> None:
        """Take in a period's beginning."""
        self._granted = line.allotment_delta
        self._withheld_max = 0
        self._is_exact = line.allotment > 0

    def raise_(self, line: Line) -> None:
        """Take in a raise."""
        self._granted += line.allotment_delta

    def debit(self, line: Line) -> None:
        """Take in a debit."""
        if not line.allotment:
            self._is_exact = False

    def release(self, line: Line) -> None:
        """Take in a release. What changes no bucket may have gone to what is withheld."""
        if not (line.allotment_delta or line.purchased_delta):
            self._withheld_max += 1

    def withhold(self, line: Line) -> None:
        """Take in that a status took the allotment away."""
        self._withheld_max -= line.allotment_delta
        self._is_exact = False

    def restore(self, line: Line) -> None:
        """Take in that what was withheld came back, which is always all of it."""
        if line.allotment_delta > self._withheld_max:
            self._report(
                f"entry {line.id} gives back {line.allotment_delta} credits that were withheld, but"
                f" no more than {self._withheld_max} were"
            )
        self._withheld_max = 0

    def pass_reading(self) -> None:
        """Note how things stood when the account was read."""
        self._then = (self._granted, self._withheld_max, self._is_exact)

    def differences(self, account: Account) -> Iterator[str]:
        """Name what differs, one line each."""
        granted, withheld_max, is_exact = self._then
        if account.granted > granted or (is_exact and account.granted != granted):
            yield (
                f"the ledger has granted {account.granted} credits in this period, but the entries"
                f" {granted}"
            )
        if account.withheld and not account.subscription:
            yield f"the ledger withholds {account.withheld} credits, but no subscription does"
        elif not 0 <= account.withheld <= withheld_max:
            yield (
                f"the ledger withholds {account.withheld} credits, but by the entries no more than"
                f" {withheld_max}"
            )
