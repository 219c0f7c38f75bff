"""Whether an account's balance, debits and top-offs are what its entries say (R1, R2, R7, R15).

Nothing here reads the ledger: it is handed an account, the account's entries in their order, and
its top-offs. The account is one that was read at a known place in the log, so that an audit of a
ledger in use is exact: entries behind that place are not counted against the balance.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from gatekeeper.domain.account import Account
from gatekeeper.domain.entry import Entry, EntryType
from gatekeeper.domain.topoff import Topoff, TopoffState

#: Entries that tell of something and never change a balance.
_WITHOUT_DELTA = frozenset(
    {
        EntryType.TOPOFF_REQUESTED,
        EntryType.TOPOFF_FAILED,
        EntryType.CALL_DROPPED,
        EntryType.CALL_SETTLED,
    }
)
_FROM_ALLOTMENT = (-1, 0)
_FROM_PURCHASED = (0, -1)
#: What a release may give back, by what the debit took. An allotment that has been reset since
#: takes nothing back (R2).
_RELEASES = {_FROM_ALLOTMENT: ((1, 0), (0, 0)), _FROM_PURCHASED: ((0, 1),)}


class AccountAudit:
    """Follows one account's entries, oldest first, and then says what differs.

    `up_to` is the id of the log's last entry when the account was read ("0-0": none). `requested`
    grows with the entries: the ids of the top-offs whose records `differences` wants.
    """

    def __init__(self, account: Account, up_to: str) -> None:
        self.requested: set[str] = set()
        self._account = account
        self._up_to = entry_position(up_to)
        self._problems: list[str] = []
        self._allotment = 0
        self._purchased = 0
        self._taken: dict[str, tuple[int, int]] = {}  # by CallSid; nothing once given back
        self._unresolved: set[str] = set()
        self._credited: dict[str, int] = {}
        self._credited_before: set[str] = set()  # the top-offs were read

    def add(self, entry: Entry) -> None:
        """Take in the next entry."""
        if entry.type is EntryType.TOPOFF_SUCCEEDED:
            self._note_credited(entry)
            self._credited_before.add(entry.ref)
        if entry_position(entry.id) <= self._up_to:
            self._add_up(entry)
            self._follow(entry)

    def add_behind(self, entry: Entry) -> None:
        """Take in an entry that was written while the top-offs were read."""
        if entry.type is EntryType.TOPOFF_SUCCEEDED:
            self._note_credited(entry)

    def differences(self, topoffs: Mapping[str, Topoff]) -> list[str]:
        """Name what differs, one line each.

        `topoffs` are those of `requested` that the ledger still has, read after the entries given
        to `add` and before those given to `add_behind`.
        """
        return [*self._problems, *self._balance(), *self._in_flight(topoffs), *self._paid(topoffs)]

    def _add_up(self, entry: Entry) -> None:
        self._allotment += entry.allotment_delta
        self._purchased += entry.purchased_delta
        if (self._allotment, self._purchased) == (entry.allotment, entry.purchased):
            return
        self._problems.append(
            f"entry {entry.id} leaves {entry.allotment} + {entry.purchased} credits,"
            f" but the entries up to it sum to {self._allotment} + {self._purchased}"
        )
        # Named once: what follows is measured from here.
        self._allotment, self._purchased = entry.allotment, entry.purchased

    def _follow(self, entry: Entry) -> None:
        if entry.type in _WITHOUT_DELTA and (entry.allotment_delta or entry.purchased_delta):
            self._problems.append(f"entry {entry.id} ({entry.type}) changes the balance")
        match entry.type:
            case EntryType.CALL_DEBITED:
                self._debit(entry)
            case EntryType.CALL_RELEASED:
                self._release(entry)
            case EntryType.TOPOFF_REQUESTED:
                self.requested.add(entry.ref)
                self._unresolved.add(entry.ref)
            case EntryType.TOPOFF_SUCCEEDED | EntryType.TOPOFF_FAILED:
                self._unresolved.discard(entry.ref)
                if entry.ref not in self.requested:
                    self._problems.append(f"top-off {entry.ref} was never requested")

    def _debit(self, entry: Entry) -> None:
        taken = (entry.allotment_delta, entry.purchased_delta)
        if entry.ref in self._taken:
            self._problems.append(f"call {entry.ref} was debited twice")
        elif taken not in _RELEASES:
            self._problems.append(f"call {entry.ref} was debited {-sum(taken)} credits, not 1")
        self._taken[entry.ref] = taken

    def _release(self, entry: Entry) -> None:
        given = (entry.allotment_delta, entry.purchased_delta)
        taken = self._taken.pop(entry.ref, None)
        if taken is None:
            self._problems.append(f"call {entry.ref} was released without having been debited")
        elif given not in _RELEASES.get(taken, ()):
            self._problems.append(f"call {entry.ref} was not given back what was taken for it")

    def _note_credited(self, entry: Entry) -> None:
        if entry.ref in self._credited:
            self._problems.append(f"top-off {entry.ref} was credited twice")
        self._credited[entry.ref] = entry.purchased_delta

    def _balance(self) -> Iterator[str]:
        account = self._account
        if (account.allotment, account.purchased) != (self._allotment, self._purchased):
            yield (
                f"the ledger has {account.allotment} + {account.purchased} credits (allotment +"
                f" purchased), but the entries sum to {self._allotment} + {self._purchased}"
            )

    def _in_flight(self, topoffs: Mapping[str, Topoff]) -> Iterator[str]:
        current = self._account.topoff_id
        if current and current not in self._unresolved:
            yield f"top-off {current} is in flight, but no entry says so"
        # A request that was canceled has no entry of its own: its record tells.
        for topoff_id in sorted(self._unresolved - {current}):
            topoff = topoffs.get(topoff_id)
            if topoff is not None and topoff.state is not TopoffState.CANCELED:
                beside = f"beside {current}" if current else "but the account has none in flight"
                yield f"top-off {topoff_id} is {topoff.state}, {beside}"

    def _paid(self, topoffs: Mapping[str, Topoff]) -> Iterator[str]:
        for topoff_id in sorted(self.requested & topoffs.keys()):
            topoff, credited = topoffs[topoff_id], self._credited.get(topoff_id)
            if topoff.state is not TopoffState.SUCCEEDED:
                if topoff_id in self._credited_before:
                    yield f"top-off {topoff_id} was credited, but it is {topoff.state}"
            elif credited is None:
                yield f"top-off {topoff_id} succeeded, but it was not credited"
            elif credited != topoff.credits:
                yield f"top-off {topoff_id} of {topoff.credits} was credited with {credited}"


def entry_position(entry_id: str) -> tuple[int, int]:
    """Read an entry's id as its place in the log."""
    ms, _, sequence = entry_id.partition("-")
    return int(ms), int(sequence)
