"""A ledger and its history, what happens to them, and what an audit finds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Final, cast

from sqlalchemy import Engine, insert, update
from sqlalchemy.sql.base import Executable

from gatekeeper.audit import audit_account, audit_ledger
from gatekeeper.domain.account import TopoffSettings
from gatekeeper.domain.account_audit import entry_position
from gatekeeper.domain.call import CallEnd, CallId, Decision
from gatekeeper.domain.entry import Entry, EntryType
from gatekeeper.domain.topoff import Topoff
from gatekeeper.history.engine import writing
from gatekeeper.history.rows import entry_row
from gatekeeper.history.tables import entries
from gatekeeper.ledger.ledger import Ledger
from gatekeeper.ledger.topoffs import Payment
from gatekeeper.relay.history import HistoryCopy
from tests.cli.conftest import ACCOUNT_SID
from tests.cli.stories import (
    CARD,
    NUMBER,
    PRICE_MINOR,
    begin_charge,
    call,
    decline,
    succeed,
    switch_on,
)

WHOLE_SHARD: Final = ""


@dataclass(frozen=True)
class Books:
    """Both stores, and one of the accounts."""

    ledger: Ledger
    engine: Engine
    account_id: str

    @property
    def shard(self) -> int:
        return self.ledger.keys.shard_of(self.account_id)

    @property
    def log(self) -> str:
        return self.ledger.keys.log(self.shard)

    def live(self, account_id: str) -> None:
        """Let everything happen to an account that the verbs can make happen."""
        live(self.ledger, account_id)

    def copy(self) -> None:
        """Copy the log into SQL."""
        HistoryCopy(self.ledger, self.engine).copy_all()

    def trim(self) -> None:
        """Trim all that the logs hold."""
        for shard in range(self.ledger.keys.shards):
            self.ledger.client.xtrim(self.ledger.keys.log(shard), maxlen=0, approximate=False)

    def entries(self, type_: EntryType) -> list[Entry]:
        """Read the account's entries of a type from the log."""
        found = self.ledger.log.entries(self.account_id)
        return [entry for entry in found if entry.type is type_]

    def sql(self, statement: Executable) -> None:
        """Change history behind everyone's back."""
        with writing(self.engine) as connection:
            connection.execute(statement)

    def change_in_sql(self, entry: Entry, **values: Any) -> None:
        self.sql(update(entries).where(*is_entry(entry)).values(values))

    def delete_in_sql(self, entry: Entry) -> None:
        self.sql(entries.delete().where(*is_entry(entry)))

    def add_in_sql(self, entry: Entry, **values: Any) -> None:
        """Write an entry again, a little changed."""
        self.sql(insert(entries).values(entry_row(replace(entry, **values))))

    def delete_in_log(self, entry: Entry) -> None:
        self.ledger.client.xdel(self.log, entry.id)

    def change_in_log(self, entry: Entry, **values: Any) -> None:
        """Change an entry, which means to write the log again from it on."""
        client = self.ledger.client
        raw = cast(list[tuple[str, dict[Any, Any]]], client.xrange(self.log))
        client.delete(self.log)
        for entry_id, fields in raw:
            client.xadd(self.log, fields | (values if entry_id == entry.id else {}), id=entry_id)

    def append_again(self, entry: Entry) -> None:
        """Append an entry again, and change the balance so that all sums fit."""
        account = self.ledger.accounts.account(self.account_id)
        allotment = account.allotment + entry.allotment_delta
        purchased = account.purchased + entry.purchased_delta
        fields = cast(dict[Any, Any], raw_fields(entry))
        fields |= {"allotment": allotment, "purchased": purchased}
        self.ledger.client.xadd(self.log, fields)
        self.set_account(allotment=str(allotment), purchased=str(purchased))
        self.copy()

    def move_log_back(self, *, ms: int) -> None:
        """Let all entries have been written so much earlier, and 10 ms one after another."""
        client = self.ledger.client
        for log in map(self.ledger.keys.log, range(self.ledger.keys.shards)):
            raw = cast(list[tuple[str, dict[Any, Any]]], client.xrange(log))
            client.delete(log)
            for place, (_, fields) in enumerate(raw, -len(raw)):
                first_ms, _ = entry_position(raw[0][0])
                client.xadd(log, fields, id=f"{first_ms - ms + 10 * place}-0")

    def payment(self, topoff: Topoff) -> Payment:
        """The payment that a top-off's charge came to."""
        paid_minor = topoff.credits * PRICE_MINOR
        return Payment(topoff.payment_intent, paid_minor, "usd", CARD.customer, CARD.last4)

    def set_account(self, **fields: str) -> None:
        for field, value in fields.items():
            self.ledger.client.hset(
                self.ledger.keys.of_account(self.account_id).account, field, value
            )

    def found(self) -> list[str]:
        """Audit all and then the account alone; returns what differs, and checks whose it is.

        What an audit of everything finds and one of the account does not is of the whole shard.
        """
        whole = audit_ledger(self.ledger, self.engine)
        alone = audit_account(self.ledger, self.account_id, self.engine)
        assert {one.account_id for one in whole} <= {self.account_id, WHOLE_SHARD}
        assert set(alone) <= set(whole)
        assert {one.account_id for one in set(whole) - set(alone)} <= {WHOLE_SHARD}
        return [one.what for one in whole]


