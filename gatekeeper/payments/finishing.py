"""Finishing visits to Checkout: credits for what was paid, and the card that was saved.

Stripe's events, the page that a person comes back to, and a look some time after the visit began
all say no more than that there may be news. Here Stripe is asked, and the ledger told: so events
that come twice, in any order, or not at all end in the same. It costs a person who waits on that
page the fraction of a second in which a job is begun and Stripe answers, and gives the receipt its
card and its link, which the events lack.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from stripe import StripeClient, StripeError

from gatekeeper.domain.account import Card
from gatekeeper.domain.checkout import Checkout, CheckoutState
from gatekeeper.jobs import card_task, checkout_task
from gatekeeper.ledger.checkouts import CardSaved, PaidPurchase, SavedCard
from gatekeeper.ledger.keys import account_of
from gatekeeper.ledger.ledger import Ledger
from gatekeeper.ledger.store import Clock
from gatekeeper.payments.cards import make_default
from gatekeeper.payments.checkout_sessions import (
    CameToNothing,
    CheckoutUnreadable,
    Standing,
    Waiting,
    read_standing,
)
from gatekeeper.payments.stripe_errors import describe

#: How long after a visit began it is looked into, should no news of it come. Later looks come in
#: intervals that double, the last when its page has closed.
FIRST_LOOK_MS: Final = 10 * 60 * 1000
_AFTER_CLOSING_MS: Final = 60 * 1000


class CheckoutOutcome(StrEnum):
    """What a run came to."""

    CREDITED = "credited"
    CARD_ATTACHED = "card_attached"
    CARD_SUPERSEDED = "card_superseded"  # by a newer card, or none; or who saved it may not pay
    REPEATED = "repeated"  # known before
    WAITING = "waiting"  # the page is open: it is looked into again later
    CAME_TO_NOTHING = "came_to_nothing"
    UNKNOWN = "unknown"  # no such visit is kept


_OUTCOME_OF_CARD: Final = {
    CardSaved.ATTACHED: CheckoutOutcome.CARD_ATTACHED,
    CardSaved.SUPERSEDED: CheckoutOutcome.CARD_SUPERSEDED,
    CardSaved.REPEATED: CheckoutOutcome.REPEATED,
}


def finish_checkout(
    checkout_id: str, *, ledger: Ledger, stripe: StripeClient, clock: Clock
) -> CheckoutOutcome:
    """Credit or save what came of a visit, and strike the work off, or put it off.

    News that come while this runs leave it owed. Raises CheckoutUnreadable, PaymentMismatch,
    UnknownAccount, and redis.RedisError; it is then still owed.
    """
    account_id, task = account_of(checkout_id), checkout_task(checkout_id)
    mark = ledger.owed.mark(account_id, task)
    checkout = ledger.checkouts.find(checkout_id)
    if checkout is None:
        outcome, again_ms = CheckoutOutcome.UNKNOWN, None
    else:
        standing = read_standing(stripe, checkout)
        outcome = _finish(checkout, standing, ledger, stripe)
        again_ms = _next_look_ms(checkout, standing, clock())
    if mark is not None and again_ms is None:
        ledger.owed.strike_owed(account_id, task, mark=mark)
    elif mark is not None and again_ms is not None:
        ledger.owed.postpone_owed(account_id, task, mark=mark, due_ms=again_ms)
    return outcome


def _finish(
    checkout: Checkout, standing: Standing, ledger: Ledger, stripe: StripeClient
) -> CheckoutOutcome:
    match standing:
        case PaidPurchase() as paid:
            credited = ledger.checkouts.credit_purchase(paid)
            if paid.saved is not None:
                _make_default(paid.saved.card, checkout, ledger, stripe)
            return CheckoutOutcome(credited)
        case SavedCard() as saved:
            kept = ledger.checkouts.save_card(checkout.id, saved)
            _make_default(saved.card, checkout, ledger, stripe)
            return _OUTCOME_OF_CARD[kept]
        case Waiting():
            return CheckoutOutcome.WAITING
        case CameToNothing():
            if checkout.state is CheckoutState.OPEN:
                ledger.checkouts.forget(checkout.id)
            return CheckoutOutcome.CAME_TO_NOTHING


def _make_default(card: Card, checkout: Checkout, ledger: Ledger, stripe: StripeClient) -> None:
    """Let Stripe's people see the same card as ours. A run that repeats this may be the first.

    A card that is gone by now, as it became the account's, is owed a look: the news of that may
    have come before.
    """
    attached = ledger.accounts.account(checkout.account_id).card
    if attached is None or attached.payment_method != card.payment_method:
        return
    try:
        is_there = make_default(stripe, card)
    except StripeError as error:
        problem = f"the default card of {card.customer} cannot be set: {describe(error)}"
        raise CheckoutUnreadable(problem) from None
    if not is_there:
        ledger.owed.note_owed(checkout.account_id, card_task(checkout.account_id))


def _next_look_ms(checkout: Checkout, standing: Standing, now_ms: int) -> int | None:
    """When a visit is to be looked into again; None when it is over."""
    if not isinstance(standing, Waiting):
        return None
    elapsed_ms = now_ms - (checkout.started_at_ms or now_ms)
    next_ms = now_ms + max(elapsed_ms, FIRST_LOOK_MS)
    if standing.until_ms is None:
        return next_ms
    return max(now_ms, min(next_ms, standing.until_ms)) + _AFTER_CLOSING_MS
