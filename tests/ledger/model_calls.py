"""The model's calls (R1, R2, R5, R12)."""

from __future__ import annotations

from gatekeeper.domain.call import (
    CallEnd,
    CallState,
    Decision,
    Reason,
    Verdict,
    burning_bucket,
    decide,
)
from tests.ledger.model_cycles import ModelCycles
from tests.ledger.model_state import OFFLINE, ModelCall


class ModelCalls(ModelCycles):
    """Verbs that take credits for calls, and give them back."""

    def admit(self, sid: str) -> tuple[bool, Verdict]:
        ended_first = sid in self.calls and self.calls[sid].state is CallState.UNDECIDED
        if sid in self.calls and not ended_first:
            return True, self.calls[sid].verdict
        self.turn_if_over()
        verdict = decide(self.standing)
        call = self.calls[sid] = ModelCall(verdict, cycle_no=self.cycle_no)
        answered = verdict.decision is Decision.ANSWER
        if ended_first:
            call.state = CallState.KEPT if answered else CallState.CLOSED
        if answered:
            call.debited = True
            self._debit()
        elif verdict.reason is not Reason.ACCOUNT_SUSPENDED and not self.drop_told:
            self.drop_told = True
            facts: dict[str, object] = {"reason": verdict.reason, "balance": self.balance}
            self.notices.append(("calls_dropped", facts))
        if verdict.reason is Reason.EMPTY_OVERDRAFT_USED:
            self._look()
        return False, verdict

    def _debit_late(self, sid: str) -> None:
        bucket = burning_bucket(self.allotment)
        verdict = Verdict(Decision.ANSWER, Reason.LEDGER_UNREACHABLE, bucket)
        self.calls[sid] = ModelCall(verdict, CallState.KEPT, debited=True, cycle_no=self.cycle_no)
        self._debit()

    def settle(self, sid: str, end: CallEnd, debit_unknown: bool) -> str:
        self.turn_if_over()
        completed = end is CallEnd.COMPLETED
        call = self.calls.get(sid)
        if call is None:
            return self._settle_unknown(sid, completed, debit_unknown)
        if call.state is not CallState.OPEN:
            return "repeated"
        if completed and call.verdict.decision is Decision.ANSWER and not call.debited:
            self._debit_late(sid)
            return "debited"
        if not call.debited:
            call.state = CallState.CLOSED
            return "closed"
        if completed:
            call.state = CallState.KEPT
            return "kept"
        call.state = CallState.RELEASED
        self._give_back(call)
        return "released"

    def _settle_unknown(self, sid: str, completed: bool, debit_unknown: bool) -> str:
        if completed and debit_unknown:
            self._debit_late(sid)
            return "debited"
        state = CallState.UNDECIDED if completed else CallState.CLOSED
        self.calls[sid] = ModelCall(OFFLINE[Decision.DROP], state)
        return "closed"

    def admit_offline(self, sid: str, told: Decision) -> str:
        self.turn_if_over()
        call = self.calls.get(sid)
        if call is None:
            self.calls[sid] = ModelCall(OFFLINE[told])
            return "recorded"
        if call.verdict.decision is told:
            return "agreed"
        if told is Decision.ANSWER:
            return self._answered_after_all(sid, call)
        if not call.debited or call.state is CallState.RELEASED:
            return "agreed"
        self._give_back(call)
        state = CallState.OPEN if call.state is CallState.OPEN else CallState.RELEASED
        self.calls[sid] = ModelCall(OFFLINE[told], state)
        return "released"

    def _answered_after_all(self, sid: str, call: ModelCall) -> str:
        if call.state is CallState.UNDECIDED:
            self._debit_late(sid)
            return "debited"
        if call.state is not CallState.OPEN:
            return "agreed"
        self.calls[sid] = ModelCall(OFFLINE[Decision.ANSWER])
        return "answered"
