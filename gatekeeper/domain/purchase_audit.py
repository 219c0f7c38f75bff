"""Whether credits that were bought were given once for each payment (R7)."""

from __future__ import annotations

from collections.abc import Callable

from gatekeeper.domain.line import Line


class PurchaseAudit:
    """Follows the entries of one account's purchases; tells `report` what cannot be."""

    def __init__(self, report: Callable[[str], object]) -> None:
        self._report = report
        self._paid_for: dict[str, str] = {}  # by PaymentIntent
        self._credited: set[str] = set()

    def succeed(self, line: Line) -> None:
        """Take in credits."""
        if line.ref in self._credited:
            self._report(f"purchase {line.ref} was credited twice")
        elif line.cause in self._paid_for:
            self._report(
                f"purchase {line.ref} was credited for {line.cause}, which had paid"
                f" {self._paid_for[line.cause]}"
            )
        if line.purchased_delta <= 0 or line.allotment_delta:
            self._report(f"purchase {line.ref} was credited with no purchased credits")
        self._credited.add(line.ref)
        self._paid_for[line.cause] = line.ref
