"""Brings to the ledger what it must hear of a call: what was told offline, and how it ended."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from gatekeeper.domain.call import Decision
from gatekeeper.ledger.calls import Settlement
from gatekeeper.ledger.ledger import Ledger
from gatekeeper.ledger.numbers import NumberRecord
from gatekeeper.web.journal import Ending, Unrecorded
from gatekeeper.web.number_book import NumberBook

#: Between a call's end and our being told. A number assigned no longer than that before a call
#: began, as reckoned from its end, may have been assigned during the call.
_TOLD_LATE_MS: Final = 10_000
#: How far a call's beginning, reckoned from its end, may be off: it rings before it is answered.
_BEGAN_ABOUT_MS: Final = 60_000


@dataclass(frozen=True, slots=True)
class Recorded:
    """Whose call it was, and what its end changed: None when it has not ended yet."""

    account_id: str
    settlement: Settlement | None


class Recorder:
    """Records calls. All it does is idempotent and may come in any order.

    `policy` is what is told to Twilio without the ledger: only under `answer` can a call that the
    ledger has never seen have been let through.
    """

    def __init__(self, gate: Ledger, numbers: NumberBook, policy: Decision) -> None:
        self._gate = gate
        self._numbers = numbers
        self._policy = policy

    def record(self, line: Unrecorded) -> Recorded | None:
        """Record a call; None, and nothing changed, when its number is nobody's.

        Raises UnknownAccount, and redis.RedisError: whether it was recorded is unknown.
        """
        payer = self._numbers.payer_now(line.number, line.call)
        if payer is None:
            return None
        if line.told is not None:
            self._gate.calls.admit_offline(
                payer.account_id, line.call, line.number, line.told, line.direction
            )
        if line.ending is None:
            return Recorded(payer.account_id, None)
        settlement = self._gate.calls.settle_call(
            payer.account_id,
            line.call,
            line.number,
            line.ending.end,
            duration_s=line.ending.duration_s,
            debit_unknown=self._may_have_let_through(payer, line.ending),
            direction=line.direction,
        )
        return Recorded(payer.account_id, settlement)

    def _may_have_let_through(self, payer: NumberRecord, ending: Ending) -> bool:
        """Tell whether a call unknown to the ledger can have been answered by this gate.

        Not when it began before the number came here: someone else answered it then. Nor unless
        some process noted that it had to do without the ledger when the call began: Twilio also
        reports the end of calls that nobody here was asked about, or could answer.
        """
        if self._policy is not Decision.ANSWER:
            return False
        began_at_ms = ending.told_at_ms - (ending.duration_s or 0) * 1000
        if payer.changed_at_ms + _TOLD_LATE_MS > began_at_ms:
            return False
        return self._gate.outages.was_away(
            began_at_ms - _BEGAN_ABOUT_MS, began_at_ms + _BEGAN_ABOUT_MS
        )
