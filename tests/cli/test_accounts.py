from __future__ import annotations

import re
from datetime import date
from pathlib import Path

import pytest

from gatekeeper.domain.account import TopoffSettings, is_account_id
from gatekeeper.domain.cycle import Interval, anchor_of
from gatekeeper.domain.route import DropMessage, Route
from gatekeeper.ledger.ledger import Ledger
from tests.cli.conftest import Gatekeeper, open_account
from tests.cli.stories import CARD, NUMBER, decline, switch_on
from tests.cli.terminal import on_terminal

ROUTE = "https://receptionist.example.com/able"


def test_create_prints_the_id_of_an_account_that_is_there(
    gatekeeper: Gatekeeper, ledger: Ledger
) -> None:
    plain = gatekeeper.ok("account", "create", "--name", "Able", "--email", "a@example.com")
    document = gatekeeper.json(
        *("account", "create", "--name", "Bäcker", "--email", "b@example.com"),
        *("--allotment", "7", "--anchor", "2026-01-31", "--timezone", "Europe/Berlin"),
    )
    assert is_account_id(plain)
    assert list(document) == ["id"]
    found = ledger.accounts.account(document["id"])
    assert (found.name, found.email, found.allotment) == ("Bäcker", "b@example.com", 7)
    assert (found.anchor_ms, found.timezone) == (anchor_of(date(2026, 1, 31)), "Europe/Berlin")
    cycle = gatekeeper.json("account", "show", document["id"])["cycle"]
    assert cycle["anchor"].startswith("2026-01-31T00:00:00")
    assert cycle["interval"] == "monthly"
    assert cycle["start"] < cycle["end"]


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("--name", " "),
        ("--name", "two\nlines"),
        ("--email", "nobody"),
        ("--timezone", "Mars/Olympus"),
        ("--allotment", "-1"),
        ("--allotment", "1000001"),
    ],
)
def test_create_names_what_is_wrong_and_opens_nothing(
    gatekeeper: Gatekeeper, ledger: Ledger, option: str, value: str
) -> None:
    given = {"--name": "Able", "--email": "a@example.com", option: value}
    line = gatekeeper.refused(
        "account", "create", *(word for pair in given.items() for word in pair)
    )
    assert line.startswith(f"{option.removeprefix('--')}: must be")
    assert list(ledger.accounts.ids()) == []


def test_create_needs_a_name_and_a_date_that_is_one(gatekeeper: Gatekeeper) -> None:
    assert "--name" in gatekeeper.usage_error("account", "create", "--email", "a@example.com")
    words = ("account", "create", "--name", "Able", "--email", "a@example.com")
    for odd in ("2026-02-30", "1969-12-31", "soon"):
        assert "--anchor" in gatekeeper.usage_error(*words, "--anchor", odd)


def test_set_changes_the_cycle(gatekeeper: Gatekeeper, ledger: Ledger, account_id: str) -> None:
    words = ("account", "set", account_id)
    gatekeeper.ok(*words, "--allotment", "9", "--anchor", "2026-01-15T09:30:00+02:00")
    found = ledger.accounts.account(account_id)
    assert (found.allotment, found.allotment_size) == (9, 9)
    assert found.anchor_ms == anchor_of(date(2026, 1, 15)) + (7 * 60 + 30) * 60_000
    gatekeeper.ok(*words, "--allotment", "2", "--interval", "yearly")
    found = ledger.accounts.account(account_id)
    assert (found.allotment, found.allotment_size, found.interval) == (9, 2, Interval.YEARLY)
    assert "--interval" in gatekeeper.usage_error(*words, "--interval", "daily")
    said = gatekeeper.usage_error(*words, "--anchor", "2026-02-30")
    assert "'2026-02-30' is no day and no instant; write YYYY-MM-DD, such as 2026-01-31" in said


