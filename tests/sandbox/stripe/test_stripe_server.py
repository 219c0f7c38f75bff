"""The server itself: keys, addresses, headers, shapes, and the process."""

import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest
import requests
import stripe

from gatekeeper.sandbox.stripe import SandboxControl, SandboxStripe
from gatekeeper.sandbox.stripe.cards import ALL_CARDS, passes_luhn
from tests.sandbox.stripe.conftest import Buyer
from tests.sandbox.stripe.shop import KEY, confirm, connect, create_intent, headers_of

LIVE = "sk_live_51abcdefghijklmnop"


@pytest.mark.parametrize("key", ["sk_nonsense", "pk_test_public", "whsec_x"])
def test_a_wrong_key_is_a_401(sandbox: SandboxStripe, key: str) -> None:
    with pytest.raises(stripe.AuthenticationError, match="Invalid API Key") as caught:
        connect(sandbox.base_url, key=key).v1.balance.retrieve()
    assert caught.value.http_status == 401
    assert key not in str(caught.value)


def test_a_live_key_is_refused_by_name(sandbox: SandboxStripe) -> None:
    with pytest.raises(stripe.AuthenticationError, match="refuses it") as caught:
        connect(sandbox.base_url, key=LIVE).v1.balance.retrieve()
    assert LIVE not in str(caught.value)


def test_no_key_is_a_401(sandbox: SandboxStripe) -> None:
    answer = requests.get(f"{sandbox.base_url}/v1/balance", timeout=5)
    assert answer.status_code == 401
    assert "did not provide an API key" in answer.json()["error"]["message"]
    assert requests.get(f"{sandbox.base_url}/v1/balance", auth=(KEY, ""), timeout=5).ok


def test_one_key_alone_if_there_is_one() -> None:
    with SandboxStripe(secret_key=KEY) as sandbox:
        assert connect(sandbox.base_url).v1.balance.retrieve().object == "balance"
        with pytest.raises(stripe.AuthenticationError):
            connect(sandbox.base_url, key="sk_test_another").v1.balance.retrieve()


def test_it_refuses_to_run_beside_a_live_key() -> None:
    with pytest.raises(ValueError, match="live Stripe key") as caught:
        SandboxStripe(secret_key=LIVE)
    assert LIVE not in str(caught.value)


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.1", "example.com", ""])
def test_it_speaks_to_this_machine_alone(host: str) -> None:
    with pytest.raises(ValueError, match="this machine alone"):
        SandboxStripe(host=host)
    with pytest.raises(ValueError, match="this machine alone"):
        SandboxStripe(webhook_url=f"http://{host}/hook")


def test_the_address_is_known_once_it_listens() -> None:
    sandbox = SandboxStripe()
    with pytest.raises(RuntimeError, match="not been started"):
        _ = sandbox.base_url
    with sandbox:
        assert sandbox.base_url.startswith("http://127.0.0.1:")
        port = int(sandbox.base_url.rsplit(":", 1)[1])
        with pytest.raises(OSError, match="in use"):
            SandboxStripe(port).start()
    with pytest.raises(requests.ConnectionError):
        requests.get(sandbox.base_url, timeout=5)


def test_stopping_lets_held_requests_go(buyer: Buyer) -> None:
    sandbox = SandboxStripe()
    sandbox.start()
    control = SandboxControl(sandbox.base_url)
    control.add_fault("hang")
    with subprocess.Popen(
        [sys.executable, "-c", "import sys, requests; requests.get(sys.argv[1])", sandbox.base_url],
        stderr=subprocess.DEVNULL,
    ) as caller:
        assert control.held(count=1, wait_s=10)
        sandbox.stop()
        assert caller.wait(10) == 1


