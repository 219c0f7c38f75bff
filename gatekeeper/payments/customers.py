"""Accounts as customers at Stripe: one each, made when it is first needed."""

from __future__ import annotations

import hashlib

import stripe
from stripe import StripeClient, StripeError

from gatekeeper.domain.account import Account
from gatekeeper.ledger.customers import Customers
from gatekeeper.payments.stripe_errors import is_kept


def customer_of(
    account: Account, token: str, customers: Customers, stripe_api: StripeClient
) -> str:
    """Find which customer an account is, or make it one.

    All who try at once share an idempotency key, and the ledger keeps the first that it is told of.
    A failure that Stripe keeps under that key for a day is got around by the `token` of whoever
    tries again. Raises stripe.StripeError, redis.RedisError.
    """
    known = customers.of_account(account.id)
    if known:
        return known
    key = f"{account.id}:customer:{_digest(account.email, customers.before(account.id))}"
    try:
        made = _create(stripe_api, account, key)
    except StripeError as error:
        if not is_kept(error):
            raise
        made = _create(stripe_api, account, f"{key}:{_digest(token)}")
    return customers.keep(account.id, made.id)


def forget_if_deleted(
    account: Account, customer: str, customers: Customers, stripe_api: StripeClient
) -> None:
    """Let the account be made another customer if this one was deleted at Stripe.

    One that Stripe does not know is not deleted: the key may be of another account there. Raises
    stripe.StripeError, redis.RedisError.
    """
    if stripe_api.v1.customers.retrieve(customer).to_dict().get("deleted"):
        customers.forget(account.id, customer)


def _create(stripe_api: StripeClient, account: Account, key: str) -> stripe.Customer:
    return stripe_api.v1.customers.create(
        {"email": account.email, "metadata": {"account": account.id}}, {"idempotency_key": key}
    )


def _digest(*texts: str) -> str:
    return hashlib.sha256(" ".join(texts).encode()).hexdigest()[:12]
