"""What the pages of calls show, gathered from history."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Engine

from gatekeeper.domain.account import Account
from gatekeeper.domain.explanation import explain_end
from gatekeeper.history.call import Call
from gatekeeper.history.explanation import explain_call
from gatekeeper.history.queries import calls_page
from gatekeeper.history.usage import numbers_called
from gatekeeper.ledger.ledger import Ledger
from gatekeeper.web.portal.call_choice import CallChoice
from gatekeeper.web.portal.call_words import (
    REASON_LABELS,
    Facts,
    figures_before,
    length_words,
    outcome_words,
)
from gatekeeper.web.portal.freshness import read_up_to_ms

_CALLS: Final = 50


@dataclass(frozen=True, slots=True)
class CallLine:
    """One call in words."""

    call_sid: str
    at_ms: int
    number: str
    outcome: str
    reason: str
    credits: int
    length: str


@dataclass(frozen=True, slots=True)
class CallList:
    """A page of the calls that were chosen. `older` is where the next one begins, if there is one.

    `numbers` can be chosen. `up_to_ms` is until when calls are told, if that is noticeably behind.
    """

    lines: Sequence[CallLine]
    older: str | None
    numbers: Sequence[str]
    up_to_ms: int | None


@dataclass(frozen=True, slots=True)
class WhyCall:
    """Why a call went as it did. Where the figures that decided are not known, there are none."""

    line: CallLine
    ended_at_ms: int | None
    sentences: Sequence[str]
    credits_before: Facts
    topoff_before: Facts


def call_line(call: Call) -> CallLine:
    """Put a call into words."""
    return CallLine(
        call_sid=call.call_sid,
        at_ms=call.started_at_ms,
        number=call.number,
        outcome=outcome_words(call),
        reason=REASON_LABELS[call.reason],
        credits=call.credits,
        length=length_words(call.duration_s),
    )


def why_call(call: Call) -> WhyCall:
    """Explain a call."""
    told = explain_call(call)
    credits_before, topoff_before = figures_before(told)
    return WhyCall(
        line=call_line(call),
        ended_at_ms=call.ended_at_ms,
        sentences=(told.sentence, explain_end(told.state)),
        credits_before=credits_before,
        topoff_before=topoff_before,
    )


def read_calls(
    engine: Engine,
    ledger: Ledger,
    account: Account,
    choice: CallChoice,
    *,
    after: str | None,
    now_ms: int,
) -> CallList:
    """Read a page of calls; none while the choice has problems.

    Raises BadCursor, sqlalchemy.exc.SQLAlchemyError and redis.RedisError.
    """
    up_to_ms = read_up_to_ms(ledger, now_ms)
    numbers = {*ledger.numbers.of_account(account.id), *numbers_called(engine, account.id)}
    if choice.chosen.number is not None:
        numbers.add(choice.chosen.number)
    if choice.problems:
        return CallList([], None, sorted(numbers), up_to_ms)
    page = calls_page(engine, account.id, chosen=choice.chosen, after=after, limit=_CALLS)
    return CallList([call_line(call) for call in page.items], page.next, sorted(numbers), up_to_ms)
