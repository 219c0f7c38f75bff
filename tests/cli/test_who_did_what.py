"""Who did what: every command that changes an account says so in its log, and `log` in words."""

from __future__ import annotations

from typing import Any, Final

import pytest
from sqlalchemy import Engine

from gatekeeper.cli.accounts import account
from gatekeeper.cli.members import member
from gatekeeper.cli.money import card, credits_, topoff
from gatekeeper.cli.numbers import number
from gatekeeper.domain.account import TopoffSettings
from gatekeeper.domain.entry import EntryType
from gatekeeper.domain.money import CreditPrice
from gatekeeper.domain.notice import NoticeKind
from gatekeeper.domain.person import Member, Role
from gatekeeper.ledger.ledger import Ledger
from tests.cli.conftest import Gatekeeper
from tests.cli.stories import CARD, begin_charge, copy, decline, switch_on

ADA: Final = "ada@example.com"
NUMBER: Final = "+15550001111"
MEMBER: Final = "b@example.com"
#: Commands that change nothing of an account: what somebody has open is their own.
LOOKING: Final = {"show", "list", "link", "sign-out"}
GROUPS: Final = (account, member, number, credits_, topoff, card)

#: Each changes something; `{}` is the account's id.
COMMANDS: Final = (
    "account set {} --name Baker",
    "account set {} --allotment 9",
    "account suspend {}",
    "account resume {}",
    "topoff set {} --on --threshold 5 --amount 20",
    "member add {} b@example.com",
    "member remove {} b@example.com",
    "number assign +15550001111 {}",
    "number release +15550001111 {}",
    "card remove {}",
    "credits add {} 5 --reason goodwill",
    "credits remove {} 5 --reason slip",
)


def test_every_command_that_changes_an_account_takes_by() -> None:
    for group in GROUPS:
        for name in group.commands.keys() - LOOKING:
            params = {param.name for param in group.commands[name].params}
            assert "by" in params, (group.name, name)


def test_each_says_in_the_log_who_did_it(
    gatekeeper: Gatekeeper, ledger: Ledger, account_id: str
) -> None:
    ledger.accounts.set_card(account_id, CARD)
    for command in COMMANDS:
        known = {entry.id for entry in ledger.log.entries(account_id)}
        gatekeeper.ok(*command.format(account_id).split(), "--by", ADA)
        told = [entry for entry in ledger.log.entries(account_id) if entry.id not in known]
        assert ADA in {entry.note for entry in told}, command


def test_who_opened_an_account_is_whoever_ran_the_command(
    gatekeeper: Gatekeeper, ledger: Ledger
) -> None:
    opened = gatekeeper.json("account", "create", "--name", "A", "--email", MEMBER, LOGNAME="bob")
    (entry,) = ledger.log.entries(opened["id"])
    assert entry.note == "bob"


@pytest.mark.parametrize("by", [" ", "two\nlines", "x" * 81])
def test_a_name_that_is_none_is_refused(
    gatekeeper: Gatekeeper, ledger: Ledger, account_id: str, by: str
) -> None:
    said = gatekeeper.refused("account", "suspend", account_id, "--by", by)
    assert said == "by: must be 1 to 80 printable characters"
    assert not ledger.accounts.account(account_id).suspended


