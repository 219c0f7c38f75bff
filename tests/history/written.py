"""History written without a ledger: calls at chosen times, in few words."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import Engine

from gatekeeper.domain.call import CallEnd, Direction, Reason
from gatekeeper.domain.entry import Entry, EntryType
from gatekeeper.history.store import LOG_START, record

ACCOUNT = "acct_aaaaaaaaaaaa"
OTHER = "acct_bbbbbbbbbbbb"
NUMBER = "+15550001111"
OTHER_NUMBER = "+15550002222"


def ms(text: str) -> int:
    """Read a time of UTC."""
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)


@dataclass(frozen=True)
class Told:
    """A call to be written: dropped, or answered and, if its duration is known, over."""

    at_ms: int
    reason: Reason = Reason.ALLOTMENT
    duration_s: int | None = 60
    number: str = NUMBER
    account_id: str = ACCOUNT
    direction: Direction = Direction.INBOUND

    @property
    def is_dropped(self) -> bool:
        return self.reason not in (Reason.ALLOTMENT, Reason.PURCHASED, Reason.OVERDRAFT)


def write(engine: Engine, told: Sequence[Told], *, first: int = 0) -> list[str]:
    """Write calls; returns their CallSids. `first` is where to go on after an earlier writing."""
    numbered = list(enumerate(told, first))
    entries = [entry for number, call in numbered for entry in _entries(number, call)]
    for begin in range(0, len(entries), 2000):
        page = entries[begin : begin + 2000]
        assert record(engine, 0, page, before=LOG_START, after=LOG_START)
    return [_call_sid(number) for number, _ in numbered]


def _call_sid(number: int) -> str:
    return f"CA{number:032x}"


def _entries(number: int, call: Told) -> Iterable[Entry]:
    opened = EntryType.CALL_DROPPED if call.is_dropped else EntryType.CALL_DEBITED
    yield _entry(number, 0, call, opened, call.reason, "record")
    if call.duration_s is not None:
        end, duration = EntryType.CALL_SETTLED, str(call.duration_s)
        yield _entry(number, 1, call, end, CallEnd.COMPLETED, duration)


def _entry(number: int, place: int, call: Told, type_: EntryType, cause: str, detail: str) -> Entry:
    return Entry(
        id=f"{number + 1}-{place}",
        at_ms=call.at_ms,
        account_id=call.account_id,
        type=type_,
        allotment_delta=-1 if type_ is EntryType.CALL_DEBITED else 0,
        purchased_delta=0,
        allotment=-number,
        purchased=0,
        ref=_call_sid(number),
        cause=cause,
        number=call.number,
        detail=detail,
        direction=call.direction,
    )
