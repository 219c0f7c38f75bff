"""Logs made up by hypothesis: what the ledger writes about calls, and what each must come to."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import accumulate
from typing import Any

from hypothesis import strategies as st

from gatekeeper.domain.call import CallEnd, Decision, Direction, Reason
from gatekeeper.domain.entry import Entry, EntryType
from gatekeeper.history.call import Outcome

ACCOUNTS = ("acct_aaaaaaaaaaaa", "acct_bbbbbbbbbbbb")
NUMBERS = ("+15550001111", "+15550002222")
#: Clocks went back in Berlin in the night before; a few days around it.
AROUND_MS = int(datetime(2026, 10, 25, 12, tzinfo=UTC).timestamp() * 1000)
SPAN_MS = 3 * 24 * 3600 * 1000

_ANSWERS = st.sampled_from([Reason.ALLOTMENT, Reason.PURCHASED, Reason.OVERDRAFT])
_DROPS = st.sampled_from(
    [
        Reason.EMPTY_TOPOFF_OFF,
        Reason.EMPTY_TOPOFF_FAILED,
        Reason.EMPTY_TOPOFF_CAPPED,
        Reason.EMPTY_OVERDRAFT_USED,
        Reason.ACCOUNT_SUSPENDED,
    ]
)
_ENDS_BEFORE = st.sampled_from([CallEnd.BUSY, CallEnd.FAILED, CallEnd.NO_ANSWER, CallEnd.CANCELED])
_DURATIONS = st.none() | st.sampled_from([0, 1, 4, 5, 6, 600])


@dataclass(frozen=True)
class Happening:
    """One entry of a call, but for its account, number and place in the log."""

    type: EntryType
    cause: str
    detail: str = ""
    delta: int = 0
    late_ms: int = 0


@dataclass(frozen=True)
class Expected:
    """What a call must come to."""

    outcome: Outcome
    reason: Reason
    credits: int
    end: CallEnd | None
    duration_s: int | None


#: When, account, reference, number, direction, what.
_Placed = tuple[int, str, str, str, Direction, Happening]
Story = tuple[list[Happening], Expected]


def debit(reason: Reason) -> Happening:
    return Happening(EntryType.CALL_DEBITED, reason, f"record of {reason}", -1)


def drop(reason: Reason) -> Happening:
    return Happening(EntryType.CALL_DROPPED, reason, f"record of {reason}")


def settle(end: CallEnd, duration_s: int | None, late_ms: int = 0) -> Happening:
    detail = "" if duration_s is None else str(duration_s)
    return Happening(EntryType.CALL_SETTLED, end, detail, late_ms=late_ms)


def release(cause: CallEnd | Decision, late_ms: int = 0) -> Happening:
    return Happening(EntryType.CALL_RELEASED, cause, delta=1, late_ms=late_ms)


def outcome_of(duration_s: int | None) -> Outcome:
    is_short = duration_s is not None and duration_s < 5
    return Outcome.HUNG_UP if is_short else Outcome.CONVERSATION


@st.composite
def answered(draw: st.DrawFn) -> Story:
    reason, duration_s = draw(_ANSWERS), draw(_DURATIONS)
    late_ms = draw(st.integers(0, 7_200_000))
    end = CallEnd.COMPLETED
    return [debit(reason), settle(end, duration_s, late_ms)], Expected(
        outcome_of(duration_s), reason, 1, end, duration_s
    )


@st.composite
def going_on(draw: st.DrawFn) -> Story:
    reason = draw(_ANSWERS)
    return [debit(reason)], Expected(Outcome.CONVERSATION, reason, 1, None, None)


@st.composite
def not_answered(draw: st.DrawFn) -> Story:
    reason, end = draw(_ANSWERS), draw(_ENDS_BEFORE)
    late_ms = draw(st.integers(0, 60_000))
    return [debit(reason), release(end, late_ms)], Expected(
        Outcome.NOT_ANSWERED, reason, 0, end, None
    )


@st.composite
def dropped(draw: st.DrawFn) -> Story:
    reason = draw(_DROPS)
    end = CallEnd.COMPLETED
    return [drop(reason), settle(end, 3, 3_000)], Expected(Outcome.DROPPED, reason, 0, end, 3)


@st.composite
def dropped_in_vain(draw: st.DrawFn) -> Story:
    """The ledger dropped it, but the caller had been let through (R12)."""
    duration_s = draw(_DURATIONS)
    lost, end = Reason.LEDGER_UNREACHABLE, CallEnd.COMPLETED
    return [drop(draw(_DROPS)), debit(lost), settle(end, duration_s)], Expected(
        outcome_of(duration_s), lost, 1, end, duration_s
    )


@st.composite
def debited_in_vain(draw: st.DrawFn) -> Story:
    """The ledger took a credit, but the caller had been told a drop (R12)."""
    end = CallEnd.COMPLETED
    return [debit(draw(_ANSWERS)), release(Decision.DROP), settle(end, 4, 4_000)], Expected(
        Outcome.DROPPED, Reason.LEDGER_UNREACHABLE, 0, end, 4
    )


@st.composite
def dropped_and_let_through(draw: st.DrawFn) -> Story:
    """The ledger took a credit, the caller was told a drop, and then an answer (R12)."""
    duration_s = draw(_DURATIONS)
    lost, end = Reason.LEDGER_UNREACHABLE, CallEnd.COMPLETED
    happenings = [debit(draw(_ANSWERS)), release(Decision.DROP), debit(lost)]
    return [*happenings, settle(end, duration_s)], Expected(
        outcome_of(duration_s), lost, 1, end, duration_s
    )


@st.composite
def only_its_end(draw: st.DrawFn) -> Story:
    """The ledger only heard how it ended: dropped by policy, or let through and not answered."""
    end = draw(st.sampled_from(CallEnd))
    outcome = Outcome.DROPPED if end is CallEnd.COMPLETED else Outcome.NOT_ANSWERED
    return [settle(end, 7)], Expected(outcome, Reason.LEDGER_UNREACHABLE, 0, end, 7)


STORIES = st.one_of(
    answered(),
    going_on(),
    not_answered(),
    dropped(),
    dropped_in_vain(),
    debited_in_vain(),
    dropped_and_let_through(),
    only_its_end(),
)


@st.composite
def impossible(draw: st.DrawFn) -> list[Happening]:
    """Entries of a call in any number, as a broken ledger might write them."""
    kinds = st.one_of(
        st.builds(debit, st.sampled_from(Reason)),
        st.builds(drop, st.sampled_from(Reason)),
        st.builds(settle, st.sampled_from(CallEnd), _DURATIONS, st.integers(0, 3_600_000)),
        st.builds(release, st.sampled_from([*CallEnd, Decision.DROP]), st.integers(0, 3_600_000)),
    )
    return draw(st.lists(kinds, min_size=1, max_size=6))


@dataclass(frozen=True)
class ToldCall:
    """A call of a made-up log."""

    account_id: str
    call_sid: str
    number: str
    direction: Direction
    started_at_ms: int
    expected: Expected | None


@dataclass(frozen=True)
class MadeLog:
    """Entries in the log's order, and the calls that they tell of."""

    entries: list[Entry]
    calls: list[ToldCall]


