"""Whether the credits taken for refunds and disputes are what was to be taken (R13)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from gatekeeper.domain.entry import reversal_of
from gatekeeper.domain.line import Line


class ClawbackReading(NamedTuple):
    """What the ledger's record says was taken for a payment, None if it cannot be read.

    `up_to` is the place of the log's last entry when it was read.
    """

    taken: int | None
    up_to: tuple[int, int]


@dataclass(slots=True)
class _Payment:
    """What was credited, and taken since: after which entry how much, and by whom, but for returns.

    `clawed_back` are the refunds and disputes that took credits since some were last returned.
    """

    id: str
    credits: int
    taken: list[tuple[tuple[int, int], int]] = field(default_factory=list)
    clawed_back: set[str] = field(default_factory=set)

    def taken_at(self, place: tuple[int, int]) -> int:
        """Sum up the entries up to a place."""
        return next((net for at, net in reversed(self.taken) if at <= place), 0)


class ClawbackAudit:
    """Follows what one account's payments credited and lost; tells `report` what cannot be."""

    def __init__(self, report: Callable[[str], object]) -> None:
        self._report = report
        self._payments: dict[str, _Payment] = {}  # by top-off or purchase

    def credit(self, line: Line) -> None:
        """Take in credits that were paid for."""
        self._payments.setdefault(line.ref, _Payment(line.cause, line.purchased_delta))

    def claw_back(self, line: Line) -> None:
        """Take in credits that were taken."""
        payment = self._change(line)
        if payment is None:
            return
        reversal = reversal_of(line.detail)
        if reversal in payment.clawed_back:
            self._report(f"payment {payment.id} lost credits for {reversal} twice")
        payment.clawed_back.add(reversal)

    def return_(self, line: Line) -> None:
        """Take in credits that were returned."""
        payment = self._change(line)
        if payment is not None:
            payment.clawed_back.clear()

    def differences(
        self,
        readings: Mapping[str, ClawbackReading],
        *,
        up_to: tuple[int, int],
        kept_since_ms: int,
    ) -> Iterator[str]:
        """Name what differs from the records, given by PaymentIntent. See AccountAudit.

        The records were read behind the entry at `up_to`.
        """
        by_id: dict[str, _Payment] = {}
        for payment in self._payments.values():
            by_id.setdefault(payment.id, payment)
        for payment_id, reading in sorted(readings.items()):
            told = f"payment {payment_id} has a record of what went back"
            paid = by_id.get(payment_id)
            if paid is None:
                yield f"{told}, but no entry says that it was credited"
            elif reading.taken is None:
                yield f"{told} that cannot be read"
            elif reading.taken != (net := paid.taken_at(reading.up_to)):
                yield f"{told}, by which it lost {reading.taken} credits, but by the entries {net}"
        for payment_id in sorted(by_id.keys() - readings.keys()):
            changes = (at for at, _ in by_id[payment_id].taken if at <= up_to)
            if any(id_ms >= kept_since_ms for id_ms, _ in changes):
                yield f"payment {payment_id} has no record of what went back, but it must be kept"

    def _change(self, line: Line) -> _Payment | None:
        payment = self._payments.get(line.ref)
        if payment is None:
            self._report(f"entry {line.id} ({line.type}) is of {line.ref}, which was not credited")
            return None
        net = (payment.taken[-1][1] if payment.taken else 0) - line.purchased_delta
        if not 0 <= net <= payment.credits:
            self._report(
                f"entry {line.id} ({line.type}) leaves {net} credits taken of the"
                f" {payment.credits} that payment {payment.id} gave"
            )
        payment.taken.append(((line.id_ms, line.id_seq), net))
        return payment
