"""Every way to fail, seen through the stripe library."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import requests
import stripe

from gatekeeper.sandbox.stripe import SandboxControl, SandboxStripe
from gatekeeper.sandbox.stripe.client import SandboxControlError
from gatekeeper.sandbox.stripe.faults import KINDS
from tests.conftest import wait_until
from tests.sandbox.stripe.conftest import Buyer
from tests.sandbox.stripe.shop import confirm, connect, create_intent, headers_of

CONFIRM = "/v1/payment_intents/[^/]+/confirm"


@pytest.fixture
def intent(client: stripe.StripeClient, buyer: Buyer) -> str:
    return create_intent(client, buyer.customer).id


def status_of(client: stripe.StripeClient, intent: str) -> str:
    return client.v1.payment_intents.retrieve(intent).status


def test_hang_never_reaches_the_api(
    sandbox: SandboxStripe,
    client: stripe.StripeClient,
    control: SandboxControl,
    buyer: Buyer,
    intent: str,
) -> None:
    control.add_fault("hang", method="POST", path=CONFIRM)
    with pytest.raises(stripe.APIConnectionError):
        confirm(connect(sandbox.base_url, timeout_s=0.1), intent, buyer.card, key="k")
    wait_until(lambda: control.faults() == [])
    assert status_of(client, intent) == "requires_payment_method"
    assert confirm(client, intent, buyer.card, key="k").status == "succeeded"
    confirmations = control.requests(path=f"/v1/payment_intents/{intent}/confirm")
    assert [(entry["fault"], entry["status"]) for entry in confirmations] == [
        ("hang", None),
        (None, 200),
    ]


def test_a_hanging_request_can_be_waited_for_and_let_go(
    sandbox: SandboxStripe, control: SandboxControl, buyer: Buyer, intent: str
) -> None:
    control.add_fault("hang", path=CONFIRM)
    assert control.held() == []
    with ThreadPoolExecutor(1) as pool:
        caller = pool.submit(confirm, connect(sandbox.base_url), intent, buyer.card, key="k")
        (held,) = control.held(count=1, wait_s=10)
        assert held["kind"] == "hang"
        assert held["path"] == f"/v1/payment_intents/{intent}/confirm"
        assert (held["method"], held["idempotency_key"]) == ("POST", "k")
        assert control.release(held["request_id"]) == 1
        with pytest.raises(stripe.APIConnectionError):
            caller.result(10)
    assert control.held() == []


def test_a_client_that_hangs_up_is_no_longer_held(
    sandbox: SandboxStripe, control: SandboxControl, buyer: Buyer, intent: str
) -> None:
    control.add_fault("hang_after", path=CONFIRM)
    with pytest.raises(stripe.APIConnectionError):
        confirm(connect(sandbox.base_url, timeout_s=0.1), intent, buyer.card)
    wait_until(lambda: control.charges()["succeeded"] == 1)
    wait_until(lambda: not control.held())


def test_reset_before_execution(
    client: stripe.StripeClient, control: SandboxControl, buyer: Buyer, intent: str
) -> None:
    control.add_fault("reset", path=CONFIRM)
    with pytest.raises(stripe.APIConnectionError, match="reset by peer"):
        confirm(client, intent, buyer.card, key="k")
    assert status_of(client, intent) == "requires_payment_method"


def test_reset_after_execution(
    client: stripe.StripeClient, control: SandboxControl, buyer: Buyer, intent: str
) -> None:
    control.add_fault("reset_after", path=CONFIRM)
    with pytest.raises(stripe.APIConnectionError, match="reset by peer"):
        confirm(client, intent, buyer.card, key="k")
    assert status_of(client, intent) == "succeeded"
    assert headers_of(confirm(client, intent, buyer.card, key="k"))["idempotent-replayed"] == "true"
    assert control.charges()["succeeded"] == 1


def test_error_before_execution(
    client: stripe.StripeClient, control: SandboxControl, buyer: Buyer, intent: str
) -> None:
    control.add_fault("error_before", path=CONFIRM)
    with pytest.raises(stripe.APIError) as caught:
        confirm(client, intent, buyer.card, key="k")
    assert caught.value.http_status == 500
    assert status_of(client, intent) == "requires_payment_method"
    assert confirm(client, intent, buyer.card, key="k").status == "succeeded"


def test_error_after_charging_is_kept_under_the_key(
    client: stripe.StripeClient, control: SandboxControl, buyer: Buyer, intent: str
) -> None:
    control.add_fault("error_after", path=CONFIRM)
    for _ in range(2):
        with pytest.raises(stripe.APIError) as caught:
            confirm(client, intent, buyer.card, key="k")
        assert caught.value.http_status == 500
    assert caught.value.headers is not None
    assert caught.value.headers["Idempotent-Replayed"] == "true"
    assert status_of(client, intent) == "succeeded"
    assert control.charges()["succeeded"] == 1


def test_other_statuses_before_execution(
    client: stripe.StripeClient, control: SandboxControl, buyer: Buyer, intent: str
) -> None:
    control.add_fault("error_before", path=CONFIRM, status=403)
    with pytest.raises(stripe.PermissionError):
        confirm(client, intent, buyer.card)
    control.add_fault("error_before", path=CONFIRM, status=503)
    with pytest.raises(stripe.APIError) as caught:
        confirm(client, intent, buyer.card)
    assert caught.value.http_status == 503


def test_hang_before_executes_when_released(
    sandbox: SandboxStripe,
    client: stripe.StripeClient,
    control: SandboxControl,
    buyer: Buyer,
    intent: str,
) -> None:
    control.add_fault("hang_before", path=CONFIRM)
    with ThreadPoolExecutor(1) as pool:
        caller = pool.submit(confirm, connect(sandbox.base_url), intent, buyer.card)
        assert control.held(count=1, wait_s=10)[0]["kind"] == "hang_before"
        assert status_of(client, intent) == "requires_payment_method"
        control.release()
        assert caller.result(10).status == "succeeded"


def test_hang_before_executes_late_for_a_client_that_gave_up(
    sandbox: SandboxStripe,
    client: stripe.StripeClient,
    control: SandboxControl,
    buyer: Buyer,
    intent: str,
) -> None:
    control.add_fault("hang_before", path=CONFIRM)
    with pytest.raises(stripe.APIConnectionError):
        confirm(connect(sandbox.base_url, timeout_s=0.1), intent, buyer.card, key="k")
    assert control.held(count=1, wait_s=10)
    assert status_of(client, intent) == "requires_payment_method"
    assert control.release() == 1
    wait_until(lambda: status_of(client, intent) == "succeeded")
    assert headers_of(confirm(client, intent, buyer.card, key="k"))["idempotent-replayed"] == "true"


def test_hang_after_has_executed(
    sandbox: SandboxStripe,
    client: stripe.StripeClient,
    control: SandboxControl,
    buyer: Buyer,
    intent: str,
) -> None:
    control.add_fault("hang_after", path=CONFIRM)
    with ThreadPoolExecutor(1) as pool:
        caller = pool.submit(confirm, connect(sandbox.base_url), intent, buyer.card, key="k")
        assert control.held(count=1, wait_s=10)[0]["kind"] == "hang_after"
        assert status_of(client, intent) == "succeeded"
        again = confirm(client, intent, buyer.card, key="k")
        assert headers_of(again)["idempotent-replayed"] == "true"
        control.release()
        assert caller.result(10).status == "succeeded"


def test_rate_limits(
    sandbox: SandboxStripe,
    client: stripe.StripeClient,
    control: SandboxControl,
    buyer: Buyer,
    intent: str,
) -> None:
    control.add_fault("rate_limit", path=CONFIRM)
    with pytest.raises(stripe.RateLimitError) as caught:
        confirm(connect(sandbox.base_url, retries=2), intent, buyer.card)
    assert caught.value.error is not None
    assert (caught.value.http_status, caught.value.error.code) == (429, "rate_limit")
    assert status_of(client, intent) == "requires_payment_method"

    control.add_fault("rate_limit", path=CONFIRM, should_retry=True)
    assert confirm(connect(sandbox.base_url, retries=2), intent, buyer.card).status == "succeeded"


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        ("bad_json", "succeeded"),
        ("error_502_html", "requires_payment_method"),
        ("error_502_html_after", "succeeded"),
    ],
)
def test_answers_that_cant_be_read(
    client: stripe.StripeClient,
    control: SandboxControl,
    buyer: Buyer,
    intent: str,
    kind: str,
    status: str,
) -> None:
    control.add_fault(kind, path=CONFIRM)
    with pytest.raises(stripe.APIError, match="Invalid response body"):
        confirm(client, intent, buyer.card, key="k")
    assert status_of(client, intent) == status
    assert confirm(client, intent, buyer.card, key="k").status == "succeeded"
    assert control.charges()["succeeded"] == 1


@pytest.mark.parametrize("kind", ["reset", "reset_after", "error_before"])
def test_a_retrying_client_gets_through(
    sandbox: SandboxStripe, control: SandboxControl, buyer: Buyer, intent: str, kind: str
) -> None:
    control.add_fault(kind, path=CONFIRM)
    paid = confirm(connect(sandbox.base_url, retries=2), intent, buyer.card)
    assert paid.status == "succeeded"
    assert control.charges()["succeeded"] == 1


def test_a_fault_strikes_the_requests_it_is_for(
    client: stripe.StripeClient, control: SandboxControl, buyer: Buyer, intent: str
) -> None:
    control.add_fault("error_before", method="GET", path="/v1/payment_intents/.*", skip=1, count=2)
    assert confirm(client, intent, buyer.card).status == "succeeded"
    assert status_of(client, intent) == "succeeded"
    for _ in range(2):
        with pytest.raises(stripe.APIError):
            status_of(client, intent)
    assert status_of(client, intent) == "succeeded"
    assert control.faults() == []


def test_faults_without_end_until_cleared(
    client: stripe.StripeClient, control: SandboxControl, intent: str
) -> None:
    control.add_fault("error_before", count=None)
    for _ in range(3):
        with pytest.raises(stripe.APIError):
            status_of(client, intent)
    assert [fault["kind"] for fault in control.faults()] == ["error_before"]
    control.clear_faults()
    assert status_of(client, intent) == "requires_payment_method"


def test_faults_queue_up(
    client: stripe.StripeClient, control: SandboxControl, buyer: Buyer, intent: str
) -> None:
    control.add_fault("rate_limit", path=CONFIRM)
    control.add_fault("error_502_html", path=CONFIRM)
    with pytest.raises(stripe.RateLimitError):
        confirm(client, intent, buyer.card)
    with pytest.raises(stripe.APIError):
        confirm(client, intent, buyer.card)
    assert confirm(client, intent, buyer.card).status == "succeeded"


@pytest.mark.parametrize(
    "settings",
    [{"kind": "flood"}, {"path": "("}, {"count": 0}, {"skip": -1}, {"method": "TEA"}, {"x": 1}],
)
def test_faults_that_make_no_sense(control: SandboxControl, settings: dict[str, Any]) -> None:
    with pytest.raises(SandboxControlError):
        control.add_fault(**{"kind": "hang", **settings})
    assert control.faults() == []


def test_every_kind_can_be_queued(control: SandboxControl) -> None:
    for kind in KINDS:
        control.add_fault(kind)
    assert [fault["kind"] for fault in control.faults()] == list(KINDS)


def test_reset_lets_go_and_forgets(
    sandbox: SandboxStripe, control: SandboxControl, buyer: Buyer, intent: str
) -> None:
    control.add_fault("hang", path=CONFIRM)
    control.add_fault("reset")
    with ThreadPoolExecutor(1) as pool:
        caller = pool.submit(confirm, connect(sandbox.base_url), intent, buyer.card)
        assert control.held(count=1, wait_s=10)
        control.reset()
        with pytest.raises(stripe.APIConnectionError):
            caller.result(10)
    assert control.faults() == []
    assert control.requests() == []
    assert control.charges()["succeeded"] == 0
    with pytest.raises(stripe.InvalidRequestError, match="No such"):
        connect(sandbox.base_url).v1.payment_intents.retrieve(intent)


def test_unparsable_control_requests_are_refused(sandbox: SandboxStripe) -> None:
    url = f"{sandbox.base_url}/_sandbox"
    assert requests.post(f"{url}/faults", data="{", timeout=5).status_code == 400
    assert requests.post(f"{url}/faults", json=[], timeout=5).status_code == 400
    assert requests.get(f"{url}/nothing", timeout=5).status_code == 404
