"""`gatekeeper account set --subscription`: the one at Stripe that drives an account."""

from __future__ import annotations

from typing import Any, Final

import click

from gatekeeper.bootstrap import Parts
from gatekeeper.domain.account import Account
from gatekeeper.domain.subscription import is_subscription_id
from gatekeeper.ledger.errors import LedgerRefusal
from gatekeeper.payments.subscriptions import link_subscription

NONE: Final = "none"


class SubscriptionOrNone(click.ParamType[str]):
    """A subscription's id, or the word `none`."""

    name = "subscription"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the value if it has the shape of an id; fails as click's own types do."""
        text = str(value)
        if text != NONE and not is_subscription_id(text):
            self.fail("must be sub_… as Stripe shows it, or none", param, ctx)
        return text


subscription_option: Final = click.option(
    "--subscription",
    type=SubscriptionOrNone(),
    help="The subscription at Stripe that says allotment and cycle from now on (see PLANS); none"
    " to unlink it: the cycle then goes on as it is.",
)


def set_driver(
    parts: Parts, account: Account, subscription: str, *, allotment: int | None, by: str
) -> str:
    """Link a subscription, or unlink the one there is; returns what that came to.

    `allotment` is what the account will get then instead of what it has, if anything; `by` is who
    does it. Raises what link_subscription raises; LedgerRefusal when there is none to unlink.
    """
    ledger = parts.ledger
    if subscription == NONE:
        if not account.subscription:
            raise LedgerRefusal(f"no subscription drives {account.id}")
        ledger.subscriptions.unlink_subscription(account.id, account.subscription, by=by)
        return f"{account.subscription} is unlinked; {_cycle_words(parts, account.id, allotment)}"
    terms = link_subscription(
        account,
        subscription,
        ledger=ledger,
        stripe_api=parts.stripe,
        plans=parts.settings.stripe_plans,
        by=by,
    )
    return f"{terms.id} is {terms.status}: {terms.allotment} credits in this period"


def _cycle_words(parts: Parts, account_id: str, allotment: int | None) -> str:
    if allotment is not None or parts.ledger.accounts.account(account_id).allotment_size:
        return "the cycle goes on with what it has"
    return "the cycle goes on, but brings no credits: see --allotment"
