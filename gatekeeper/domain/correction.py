"""Corrections: money of a payment went back, and credits go with it (R13).

The ledger's script does this (lua/account/correct_payment.lua); `credits_due_back` says the same
in plain Python, and is the oracle that it is tested against.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class CorrectionCause(StrEnum):
    """By what money went back."""

    REFUND = "refund"
    DISPUTE = "dispute"


@dataclass(frozen=True, slots=True)
class Reversal:
    """A refund or a dispute of a payment, as it stood when it was read.

    `rank` only ever grows during the life of one, so that of two readings the later is known; at 0
    no money has moved yet. `is_out` tells whether the amount, in minor units of the payment's
    currency, is gone.
    """

    id: str
    cause: CorrectionCause
    rank: int
    amount_minor: int
    is_out: bool


def credits_due_back(credits: int, amount_minor: int, reversals: Iterable[Reversal]) -> int:
    """Count how many of a payment's credits are to be taken: in proportion, rounded down.

    Never more than the payment gave, even where a refund and a dispute took its money twice.
    """
    out_minor = sum(reversal.amount_minor for reversal in reversals if reversal.is_out)
    return credits * min(out_minor, amount_minor) // amount_minor
