from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from gatekeeper.domain.account import TopoffSettings
from gatekeeper.domain.entry import EntryType
from gatekeeper.ledger.ledger import Ledger
from gatekeeper.ledger.scripts import load_sources
from gatekeeper.sandbox.stripe import SandboxControl, SandboxStripe
from gatekeeper.sandbox.valkey import EmbeddedValkey
from tests.cli.conftest import DEAD_PORT, Gatekeeper
from tests.cli.stories import CARD, decline, succeed, switch_on
from tests.e2e.pausing_proxy import Fate, PausingProxy, When

DEAD_REDIS = f"redis://someone:hunter2@127.0.0.1:{DEAD_PORT}/0"


@pytest.fixture(scope="module")
def stripe() -> Iterator[SandboxStripe]:
    with SandboxStripe(secret_key="sk_test_sandbox") as sandbox:
        yield sandbox


def test_credits_are_added_and_removed_with_their_reason_in_the_log(
    gatekeeper: Gatekeeper, ledger: Ledger, account_id: str
) -> None:
    added = gatekeeper.json("credits", "add", account_id, "10", "--reason", "a bad week")
    assert (added["credits"], added["applied"], added["balance"]) == (10, True, 13)
    removed = gatekeeper.json("credits", "remove", account_id, "4", "--reason", "too many")
    assert (removed["credits"], removed["applied"], removed["balance"]) == (-4, True, 9)
    _, first, second = ledger.log.entries(account_id)
    assert (first.type, first.cause, first.ref) == (
        EntryType.CREDITS_ADDED,
        "a bad week",
        added["reference"],
    )
    assert (second.cause, second.ref) == ("too many", removed["reference"])
    assert added["reference"] != removed["reference"]


def test_who_corrected_a_balance_stands_in_the_log(
    gatekeeper: Gatekeeper, ledger: Ledger, account_id: str
) -> None:
    words = ("credits", "add", account_id, "10", "--reason", "a bad week")
    assert gatekeeper.json(*words, "--by", "ada@example.com")["by"] == "ada@example.com"
    gatekeeper.ok(*words, LOGNAME="bob")
    gatekeeper.ok("credits", "remove", account_id, "1", "--reason", "too many", "--by", "carol")
    _, *corrections = ledger.log.entries(account_id)
    assert [entry.detail for entry in corrections] == ["ada@example.com", "bob", "carol"]


def test_a_reference_is_applied_once(
    gatekeeper: Gatekeeper, ledger: Ledger, account_id: str
) -> None:
    words = ("credits", "add", account_id, "10", "--reason", "goodwill", "--reference", "T-77")
    assert gatekeeper.json(*words)["applied"]
    again = gatekeeper.json(*words)
    assert (again["applied"], again["balance"]) == (False, 13)
    assert "nothing changed" in gatekeeper.ok(*words)
    other = ("credits", "add", account_id, "11", "--reason", "goodwill", "--reference", "T-77")
    used = "reference T-77 was used before for another change"
    assert gatekeeper.refused(*other) == used
    assert gatekeeper.refused("credits", "remove", account_id, "10", *words[4:]) == used
    assert ledger.accounts.account(account_id).balance == 13


def test_no_more_is_removed_than_there_is(
    gatekeeper: Gatekeeper, ledger: Ledger, account_id: str
) -> None:
    line = gatekeeper.refused("credits", "remove", account_id, "1", "--reason", "too many")
    assert line == "only 0 purchased credits can be removed"
    assert ledger.accounts.account(account_id).balance == 3
    ledger.accounts.add_credits(account_id, 50, reference="r", cause="welcome")
    line = gatekeeper.refused("credits", "remove", account_id, "51", "--reason", "too many")
    assert line == "only 50 purchased credits can be removed"


