"""Whether each call was debited once, and given back what was taken for it (R1, R2)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from gatekeeper.domain.call import Decision, Reason
from gatekeeper.domain.line import Line

_FROM_ALLOTMENT: Final = (-1, 0)
_FROM_PURCHASED: Final = (0, -1)
#: What a release may give back, by what the debit took. An allotment that has been reset since
#: takes nothing back (R2).
_RELEASES: Final = {_FROM_ALLOTMENT: ((1, 0), (0, 0)), _FROM_PURCHASED: ((0, 1),)}


class DebitAudit:
    """Follows the debits, ends and releases of one account's calls; tells `report` what cannot be.

    A call's end releases it or settles it, and is the only one. Twilio having been told a drop
    (R12) releases a call before its end or after; before, an answer told later has it debited
    again when it completes.
    """

    def __init__(self, report: Callable[[str], object]) -> None:
        self._report = report
        self._taken: dict[str, tuple[int, int]] = {}  # by CallSid; nothing once given back
        self._given_back: dict[str, str] = {}  # by CallSid: why, when it was last
        self._settled: set[str] = set()

    def debit(self, line: Line) -> None:
        """Take in a debit."""
        taken = (line.allotment_delta, line.purchased_delta)
        if line.ref in self._taken:
            self._report(f"call {line.ref} was debited twice")
        elif line.ref in self._given_back and not self._may_take_again(line):
            self._report(f"call {line.ref} was debited again after its credit had gone back")
        elif taken not in _RELEASES:
            self._report(f"call {line.ref} was debited {-sum(taken)} credits, not 1")
        self._taken[line.ref] = taken

    def settle(self, line: Line) -> None:
        """Take in the end of a call that keeps what was taken."""
        self._settled.add(line.ref)

    def release(self, line: Line) -> None:
        """Take in a release."""
        given = (line.allotment_delta, line.purchased_delta)
        taken = self._taken.pop(line.ref, None)
        if taken is None:
            self._report(f"call {line.ref} was released without having been debited")
        elif given not in _RELEASES.get(taken, ()):
            self._report(f"call {line.ref} was not given back what was taken for it")
        elif line.ref in self._settled and line.cause != Decision.DROP:
            self._report(f"call {line.ref} was released as {line.cause} after it had been settled")
        self._given_back[line.ref] = line.cause

    def _may_take_again(self, line: Line) -> bool:
        return (
            self._given_back[line.ref] == Decision.DROP
            and line.cause == Reason.LEDGER_UNREACHABLE
            and line.ref not in self._settled
        )
