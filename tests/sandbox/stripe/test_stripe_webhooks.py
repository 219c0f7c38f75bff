"""Events, and their delivery: signed, repeated, held, reordered, dropped, or first."""

import json
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import stripe

from gatekeeper.sandbox.stripe import SandboxControl, SandboxStripe
from gatekeeper.sandbox.stripe.client import SandboxControlError
from tests.sandbox.stripe.conftest import Buyer
from tests.sandbox.stripe.endpoint import Delivered, Endpoint
from tests.sandbox.stripe.shop import SECRET, confirm, connect, create_intent


def verified(delivered: Delivered) -> stripe.Event:
    event = stripe.Webhook.construct_event(delivered.body, delivered.signature, SECRET)
    assert isinstance(event, stripe.Event)
    return event


def types(deliveries: list[Delivered]) -> list[str]:
    return [json.loads(delivered.body)["type"] for delivered in deliveries]


def test_events_are_delivered_signed(
    client: stripe.StripeClient, buyer: Buyer, endpoint: Endpoint
) -> None:
    intent = create_intent(client, buyer.customer, metadata={"topoff": "t1"}, key="t1:create")
    confirm(client, intent.id, buyer.card)

    created, charged, succeeded = (verified(one) for one in endpoint.wait_for(3))

    assert created.type == "payment_intent.created"
    assert created.request is not None
    assert created.request.idempotency_key == "t1:create"
    assert charged.type == "charge.succeeded"
    assert succeeded.type == "payment_intent.succeeded"
    assert succeeded.api_version == "2026-10-28.endive"
    assert succeeded.data.object["id"] == intent.id
    assert succeeded.data.object["amount_received"] == 2000
    assert succeeded.data.object["metadata"].to_dict() == {"topoff": "t1"}
    assert created.data.object["status"] == "requires_payment_method"
    assert client.v1.events.retrieve(succeeded.id).type == "payment_intent.succeeded"


def test_another_secret_doesnt_verify(
    client: stripe.StripeClient, control: SandboxControl, endpoint: Endpoint
) -> None:
    control.configure_webhooks(secret="whsec_another")
    client.v1.customers.create()
    (delivered,) = endpoint.wait_for(1)
    with pytest.raises(stripe.SignatureVerificationError):
        verified(delivered)


def test_only_a_2xx_counts_as_delivered(
    client: stripe.StripeClient, control: SandboxControl, endpoint: Endpoint
) -> None:
    endpoint.statuses = [500, 302, 400, 204]
    client.v1.customers.create()
    attempts = endpoint.wait_for(4)
    (delivery,) = control.webhooks(wait_s=10)
    assert delivery["state"] == "acknowledged"
    assert delivery["attempts"] == [500, 302, 400, 204]
    assert len({verified(attempt).id for attempt in attempts}) == 1


def test_attempts_come_to_an_end(
    client: stripe.StripeClient, control: SandboxControl, endpoint: Endpoint
) -> None:
    control.configure_webhooks(max_attempts=3)
    endpoint.statuses = [500] * 9
    client.v1.customers.create()
    (delivery,) = control.webhooks(wait_s=10)
    assert (delivery["state"], delivery["attempts"]) == ("failed", [500, 500, 500])


def test_an_endpoint_that_isnt_there_is_tried_again(
    client: stripe.StripeClient, control: SandboxControl
) -> None:
    with Endpoint() as gone:
        url = gone.url
    control.configure_webhooks(url=url, retry_base_s=0, max_attempts=2)
    client.v1.customers.create()
    (delivery,) = control.webhooks(wait_s=10)
    assert (delivery["state"], delivery["attempts"]) == ("failed", [None, None])


def test_every_event_twice(
    client: stripe.StripeClient, control: SandboxControl, endpoint: Endpoint
) -> None:
    control.configure_webhooks(copies=2)
    client.v1.customers.create()
    first, second = endpoint.wait_for(2)
    assert verified(first).id == verified(second).id


def test_events_are_held_until_released(
    client: stripe.StripeClient, control: SandboxControl, buyer: Buyer, endpoint: Endpoint
) -> None:
    control.configure_webhooks(mode="hold")
    confirm(client, create_intent(client, buyer.customer).id, buyer.card)
    assert [delivery["state"] for delivery in control.webhooks()] == ["held"] * 3
    assert endpoint.received == []

    assert control.release_webhooks(order="reversed") == 3

    assert types(endpoint.wait_for(3)) == [
        "payment_intent.succeeded",
        "charge.succeeded",
        "payment_intent.created",
    ]