@pytest.mark.parametrize("is_copied", [False, True])
def test_log_says_in_words_what_was_changed(
    gatekeeper: Gatekeeper, ledger: Ledger, history: Engine, account_id: str, is_copied: bool
) -> None:
    accounts, members, numbers = ledger.accounts, ledger.members, ledger.numbers
    price = CreditPrice(25, "usd")
    accounts.update_account(
        account_id, by=ADA, price=price, name="Baker", price_minor="30", route="x"
    )
    accounts.update_account(account_id, by=ADA, suspended="1")
    settings = TopoffSettings(True, 50, 200, 10, 20_000)
    accounts.set_topoff(account_id, settings, price=price, by=ADA)
    accounts.set_card(account_id, CARD, by=ADA)
    members.set_member(account_id, Member(MEMBER, Role.VIEWER, frozenset()), by=ADA)
    chosen = frozenset({NoticeKind.BALANCE_LOW})
    members.set_member(account_id, Member(MEMBER, Role.OWNER, chosen), by=ADA)
    numbers.assign_number(NUMBER, account_id, "x", by=ADA)
    numbers.release_number(NUMBER, account_id, by=ADA)
    accounts.remove_card(account_id)
    if is_copied:
        copy(ledger, history)
    lines = gatekeeper.ok("log", account_id).splitlines()[::-1]
    told = [line.partition("  account_changed ")[2] for line in lines if "_changed " in line]
    for line, words in zip(
        told,
        [
            "Account changed: name Baker, price of a credit $0.30, where calls go, by " + ADA,
            "Account suspended, by " + ADA,
            "Auto top-off set: on, below 50 add 200, overdraft limit 10, spending cap $200.00,"
            " by " + ADA,
            "Card saved: visa ending in 4242, by " + ADA,
            f"Member set: {MEMBER}, viewer, e-mails about nothing, by {ADA}",
            f"Member set: {MEMBER}, owner, e-mails about balance low, by {ADA}",
            f"Number assigned: {NUMBER}, with a route of its own, by {ADA}",
            f"Number released: {NUMBER}, by {ADA}",
            "Card removed: visa ending in 4242",
        ],
        strict=True,
    ):
        assert line.endswith(words)
    changed = [
        one["detail"]
        for one in gatekeeper.json("log", account_id)["entries"]
        if one["type"] == "account_changed"
    ]
    assert changed[0] == {"by": "", "brand": "visa", "last4": "4242"}


def test_log_says_how_an_incident_ended(
    gatekeeper: Gatekeeper, ledger: Ledger, history: Engine, account_id: str
) -> None:
    ledger.accounts.set_card(account_id, CARD)
    topoff_id = switch_on(ledger, account_id, threshold=5, amount=20)
    begin_charge(ledger, topoff_id)
    decline(ledger, topoff_id)
    gatekeeper.ok("topoff", "set", account_id, "--off", "--by", ADA)
    resolved, changed, *_ = gatekeeper.ok("log", account_id).splitlines()[1:]
    assert "incident_resolved" in resolved
    assert resolved.endswith(f"{topoff_id}  resolved: auto top-off was switched off")
    assert changed.endswith(f"Auto top-off set: off, below 5 add 20, by {ADA}")


@pytest.mark.parametrize("is_copied", [False, True])
def test_what_a_newer_version_wrote_is_shown_as_it_is(
    gatekeeper: Gatekeeper, ledger: Ledger, history: Engine, account_id: str, is_copied: bool
) -> None:
    """Of a type, and of a change, that this one does not know; and whatever was typed in it."""
    ledger.accounts.update_account(account_id, by=ADA, suspended="1")
    log_key = ledger.keys.of_account(account_id).log
    newest: Any = ledger.client.xrevrange(log_key, count=1)
    fields = newest[0][1]
    strange = {"type": EntryType.ACCOUNT_CHANGED.value, "cause": "painted"}
    ledger.client.xadd(log_key, fields | strange | {"detail": '{"by":"eve\\u001b[2J\\u009b"}'})
    if is_copied:
        copy(ledger, history)
    ledger.client.xadd(log_key, fields | {"type": "account_moved", "detail": "not JSON"})
    moved, painted, *_ = gatekeeper.ok("log", account_id).splitlines()[1:]
    assert moved.split()[2:] == ["account_moved", "3", account_id, "suspended"]
    assert painted.endswith("painted, by eve?[2J?")
    entries = gatekeeper.json("log", account_id)["entries"]
    assert [one["type"] for one in entries[:2]] == ["account_moved", "account_changed"]
    assert "account_moved" in gatekeeper.ok("log", account_id, "--csv")
    assert "account_moved" not in gatekeeper.run("audit", account_id).output