def test_headers(client: stripe.StripeClient, buyer: Buyer) -> None:
    headers = headers_of(create_intent(client, buyer.customer, key="k"))
    assert headers["request-id"].startswith("req_")
    assert headers["stripe-version"] == "2026-10-28.endive"
    assert headers["idempotency-key"] == "k"
    with pytest.raises(stripe.InvalidRequestError) as caught:
        client.v1.payment_intents.retrieve("pi_nothing")
    assert str(caught.value.request_id).startswith("req_")
    assert caught.value.headers is not None
    assert caught.value.headers["Stripe-Should-Retry"] == "false"


def test_a_connection_is_used_again(sandbox: SandboxStripe) -> None:
    with requests.Session() as session:
        session.auth = (KEY, "")
        url = f"{sandbox.base_url}/v1/customers"
        answers = [session.post(url, data={"name": "Ada"}, timeout=5) for _ in range(3)]
        answers.append(session.get(f"{url}/cus_nobody", timeout=5))
        pools = session.get_adapter(url).poolmanager.pools  # type: ignore[attr-defined] # not typed
        (pool,) = (pools[key] for key in pools.keys())  # noqa: SIM118 - not a dict
        assert pool.num_connections == 1
    assert [answer.status_code for answer in answers] == [200, 200, 200, 404]


def test_an_unknown_path_is_a_404(sandbox: SandboxStripe) -> None:
    answer = requests.get(f"{sandbox.base_url}/v1/unicorns", auth=(KEY, ""), timeout=5)
    assert answer.status_code == 404
    assert "Unrecognized request URL" in answer.json()["error"]["message"]


def test_the_requests_seen(
    client: stripe.StripeClient, control: SandboxControl, buyer: Buyer
) -> None:
    intent = create_intent(client, buyer.customer, key="k")
    with pytest.raises(stripe.CardError):
        confirm(client, intent.id, "pm_card_visa_chargeDeclined")
    created, confirmed = control.requests()
    assert (created["method"], created["path"]) == ("POST", "/v1/payment_intents")
    assert (created["idempotency_key"], created["status"]) == ("k", 200)
    assert (confirmed["status"], confirmed["fault"]) == (402, None)
    assert created["at_ms"] <= confirmed["at_ms"]


def test_objects_have_the_fields_that_the_library_knows(
    client: stripe.StripeClient, buyer: Buyer
) -> None:
    paid = confirm(client, create_intent(client, buyer.customer).id, buyer.card)
    objects: list[stripe.StripeObject] = [
        paid,
        client.v1.charges.retrieve(str(paid.latest_charge)),
        client.v1.customers.retrieve(buyer.customer),
        client.v1.payment_methods.retrieve(buyer.card),
        client.v1.setup_intents.create(),
        client.v1.events.list().data[0],
        client.v1.balance.retrieve(),
    ]
    for body in objects:
        assert set(body.to_dict()) <= set(type(body).__annotations__), type(body)


def test_the_card_numbers_are_right() -> None:
    assert [card.number for card in ALL_CARDS if not passes_luhn(card.number)] == []


@pytest.fixture
def process() -> Iterator["subprocess.Popen[str]"]:
    command = [sys.executable, "-m", "gatekeeper.sandbox.stripe", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as started:
        yield started
        started.kill()


def test_the_process_says_where_it_is_and_ends_on_sigterm(
    process: "subprocess.Popen[str]",
) -> None:
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line.startswith("Sandbox Stripe is ready at http://127.0.0.1:")
    assert connect(line.split()[-1]).v1.balance.retrieve().livemode is False
    process.send_signal(signal.SIGTERM)
    assert process.wait(10) == 0
    assert process.stdout.read() == ""


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--secret-key", LIVE], "live Stripe key"),
        (["--host", "0.0.0.0"], "this machine alone"),
        (["--webhook-url", "http://example.com/"], "this machine alone"),
    ],
)
def test_the_process_refuses_to_start(arguments: list[str], reason: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "gatekeeper.sandbox.stripe", *arguments],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 1
    assert reason in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert LIVE not in done.stderr
