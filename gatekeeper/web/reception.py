"""Decides calls: by the ledger, or by the stated policy where it cannot be reached (R12)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import structlog

from gatekeeper.domain.call import CallId, Decision, Reason
from gatekeeper.ledger.calls import Admission
from gatekeeper.ledger.ledger import Ledger
from gatekeeper.ledger.numbers import NumberRecord
from gatekeeper.telephony.request import VoiceRequest
from gatekeeper.telephony.twiml import reject_twiml
from gatekeeper.web.documents import Documents
from gatekeeper.web.journal import Unrecorded
from gatekeeper.web.memory import Memory
from gatekeeper.web.number_book import NumberBook
from gatekeeper.web.outage import LedgerUnreachable, Outage

#: Together about 10 MB when full. Twilio asks again within seconds, and accounts are few.
_CALLS_MAX: Final = 10_000
_ACCOUNTS_MAX: Final = 10_000

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Reply:
    """What Twilio is told about a call, and why.

    `decision` is None for a number that is nobody's, `account_id` then "". `balance` is None
    where the ledger did not say.
    """

    twiml: bytes
    decision: Decision | None
    reason: Reason
    account_id: str = ""
    balance: int | None = None
    repeated: bool = False


class Reception:
    """Decides each call once. Never raises: a caller is on the line.

    What this process told is remembered: a call that Twilio asks for again during an outage is
    told the same, and goes where its account's calls last went.
    """

    def __init__(
        self,
        gate: Ledger,
        numbers: NumberBook,
        documents: Documents,
        outage: Outage,
        *,
        policy: Decision,
    ) -> None:
        self._gate = gate
        self._numbers = numbers
        self._documents = documents
        self._outage = outage
        self._policy = policy
        self._told: Memory[CallId, Reply] = Memory(_CALLS_MAX)
        self._account_routes: Memory[str, str] = Memory(_ACCOUNTS_MAX)

    def decide(self, request: VoiceRequest) -> Reply:
        """Decide a call, or repeat its decision."""
        call = request.call
        if self._outage.has_to_record(call):  # the ledger must hear first what was told already
            return self._without_ledger(request)
        try:
            answer = self._outage.ask(lambda: self._ask_ledger(request))
            return self._by_ledger(call, *answer) if answer else _NOBODYS
        except LedgerUnreachable:
            pass
        except Exception:
            log.exception("decision_failed", call=call.call_sid)
        return self._without_ledger(request)

    def _ask_ledger(self, request: VoiceRequest) -> tuple[NumberRecord, Admission] | None:
        number, call = request.gate_number, request.call
        payer = self._numbers.payer(number, call)
        if payer is None:
            return None
        admit_call = self._gate.calls.admit_call
        return payer, admit_call(payer.account_id, call, number, request.direction)

    def _by_ledger(self, call: CallId, payer: NumberRecord, admission: Admission) -> Reply:
        account_id, verdict = payer.account_id, admission.verdict
        if verdict.decision is Decision.ANSWER:
            twiml = self._documents.answer(account_id, payer.route, admission.route)
        else:
            twiml = self._documents.drop(account_id, admission.drop_message)
        reply = Reply(
            twiml,
            verdict.decision,
            verdict.reason,
            account_id,
            admission.balance,
            admission.repeated,
        )
        self._told.put(call, reply)
        self._account_routes.put(account_id, admission.route)
        return reply

    def _without_ledger(self, request: VoiceRequest) -> Reply:
        number, call = request.gate_number, request.call
        told = self._told.get(call)
        if told is not None:
            return replace(told, balance=None, repeated=True)
        reply = self._by_policy(number)
        self._told.put(call, reply)
        self._outage.keep(Unrecorded(call, number, self._policy, direction=request.direction))
        return reply

    def _by_policy(self, number: str) -> Reply:
        record = self._numbers.last_seen(number)
        account_id = record.account_id if record else ""
        if self._policy is Decision.DROP:
            twiml = self._documents.default_drop
        elif record is None:
            twiml = self._documents.default_answer
        else:
            account_route = self._account_routes.get(account_id) or ""
            twiml = self._documents.answer(account_id, record.route, account_route)
        return Reply(twiml, self._policy, Reason.LEDGER_UNREACHABLE, account_id)


_NOBODYS: Final = Reply(reject_twiml(), None, Reason.UNKNOWN_NUMBER)