def test_an_unknown_outcome_says_how_to_ask_again_safely(
    gatekeeper: Gatekeeper, account_id: str
) -> None:
    words = ("credits", "add", account_id, "10", "--reason", "goodwill")
    line = gatekeeper.refused(*words, REDIS_URL=DEAD_REDIS)
    assert line.startswith("the ledger cannot be reached: connection refused; ")
    assert "hunter2" not in line
    reference = line.partition("--reference ")[2].partition(":")[0]
    assert gatekeeper.json(*words, "--reference", reference)["applied"]
    assert not gatekeeper.json(*words, "--reference", reference)["applied"]


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("--reason", " "),
        ("--reason", "two\nlines"),
        ("--reason", "x" * 201),
        ("--by", " "),
        ("--by", "two\nlines"),
        ("--by", "x" * 81),
        ("--reference", "a b"),
    ],
)
def test_a_correction_that_the_log_could_not_show_is_refused(
    gatekeeper: Gatekeeper, ledger: Ledger, account_id: str, option: str, value: str
) -> None:
    given = {"--reason": "goodwill", option: value}
    words = (word for pair in given.items() for word in pair)
    line = gatekeeper.refused("credits", "add", account_id, "1", *words)
    assert line.startswith(option.removeprefix("--"))
    assert len(list(ledger.log.entries(account_id))) == 1


def test_a_negative_number_of_credits_points_to_the_other_command(
    gatekeeper: Gatekeeper, ledger: Ledger, account_id: str
) -> None:
    reason = ("--reason", "too many")
    said = gatekeeper.usage_error("credits", "add", account_id, "-5", *reason)
    assert "`gatekeeper credits remove`" in said
    said = gatekeeper.usage_error("credits", "remove", account_id, *reason, "-5")
    assert "`gatekeeper credits add`" in said
    assert ledger.accounts.account(account_id).balance == 3


@pytest.mark.parametrize("count", ["0", "1000001", "1.5", "many"])
def test_a_number_of_credits_that_is_none(
    gatekeeper: Gatekeeper, account_id: str, count: str
) -> None:
    gatekeeper.usage_error("credits", "add", account_id, count, "--reason", "goodwill")


def test_topoff_set_changes_what_is_given(
    gatekeeper: Gatekeeper, ledger: Ledger, account_id: str
) -> None:
    gatekeeper.ok("topoff", "set", account_id, "--threshold", "2", "--amount", "20")
    assert ledger.accounts.account(account_id).topoff == TopoffSettings(False, 2, 20)
    gatekeeper.ok("topoff", "set", account_id, "--on", "--overdraft", "0")
    assert ledger.accounts.account(account_id).topoff == TopoffSettings(True, 2, 20, 0)
    document = gatekeeper.json("topoff", "set", account_id, "--off", "--overdraft", "default")
    assert document["topoff"] == {
        "enabled": False,
        "threshold": 2,
        "amount": 20,
        "overdraft_limit": 20,
        "spending_cap_minor": None,
        "spent_minor": 0,
        "state": None,
        "id": None,
    }
    assert ledger.accounts.account(account_id).topoff == TopoffSettings(False, 2, 20)


def test_topoff_set_a_spending_cap(gatekeeper: Gatekeeper, ledger: Ledger, account_id: str) -> None:
    words = ("topoff", "set", account_id)
    gatekeeper.ok(*words, "--threshold", "2", "--amount", "20")
    document = gatekeeper.json(*words, "--on", "--cap", "100.50")
    assert document["topoff"]["spending_cap_minor"] == 10_050
    assert "a spending cap of $100.50" in gatekeeper.ok(*words, "--threshold", "3")
    for wrong in ("abc", "-5", "1.234", "0.01", "1e6", "100,50"):
        assert "spending_cap: must be" in gatekeeper.refused(*words, "--cap", wrong)
    assert "either --cap or --no-cap" in gatekeeper.usage_error(*words, "--cap", "1", "--no-cap")
    assert ledger.accounts.account(account_id).topoff == TopoffSettings(True, 3, 20, None, 10_050)
    gatekeeper.ok(*words, "--no-cap")
    assert ledger.accounts.account(account_id).topoff == TopoffSettings(True, 3, 20)


