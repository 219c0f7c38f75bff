"""What customers, Stripe and an auditor would find, and customers who owe a top-off."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Final

from gatekeeper.audit import audit_ledger
from gatekeeper.domain.account import Account, Card, NewAccount, TopoffSettings, new_account_id
from gatekeeper.domain.entry import EntryType
from gatekeeper.domain.incident import FailureReason
from gatekeeper.domain.topoff import TopoffState
from gatekeeper.ledger.ledger import Ledger
from gatekeeper.payments.charging import GIVE_UP_AFTER_S
from gatekeeper.sandbox.mailbox import Deliveries, Delivery
from gatekeeper.sandbox.stripe.client import SandboxControl

CREDITS: Final = 20
PRICE_MINOR: Final = 25
TOPOFF: Final = TopoffSettings(enabled=True, threshold=5, amount=CREDITS)
GOOD_CARD: Final = "4242424242424242"
DECLINED_CARD: Final = "4000000000000002"


@dataclass(frozen=True)
class Customer:
    """An account with a card at Stripe; without one `stripe_id` is ""."""

    account_id: str
    email: str
    stripe_id: str


class Books:
    """Reads the ledger, Stripe and the mailbox."""

    def __init__(self, ledger: Ledger, control: SandboxControl, mail: Deliveries) -> None:
        self._ledger = ledger
        self._control = control
        self._mail = mail

    def open(self, card: str | None = GOOD_CARD, *, allotment: int = 0) -> Customer:
        """Open an account; with an allotment below the threshold it owes a top-off at once."""
        account_id = new_account_id()
        email = f"{account_id}@example.com"
        self._ledger.accounts.open_account(NewAccount(account_id, "Able", email, allotment))
        stripe_id = self._save_card(account_id, card) if card else ""
        self._ledger.accounts.set_topoff(account_id, TOPOFF)
        return Customer(account_id, email, stripe_id)

    def _save_card(self, account_id: str, number: str) -> str:
        saved = self._control.create_customer(card=number)
        stripe_id: str = saved["customer"]["id"]
        method = saved["payment_method"]
        card = Card(stripe_id, method["id"], "visa", method["card"]["last4"], "01/2031")
        self._ledger.accounts.set_card(account_id, card)
        return stripe_id

    def make_overdue(self, customer: Customer) -> None:
        """Let a charge have begun longer ago than it is pursued."""
        key = self._ledger.keys.of_account(customer.account_id).topoff(self.topoff_id(customer))
        self._ledger.client.hincrby(key, "charging_at_ms", -(GIVE_UP_AFTER_S + 1) * 1000)

    def account(self, customer: Customer) -> Account:
        return self._ledger.accounts.account(customer.account_id)

    def topoff_id(self, customer: Customer) -> str:
        """Return the id of a customer's only top-off."""
        entries = self._ledger.log.entries(customer.account_id)
        (topoff_id,) = (e.ref for e in entries if e.type is EntryType.TOPOFF_REQUESTED)
        return topoff_id

    def is_in_flight(self, customer: Customer) -> bool:
        return bool(self.account(customer).topoff_id)

    def owed(self, customer: Customer) -> list[str]:
        """List the charges and e-mails that are owed to a customer."""
        return [task for task in self.all_owed() if customer.account_id in task]

    def all_owed(self) -> list[str]:
        """List all charges and e-mails that are owed.

        Left out is what has its time in days: the end of a month, or of a cool-down.
        """
        tasks = (task for task, _ in self._ledger.owed.tasks(0))
        return [task for task in tasks if task.startswith(("charge:", "email:"))]

    def calls_debited(self, customer: Customer) -> int:
        return self._entries(customer)[EntryType.CALL_DEBITED]

    def emails(self, customer: Customer) -> list[Delivery]:
        return [each for each in self._mail.all() if customer.email in each.recipients]

    def assert_paid_once(
        self, customer: Customer, *, copies: int = 1, other_credits: int = 0
    ) -> None:
        """Assert one charge, its credits once, one e-mail, and books that agree.

        `copies` says how often the e-mail came; `other_credits` are those besides the top-off's.
        """
        self.assert_charged_once(customer)
        assert self._topoff_state(customer) is TopoffState.SUCCEEDED
        assert self.account(customer).balance == CREDITS + other_credits
        assert self._entries(customer)[EntryType.TOPOFF_SUCCEEDED] == 1
        assert self._entries(customer)[EntryType.TOPOFF_FAILED] == 0
        assert self.account(customer).incident_id == ""
        self._assert_mailed(customer, f"Auto top-off: {CREDITS} credits added", copies)

    def assert_charged_once(self, customer: Customer) -> None:
        """Assert one charge and books that agree, whatever became of its money later."""
        paid = CREDITS * PRICE_MINOR
        assert self._charges(customer) == {"succeeded": 1, "succeeded_minor": paid}
        self._assert_closed(customer)

    def assert_failed_once(
        self, customer: Customer, reason: FailureReason, *, declined: int = 0
    ) -> None:
        """Assert no charge but `declined` ones, one incident, one e-mail, and books that agree."""
        assert self._charges(customer) == ({"failed": declined} if declined else {})
        assert self._topoff_state(customer) is TopoffState.FAILED
        assert self.account(customer).balance == 0
        assert self._entries(customer)[EntryType.TOPOFF_SUCCEEDED] == 0
        assert self._entries(customer)[EntryType.TOPOFF_FAILED] == 1
        assert self.account(customer).blocked_by is reason
        assert self.account(customer).incident_id == self.topoff_id(customer)
        self._assert_mailed(customer, f"Auto top-off failed: {reason.label}", 1)
        self._assert_closed(customer)

    def _assert_mailed(self, customer: Customer, subject: str, copies: int) -> None:
        """Assert one message and no other, known by its Message-ID however often it came."""
        received = self.emails(customer)
        assert [email.header("Subject") for email in received] == [subject] * copies
        assert len({email.message_id for email in received} - {""}) == 1

    def _assert_closed(self, customer: Customer) -> None:
        assert not self.is_in_flight(customer)
        assert self.owed(customer) == []
        # Of this customer alone, so that what another test left behind fails that test only.
        found = audit_ledger(self._ledger)
        assert [each for each in found if each.account_id == customer.account_id] == []

    def _charges(self, customer: Customer) -> dict[str, int]:
        """Count a customer's charges at Stripe by status, and the minor units that were paid."""
        counts: dict[str, int] = self._control.charges()["customers"].get(customer.stripe_id, {})
        return {what: count for what, count in counts.items() if count}

    def _entries(self, customer: Customer) -> Counter[str]:
        return Counter(entry.type for entry in self._ledger.log.entries(customer.account_id))

    def _topoff_state(self, customer: Customer) -> TopoffState:
        return self._ledger.topoffs.topoff(self.topoff_id(customer)).state