def test_chosen_events_are_released_in_the_order_given(
    client: stripe.StripeClient, control: SandboxControl, buyer: Buyer, endpoint: Endpoint
) -> None:
    control.configure_webhooks(mode="hold")
    confirm(client, create_intent(client, buyer.customer).id, buyer.card)
    created, charged, succeeded = (delivery["event"] for delivery in control.webhooks())

    assert control.release_webhooks(events=[succeeded, created]) == 2

    assert types(endpoint.wait_for(2)) == ["payment_intent.succeeded", "payment_intent.created"]
    assert [d["event"] for d in control.webhooks(wait_s=10) if d["state"] == "held"] == [charged]


def test_dropped_events_can_be_delivered_later(
    client: stripe.StripeClient, control: SandboxControl, endpoint: Endpoint
) -> None:
    control.configure_webhooks(mode="drop")
    client.v1.customers.create()
    (dropped,) = control.webhooks(wait_s=10)
    assert (dropped["state"], endpoint.received) == ("dropped", [])

    control.deliver_event(dropped["event"])

    assert types(endpoint.wait_for(1)) == ["customer.created"]


def test_events_can_be_late(
    client: stripe.StripeClient, control: SandboxControl, endpoint: Endpoint
) -> None:
    control.configure_webhooks(delay_s=0.1)
    started_s = time.monotonic()
    client.v1.customers.create()
    assert types(endpoint.wait_for(1)) == ["customer.created"]
    assert time.monotonic() - started_s >= 0.1


def test_first_means_before_the_answer(
    sandbox: SandboxStripe,
    client: stripe.StripeClient,
    control: SandboxControl,
    buyer: Buyer,
    endpoint: Endpoint,
) -> None:
    intent = create_intent(client, buyer.customer)
    endpoint.wait_for(1)
    control.webhooks(wait_s=10)
    control.configure_webhooks(first=True)
    endpoint.close_gate()
    with ThreadPoolExecutor(1) as pool:
        caller = pool.submit(confirm, connect(sandbox.base_url), intent.id, buyer.card)
        assert types(endpoint.wait_for(2))[-1] == "charge.succeeded"
        # The endpoint can ask the API about the payment while the confirmation is unanswered.
        assert client.v1.payment_intents.retrieve(intent.id).status == "succeeded"
        assert not caller.done()
        endpoint.open_gate()
        assert caller.result(10).status == "succeeded"
    assert types(endpoint.received)[-1] == "payment_intent.succeeded"
    assert {delivery["state"] for delivery in control.webhooks()} == {"acknowledged"}


def test_first_and_an_answer_that_is_lost(
    client: stripe.StripeClient, control: SandboxControl, buyer: Buyer, endpoint: Endpoint
) -> None:
    intent = create_intent(client, buyer.customer)
    control.configure_webhooks(first=True)
    control.add_fault("reset_after", path=".*/confirm")
    with pytest.raises(stripe.APIConnectionError):
        confirm(client, intent.id, buyer.card)
    assert types(endpoint.received)[-1] == "payment_intent.succeeded"


def test_without_a_url_events_are_only_recorded(
    client: stripe.StripeClient, control: SandboxControl, buyer: Buyer
) -> None:
    confirm(client, create_intent(client, buyer.customer).id, buyer.card)
    assert control.webhooks() == []
    listed = client.v1.events.list(params={"types": ["payment_intent.*", "charge.succeeded"]})
    assert [event.type for event in listed.data] == [
        "payment_intent.succeeded",
        "charge.succeeded",
        "payment_intent.created",
    ]


@pytest.mark.parametrize(
    "settings",
    [
        {"url": "http://example.com/hook"},
        {"url": "https://127.0.0.1/hook"},
        {"mode": "lose"},
        {"copies": 0},
        {"surprise": True},
    ],
)
def test_settings_that_make_no_sense(control: SandboxControl, settings: dict[str, object]) -> None:
    with pytest.raises(SandboxControlError):
        control.configure_webhooks(**settings)