def test_a_spending_cap_that_is_reached(
    gatekeeper: Gatekeeper, ledger: Ledger, account_id: str
) -> None:
    ledger.accounts.set_card(account_id, CARD)
    decline(ledger, switch_on(ledger, account_id, threshold=5, amount=20))
    own = ledger.keys.of_account(account_id).account
    ledger.client.hset(own, "spent_minor", 9_000)
    words = ("topoff", "set", account_id, "--cap", "94")
    document = gatekeeper.json(*words)
    assert document["topoff"]["state"] == "capped"
    assert document["topoff"]["spent_minor"] == 9_000
    said = gatekeeper.refused("topoff", "retry", account_id)
    assert f"the spending cap of {account_id} is reached" in said
    assert ledger.accounts.account(account_id).topoff_id == ""
    shown = gatekeeper.ok(*words[:3], "--threshold", "4")
    assert "$90.00 of a spending cap of $94.00 used (reached" in shown
    gatekeeper.ok("release")
    assert "spending_cap ($90.00 of $94.00 used)" in gatekeeper.ok("log", account_id)
    ledger.client.hset(own, "cycle_end_ms", 1)  # that period is over, and no call has come yet
    assert gatekeeper.json("account", "show", account_id)["topoff"]["spent_minor"] == 0
    assert "$0.00 of a spending cap of $94.00 used" in gatekeeper.ok("account", "show", account_id)


@pytest.fixture
def proxy(valkey: EmbeddedValkey, ledger: Ledger) -> Iterator[PausingProxy]:
    for source in load_sources().values():
        ledger.client.script_load(source)
    with PausingProxy(valkey.port) as proxy:
        yield proxy


def test_topoff_set_does_not_undo_what_changed_meanwhile(
    gatekeeper: Gatekeeper, ledger: Ledger, account_id: str, proxy: PausingProxy
) -> None:
    switch_on(ledger, account_id, threshold=2, amount=20)
    hold = proxy.hold("set_topoff", When.BEFORE)
    words = ("topoff", "set", account_id, "--threshold", "9")
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(gatekeeper.refused, *words, REDIS_URL=proxy.url)
        assert hold.held.wait(10)
        ledger.accounts.set_topoff(account_id, TopoffSettings(False, 2, 20))
        hold.end(Fate.DELIVERED)
        assert running.result().startswith("the top-off settings changed meanwhile")
    account = ledger.accounts.account(account_id)
    assert (account.topoff, account.topoff_id) == (TopoffSettings(False, 2, 20), "")
    gatekeeper.ok(*words)
    assert ledger.accounts.account(account_id).topoff == TopoffSettings(False, 9, 20)


def test_topoff_set_below_the_threshold_requests_a_topoff(
    gatekeeper: Gatekeeper, ledger: Ledger, account_id: str
) -> None:
    document = gatekeeper.json(
        "topoff", "set", account_id, "--on", "--threshold", "5", "--amount", "20"
    )
    assert document["topoff"]["state"] == "requested"
    assert document["topoff"]["id"] == ledger.accounts.account(account_id).topoff_id


def test_topoff_set_says_that_a_card_is_missing(
    gatekeeper: Gatekeeper, ledger: Ledger, account_id: str
) -> None:
    words = ("topoff", "set", account_id, "--threshold", "5", "--amount", "20")
    assert "card" not in gatekeeper.ok(*words)
    hint = f"but no card is attached: gatekeeper card set {account_id}"
    assert hint in gatekeeper.ok("topoff", "set", account_id, "--on")
    ledger.accounts.set_card(account_id, CARD)
    assert "card" not in gatekeeper.ok("topoff", "set", account_id, "--on")


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--threshold", "200"), "threshold: must be lower than the top-up amount"),
        (("--threshold", "-1"), "threshold: "),
        (("--amount", "0"), "amount: "),
        (("--amount", "1", "--threshold", "0"), "amount: costs less or more"),
    ],
)
def test_topoff_set_refuses_what_cannot_be_served(
    gatekeeper: Gatekeeper, ledger: Ledger, account_id: str, options: tuple[str, ...], says: str
) -> None:
    before = ledger.accounts.account(account_id)
    assert gatekeeper.refused("topoff", "set", account_id, "--on", *options).startswith(says)
    assert ledger.accounts.account(account_id) == before


def test_topoff_set_goes_by_the_accounts_own_price(
    gatekeeper: Gatekeeper, ledger: Ledger, account_id: str
) -> None:
    words = ("topoff", "set", account_id, "--amount", "1", "--threshold", "0")
    gatekeeper.refused(*words)
    ledger.accounts.update_account(account_id, price_minor="50")
    gatekeeper.ok(*words)