def test_show_tells_all_that_is_true_now(
    gatekeeper: Gatekeeper, ledger: Ledger, account_id: str
) -> None:
    ledger.accounts.set_card(account_id, CARD)
    topoff_id = switch_on(ledger, account_id, threshold=5, amount=20)
    ledger.accounts.add_credits(account_id, 4, reference="r", cause="welcome")
    ledger.numbers.assign_number(NUMBER, account_id)
    document = gatekeeper.json("account", "show", account_id)
    for varying in ("created", "cycle"):
        assert document.pop(varying)
    assert document == {
        "id": account_id,
        "name": "Able",
        "email": "able@example.com",
        "suspended": False,
        "balance": {"total": 7, "allotment": 3, "purchased": 4},
        "timezone": "UTC",
        "allotment_size": 3,
        "allotment_granted": 3,
        "topoff": {
            "enabled": True,
            "threshold": 5,
            "amount": 20,
            "overdraft_limit": 20,
            "spending_cap_minor": None,
            "spent_minor": 0,
            "state": "requested",
            "id": topoff_id,
        },
        "card": {"brand": "visa", "last4": "4242", "expiry": "12/2030"},
        "incident": None,
        "subscription": None,
        "numbers": [NUMBER],
        "route": None,
        "drop_message": None,
        "price": None,
    }


def test_show_sets_the_allotment_against_what_this_period_granted(
    gatekeeper: Gatekeeper, account_id: str
) -> None:
    gatekeeper.ok("account", "set", account_id, "--allotment", "9")
    gatekeeper.ok("account", "set", account_id, "--allotment", "2")
    document = gatekeeper.json("account", "show", account_id)
    assert (document["allotment_granted"], document["allotment_size"]) == (9, 2)
    shown = gatekeeper.ok("account", "show", account_id)
    assert "9 (allotment 9 of 9, purchased 0)" in shown
    assert "2 new credits on" in shown


def test_show_gives_an_incident_in_the_words_promised_to_customers(
    gatekeeper: Gatekeeper, ledger: Ledger, account_id: str
) -> None:
    ledger.accounts.set_card(account_id, CARD)
    decline(ledger, switch_on(ledger, account_id, threshold=5, amount=20))
    document = gatekeeper.json("account", "show", account_id)
    assert document["incident"]["reason"] == "Your card was declined"
    assert document["incident"]["code"] == "declined"
    assert document["incident"]["decline_code"] == "insufficient_funds"
    assert document["topoff"]["state"] is None
    assert "Your card was declined" in gatekeeper.ok("account", "show", account_id)
    ledger.accounts.set_card(account_id, CARD)
    assert gatekeeper.json("account", "show", account_id)["incident"] is None


def test_show_prints_what_customers_chose_as_it_is(gatekeeper: Gatekeeper, ledger: Ledger) -> None:
    account_id = open_account(ledger, name="[bold]A[/bold] :smile: [link=x]")
    assert "[bold]A[/bold] :smile: [link=x]" in gatekeeper.ok("account", "show", account_id)
    assert "[bold]A[/bold] :smile: [link=x]" in gatekeeper.ok("account", "list")


def test_list_has_every_account_by_name(gatekeeper: Gatekeeper, ledger: Ledger) -> None:
    opened = {open_account(ledger, name=f"Customer {n:03}"): n for n in range(250)}
    listed = gatekeeper.json("account", "list")["accounts"]
    assert [opened[one["id"]] for one in listed] == list(range(250))
    lines = gatekeeper.ok("account", "list").splitlines()
    assert len(lines) == 251
    assert re.fullmatch(r"acct_\w{12}  Customer 000  +0  off +ok", lines[1])