def assert_told(must_tell: Sequence[str], found: Sequence[str]) -> None:
    """Assert that each line says what it must, and that there are no others."""
    assert len(found) == len(must_tell), found
    for words, what in zip(must_tell, found, strict=True):
        assert words in what


def raw_fields(entry: Entry) -> dict[str, str | int]:
    """Write an entry as the scripts do."""
    fields: dict[str, Any] = asdict(entry)
    del fields["id"]
    return fields | {"account": fields.pop("account_id"), "type": str(entry.type)}


def is_entry(entry: Entry) -> tuple[Any, ...]:
    id_ms, id_seq = entry_position(entry.id)
    return (
        entries.c.account_id == entry.account_id,
        entries.c.id_ms == id_ms,
        entries.c.id_seq == id_seq,
    )


def live(ledger: Ledger, account_id: str) -> None:
    """Let everything happen to an account that the verbs can make happen."""
    ledger.accounts.set_card(account_id, CARD)
    ledger.accounts.add_credits(account_id, 5, reference="r", cause="welcome")
    ledger.accounts.remove_credits(account_id, 1, reference="s", cause="too many")
    for end in (CallEnd.COMPLETED, CallEnd.BUSY, None, CallEnd.COMPLETED, CallEnd.FAILED):
        call(ledger, account_id, end)
    _a_call_that_was_told_otherwise(ledger, account_id)
    decline(ledger, switch_on(ledger, account_id, threshold=10, amount=20))
    ledger.topoffs.request_topoff(account_id, ledger.accounts.account(account_id).incident_id)
    succeed(ledger, ledger.accounts.account(account_id).topoff_id)
    _cancel_a_topoff(ledger, account_id)
    _let_a_failed_charge_succeed_late(ledger, account_id)


def _a_call_that_was_told_otherwise(ledger: Ledger, account_id: str) -> None:
    """Debited, dropped all the same, and in the end answered: one credit (R12)."""
    known = CallId(ACCOUNT_SID, "CA" + account_id.encode().hex()[:32].ljust(32, "0"))
    ledger.calls.admit_call(account_id, known, NUMBER)
    for told in (Decision.DROP, Decision.ANSWER):
        ledger.calls.admit_offline(account_id, known, NUMBER, told)
    ledger.calls.settle_call(
        account_id, known, NUMBER, CallEnd.COMPLETED, duration_s=1, debit_unknown=False
    )


def _cancel_a_topoff(ledger: Ledger, account_id: str) -> None:
    topoff_id = switch_on(ledger, account_id, threshold=50, amount=60)
    ledger.accounts.set_topoff(account_id, TopoffSettings(False, 50, 60))
    ledger.topoffs.begin_charge(topoff_id, price_minor=PRICE_MINOR, currency="usd")


def _let_a_failed_charge_succeed_late(ledger: Ledger, account_id: str) -> None:
    first = switch_on(ledger, account_id, threshold=50, amount=60)
    decline(ledger, first)
    incident_id = ledger.accounts.account(account_id).incident_id
    ledger.topoffs.request_topoff(account_id, incident_id)
    begin_charge(ledger, ledger.accounts.account(account_id).topoff_id)
    topoff = ledger.topoffs.topoff(first)
    paid_minor = topoff.credits * PRICE_MINOR
    payment = Payment(topoff.payment_intent, paid_minor, "usd", CARD.customer, CARD.last4)
    ledger.topoffs.settle_topoff(first, payment, price_minor=PRICE_MINOR)
