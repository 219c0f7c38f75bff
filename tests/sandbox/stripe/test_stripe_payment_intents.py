"""PaymentIntents besides confirmation: creating, checking, listing, changing, canceling."""

from typing import Any

import pytest
import stripe

from gatekeeper.sandbox.stripe import SandboxControl
from tests.sandbox.stripe.conftest import Buyer
from tests.sandbox.stripe.shop import confirm, create_intent, event_types


def test_create_and_confirm_in_one_call(client: stripe.StripeClient, buyer: Buyer) -> None:
    paid = create_intent(
        client, buyer.customer, payment_method=buyer.card, confirm=True, off_session=True
    )
    assert paid.status == "succeeded"
    assert event_types(client)[-3:] == [
        "payment_intent.created",
        "charge.succeeded",
        "payment_intent.succeeded",
    ]


def test_a_decline_at_creation_leaves_the_intent(client: stripe.StripeClient, buyer: Buyer) -> None:
    with pytest.raises(stripe.CardError) as caught:
        create_intent(
            client, buyer.customer, payment_method="pm_card_visa_chargeDeclined", confirm=True
        )
    error = caught.value.error
    assert error is not None
    assert error.payment_intent is not None
    left = client.v1.payment_intents.retrieve(error.payment_intent.id)
    assert left.status == "requires_payment_method"


def test_a_refusal_at_creation_leaves_nothing(client: stripe.StripeClient, buyer: Buyer) -> None:
    with pytest.raises(stripe.InvalidRequestError, match="missing a payment method"):
        create_intent(client, buyer.customer, confirm=True)
    assert client.v1.payment_intents.list().data == []
    assert "payment_intent.created" not in event_types(client)


def test_create_with_a_payment_method_requires_confirmation(
    client: stripe.StripeClient, buyer: Buyer
) -> None:
    intent = create_intent(client, buyer.customer, payment_method=buyer.card)
    assert (intent.status, intent.payment_method) == ("requires_confirmation", buyer.card)
    paid = client.v1.payment_intents.confirm(intent.id, params={"off_session": True})
    assert paid.status == "succeeded"


@pytest.mark.parametrize(
    ("params", "code", "param"),
    [
        ({"amount": 49}, "amount_too_small", "amount"),
        ({"amount": 100_000_000}, "amount_too_large", "amount"),
        ({"amount": 0}, "parameter_invalid_integer", "amount"),
        ({"amount": "12.5"}, "parameter_invalid_integer", "amount"),
        ({"amount": ""}, "parameter_invalid_empty", "amount"),
        ({"amount": None}, "parameter_missing", "amount"),
        ({"currency": "euro"}, None, "currency"),
        ({"currency": None}, "parameter_missing", "currency"),
        ({"payment_method": "pm_nothing"}, "resource_missing", "payment_method"),
        ({"colour": "red"}, "parameter_unknown", "colour"),
        ({"automatic_payment_methods": {"on": True}}, "parameter_unknown",
         "automatic_payment_methods[on]"),
        ({"payment_method_types": ["card"]}, "payment_method_types_no_longer_supported",
         "payment_method_types"),
        ({"allowed_payment_method_types": ["cash"]}, None, "allowed_payment_method_types[0]"),
        ({"allowed_payment_method_types": "card"}, None, "allowed_payment_method_types"),
        ({"automatic_payment_methods": {"enabled": True}}, None, "automatic_payment_methods"),
        ({"metadata": {"k" * 41: "v"}}, None, "metadata"),
        ({"metadata": {"k": "v" * 501}}, None, "metadata[k]"),
        ({"expand": ["colour"]}, None, "expand"),
        ({"off_session": True}, None, "off_session"),
        ({"confirm": "perhaps"}, None, "confirm"),
    ],
)  # fmt: skip
def test_wrong_parameters(
    client: stripe.StripeClient,
    buyer: Buyer,
    params: dict[str, Any],
    code: str | None,
    param: str,
) -> None:
    with pytest.raises(stripe.InvalidRequestError) as caught:
        create_intent(client, buyer.customer, **params)
    assert caught.value.http_status == 400
    assert (caught.value.code, caught.value.param) == (code, param)
    assert client.v1.payment_intents.list().data == []


def test_an_unknown_customer(client: stripe.StripeClient) -> None:
    with pytest.raises(stripe.InvalidRequestError, match="No such customer") as caught:
        create_intent(client, "cus_nobody")
    assert (caught.value.http_status, caught.value.code) == (400, "resource_missing")


def test_the_smallest_amount_depends_on_the_currency(
    client: stripe.StripeClient, buyer: Buyer
) -> None:
    assert create_intent(client, buyer.customer, amount=30, currency="GBP").currency == "gbp"
    with pytest.raises(stripe.InvalidRequestError, match=r"at least £0\.30 gbp"):
        create_intent(client, buyer.customer, amount=29, currency="gbp")
    with pytest.raises(stripe.InvalidRequestError, match="at least ¥50 jpy"):
        create_intent(client, buyer.customer, amount=49, currency="jpy")


def test_an_unknown_intent_is_a_404(client: stripe.StripeClient) -> None:
    with pytest.raises(stripe.InvalidRequestError, match="No such payment_intent") as caught:
        client.v1.payment_intents.retrieve("pi_nothing")
    assert (caught.value.http_status, caught.value.code) == (404, "resource_missing")