def test_list_says_what_is_wrong_with_an_account(gatekeeper: Gatekeeper, ledger: Ledger) -> None:
    well, cardless, waiting, failed, suspended = (open_account(ledger, name=n) for n in "abcde")
    for account_id in (waiting, failed):
        ledger.accounts.set_card(account_id, CARD)
    ledger.accounts.add_credits(cardless, 50, reference="r", cause="welcome")
    switch_on(ledger, cardless, threshold=5, amount=20)
    switch_on(ledger, waiting, threshold=5, amount=20)
    decline(ledger, switch_on(ledger, failed, threshold=5, amount=20))
    ledger.accounts.update_account(suspended, suspended="1")
    lines = gatekeeper.ok("account", "list").splitlines()
    assert [re.split("  +", line)[-1] for line in lines[1:]] == [
        "ok",
        "no card",
        "top-off requested",
        "Your card was declined",
        "suspended",
    ]
    assert re.search("state +ok", gatekeeper.ok("account", "show", well))


def test_list_fits_a_terminal_and_is_whole_elsewhere(
    gatekeeper: Gatekeeper, ledger: Ledger, tmp_path: Path
) -> None:
    name = "The Very Long Name of a Company " * 3
    open_account(ledger, name=name)
    narrow = on_terminal("account", "list", env=gatekeeper.env, directory=tmp_path)
    assert max(map(len, narrow.splitlines())) <= 80
    assert "The Very Long Name" in narrow
    assert "…" in narrow
    assert name in gatekeeper.ok("account", "list")


def test_show_of_topoffs_without_a_card_or_switched_off(
    gatekeeper: Gatekeeper, ledger: Ledger, account_id: str
) -> None:
    shown = gatekeeper.ok("account", "show", account_id)
    assert "off (once on: 200 credits below 50, overdraft limit 200)" in shown
    topoff_id = switch_on(ledger, account_id, threshold=5, amount=20)
    shown = gatekeeper.ok("account", "show", account_id)
    assert f"but no card is attached: gatekeeper card set {account_id}" in shown
    assert f"top-off {topoff_id} is requested" in shown
    ledger.accounts.set_card(account_id, CARD)
    assert "no card" not in gatekeeper.ok("account", "show", account_id)


def test_list_of_nothing(gatekeeper: Gatekeeper) -> None:
    assert gatekeeper.json("account", "list") == {"accounts": []}
    assert gatekeeper.ok("account", "list") == "no accounts yet"


def test_set_changes_what_is_given_and_leaves_the_rest(
    gatekeeper: Gatekeeper, ledger: Ledger, account_id: str
) -> None:
    gatekeeper.ok("account", "set", account_id, "--name", "Baker", "--price", "30")
    gatekeeper.ok("account", "set", account_id, "--email", "b@example.com", "--route", ROUTE)
    found = ledger.accounts.account(account_id)
    assert (found.name, found.email, found.timezone) == ("Baker", "b@example.com", "UTC")
    assert found.price_minor == 30
    assert Route.from_text(found.route) == Route.parse(ROUTE)
    gatekeeper.ok("account", "set", account_id, "--price", "default", "--route", "")
    found = ledger.accounts.account(account_id)
    assert (found.name, found.price_minor, found.route) == ("Baker", None, "")


def test_set_completes_a_drop_message_from_what_there_was(
    gatekeeper: Gatekeeper, ledger: Ledger, account_id: str
) -> None:
    gatekeeper.ok("account", "set", account_id, "--drop-message", "Bis bald.", DROP_VOICE="man")
    gatekeeper.ok("account", "set", account_id, "--drop-language", "de-DE")
    found = ledger.accounts.account(account_id)
    assert DropMessage.from_text(found.drop_message) == DropMessage("Bis bald.", "de-DE", "man")
    shown = gatekeeper.json("account", "show", account_id)["drop_message"]
    assert shown == {"text": "Bis bald.", "language": "de-DE", "voice": "man"}
    gatekeeper.ok("account", "set", account_id, "--drop-message", "")
    assert ledger.accounts.account(account_id).drop_message == ""


def test_a_route_is_shown_as_it_is_given(gatekeeper: Gatekeeper, account_id: str) -> None:
    for text in (
        ROUTE,
        "conversation_relay:wss://r.example.com/x",
        "sip:a@example.com",
        "+15550002222",
    ):
        gatekeeper.ok("account", "set", account_id, "--route", text)
        assert gatekeeper.json("account", "show", account_id)["route"] == text


