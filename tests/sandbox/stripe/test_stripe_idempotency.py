"""Idempotency keys: the first answer, again and again."""

from concurrent.futures import ThreadPoolExecutor

import pytest
import stripe

from gatekeeper.sandbox.stripe import SandboxControl, SandboxStripe
from tests.conftest import wait_until
from tests.sandbox.stripe.conftest import Buyer
from tests.sandbox.stripe.shop import confirm, connect, create_intent, headers_of

CONFIRM = "/v1/payment_intents/[^/]+/confirm"


def test_a_key_gives_the_same_answer_again(
    client: stripe.StripeClient, control: SandboxControl, buyer: Buyer
) -> None:
    first = create_intent(client, buyer.customer, key="t1:create")
    again = create_intent(client, buyer.customer, key="t1:create")

    assert again.id == first.id
    assert "idempotent-replayed" not in headers_of(first)
    assert headers_of(again)["idempotent-replayed"] == "true"
    assert headers_of(again)["idempotency-key"] == "t1:create"
    assert headers_of(again)["original-request"] == headers_of(first)["request-id"]
    assert headers_of(again)["request-id"] != headers_of(first)["request-id"]
    assert len(client.v1.payment_intents.list().data) == 1
    assert [entry["replayed"] for entry in control.requests(path="/v1/payment_intents")][:2] == [
        False,
        True,
    ]


def test_a_charge_happens_once_under_a_key(
    client: stripe.StripeClient, control: SandboxControl, buyer: Buyer
) -> None:
    intent = create_intent(client, buyer.customer)
    for _ in range(3):
        assert confirm(client, intent.id, buyer.card, key="t1:confirm:1").status == "succeeded"
    assert control.charges()["succeeded"] == 1


def test_a_decline_is_replayed_until_the_key_changes(
    client: stripe.StripeClient, control: SandboxControl, buyer: Buyer
) -> None:
    intent = create_intent(client, buyer.customer)
    control.set_outcome(buyer.card, "decline", decline_code="insufficient_funds")
    with pytest.raises(stripe.CardError) as first:
        confirm(client, intent.id, buyer.card, key="t1:confirm:1")
    control.set_outcome(buyer.card, "succeed")

    with pytest.raises(stripe.CardError) as again:
        confirm(client, intent.id, buyer.card, key="t1:confirm:1")

    assert again.value.http_body == first.value.http_body
    assert again.value.headers is not None
    assert again.value.headers["Idempotent-Replayed"] == "true"
    assert confirm(client, intent.id, buyer.card, key="t1:confirm:2").status == "succeeded"


def test_a_refusal_during_execution_is_kept(client: stripe.StripeClient, buyer: Buyer) -> None:
    intent = create_intent(client, buyer.customer)
    confirm(client, intent.id, buyer.card, key="one")
    for _ in range(2):
        with pytest.raises(stripe.InvalidRequestError, match="already succeeded") as caught:
            confirm(client, intent.id, buyer.card, key="two")
    assert caught.value.headers is not None
    assert caught.value.headers["Idempotent-Replayed"] == "true"


def test_other_parameters_under_a_key_are_refused(
    client: stripe.StripeClient, buyer: Buyer
) -> None:
    intent = create_intent(client, buyer.customer, key="k")
    with pytest.raises(stripe.IdempotencyError, match="same parameters") as caught:
        create_intent(client, buyer.customer, key="k", amount=999)
    assert caught.value.http_status == 400
    assert caught.value.error is not None
    assert caught.value.error.type == "idempotency_error"
    with pytest.raises(stripe.IdempotencyError, match="same endpoint"):
        confirm(client, intent.id, buyer.card, key="k")


def test_a_key_in_use_is_a_conflict(
    sandbox: SandboxStripe, client: stripe.StripeClient, control: SandboxControl, buyer: Buyer
) -> None:
    intent = create_intent(client, buyer.customer)
    control.add_fault("hang_before", path=CONFIRM)
    with ThreadPoolExecutor(1) as pool:
        slow = pool.submit(confirm, connect(sandbox.base_url), intent.id, buyer.card, key="k")
        assert control.held(count=1, wait_s=10)

        with pytest.raises(stripe.APIError) as caught:
            confirm(client, intent.id, buyer.card, key="k")
        with pytest.raises(stripe.IdempotencyError):
            confirm(client, intent.id, buyer.card, key="k", receipt_email="ada@example.com")

        control.release()
        assert slow.result(10).status == "succeeded"
    assert caught.value.http_status == 409
    assert caught.value.error is not None
    assert caught.value.error.code == "idempotency_key_in_use"
    assert caught.value.headers is not None
    assert caught.value.headers["Stripe-Should-Retry"] == "true"
    again = confirm(client, intent.id, buyer.card, key="k")
    assert headers_of(again)["idempotent-replayed"] == "true"


def test_a_retrying_client_outlives_a_conflict(
    sandbox: SandboxStripe, client: stripe.StripeClient, control: SandboxControl, buyer: Buyer
) -> None:
    intent = create_intent(client, buyer.customer)
    control.add_fault("hang_before", path=CONFIRM)
    path = f"/v1/payment_intents/{intent.id}/confirm"
    with ThreadPoolExecutor(2) as pool:
        slow = pool.submit(confirm, connect(sandbox.base_url), intent.id, buyer.card, key="k")
        assert control.held(count=1, wait_s=10)
        patient = pool.submit(
            confirm, connect(sandbox.base_url, retries=2), intent.id, buyer.card, key="k"
        )
        wait_until(lambda: 409 in [entry["status"] for entry in control.requests(path=path)])
        control.release()
        assert slow.result(10).status == patient.result(10).status == "succeeded"
    assert control.charges()["succeeded"] == 1


def test_what_was_not_executed_is_not_kept(
    client: stripe.StripeClient, control: SandboxControl, buyer: Buyer
) -> None:
    with pytest.raises(stripe.InvalidRequestError):
        create_intent(client, buyer.customer, key="k", amount="many")
    control.add_fault("rate_limit", path="/v1/payment_intents")
    with pytest.raises(stripe.RateLimitError):
        create_intent(client, buyer.customer, key="k")
    control.add_fault("error_before", path="/v1/payment_intents")
    with pytest.raises(stripe.APIError):
        create_intent(client, buyer.customer, key="k")

    created = create_intent(client, buyer.customer, key="k")

    assert "idempotent-replayed" not in headers_of(created)


def test_keys_are_pruned(
    client: stripe.StripeClient, control: SandboxControl, buyer: Buyer
) -> None:
    first = [create_intent(client, buyer.customer, key=key).id for key in ("a", "b")]
    control.prune_idempotency_keys("a")
    second = [create_intent(client, buyer.customer, key=key).id for key in ("a", "b")]
    assert second[0] != first[0]
    assert second[1] == first[1]
    control.prune_idempotency_keys()
    assert create_intent(client, buyer.customer, key="b").id != first[1]


def test_keys_have_a_length(client: stripe.StripeClient, buyer: Buyer) -> None:
    assert create_intent(client, buyer.customer, key="k" * 255).id
    with pytest.raises(stripe.InvalidRequestError, match="255"):
        create_intent(client, buyer.customer, key="k" * 256)