@st.composite
def logs(draw: st.DrawFn, stories: st.SearchStrategy[Any] = STORIES) -> MadeLog:
    """Make a log of some calls of two accounts, and of credits added between them."""
    told: list[ToldCall] = []
    happenings: list[_Placed] = []
    for number_of_call, story in enumerate(draw(st.lists(stories, max_size=12))):
        what, expected = story if isinstance(story, tuple) else (story, None)
        call = ToldCall(
            draw(st.sampled_from(ACCOUNTS)),
            f"CA{number_of_call:032x}",
            draw(st.sampled_from(NUMBERS)),
            draw(st.sampled_from(Direction)),
            AROUND_MS + draw(st.integers(-SPAN_MS, SPAN_MS)),
            expected,
        )
        told.append(call)
        happenings += [
            (
                call.started_at_ms + each.late_ms,
                *(call.account_id, call.call_sid, call.number),
                *(call.direction, each),
            )
            for each in what
        ]
    for number_of_payment in range(draw(st.integers(0, 3))):
        added = Happening(EntryType.CREDITS_ADDED, "by hand", delta=draw(st.integers(1, 500)))
        at_ms = AROUND_MS + draw(st.integers(-SPAN_MS, SPAN_MS))
        reference = f"reference-{number_of_payment}"
        happenings.append(
            (at_ms, draw(st.sampled_from(ACCOUNTS)), reference, "", Direction.INBOUND, added)
        )
    happenings.sort(key=lambda happening: happening[:4])
    return MadeLog(_in_order(happenings), told)


def _in_order(happenings: Sequence[_Placed]) -> list[Entry]:
    purchased: dict[str, int] = defaultdict(int)
    entries = []
    for place, (at_ms, account_id, ref, number, direction, what) in enumerate(happenings):
        purchased[account_id] += what.delta
        entries.append(
            Entry(
                id=f"{AROUND_MS + place // 3}-{place % 3}",
                at_ms=at_ms,
                account_id=account_id,
                type=what.type,
                allotment_delta=0,
                purchased_delta=what.delta,
                allotment=0,
                purchased=purchased[account_id],
                ref=ref,
                cause=what.cause,
                number=number,
                detail=what.detail,
                direction=direction,
            )
        )
    return entries


@st.composite
def deliveries(draw: st.DrawFn, entries: Sequence[Entry]) -> list[list[Entry]]:
    """Deliver entries in batches, in any order, some of them and some batches repeatedly."""
    again = draw(st.lists(st.sampled_from(entries), max_size=10)) if entries else []
    shuffled = draw(st.permutations([*entries, *again]))
    sizes = draw(st.lists(st.integers(1, 12), min_size=1))
    ends = [end for end in accumulate(sizes) if end < len(shuffled)]
    batches = [
        list(shuffled[begin:end])
        for begin, end in zip([0, *ends], [*ends, len(shuffled)], strict=True)
    ]
    return [*batches, *draw(st.lists(st.sampled_from(batches), max_size=3))]