@pytest.mark.parametrize(
    ("option", "value", "says"),
    [
        ("--name", "", "name: "),
        ("--email", "a b", "email: "),
        ("--timezone", "UTC+1", "timezone: "),
        ("--route", "gopher://x", "route: a route must be"),
        ("--route", "https://gate.example.com/voice/incoming", "route: the URL is this gate's own"),
        ("--route", NUMBER, "route: the number is the account's own"),
        ("--drop-message", "x" * 501, "drop message: "),
        ("--drop-language", "en_US", "drop message: "),
    ],
)
def test_set_refuses_what_cannot_be_used_and_changes_nothing(
    gatekeeper: Gatekeeper, ledger: Ledger, account_id: str, option: str, value: str, says: str
) -> None:
    ledger.numbers.assign_number(NUMBER, account_id)
    before = ledger.accounts.account(account_id)
    line = gatekeeper.refused("account", "set", account_id, "--name", "Other", option, value)
    assert line.startswith(says)
    assert ledger.accounts.account(account_id) == before


def test_set_refuses_a_price_at_which_topoffs_cannot_be_charged(
    gatekeeper: Gatekeeper, ledger: Ledger, account_id: str
) -> None:
    ledger.accounts.set_topoff(account_id, TopoffSettings(True, 1, 200))
    line = gatekeeper.refused("account", "set", account_id, "--price", "500000")
    assert "than a card can be charged" in line
    assert ledger.accounts.account(account_id).price_minor is None


def test_set_without_anything_to_set_is_misspelt(gatekeeper: Gatekeeper, account_id: str) -> None:
    assert "Nothing to set" in gatekeeper.usage_error("account", "set", account_id)
    for price in ("much", "0", "1000001"):
        assert "--price" in gatekeeper.usage_error("account", "set", account_id, "--price", price)


def test_suspend_and_resume(gatekeeper: Gatekeeper, ledger: Ledger, account_id: str) -> None:
    assert gatekeeper.json("account", "suspend", account_id) == {
        "id": account_id,
        "suspended": True,
    }
    assert ledger.accounts.account(account_id).suspended
    assert "suspended" in gatekeeper.ok("account", "show", account_id)
    gatekeeper.ok("account", "resume", account_id)
    assert not ledger.accounts.account(account_id).suspended


@pytest.mark.parametrize("command", ["show", "suspend", "resume"])
def test_an_account_that_is_not_there(gatekeeper: Gatekeeper, command: str) -> None:
    line = gatekeeper.refused("account", command, "acct_000000000000")
    assert line == "there is no account acct_000000000000"


@pytest.mark.parametrize(
    "command",
    [
        ("account", "show"),
        ("account", "set", "--name", "Able"),
        ("number", "list"),
        ("number", "assign", NUMBER),
        ("credits", "add", "--reason", "goodwill"),
        ("topoff", "set", "--on"),
        ("log",),
        ("audit",),
        ("simulate", "--account"),
    ],
)
@pytest.mark.parametrize("account_id", ["Able\x1b[2J\nBaker", "acct_1", "acct_00000000000é"])
def test_what_is_no_account_id(
    gatekeeper: Gatekeeper, command: tuple[str, ...], account_id: str
) -> None:
    last = ("1",) if command[0] == "credits" else ()
    assert gatekeeper.refused(*command, account_id, *last) == (
        "account id: must be acct_ and 12 letters or digits, as `gatekeeper account list` shows it"
    )


def test_set_answers_with_the_names_that_were_typed(
    gatekeeper: Gatekeeper, account_id: str
) -> None:
    words = ("account", "set", account_id, "--price", "30", "--drop-language", "de-DE")
    document = gatekeeper.json(*words, "--anchor", "2026-01-15")
    assert document == {"id": account_id, "set": ["anchor", "drop-language", "price"]}
    assert gatekeeper.ok(*words) == "set: drop-language, price"
