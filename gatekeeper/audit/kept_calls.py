"""Whether the records of calls that the ledger still keeps say what their entries say (R1, R2).

A record is written in the step that writes its entry. Its decision, and what it looked at, stand
in the entry too, and stay as they are unless Twilio was told otherwise (R12). A record was read
before the entries, so all that it tells of is in them; they may tell of more.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Final

from gatekeeper.domain.entry import EntryType
from gatekeeper.domain.line import Line

#: See gatekeeper/ledger/lua/prelude.lua: state, decision, reason (two letters), bucket, debited.
_HEAD_LENGTH: Final = 6
_DELTAS: Final = {"a": (-1, 0), "p": (0, -1)}
_WITHOUT_LEDGER: Final = "lu"
#: By a record's state, the entry that must tell of the call's end; "" none need.
_ENDS: Final = {
    "o": "",
    "k": EntryType.CALL_SETTLED,
    "c": EntryType.CALL_SETTLED,
    "e": EntryType.CALL_SETTLED,
    "r": EntryType.CALL_RELEASED,
}
#: What takes a call's credit or gives it back.
_CREDIT_MOVES: Final = (EntryType.CALL_DEBITED, EntryType.CALL_RELEASED)


class KeptCallsAudit:
    """Follows the entries of those of an account's calls that have records (CallSid, record).

    The records were read behind the entry at `up_to`.
    """

    def __init__(self, records: Iterable[tuple[str, str]], up_to: tuple[int, int]) -> None:
        self._records = dict(records)
        self._up_to = up_to
        self._told: dict[str, list[Line]] = defaultdict(list)

    def add(self, line: Line) -> None:
        """Take in the next entry."""
        if line.ref in self._records:
            self._told[line.ref].append(line)

    def differences(self) -> Iterator[str]:
        """Name what differs, one line each."""
        for call_sid, record in self._records.items():
            told = self._told.get(call_sid, ())
            for problem in (*_problems(record, told), *self._last_move_problems(record, told)):
                yield f"call {call_sid} {problem}"

    def _last_move_problems(self, record: str, told: Iterable[Line]) -> Iterator[str]:
        """Look at the last that became of its credit; behind `up_to` the record may be older."""
        moves = [line for line in told if line.type in _CREDIT_MOVES]
        if not moves or (moves[-1].id_ms, moves[-1].id_seq) > self._up_to:
            return
        state, is_debited = record[:1], record[5:6] == "1"
        if moves[-1].type == EntryType.CALL_DEBITED:
            if state == "o" and not is_debited:
                yield "was not debited by its record, but an entry says so"
        elif state in ("o", "k") and is_debited:
            yield "keeps its credit by its record, but an entry says that it went back"


def _problems(record: str, told: Iterable[Line]) -> Iterator[str]:
    if len(record) < _HEAD_LENGTH or record[0] not in _ENDS:
        yield "has a record that cannot be read"
        return
    lines = list(told)
    end = _ENDS[record[0]]
    if end and all(line.type != end for line in lines):
        yield f"has ended by its record, but no entry says so ({end})"
    if record[5] == "1":
        yield from _debit_problems(record, lines)
    elif record[0] == "k":
        yield "was answered and completed by its record, but no credit was taken"
    elif record[1] == "D" and record[2:4] != _WITHOUT_LEDGER:
        drops = (line for line in lines if line.type == EntryType.CALL_DROPPED)
        if all(line.detail[1:] != record[1:] for line in drops):
            yield "was dropped by its record, but no entry says so in the same words"


def _debit_problems(record: str, lines: Iterable[Line]) -> Iterator[str]:
    debits = [line for line in lines if line.type == EntryType.CALL_DEBITED]
    same = [line for line in debits if line.detail[1:] == record[1:]]
    if not debits:
        yield "was debited by its record, but no entry says so"
    elif not same:
        yield "was debited by its record, but its entry explains it otherwise"
    elif all(_deltas(line) != _DELTAS.get(record[4]) for line in same):
        yield "was debited by its record from another bucket than by its entry"


def _deltas(line: Line) -> tuple[int, int]:
    return line.allotment_delta, line.purchased_delta
