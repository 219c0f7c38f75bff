"""Sending people to Stripe Checkout: to buy credits, or to save a card for top-offs.

A visit is written down before its address is handed out, with a look at how it ended owed for
later: what is paid is found although no event ever comes. Its id follows from the form and from
what was asked in it, so that a form that is sent twice leads to one page, where one can pay once.
What comes of it is in finishing.py.

Sources: https://docs.stripe.com/api/checkout/sessions/create,
https://docs.stripe.com/payments/checkout/save-and-reuse,
https://docs.stripe.com/payments/save-during-payment.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, TypeVar

import stripe
from stripe import StripeClient, StripeError

from gatekeeper.domain.account import (
    MAX_CHARGE_MINOR,
    MAX_CREDITS,
    MIN_CHARGE_MINOR,
    Account,
    InvalidSettings,
)
from gatekeeper.domain.checkout import CheckoutState
from gatekeeper.domain.phrasing import count_credits
from gatekeeper.ledger.checkouts import NewCheckout
from gatekeeper.ledger.ledger import Ledger
from gatekeeper.ledger.store import Clock
from gatekeeper.payments.cards import detach_card
from gatekeeper.payments.customers import customer_of, forget_if_deleted
from gatekeeper.payments.finishing import FIRST_LOOK_MS
from gatekeeper.payments.stripe_errors import describe

if TYPE_CHECKING:
    from stripe.params.checkout import SessionCreateParams

#: Stands for the visit's id in the addresses that Stripe sends people back to.
PLACEHOLDER: Final = "{checkout}"
_T = TypeVar("_T")


class CheckoutFault(Exception):
    """Nobody can be sent to Checkout. The message is for the person who asked.

    `detail` is for on-call, and has no word of Stripe's either.
    """

    def __init__(self, message: str, detail: str = "") -> None:
        self.detail = detail
        super().__init__(message)


class CheckoutUnavailable(CheckoutFault):
    """Stripe cannot be asked just now, or refuses such a request. The next form must be a new one.

    Nothing was charged or changed.
    """


class FormUsed(CheckoutFault):
    """What this form asked for is done, or the page that it led to has closed."""


def purchase_price_minor(account: Account, credits: int, default_price_minor: int) -> int:
    """Reckon what credits cost an account, in minor units of the deployment's currency.

    Raises InvalidSettings when so many cannot be bought at once.
    """
    amount_minor = credits * (account.price_minor or default_price_minor)
    room = MAX_CREDITS - account.purchased
    problem = ""
    if not 1 <= credits <= MAX_CREDITS:
        problem = f"must be a whole number from 1 to {MAX_CREDITS:,}"
    elif not MIN_CHARGE_MINOR <= amount_minor <= MAX_CHARGE_MINOR:
        problem = "costs less or more than a card can be charged in one payment"
    elif credits > room:
        problem = f"would be more than an account can hold; {max(0, room):,} more fit in"
    if problem:
        raise InvalidSettings({"credits": problem})
    return amount_minor


def start_purchase(
    account_id: str,
    credits: int,
    *,
    token: str,
    success_url: str,
    cancel_url: str,
    ledger: Ledger,
    stripe: StripeClient,
    price_minor: int,
    currency: str,
    clock: Clock,
    by: str = "",
) -> str:
    """Begin a purchase; returns the address to send the person to.

    `token` is the form's own: a form that is sent twice begins one purchase. In `success_url` and
    `cancel_url` the text `{checkout}` becomes the visit's id. `price_minor` is the default price of
    a credit in minor units of `currency`, a code in lower case. `by` is who buys. Raises
    InvalidSettings, FormUsed, CheckoutUnavailable, UnknownAccount, redis.RedisError.
    """
    account = ledger.accounts.account(account_id)
    amount_minor = purchase_price_minor(account, credits, price_minor)
    start = _Start(account, token, ledger, stripe, clock, by)
    checkout_id = start.id_of("purchase", credits, amount_minor, currency, success_url, cancel_url)
    metadata = {
        "account": account_id,
        "purchase": checkout_id,
        "credits": str(credits),
        "amount_minor": str(amount_minor),
    }
    name = count_credits(credits)
    session = start.open_session(
        checkout_id,
        {
            "mode": "payment",
            "customer": start.customer,
            "line_items": [
                {
                    "quantity": 1,
                    "price_data": {
                        "currency": currency,
                        "unit_amount": amount_minor,
                        "product_data": {"name": name},
                    },
                }
            ],
            "allowed_payment_method_types": ["card"],
            "saved_payment_method_options": {"payment_method_save": "enabled"},
            "metadata": metadata,
            "payment_intent_data": {"description": f"Purchase: {name}", "metadata": metadata},
            "success_url": success_url.replace(PLACEHOLDER, checkout_id),
            "cancel_url": cancel_url.replace(PLACEHOLDER, checkout_id),
        },
    )
    bought = (credits, amount_minor, currency)
    return start.write_down(checkout_id, session, *bought)


def start_card_setup(
    account_id: str,
    *,
    token: str,
    success_url: str,
    cancel_url: str,
    ledger: Ledger,
    stripe: StripeClient,
    clock: Clock,
    by: str = "",
) -> str:
    """Begin to set or replace an account's card; returns the address to send the person to.

    The arguments, and what is raised, are as for `start_purchase`.
    """
    account = ledger.accounts.account(account_id)
    start = _Start(account, token, ledger, stripe, clock, by)
    checkout_id = start.id_of("setup", success_url, cancel_url)
    metadata = {"account": account_id, "setup": checkout_id}
    session = start.open_session(
        checkout_id,
        {
            "mode": "setup",
            "customer": start.customer,
            "allowed_payment_method_types": ["card"],
            "metadata": metadata,
            "setup_intent_data": {"metadata": metadata},
            "success_url": success_url.replace(PLACEHOLDER, checkout_id),
            "cancel_url": cancel_url.replace(PLACEHOLDER, checkout_id),
        },
    )
    return start.write_down(checkout_id, session)


def remove_card(
    account_id: str,
    payment_method: str,
    *,
    ledger: Ledger,
    stripe: StripeClient,
    by: str = "",
) -> bool:
    """Take this card away, at Stripe first; False when it is not the account's.

    `by` is who does. Should this die in between, Stripe's news of it end it, or doing it again. So
    the news may also be faster, and another card have come since: this one is gone all the same.
    Raises CheckoutUnavailable, UnknownAccount, redis.RedisError.
    """
    card = ledger.accounts.account(account_id).card
    if card is None or card.payment_method != payment_method:
        return False
    _ask(lambda: detach_card(stripe, card))
    ledger.accounts.remove_card(account_id, payment_method, by=by)
    return True


class _Start:
    """One person's way to a page of Checkout.

    `customer` is the account's at Stripe, made now if it has none. Raises CheckoutUnavailable.
    """

    def __init__(
        self,
        account: Account,
        token: str,
        ledger: Ledger,
        stripe: StripeClient,
        clock: Clock,
        by: str,
    ) -> None:
        self._account = account
        self._token = token
        self._checkouts = ledger.checkouts
        self._customers = ledger.customers
        self._stripe = stripe
        self._clock = clock
        self._by = by
        # No cached_property: Python 3.11 has one lock for all of them, held while Stripe is asked.
        self.customer: Final = _ask(lambda: customer_of(account, token, self._customers, stripe))

    def id_of(self, *asked: str | int) -> str:
        """Make the visit's id of all that was asked, and of who did."""
        facts = json.dumps([self._account.id, self.customer, self._token, *asked])
        return f"{self._account.id}-{hashlib.sha256(facts.encode()).hexdigest()[:12]}"

    def open_session(
        self, checkout_id: str, params: SessionCreateParams
    ) -> stripe.checkout.Session:
        """Open the page, or find the one that was opened before. Raises FormUsed.

        No time of expiry is named: the same form must ask for the same. By default it is a day.
        """
        known = self._checkouts.find(checkout_id)
        if known is not None and known.state is CheckoutState.SUCCEEDED:
            raise FormUsed("This has been done already.")
        create = self._stripe.v1.checkout.sessions.create
        try:
            return create(params, {"idempotency_key": f"{checkout_id}:checkout"})
        except StripeError as error:
            if isinstance(error, stripe.InvalidRequestError) and error.param == "customer":
                deleted = (self._account, self.customer, self._customers, self._stripe)
                _ask(lambda: forget_if_deleted(*deleted))
            raise _fault(error) from None

    def write_down(
        self,
        checkout_id: str,
        session: stripe.checkout.Session,
        credits: int | None = None,
        amount_minor: int | None = None,
        currency: str | None = None,
    ) -> str:
        """Write the visit down; returns the page's address. Raises FormUsed."""
        now_ms = self._clock()
        if not session.url or session.expires_at * 1000 <= now_ms:
            raise FormUsed("This form is too old. Nothing was charged; please start again.")
        new = NewCheckout(
            checkout_id, session.id, self.customer, credits, amount_minor, currency, self._by
        )
        self._checkouts.open_checkout(new, look_at_ms=now_ms + FIRST_LOOK_MS)
        return session.url


def _ask(request: Callable[[], _T]) -> _T:
    try:
        return request()
    except StripeError as error:
        raise _fault(error) from None


def _fault(error: StripeError) -> CheckoutUnavailable:
    return CheckoutUnavailable(
        "Our payment provider does not answer as it should right now. Nothing was charged or"
        " changed; please try again in a moment.",
        describe(error),
    )