def test_topoff_set_misspelt(gatekeeper: Gatekeeper, account_id: str) -> None:
    assert "Nothing to set" in gatekeeper.usage_error("topoff", "set", account_id)
    gatekeeper.usage_error("topoff", "set", account_id, "--overdraft", "-1")


@pytest.mark.parametrize(
    "command",
    [
        ("credits", "add", "acct_000000000000", "1", "--reason", "goodwill"),
        ("credits", "remove", "acct_000000000000", "1", "--reason", "goodwill"),
        ("topoff", "set", "acct_000000000000", "--on"),
        ("topoff", "retry", "acct_000000000000"),
        ("card", "set", "acct_000000000000", "--customer", "cus_1", "--payment-method", "pm_1"),
        ("card", "remove", "acct_000000000000"),
    ],
)
def test_an_account_that_is_not_there(gatekeeper: Gatekeeper, command: tuple[str, ...]) -> None:
    assert gatekeeper.refused(*command) == "there is no account acct_000000000000"


def test_retry_requests_the_failed_topoff_again_once(
    gatekeeper: Gatekeeper, ledger: Ledger, account_id: str
) -> None:
    assert "nothing to retry" in gatekeeper.refused("topoff", "retry", account_id)
    ledger.accounts.set_card(account_id, CARD)
    decline(ledger, switch_on(ledger, account_id, threshold=5, amount=20))
    said = gatekeeper.ok("topoff", "retry", account_id)
    assert "requested again: $5.00 for 20 credits;" in said
    document = gatekeeper.json("account", "show", account_id)
    assert document["topoff"]["state"] == "requested"
    assert gatekeeper.json("topoff", "retry", account_id)["result"] == "in_flight"
    assert "in flight already" in gatekeeper.ok("topoff", "retry", account_id)
    succeed(ledger, document["topoff"]["id"])
    assert "nothing to retry" in gatekeeper.refused("topoff", "retry", account_id)
    assert ledger.accounts.account(account_id).balance == 23


def test_card_set_attaches_what_stripe_has(
    gatekeeper: Gatekeeper, ledger: Ledger, account_id: str, stripe: SandboxStripe
) -> None:
    ledger.accounts.set_card(account_id, CARD)
    decline(ledger, switch_on(ledger, account_id, threshold=5, amount=20))
    made = SandboxControl(stripe.base_url).create_customer(card="5555555555554444")
    customer, method = made["customer"]["id"], made["payment_method"]["id"]
    document = gatekeeper.json(
        *("card", "set", account_id, "--customer", customer, "--payment-method", method),
        STRIPE_API_BASE=stripe.base_url,
    )
    assert (document["card"]["brand"], document["card"]["last4"]) == ("mastercard", "4444")
    found = ledger.accounts.account(account_id)
    assert found.card is not None
    assert (found.card.customer, found.card.payment_method) == (customer, method)
    assert found.incident_id == ""
    assert document["topoff"]["state"] == "requested"
    gatekeeper.ok("card", "remove", account_id)
    assert ledger.accounts.account(account_id).card is None


def test_card_set_refuses_a_card_of_someone_else(
    gatekeeper: Gatekeeper, ledger: Ledger, account_id: str, stripe: SandboxStripe
) -> None:
    made = SandboxControl(stripe.base_url).create_customer(card="4242424242424242")
    method = made["payment_method"]["id"]
    for payment_method, says in ((method, "is not attached to"), ("pm_none", "there is no")):
        line = gatekeeper.refused(
            *("card", "set", account_id, "--customer", "cus_other"),
            *("--payment-method", payment_method),
            STRIPE_API_BASE=stripe.base_url,
        )
        assert says in line
    assert ledger.accounts.account(account_id).card is None


def test_card_set_without_stripe_says_so_and_keeps_the_key_to_itself(
    gatekeeper: Gatekeeper, account_id: str, stripe: SandboxStripe
) -> None:
    words = ("card", "set", account_id, "--customer", "cus_1", "--payment-method", "pm_1")
    line = gatekeeper.refused(
        *words, STRIPE_API_BASE=stripe.base_url, STRIPE_SECRET_KEY="sk_test_wrong"
    )
    assert line == "Stripe does not accept STRIPE_SECRET_KEY"
