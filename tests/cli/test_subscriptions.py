from __future__ import annotations

from collections.abc import Iterator

import pytest

from gatekeeper.ledger.ledger import Ledger
from gatekeeper.sandbox.stripe import SandboxControl, SandboxStripe
from tests.cli.conftest import Gatekeeper, open_account
from tests.sandbox.stripe.shop import connect
from tests.sandbox.stripe.subscribing import Subscriber

KEY = "sk_test_sandbox"


@pytest.fixture(scope="module")
def stripe() -> Iterator[SandboxStripe]:
    with SandboxStripe(secret_key=KEY) as sandbox:
        yield sandbox


@pytest.fixture
def customer(
    stripe: SandboxStripe, env: dict[str, str], gatekeeper: Gatekeeper
) -> Iterator[Subscriber]:
    """A customer whose first price is a plan of 100 credits."""
    control = SandboxControl(stripe.base_url)
    customer = Subscriber(connect(stripe.base_url, key=KEY), control, since="2026-01-31T09:00")
    gatekeeper.env |= {
        "STRIPE_API_BASE": stripe.base_url,
        "PLANS": f"{customer.starter}=100",
        "PAST_DUE_KEEPS_ALLOTMENT": "false",
    }
    yield customer
    control.reset()


def test_a_subscription_is_linked_shown_and_unlinked(
    gatekeeper: Gatekeeper, ledger: Ledger, account_id: str, customer: Subscriber
) -> None:
    assert gatekeeper.json("account", "show", account_id)["subscription"] is None
    sub = customer.subscribe().id
    link = ("account", "set", account_id, "--subscription")
    line = gatekeeper.ok(*link, sub)
    assert line == f"set: subscription; {sub} is active: 100 credits in this period"
    assert gatekeeper.json(*link, sub) == {"id": account_id, "set": ["subscription"]}
    document = gatekeeper.json("account", "show", account_id)
    assert document["subscription"] == {"id": sub, "status": "active"}
    assert document["balance"]["allotment"] == 100
    assert document["cycle"]["anchor"] == "2026-01-31T09:00:00.000Z"
    assert f"{sub} (active)" in gatekeeper.ok("account", "show", account_id)
    line = gatekeeper.ok(*link, "none", "--allotment", "120")
    assert line.startswith("set: allotment, subscription; ")
    account = ledger.accounts.account(account_id)
    assert (account.subscription, account.allotment_size) == ("", 120)
    assert gatekeeper.refused(*link, "none") == f"no subscription drives {account_id}"


def test_unlinking_says_when_nothing_will_be_granted(
    gatekeeper: Gatekeeper, account_id: str, customer: Subscriber
) -> None:
    link = ("account", "set", account_id, "--subscription")
    sub = customer.subscribe().id
    gatekeeper.ok(*link, sub)
    assert gatekeeper.ok(*link, "none").endswith("; the cycle goes on with what it has")
    customer.client.v1.subscriptions.update(sub, {"cancel_at_period_end": True})
    gatekeeper.ok(*link, sub)
    line = gatekeeper.ok(*link, "none")
    assert line.endswith("; the cycle goes on, but brings no credits: see --allotment")
    gatekeeper.ok(*link, sub)
    line = gatekeeper.ok(*link, "none", "--allotment", "7")
    assert line.endswith("; the cycle goes on with what it has")


@pytest.mark.parametrize("option", ["--allotment=7", "--anchor=2026-01-01", "--interval=yearly"])
def test_a_linked_account_has_no_cycle_of_its_own(
    gatekeeper: Gatekeeper, ledger: Ledger, account_id: str, customer: Subscriber, option: str
) -> None:
    sub = customer.subscribe().id
    both = gatekeeper.usage_error("account", "set", account_id, "--subscription", sub, option)
    assert "brings its own allotment" in both
    gatekeeper.ok("account", "set", account_id, "--subscription", sub)
    before = ledger.accounts.account(account_id)
    line = gatekeeper.refused("account", "set", account_id, option, "--name", "Changed")
    assert line.startswith(f"{sub} drives {account_id}; unlink it first: ")
    assert ledger.accounts.account(account_id) == before


def test_what_cannot_be_linked_is_told_in_one_line_and_changes_nothing(
    gatekeeper: Gatekeeper, ledger: Ledger, account_id: str, customer: Subscriber
) -> None:
    other = open_account(ledger, "Other")
    taken, weekly = customer.subscribe(), customer.subscribe(customer.price(500, "week"))
    canceled = customer.subscribe()
    customer.client.v1.subscriptions.cancel(canceled.id)
    gatekeeper.ok("account", "set", other, "--subscription", taken.id)
    before = ledger.accounts.account(account_id)
    link = ("account", "set", account_id, "--subscription")
    for sub, problem in (
        (taken.id, f"{taken.id} drives {other}; unlink it there first"),
        ("sub_nowhere", "there is no subscription sub_nowhere"),
        (canceled.id, f"{canceled.id} is canceled: nothing follows on it"),
        (weekly.id, f"{weekly.id}: no price of it is in PLANS (price_"),
    ):
        assert gatekeeper.refused(*link, sub).startswith(problem)
    away = "http://127.0.0.1:1"
    line = gatekeeper.run(*link, canceled.id, STRIPE_API_BASE=away).stderr
    assert line == "Error: Stripe cannot be reached\n"
    assert "must be sub_" in gatekeeper.usage_error(*link, "cus_123")
    assert ledger.accounts.account(account_id) == before
    assert ledger.subscriptions.account_of(canceled.id) is None


def test_plans_that_cannot_be_read_stop_the_start(gatekeeper: Gatekeeper, account_id: str) -> None:
    show = ("account", "show", account_id)
    told = gatekeeper.run(*show, PLANS="price_1=many", PAST_DUE_KEEPS_ALLOTMENT="perhaps").stderr
    assert "PLANS: must be prices with their allotments" in told
    assert "PAST_DUE_KEEPS_ALLOTMENT: must be true or false" in told
    assert "many" not in told