def test_references_expand(client: stripe.StripeClient, buyer: Buyer) -> None:
    paid = confirm(client, create_intent(client, buyer.customer).id, buyer.card)
    expanded = client.v1.payment_intents.retrieve(
        paid.id, params={"expand": ["latest_charge.customer", "payment_method", "customer"]}
    )
    assert isinstance(expanded.latest_charge, stripe.Charge)
    assert isinstance(expanded.latest_charge.customer, stripe.Customer)
    assert expanded.latest_charge.customer.email == "ada@example.com"
    assert isinstance(expanded.payment_method, stripe.PaymentMethod)
    assert isinstance(client.v1.payment_intents.retrieve(paid.id).latest_charge, str)

    listed = client.v1.payment_intents.list(params={"expand": ["data.latest_charge"]})
    assert isinstance(listed.data[0].latest_charge, stripe.Charge)
    with pytest.raises(stripe.InvalidRequestError, match=r"data\.latest_charge"):
        client.v1.payment_intents.list(params={"expand": ["latest_charge"]})


def test_lists_go_back_in_time_page_by_page(
    client: stripe.StripeClient, control: SandboxControl, buyer: Buyer
) -> None:
    made = [create_intent(client, buyer.customer).id for _ in range(5)]
    stranger = control.create_customer()["customer"]["id"]
    create_intent(client, stranger)

    first = client.v1.payment_intents.list(params={"customer": buyer.customer, "limit": 2})
    assert [intent.id for intent in first.data] == [made[4], made[3]]
    assert first.has_more
    rest = client.v1.payment_intents.list(
        params={"customer": buyer.customer, "starting_after": made[3], "limit": 3}
    )
    assert [intent.id for intent in rest.data] == [made[2], made[1], made[0]]
    assert not rest.has_more
    newer = client.v1.payment_intents.list(
        params={"customer": buyer.customer, "ending_before": made[1], "limit": 2}
    )
    assert [intent.id for intent in newer.data] == [made[3], made[2]]
    assert newer.has_more
    assert [intent.id for intent in first.auto_paging_iter()] == made[::-1]


def test_lists_by_time(client: stripe.StripeClient, buyer: Buyer) -> None:
    created = create_intent(client, buyer.customer).created

    def count(window: Any) -> int:
        return len(client.v1.payment_intents.list(params={"created": window}).data)

    assert count({"gte": created, "lte": created}) == 1
    assert count(created) == 1
    assert count({"gt": created}) == count({"lt": created}) == 0


@pytest.mark.parametrize(
    ("params", "param"),
    [
        ({"limit": 0}, "limit"),
        ({"limit": 101}, "limit"),
        ({"starting_after": "pi_nothing"}, "starting_after"),
        ({"created": {"after": 1}}, "created[after]"),
    ],
)
def test_lists_refuse(client: stripe.StripeClient, params: Any, param: str) -> None:
    with pytest.raises(stripe.InvalidRequestError) as caught:
        client.v1.payment_intents.list(params=params)
    assert (caught.value.http_status, caught.value.param) == (400, param)


def test_metadata_can_change_at_any_time(client: stripe.StripeClient, buyer: Buyer) -> None:
    intent = create_intent(client, buyer.customer, metadata={"a": "1", "b": "2"})
    confirm(client, intent.id, buyer.card)
    updated = client.v1.payment_intents.update(
        intent.id, params={"metadata": {"a": "", "c": "3"}, "description": "later"}
    )
    assert updated.metadata.to_dict() == {"b": "2", "c": "3"}
    assert updated.description == "later"
    cleared = client.v1.payment_intents.update(intent.id, params={"metadata": ""})
    assert cleared.metadata.to_dict() == {}


def test_the_amount_can_change_until_it_is_paid(client: stripe.StripeClient, buyer: Buyer) -> None:
    intent = create_intent(client, buyer.customer)
    assert client.v1.payment_intents.update(intent.id, params={"amount": 700}).amount == 700
    confirm(client, intent.id, buyer.card)
    with pytest.raises(stripe.InvalidRequestError, match="could not be updated") as caught:
        client.v1.payment_intents.update(intent.id, params={"amount": 800})
    assert caught.value.code == "payment_intent_unexpected_state"


def test_cancel(client: stripe.StripeClient, buyer: Buyer) -> None:
    intent = create_intent(client, buyer.customer)
    canceled = client.v1.payment_intents.cancel(
        intent.id, params={"cancellation_reason": "abandoned"}
    )
    assert (canceled.status, canceled.cancellation_reason) == ("canceled", "abandoned")
    assert event_types(client)[-1] == "payment_intent.canceled"
    with pytest.raises(stripe.InvalidRequestError, match="status of canceled") as caught:
        confirm(client, intent.id, buyer.card)
    assert caught.value.code == "payment_intent_unexpected_state"


def test_a_paid_intent_cant_be_canceled(client: stripe.StripeClient, buyer: Buyer) -> None:
    intent = create_intent(client, buyer.customer)
    confirm(client, intent.id, buyer.card)
    with pytest.raises(stripe.InvalidRequestError, match="status of succeeded"):
        client.v1.payment_intents.cancel(intent.id)


def test_the_balance_is_what_was_charged(client: stripe.StripeClient, buyer: Buyer) -> None:
    confirm(client, create_intent(client, buyer.customer).id, buyer.card)
    balance = client.v1.balance.retrieve()
    assert [(part.amount, part.currency) for part in balance.pending] == [(2000, "usd")]
