"""Calls in random histories."""

from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.stateful import (
    rule,
)

from gatekeeper.domain.call import CallEnd, CallId, Decision
from gatekeeper.domain.correction import CorrectionCause, Reversal
from tests.ledger.machine import ACCOUNT_SID, NUMBER, Machine, direction_of

call_sids = st.integers(0, 7).map(lambda n: f"CA{n:032x}")
new_call_sids = st.integers(8, 10_000).map(lambda n: f"CA{n:032x}")


def _refund(name: str, rank: int, amount_minor: int) -> Reversal:
    return Reversal(f"re_{name}", CorrectionCause.REFUND, rank, amount_minor, rank == 1)


def _dispute(rank: int, amount_minor: int) -> Reversal:
    return Reversal("du_a", CorrectionCause.DISPUTE, rank, amount_minor, rank % 2 == 1)


#: Of a payment of 125 to 200 cents; readings of one may come in any order, older ones last.
amounts_minor = st.sampled_from([1, 24, 25, 60, 200])
readings = st.lists(
    st.builds(_refund, st.sampled_from("abc"), st.integers(0, 2), amounts_minor)
    | st.builds(_dispute, st.integers(0, 3), amounts_minor),
    max_size=5,
)


class CallRules(Machine):
    """The verbs on calls."""

    @rule(sid=call_sids | new_call_sids)
    def admit(self, sid: str) -> None:
        admission = self.ledger.calls.admit_call(
            self.id, CallId(ACCOUNT_SID, sid), NUMBER, direction_of(sid)
        )
        assert (admission.repeated, admission.verdict) == self.model.admit(sid)
        self._take_over_request()
        assert admission.balance == self.model.balance

    @rule(first=st.integers(20_000, 90_000), count=st.integers(2, 9))
    def admit_many(self, first: int, count: int) -> None:
        for n in range(count):
            self.admit(f"CA{first + n:032x}")

    @rule(sid=call_sids, end=st.sampled_from(CallEnd), debit_unknown=st.booleans())
    def settle(self, sid: str, end: CallEnd, debit_unknown: bool) -> None:
        real = self.ledger.calls.settle_call(
            self.id,
            CallId(ACCOUNT_SID, sid),
            NUMBER,
            end,
            duration_s=3,
            debit_unknown=debit_unknown,
            direction=direction_of(sid),
        )
        assert real == self.model.settle(sid, end, debit_unknown)

    @rule(sid=call_sids, told=st.sampled_from(Decision))
    def admit_offline(self, sid: str, told: Decision) -> None:
        real = self.ledger.calls.admit_offline(
            self.id, CallId(ACCOUNT_SID, sid), NUMBER, told, direction_of(sid)
        )
        assert real == self.model.admit_offline(sid, told)
