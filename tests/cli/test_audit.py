"""The audit agrees with whatever the verbs did, and names whatever they did not do."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from gatekeeper.audit import audit_account, audit_ledger, entries_to_read
from gatekeeper.domain.account import new_account_id
from gatekeeper.domain.call import CallEnd
from gatekeeper.history.engine import writing
from gatekeeper.history.tables import entries, positions
from gatekeeper.ledger.ledger import Ledger
from gatekeeper.relay.history import HistoryCopy
from tests.audit.books import live
from tests.cli.conftest import DEAD_PORT, Gatekeeper, open_account
from tests.cli.stories import CARD, call, decline, succeed, switch_on

pytestmark = pytest.mark.usefixtures("history")


def test_it_agrees_with_everything_that_the_verbs_do(
    gatekeeper: Gatekeeper, ledger: Ledger
) -> None:
    accounts = [open_account(ledger, allotment=3) for _ in range(12)]
    for account_id in accounts:
        live(ledger, account_id)
    written = [len(list(ledger.log.entries(account_id))) for account_id in accounts]
    whole = sum(written)
    document = {"ok": True, "accounts": 12, "entries": whole, "differences": []}
    assert gatekeeper.json("audit") == document
    assert gatekeeper.ok("audit") == f"everything agrees: 12 accounts, {whole:,} entries read"
    one = gatekeeper.json("audit", accounts[0])
    assert one == {"ok": True, "accounts": 1, "entries": written[0], "differences": []}


def test_an_entry_in_both_stores_counts_once(
    gatekeeper: Gatekeeper, ledger: Ledger, history: Engine, account_id: str
) -> None:
    HistoryCopy(ledger, history).copy_all()
    assert gatekeeper.ok("audit") == "everything agrees: 1 account, 1 entry read"


def test_it_agrees_with_an_empty_ledger(gatekeeper: Gatekeeper) -> None:
    assert gatekeeper.json("audit")["ok"]
    assert "no account" in gatekeeper.refused("audit", new_account_id())


Tamper = Callable[[Ledger, str], object]


def _forge(ledger: Ledger, account_id: str, **fields: str | int) -> None:
    """Write an entry that no verb wrote, with sums that fit."""
    found = ledger.accounts.account(account_id)
    entry: dict[Any, Any] = {
        "at_ms": 1,
        "account": account_id,
        "allotment_delta": 0,
        "purchased_delta": 0,
        "ref": "",
        "cause": "forged",
        "number": "",
        "detail": "",
    }
    entry |= fields
    own = ledger.keys.of_account(account_id)
    allotment, purchased = int(entry["allotment_delta"]), int(entry["purchased_delta"])
    ledger.client.hincrby(own.account, "allotment", allotment)
    ledger.client.hincrby(own.account, "purchased", purchased)
    entry["allotment"] = found.allotment + allotment
    entry["purchased"] = found.purchased + purchased
    ledger.client.xadd(own.log, entry)


def _set(ledger: Ledger, account_id: str, **fields: str) -> None:
    for field, value in fields.items():
        ledger.client.hset(ledger.keys.of_account(account_id).account, field, value)


def _lose_the_last_entry(ledger: Ledger, account_id: str) -> None:
    call(ledger, account_id, None)
    *_, last = ledger.log.entries(account_id)
    ledger.client.xdel(ledger.keys.of_account(account_id).log, last.id)


def _debit_twice(ledger: Ledger, account_id: str) -> None:
    sid = call(ledger, account_id)
    _forge(ledger, account_id, type="call_debited", purchased_delta=-1, ref=sid)


def _release_twice(ledger: Ledger, account_id: str) -> None:
    sid = call(ledger, account_id, CallEnd.BUSY)
    _forge(ledger, account_id, type="call_released", allotment_delta=1, ref=sid)


def _release_to_the_other_bucket(ledger: Ledger, account_id: str) -> None:
    sid = call(ledger, account_id)
    _forge(ledger, account_id, type="call_released", purchased_delta=1, ref=sid)


def _in_flight(ledger: Ledger, account_id: str) -> str:
    ledger.accounts.set_card(account_id, CARD)
    return switch_on(ledger, account_id, threshold=10, amount=20)


def _two_in_flight(ledger: Ledger, account_id: str) -> None:
    _in_flight(ledger, account_id)
    ledger.client.hdel(ledger.keys.of_account(account_id).account, "topoff", "topoff_state")
    call(ledger, account_id, None)


def _in_flight_for_nobody(ledger: Ledger, account_id: str) -> None:
    _in_flight(ledger, account_id)
    ledger.client.hdel(ledger.keys.of_account(account_id).account, "topoff", "topoff_state")


def _credit_twice(ledger: Ledger, account_id: str) -> None:
    topoff_id = _in_flight(ledger, account_id)
    succeed(ledger, topoff_id)
    _forge(ledger, account_id, type="topoff_succeeded", purchased_delta=20, ref=topoff_id)


def _credit_a_failed_one(ledger: Ledger, account_id: str) -> None:
    topoff_id = _in_flight(ledger, account_id)
    decline(ledger, topoff_id)
    _forge(ledger, account_id, type="topoff_succeeded", purchased_delta=20, ref=topoff_id)


def _charge_without_credits(ledger: Ledger, account_id: str) -> None:
    topoff_id = _in_flight(ledger, account_id)
    key = ledger.keys.of_account(account_id).topoff(topoff_id)
    ledger.client.hset(key, "state", "succeeded")
    _set(ledger, account_id, topoff="", topoff_state="")
    _forge(ledger, account_id, type="topoff_failed", ref=topoff_id)


@pytest.mark.parametrize(
    ("tamper", "says"),
    [
        (lambda ledger, one: _set(ledger, one, purchased="7"), "the ledger has 3 + 7 credits"),
        (_lose_the_last_entry, "the ledger has 2 + 0 credits"),
        (
            lambda ledger, one: ledger.client.xtrim(ledger.keys.of_account(one).log, maxlen=0),
            "but the entries sum to 0 + 0",
        ),
        (_debit_twice, "was debited twice"),
        (
            lambda ledger, one: _forge(
                ledger, one, type="call_debited", allotment_delta=-2, ref="CA1"
            ),
            "call CA1 was debited 2 credits, not 1",
        ),
        (_release_twice, "was released without having been debited"),
        (_release_to_the_other_bucket, "was not given back what was taken"),
        (
            lambda ledger, one: _forge(ledger, one, type="call_dropped", purchased_delta=1),
            "(call_dropped) changes the balance",
        ),
        (_two_in_flight, "is requested, beside"),
        (_in_flight_for_nobody, "is requested, but the account has none in flight"),
        (lambda ledger, one: _set(ledger, one, topoff="gone"), "top-off gone is in flight, but"),
        (_credit_twice, "was credited twice"),
        (_credit_a_failed_one, "was credited, but it is failed"),
        (_charge_without_credits, "succeeded, but it was not credited"),
        (
            lambda ledger, one: _forge(
                ledger, one, type="topoff_succeeded", purchased_delta=20, ref="nobodys"
            ),
            "top-off nobodys was never requested",
        ),
    ],
)
def test_it_names_the_account_and_what_differs(
    gatekeeper: Gatekeeper, ledger: Ledger, tamper: Tamper, says: str
) -> None:
    # An account alone in its shard: some of what is done here is done to a whole log.
    account_id, others = open_account(ledger, allotment=3), [open_account(ledger) for _ in range(4)]
    shard = ledger.keys.shard_of(account_id)
    tamper(ledger, account_id)
    for args in (["audit"], ["audit", account_id]):
        result = gatekeeper.run(*args)
        assert result.exit_code == 1
        told = [line for line in result.stdout.splitlines() if line.startswith(account_id)]
        assert any(says in line for line in told), result.stdout
        (line,) = result.stderr.splitlines()
        assert line.startswith("Error: the audit found")
    for other in others:
        if ledger.keys.shard_of(other) != shard:
            assert gatekeeper.json("audit", other)["ok"]


def test_a_topoff_of_other_credits_than_were_added(gatekeeper: Gatekeeper, ledger: Ledger) -> None:
    account_id = open_account(ledger)
    topoff_id = _in_flight(ledger, account_id)
    succeed(ledger, topoff_id)
    ledger.client.hset(ledger.keys.of_account(account_id).topoff(topoff_id), "credits", "30")
    differences = gatekeeper.run("audit", "--json")
    assert differences.exit_code == 1
    assert f"top-off {topoff_id} of 30 was credited with 20" in differences.stdout


def test_an_account_without_its_record_and_a_record_without_its_account(
    gatekeeper: Gatekeeper, ledger: Ledger
) -> None:
    lost, unlisted = open_account(ledger), open_account(ledger)
    ledger.client.delete(ledger.keys.of_account(lost).account)
    ledger.client.srem(ledger.keys.accounts(ledger.keys.shard_of(unlisted)), unlisted)
    told = [(one.account_id, one.what) for one in audit_ledger(ledger)]
    assert (lost, "is listed, but has no record") in told
    assert (unlisted, "has entries, but there is no such account") in told


def test_what_differs_between_the_ledger_and_history(
    gatekeeper: Gatekeeper, ledger: Ledger, history: Engine, account_id: str
) -> None:
    HistoryCopy(ledger, history).copy_all()
    (opened,) = ledger.log.entries(account_id)
    with writing(history) as connection:
        connection.execute(entries.delete())
    result = gatekeeper.run("audit")
    shard = ledger.keys.shard_of(account_id)
    width, told = len(account_id), f"SQL has 0 entries, but up to {opened.id} 1 were written"
    assert result.stdout.splitlines()[1:] == [
        f"{account_id}  entry {opened.id} is in the log, but not in SQL",
        f"{'-':{width}}  shard {shard}: {told}",
    ]
    assert result.stderr == "Error: the audit found 2 differences in 1 account\n"
    document = json.loads(gatekeeper.run("audit", "--json").stdout)
    assert [one["account"] for one in document["differences"]] == [account_id, None]


def test_what_differs_in_a_shard_counts_for_no_account(
    gatekeeper: Gatekeeper, ledger: Ledger, history: Engine, account_id: str
) -> None:
    HistoryCopy(ledger, history).copy_all()
    with writing(history) as connection:
        connection.execute(positions.update().values(entries=0))
    result = gatekeeper.run("audit")
    assert account_id not in result.stdout
    assert result.stderr == "Error: the audit found 2 differences, of no one account\n"


def test_history_that_is_away(gatekeeper: Gatekeeper, account_id: str) -> None:
    away = f"postgresql://someone:hunter2@127.0.0.1:{DEAD_PORT}/history"
    for args in (["audit"], ["audit", account_id]):
        line = gatekeeper.refused(*args, DATABASE_URL=away)
        assert line.startswith("history's database cannot be used: ")
        assert "hunter2" not in line


def test_history_without_tables(gatekeeper: Gatekeeper, account_id: str, tmp_path: Path) -> None:
    empty = f"sqlite:///{tmp_path / 'empty.sqlite'}"
    for args in (["audit"], ["audit", account_id]):
        line = gatekeeper.refused(*args, DATABASE_URL=empty)
        assert line == "history has no tables yet: `gatekeeper release` makes them"


def test_how_much_there_is_to_read(ledger: Ledger, history: Engine, account_id: str) -> None:
    call(ledger, account_id)
    HistoryCopy(ledger, history).copy_all()
    read: list[int] = []
    audit_ledger(ledger, history, on_read=read.append)
    assert sum(read) == entries_to_read(ledger, history, None) == 3 + 3
    read.clear()
    audit_account(ledger, account_id, history, on_read=read.append)
    assert sum(read) == entries_to_read(ledger, history, account_id) == 3
