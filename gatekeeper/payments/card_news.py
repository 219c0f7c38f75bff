"""Making saved cards follow what becomes of them at Stripe.

A card is detached there by support, or with its customer; banks reissue it with a new number or
expiry, and Stripe learns of that. An event only says that there is news (see telling.py); here
Stripe is asked, and the ledger told, unless there was more news meanwhile: so events that come
twice, late or out of order end in what Stripe said last.

A card that is gone is taken away, and no other: a charge finds that there is none, which is R8's
first reason. One that was reissued stays the same card. An incident is not resolved by that, nor
is anything charged: R8 names what lifts a block, and after a decline somebody should press the
button. They can: what an issuer said for good was said of the number and expiry before.

Sources: https://docs.stripe.com/api/events/types (`payment_method.automatically_updated`),
https://docs.stripe.com/api/payment_methods/detach, https://docs.stripe.com/api/customers/delete.
Stripe goes on updating the cards of customers that were deleted, so the customer is asked for
first: https://github.com/mozilla/fxa/pull/12433.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

import stripe
from stripe import StripeClient, StripeError

from gatekeeper.jobs import card_task
from gatekeeper.ledger.customers import Followed
from gatekeeper.ledger.errors import UnknownAccount
from gatekeeper.ledger.ledger import Ledger
from gatekeeper.payments.cards import CardNotUsable, fetch_card
from gatekeeper.payments.stripe_errors import describe


class CardOutcome(StrEnum):
    """What a run came to."""

    UPDATED = "updated"
    SAME = "same"
    REMOVED = "removed"
    CUSTOMER_DELETED = "customer_deleted"  # the account has no card, and is nobody at Stripe
    NO_CARD = "no_card"  # nothing to follow, or another card by now
    SUPERSEDED = "superseded"  # news came while Stripe was asked: still owed
    NOT_OWED = "not_owed"  # another run did it
    NOT_AT_STRIPE = "not_at_stripe"  # another Stripe account's or mode's, by what our key can see

    @property
    def needs_a_person(self) -> bool:
        """Whether something is configured wrongly."""
        return self is CardOutcome.NOT_AT_STRIPE


class CardUnreadable(Exception):
    """Stripe did not say how a card stands. The message has no word of Stripe's."""


def follow_card(account_id: str, *, ledger: Ledger, stripe_api: StripeClient) -> CardOutcome:
    """Make an account's card follow what Stripe says of it, and strike the work off.

    Raises CardUnreadable, and redis.RedisError; it is then still owed.
    """
    task = card_task(account_id)
    mark = ledger.owed.mark(account_id, task)
    if mark is None:
        return CardOutcome.NOT_OWED
    try:
        outcome = _follow(account_id, mark, ledger, stripe_api)
    except UnknownAccount:
        outcome = CardOutcome.NO_CARD
    if outcome is not CardOutcome.SUPERSEDED:
        ledger.owed.strike_owed(account_id, task, mark=mark)
    return outcome


def _follow(account_id: str, mark: int, ledger: Ledger, stripe_api: StripeClient) -> CardOutcome:
    customer = ledger.customers.of_account(account_id)
    if not customer:
        return CardOutcome.NO_CARD
    try:
        is_deleted = _is_deleted(stripe_api, customer)
        if is_deleted is None:
            return CardOutcome.NOT_AT_STRIPE
        if is_deleted:
            ledger.customers.forget(account_id, customer)
            return CardOutcome.CUSTOMER_DELETED
        return _follow_attached(account_id, mark, ledger, stripe_api)
    except StripeError as error:
        problem = f"the card of {account_id} cannot be read: {describe(error)}"
        raise CardUnreadable(problem) from None
    except (KeyError, TypeError, ValueError):
        problem = f"what Stripe says of the card of {account_id} cannot be understood"
        raise CardUnreadable(problem) from None


def _is_deleted(stripe_api: StripeClient, customer: str) -> bool | None:
    """Tell whether a customer was deleted; None when our key knows of no such customer."""
    try:
        return bool(stripe_api.v1.customers.retrieve(customer).to_dict().get("deleted"))
    except stripe.InvalidRequestError as error:
        if error.error is None or error.error.code != "resource_missing":
            raise
        return None


def _follow_attached(
    account_id: str, mark: int, ledger: Ledger, stripe_api: StripeClient
) -> CardOutcome:
    saved = ledger.accounts.account(account_id).card
    if saved is None:
        return CardOutcome.NO_CARD
    try:
        card = fetch_card(stripe_api, saved.customer, saved.payment_method)
    except CardNotUsable:  # also one that Stripe does not know any more: its customer it does
        card = None
    followed = ledger.customers.follow_card(account_id, saved.payment_method, card, mark=mark)
    return _OUTCOMES[followed]


_OUTCOMES: Final = {
    Followed.UPDATED: CardOutcome.UPDATED,
    Followed.SAME: CardOutcome.SAME,
    Followed.REMOVED: CardOutcome.REMOVED,
    Followed.ANOTHER: CardOutcome.NO_CARD,
    Followed.SUPERSEDED: CardOutcome.SUPERSEDED,
}
