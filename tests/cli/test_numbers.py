from __future__ import annotations

import pytest

from gatekeeper.cli.routes import is_own_webhook, read_route
from gatekeeper.domain.account import new_account_id
from gatekeeper.domain.route import InvalidRoute, Route
from gatekeeper.ledger.ledger import Ledger
from tests.cli.conftest import Gatekeeper, open_account

NUMBER, OTHER_NUMBER = "+15550001111", "+15550002222"
ROUTE = "wss://receptionist.example.com/audio"


def test_assign_list_show_release(gatekeeper: Gatekeeper, ledger: Ledger, account_id: str) -> None:
    document = gatekeeper.json("number", "assign", NUMBER, account_id, "--route", ROUTE)
    assert document == {"number": NUMBER, "account": account_id, "changed": True}
    gatekeeper.ok("number", "assign", OTHER_NUMBER, account_id)
    record = ledger.numbers.find(NUMBER)
    assert record is not None
    assert Route.from_text(record.route) == Route.parse(ROUTE)
    assert gatekeeper.json("number", "list", account_id) == {
        "numbers": [{"number": NUMBER, "route": ROUTE}, {"number": OTHER_NUMBER, "route": None}]
    }
    shown = gatekeeper.json("number", "show", NUMBER)
    assert (shown["account"], shown["route"], shown["previous"]) == (account_id, ROUTE, None)
    gatekeeper.ok("number", "release", NUMBER, account_id)
    shown = gatekeeper.json("number", "show", NUMBER)
    assert (shown["account"], shown["route"], shown["previous"]) == (None, None, account_id)


def test_show_and_list_tell_a_route_in_the_same_words(
    gatekeeper: Gatekeeper, account_id: str
) -> None:
    gatekeeper.ok("number", "assign", NUMBER, account_id)
    for words in (("show", NUMBER), ("list", account_id)):
        assert "the account's" in gatekeeper.ok("number", *words)
    gatekeeper.ok("number", "release", NUMBER, account_id)
    assert "nobody's" in gatekeeper.ok("number", "show", NUMBER)


def test_assigning_again_says_that_nothing_changed(gatekeeper: Gatekeeper, account_id: str) -> None:
    gatekeeper.ok("number", "assign", NUMBER, account_id)
    assert not gatekeeper.json("number", "assign", NUMBER, account_id)["changed"]
    assert "as before" in gatekeeper.ok("number", "assign", NUMBER, account_id)


def test_a_number_of_someone_else_stays_theirs(
    gatekeeper: Gatekeeper, ledger: Ledger, account_id: str
) -> None:
    owner = open_account(ledger)
    gatekeeper.ok("number", "assign", NUMBER, owner)
    assert owner in gatekeeper.refused("number", "assign", NUMBER, account_id)
    assert "does not belong" in gatekeeper.refused("number", "release", NUMBER, account_id)
    assert gatekeeper.json("number", "list", account_id) == {"numbers": []}
    assert gatekeeper.ok("number", "list", account_id) == "no numbers"


@pytest.mark.parametrize(
    "text", ["15550001111", "+0155500011", "+1555", "+1 555 000 1111", "sip:a@b"]
)
def test_what_is_not_a_number_is_refused(
    gatekeeper: Gatekeeper, account_id: str, text: str
) -> None:
    for command in (("assign", text, account_id), ("release", text, account_id), ("show", text)):
        assert "E.164" in gatekeeper.refused("number", *command)


def test_what_is_not_there(gatekeeper: Gatekeeper) -> None:
    nobody = new_account_id()
    assert gatekeeper.refused("number", "show", NUMBER) == f"{NUMBER} was never assigned"
    assert "no account" in gatekeeper.refused("number", "assign", NUMBER, nobody)
    assert "no account" in gatekeeper.refused("number", "list", nobody)


def test_a_number_does_not_come_to_call_itself(
    gatekeeper: Gatekeeper, ledger: Ledger, account_id: str
) -> None:
    for route in ("https://gate.example.com/voice/incoming", NUMBER):
        assert "route: " in gatekeeper.refused(
            "number", "assign", NUMBER, account_id, "--route", route
        )
    gatekeeper.ok("account", "set", account_id, "--route", NUMBER)
    assert "account's own" in gatekeeper.refused("number", "assign", NUMBER, account_id)
    assert ledger.numbers.find(NUMBER) is None


@pytest.mark.parametrize(
    "url",
    [
        "https://gate.example.com/voice/incoming",
        "https://GATE.example.com:443/voice/fallback?again=1",
        "http://gate.example.com/voice/incoming",
        "https://gate.example.com//voice/../voice/%69ncoming",
        "https://user:password@gate.example.com/voice",
    ],
)
def test_a_url_that_leads_back_here(url: str) -> None:
    assert is_own_webhook(url, "https://gate.example.com")
    with pytest.raises(InvalidRoute, match="never leave"):
        read_route(url, public_origin="https://gate.example.com")


@pytest.mark.parametrize(
    "url",
    [
        "https://gate.example.com/receptionist",
        "https://gate.example.com:8443/voice/incoming",
        "https://gate.example.com.other.example/voice/incoming",
        "https://voice.example.com/voice/incoming",
        "https://gate.example.com/voicemail",
    ],
)
def test_a_url_that_leads_elsewhere(url: str) -> None:
    assert not is_own_webhook(url, "https://gate.example.com")
    assert read_route(url, public_origin="https://gate.example.com").target == url
