"""Who plays in the demo: customers with an account, a number, and perhaps a card."""

from __future__ import annotations

from dataclasses import dataclass, field

from gatekeeper.bootstrap import Parts
from gatekeeper.domain.account import NewAccount, TopoffSettings, new_account_id
from gatekeeper.domain.person import Member, Role
from gatekeeper.payments.cards import fetch_card
from gatekeeper.sandbox.caller import Answered, CallResult, Dropped
from gatekeeper.sandbox.stack import LocalStack

GOOD_CARD = "4242424242424242"
#: Stripe's test card that can be saved, and is declined whenever it is charged.
DECLINED_CARD = "4000000000000341"


@dataclass(slots=True)
class Customer:
    """A customer of the demo, and the calls to and from its number.

    `email` is its owner's address, `viewer` that of somebody who may look, if anybody does.
    """

    name: str
    email: str
    number: str
    allotment: int
    topoff: TopoffSettings
    card: str | None = None
    timezone: str = "UTC"
    viewer: str = ""
    account_id: str = field(default_factory=new_account_id)
    calls: list[CallResult] = field(default_factory=list)

    @property
    def answered(self) -> int:
        """How many of its callers got through."""
        return sum(isinstance(call.outcome, Answered) for call in self.calls)

    @property
    def dropped(self) -> int:
        """How many of its callers heard the drop message."""
        return sum(isinstance(call.outcome, Dropped) for call in self.calls)


Cast = tuple[Customer, Customer, Customer, Customer, Customer]


def make_cast() -> Cast:
    """Make a customer for each scene.

    One whose top-off succeeds, one without, one whose card is declined until there is another, one
    whose month ends, and one whose card stays declined.
    """
    return (
        Customer(
            "Bright Dental",
            "office@bright-dental.example",
            "+15550100101",
            allotment=10,
            topoff=TopoffSettings(enabled=True, threshold=5, amount=20),
            card=GOOD_CARD,
            timezone="America/New_York",
            viewer="books@bright-dental.example",
        ),
        Customer(
            "Corner Bakery",
            "hello@corner-bakery.example",
            "+15550100102",
            allotment=8,
            topoff=TopoffSettings(enabled=False, threshold=3, amount=20),
            timezone="Europe/Berlin",
        ),
        Customer(
            "Delta Plumbing",
            "owner@delta-plumbing.example",
            "+15550100103",
            allotment=6,
            topoff=TopoffSettings(enabled=True, threshold=3, amount=15),
            card=DECLINED_CARD,
            timezone="Asia/Tokyo",
        ),
        Customer(
            "Echo Yoga",
            "studio@echo-yoga.example",
            "+15550100104",
            allotment=5,
            topoff=TopoffSettings(enabled=False, threshold=0, amount=20),
            timezone="Pacific/Auckland",
        ),
        Customer(
            "Fern Florist",
            "shop@fern-florist.example",
            "+15550100105",
            allotment=3,
            topoff=TopoffSettings(enabled=True, threshold=2, amount=10),
            card=DECLINED_CARD,
            timezone="America/Chicago",
        ),
    )


def move_in(customer: Customer, parts: Parts, stack: LocalStack) -> None:
    """Open a customer's account, give it its number, its card, its settings and its viewer."""
    accounts = parts.ledger.accounts
    accounts.open_account(
        NewAccount(
            customer.account_id,
            customer.name,
            customer.email,
            customer.allotment,
            customer.timezone,
        )
    )
    parts.ledger.numbers.assign_number(customer.number, customer.account_id)
    if customer.card is not None:
        give_card(customer, customer.card, parts, stack)
    accounts.set_topoff(customer.account_id, customer.topoff)
    if customer.viewer:
        parts.ledger.members.set_member(customer.account_id, Member(customer.viewer, Role.VIEWER))


def give_card(customer: Customer, card: str, parts: Parts, stack: LocalStack) -> None:
    """Save a test card at Stripe and attach it to the account."""
    saved = stack.control.create_customer(card=card, email=customer.email, name=customer.name)
    fetched = fetch_card(parts.stripe, saved["customer"]["id"], saved["payment_method"]["id"])
    parts.ledger.accounts.set_card(customer.account_id, fetched)
