"""Whether an account is what its entries say (R1 to R4, R7, R13, R15).

Nothing here reads a store: it is handed an account, the account's entries in their order, and the
records of its top-offs and claw-backs. The account is one that was read at a known place in the
log, so that an audit of a ledger in use is exact: entries behind that place are not counted against
it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Final

from gatekeeper.domain.account import Account
from gatekeeper.domain.change import Change
from gatekeeper.domain.clawback_audit import ClawbackAudit, ClawbackReading
from gatekeeper.domain.debit_audit import DebitAudit
from gatekeeper.domain.entry import EntryType
from gatekeeper.domain.grant_audit import GrantAudit
from gatekeeper.domain.line import Line
from gatekeeper.domain.purchase_audit import PurchaseAudit
from gatekeeper.domain.spending_audit import SpendingAudit
from gatekeeper.domain.topoff import Topoff
from gatekeeper.domain.topoff_audit import TopoffAudit

#: Entries that tell of something and never change a balance. One of a type that this version does
#: not know may: its deltas are counted like any other's.
_WITHOUT_DELTA: Final = frozenset(
    {
        EntryType.TOPOFF_REQUESTED,
        EntryType.TOPOFF_FAILED,
        EntryType.TOPOFF_CANCELED,
        EntryType.TOPOFF_CAPPED,
        EntryType.INCIDENT_RESOLVED,
        EntryType.ACCOUNT_CHANGED,
        EntryType.CALL_DROPPED,
        EntryType.CALL_SETTLED,
    }
)
#: So long the ledger knows the reference of credits added or removed (see ledger/keys.py), by the
#: clock that also numbers the log.
_REFERENCE_KEPT_MS: Final = 400 * 24 * 3_600_000


class AccountAudit:
    """Follows one account's entries, oldest first, and then says what differs.

    `up_to` is the id of the log's last entry when the account was read ("0-0": none).
    """

    def __init__(self, account: Account, up_to: str) -> None:
        self._account = account
        self._up_to = entry_position(up_to)
        self._is_behind = False
        self._problems: list[str] = []
        self._opened = False
        self._allotment = 0
        self._purchased = 0
        self._cycles = 0
        self._period_start_ms: int | None = None
        self._cycles_set = 0
        # Buckets, cycles, and cycles set, when the account was read.
        self._summed = (0, 0, 0, 0)
        self._debits = DebitAudit(self._problems.append)
        self._topoffs = TopoffAudit(self._problems.append)
        self._purchases = PurchaseAudit(self._problems.append)
        self._clawbacks = ClawbackAudit(self._problems.append)
        self._grants = GrantAudit(self._problems.append)
        self._spending = SpendingAudit()
        self._corrected: dict[str, int] = {}  # by reference: when last, in ms of the log's clock
        self._followers: dict[str, Callable[[Line], None]] = {
            EntryType.ACCOUNT_OPENED: self._open,
            EntryType.CYCLE_STARTED: self._start_cycle,
            EntryType.ACCOUNT_CHANGED: self._change,
            EntryType.ALLOTMENT_RAISED: self._grants.raise_,
            EntryType.ALLOTMENT_WITHHELD: self._grants.withhold,
            EntryType.ALLOTMENT_RESTORED: self._grants.restore,
            EntryType.CALL_DEBITED: self._debit,
            EntryType.CALL_SETTLED: self._debits.settle,
            EntryType.CALL_RELEASED: self._release,
            EntryType.TOPOFF_REQUESTED: self._topoffs.request,
            EntryType.TOPOFF_SUCCEEDED: self._credit_topoff,
            EntryType.TOPOFF_FAILED: self._topoffs.fail,
            EntryType.TOPOFF_CANCELED: self._topoffs.cancel,
            EntryType.INCIDENT_RESOLVED: self._topoffs.end_incident,
            EntryType.PURCHASE_SUCCEEDED: self._credit_purchase,
            EntryType.CREDITS_ADDED: self._correct,
            EntryType.CREDITS_REMOVED: self._correct,
            EntryType.CREDITS_CLAWED_BACK: self._clawbacks.claw_back,
            EntryType.CREDITS_RETURNED: self._clawbacks.return_,
        }

    def add(self, line: Line) -> None:
        """Take in the next entry."""
        if not self._is_behind and (line.id_ms, line.id_seq) > self._up_to:
            self._pass_reading()
        self._allotment += line.allotment_delta
        self._purchased += line.purchased_delta
        if self._allotment != line.allotment or self._purchased != line.purchased:
            self._name_break(line)
        if not self._opened:
            self._name_beginning(line)
        if line.type in _WITHOUT_DELTA and (line.allotment_delta or line.purchased_delta):
            self._problems.append(f"entry {line.id} ({line.type}) changes the balance")
        if (follow := self._followers.get(line.type)) is not None:
            follow(line)

    @property
    def credited(self) -> Collection[str]:
        """The ids of the top-offs that entries say were credited."""
        return self._topoffs.credited

    def differences(
        self,
        topoffs: Mapping[str, Topoff | None],
        clawbacks: Mapping[str, ClawbackReading],
        *,
        owed: Collection[str],
        kept_since_ms: int,
    ) -> list[str]:
        """Name what differs, one line each.

        `topoffs` are all that the ledger has of the account, None where one cannot be read, found
        after the account was read and before the entries were; only those in `credited` may have
        been read later. `owed` names those whose charge was owed when they were read. `clawbacks`
        are all that the ledger has, by PaymentIntent, found as the top-offs were. Top-offs
        requested, and credits taken back or returned, at `kept_since_ms` or later still have their
        record.
        """
        if not self._is_behind:
            self._pass_reading()
        topoff_problems = self._topoffs.differences(
            self._account.topoff_id, topoffs, owed=owed, kept_since_ms=kept_since_ms
        )
        clawback_problems = self._clawbacks.differences(
            clawbacks, up_to=self._up_to, kept_since_ms=kept_since_ms
        )
        grant_problems = self._grants.differences(self._account)
        spending_problems = self._spending.differences(self._account)
        standing = [*self._standing(), *grant_problems, *spending_problems]
        return [*self._problems, *standing, *topoff_problems, *clawback_problems]

    def _pass_reading(self) -> None:
        """Note what the entries up to the account's reading came to."""
        self._is_behind = True
        self._summed = (self._allotment, self._purchased, self._cycles, self._cycles_set)
        self._topoffs.pass_reading()
        self._grants.pass_reading()
        self._spending.pass_reading()

    def _name_break(self, line: Line) -> None:
        self._problems.append(
            f"entry {line.id} leaves {line.allotment} + {line.purchased} credits,"
            f" but the entries up to it sum to {self._allotment} + {self._purchased}"
        )
        # Named once: what follows is measured from here.
        self._allotment, self._purchased = line.allotment, line.purchased

    def _name_beginning(self, line: Line) -> None:
        self._opened = True
        if line.type != EntryType.ACCOUNT_OPENED:
            self._problems.append(
                f"entry {line.id} ({line.type}) is the first: what opened the account is missing"
            )

    def _open(self, line: Line) -> None:
        # Each grant but for the account's own beginning is a period's: the first has no number yet.
        if self._cycles:
            self._problems.append(f"entry {line.id} opens the account again")
        self._cycles += 1
        self._grants.begin(line)
        self._spending.begin(line)

    def _start_cycle(self, line: Line) -> None:
        self._cycles += 1
        self._grants.begin(line)
        self._spending.begin(line)
        try:
            start_ms = int(line.ref)
        except ValueError:
            self._problems.append(f"entry {line.id} starts a period without saying which")
            return
        if self._period_start_ms is not None and start_ms <= self._period_start_ms:
            self._problems.append(
                f"entry {line.id} starts the period of {start_ms}, but the one of"
                f" {self._period_start_ms} had begun"
            )
        self._period_start_ms = start_ms

    def _change(self, line: Line) -> None:
        self._cycles_set += line.cause == Change.CYCLE_SET

    def _debit(self, line: Line) -> None:
        self._debits.debit(line)
        self._grants.debit(line)

    def _release(self, line: Line) -> None:
        self._debits.release(line)
        self._grants.release(line)

    def _credit_topoff(self, line: Line) -> None:
        self._topoffs.succeed(line)
        self._spending.charge(line)
        self._clawbacks.credit(line)

    def _credit_purchase(self, line: Line) -> None:
        self._purchases.succeed(line)
        self._clawbacks.credit(line)

    def _correct(self, line: Line) -> None:
        last_ms = self._corrected.get(line.ref)
        if last_ms is not None and line.id_ms - last_ms < _REFERENCE_KEPT_MS:
            self._problems.append(f"entry {line.id} ({line.type}) counts {line.ref} again")
        self._corrected[line.ref] = line.id_ms

    def _standing(self) -> Iterator[str]:
        account = self._account
        allotment, purchased, cycles, cycles_set = self._summed
        if (account.allotment, account.purchased) != (allotment, purchased):
            yield (
                f"the ledger has {account.allotment} + {account.purchased} credits (allotment +"
                f" purchased), but the entries sum to {allotment} + {purchased}"
            )
        # An account that had no cycle gets one without an entry of its beginning.
        if not cycles <= account.cycle_no <= cycles + cycles_set:
            yield f"the ledger is in cycle {account.cycle_no}, but the entries begin {cycles}"


def entry_position(entry_id: str) -> tuple[int, int]:
    """Read an entry's id as its place in the log."""
    ms, _, sequence = entry_id.partition("-")
    return int(ms), int(sequence)
