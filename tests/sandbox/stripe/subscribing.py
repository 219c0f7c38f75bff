"""Customers on a test clock, prices and subscriptions, as the tests need them."""

from datetime import UTC, datetime
from typing import Any, NamedTuple

import stripe

from gatekeeper.sandbox.stripe import SandboxControl

CARD = "4242424242424242"
MID_FEBRUARY = "2027-02-14T09:00"  # halfway from 31 January to 28 February


def at(text: str) -> int:
    """Return the Unix time of an ISO date and time in UTC."""
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp())


def shown(time_s: int | None) -> str | None:
    """Return a Unix time as ISO date and time in UTC, without seconds."""
    if time_s is None:
        return None
    return datetime.fromtimestamp(time_s, UTC).strftime("%Y-%m-%dT%H:%M")


class Told(NamedTuple):
    """An event: its type, when it was, and what it carries."""

    type: str
    at: str | None
    body: dict[str, Any]
    previous: dict[str, Any]


class Subscriber:
    """A customer with a clock of their own, who may subscribe to some prices."""

    def __init__(
        self,
        client: stripe.StripeClient,
        control: SandboxControl,
        *,
        since: str,
        card: str | None = CARD,
    ) -> None:
        self.client = client
        self.control = control
        made = control.create_customer(card=card)
        self.id: str = made["customer"]["id"]
        self.card: str = made["payment_method"]["id"] if card else ""
        clock = client.v1.test_helpers.test_clocks.create(
            params={"frozen_time": at(since), "customer": self.id}
        )
        self.clock = clock.id
        product = client.v1.products.create(params={"name": "Receptionist"})
        self._product = product.id
        self.starter = self.price(2900)
        self.pro = self.price(9900)
        self._seen: set[str] = set()

    def price(self, unit_amount: int, interval: str = "month", count: int = 1) -> str:
        params: Any = {
            "product": self._product,
            "currency": "usd",
            "unit_amount": unit_amount,
            "recurring": {"interval": interval, "interval_count": count},
        }
        return self.client.v1.prices.create(params=params).id

    def subscribe(self, price: str | None = None, **params: Any) -> stripe.Subscription:
        values: Any = {"customer": self.id, "items": [{"price": price or self.starter}], **params}
        return self.client.v1.subscriptions.create(params=values)

    def update(self, subscription: stripe.Subscription, **params: Any) -> stripe.Subscription:
        values: Any = params
        return self.client.v1.subscriptions.update(subscription.id, params=values)

    def switch(
        self, subscription: stripe.Subscription, price: str, **params: Any
    ) -> stripe.Subscription:
        item = {"id": item_of(subscription).id, "price": price}
        return self.update(subscription, items=[item], **params)

    def now(self, subscription: stripe.Subscription) -> stripe.Subscription:
        return self.client.v1.subscriptions.retrieve(subscription.id)

    def invoices(self, subscription: stripe.Subscription) -> list[stripe.Invoice]:
        """Return the invoices of a subscription, newest first."""
        params: Any = {"subscription": subscription.id, "limit": 100}
        return list(self.client.v1.invoices.list(params=params).data)

    def wait_until(self, moment: str) -> None:
        self.client.v1.test_helpers.test_clocks.advance(
            self.clock, params={"frozen_time": at(moment)}
        )

    def told(self, *prefixes: str) -> list[Told]:
        """Return the events since the last time, oldest first, whose types begin so."""
        events = list(self.client.v1.events.list(params={"limit": 100}).auto_paging_iter())
        fresh = [event for event in reversed(events) if event.id not in self._seen]
        self._seen |= {event.id for event in fresh}
        return [_told(event) for event in fresh if event.type.startswith(prefixes or ("",))]


def _told(event: stripe.Event) -> Told:
    data = event.to_dict()["data"]
    previous = data.get("previous_attributes", {})
    return Told(event.type, shown(event.created), data["object"], previous)


def item_of(subscription: stripe.Subscription) -> stripe.SubscriptionItem:
    # .items is the mapping's method to the type checker.
    (item,) = subscription["items"].data
    assert isinstance(item, stripe.SubscriptionItem)
    return item


def period_of(subscription: stripe.Subscription) -> tuple[str | None, str | None]:
    item = item_of(subscription)
    return shown(item.current_period_start), shown(item.current_period_end)


def amounts(invoice: stripe.Invoice) -> list[int]:
    """Return the amounts of an invoice's lines."""
    return [line.amount for line in invoice.lines.data]
