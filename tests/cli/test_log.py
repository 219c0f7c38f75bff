"""What `log` shows of what changed a balance: all of it, at once, whatever history has yet."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import Engine, event

from gatekeeper.cli.entries import entries_not_copied, newest_entries
from gatekeeper.domain.call import CallEnd
from gatekeeper.history.export import ENTRY_HEADER, export_entries
from gatekeeper.ledger.ledger import Ledger
from tests.cli.conftest import DEAD_PORT, Gatekeeper, open_account
from tests.cli.stories import CARD, call, copy, decline, switch_on
from tests.cli.terminal import on_terminal
from tests.history.copies import append_calls


@pytest.mark.parametrize("copied", ["nothing", "the first call", "everything"])
def test_log_shows_entries_newest_first(
    gatekeeper: Gatekeeper, ledger: Ledger, history: Engine, account_id: str, copied: str
) -> None:
    neighbours = [open_account(ledger) for _ in range(8)]
    first = call(ledger, account_id)
    if copied == "the first call":
        copy(ledger, history)
    second = call(ledger, account_id, CallEnd.BUSY)
    for neighbour in neighbours:
        call(ledger, neighbour)
    if copied == "everything":
        copy(ledger, history)
    document = gatekeeper.json("log", account_id)
    told = [
        (one["type"], one["allotment_delta"], one["balance"]["total"], one["ref"])
        for one in document["entries"]
    ]
    assert told == [
        ("call_released", 1, 2, second),
        ("call_debited", -1, 1, second),
        ("call_settled", 0, 2, first),
        ("call_debited", -1, 2, first),
        ("account_opened", 3, 3, account_id),
    ]
    assert document["next"] is None
    newest = gatekeeper.json("log", account_id, "--limit", "2")
    assert newest["entries"] == document["entries"][:2]
    lines = gatekeeper.ok("log", account_id).splitlines()
    assert len(lines) == 6
    assert lines[1].split()[2:] == ["call_released", "+1", "2", second, "busy", "(10", "s)"]
    details = {one["type"]: one["detail"] for one in document["entries"][:-1]}
    assert details == dict.fromkeys(details) | {"call_settled": "10", "call_released": "10"}
    exported = csv.DictReader(gatekeeper.ok("log", account_id, "--csv").splitlines(), strict=True)
    told_there = {one["type"]: one["detail"] or None for one in exported}
    opened = json.loads(told_there.pop("account_opened") or "")
    assert opened == document["entries"][-1]["detail"]
    assert (opened["name"], opened["email"]) == ("Able", "able@example.com")
    assert told_there == details


def test_log_shows_when_a_period_began(
    gatekeeper: Gatekeeper, ledger: Ledger, history: Engine, account_id: str
) -> None:
    gatekeeper.ok("account", "set", account_id, "--allotment", "9")
    (raised, *_) = gatekeeper.json("log", account_id)["entries"]
    assert raised["ref"] == str(ledger.accounts.account(account_id).cycle_start_ms)
    began = gatekeeper.json("account", "show", account_id)["cycle"]["start"]
    line = gatekeeper.ok("log", account_id).splitlines()[1]
    assert line.split()[2:] == [
        *("allotment_raised", "+6", "9"),
        *(began[:10], began[11:19], "allotment_raised"),
    ]
    (exported, *_) = csv.DictReader(gatekeeper.ok("log", account_id, "--csv").splitlines())
    assert exported["reference"] == raised["ref"]


@pytest.mark.parametrize("limit", ["1", "7", "1000"])
def test_pages_to_the_end_without_gaps_or_repeats(
    gatekeeper: Gatekeeper, ledger: Ledger, history: Engine, account_id: str, limit: str
) -> None:
    append_calls(ledger, [account_id, open_account(ledger)], range(10))
    copy(ledger, history)
    append_calls(ledger, [account_id], range(10, 20))
    whole = [one["id"] for one in gatekeeper.json("log", account_id)["entries"]]
    assert len(whole) == len(set(whole)) == 1 + 10 + 20
    paged: list[str] = []
    after: list[str] = []
    while True:
        page = gatekeeper.json("log", account_id, "--limit", limit, *after)
        paged += [one["id"] for one in page["entries"]]
        if page["next"] is None:
            break
        after = ["--after", page["next"]]
        if len(paged) < 20:  # what happens meanwhile moves no page
            append_calls(ledger, [account_id], range(100, 101))
            copy(ledger, history)
    assert paged == whole


def test_a_page_says_where_the_next_begins(
    gatekeeper: Gatekeeper, ledger: Ledger, history: Engine, account_id: str
) -> None:
    call(ledger, account_id)
    shown = gatekeeper.run("log", account_id, "--limit", "2")
    cursor = gatekeeper.json("log", account_id, "--limit", "2")["next"]
    same = f"gatekeeper log {account_id} --limit 2 --after {cursor}"
    assert shown.stderr == f"older entries: {same}\n"
    (_, line) = gatekeeper.ok("log", account_id, "--after", cursor).splitlines()
    assert "account_opened" in line


def test_log_fits_a_terminal_and_is_whole_elsewhere(
    gatekeeper: Gatekeeper, ledger: Ledger, history: Engine, account_id: str, tmp_path: Path
) -> None:
    reason = "a week without calls, agreed on the telephone with the owner"
    ledger.accounts.add_credits(
        account_id, 20_000, reference="cli-0123456789abcdef", cause=reason, by="anna"
    )
    ledger.accounts.set_card(account_id, CARD)
    topoff_id = switch_on(ledger, account_id, threshold=30_000, amount=200_000)
    call_sid = call(ledger, account_id, CallEnd.NO_ANSWER)
    decline(ledger, topoff_id)
    narrow = on_terminal("log", account_id, env=gatekeeper.env, directory=tmp_path)
    assert max(map(len, narrow.splitlines())) <= 80
    for short in (f"{call_sid[:5]}…{call_sid[-4:]}", f"{topoff_id[:5]}…{topoff_id[-4:]}", "+20000"):
        assert short in narrow
    wide = on_terminal("log", account_id, env=gatekeeper.env, directory=tmp_path, columns=200)
    assert wide.rstrip("\n") == gatekeeper.ok("log", account_id)
    for whole in (call_sid, topoff_id, f"{reason} (anna)"):
        assert whole in wide


@pytest.mark.parametrize("is_copied", [False, True])
def test_log_of_a_long_history_finds_a_quiet_account(
    gatekeeper: Gatekeeper, ledger: Ledger, history: Engine, is_copied: bool
) -> None:
    quiet = open_account(ledger)
    busy = open_account(ledger)
    while ledger.keys.shard_of(busy) != ledger.keys.shard_of(quiet):
        busy = open_account(ledger)
    append_calls(ledger, [busy], range(600))  # two entries each: more than one page of the log
    if is_copied:
        copy(ledger, history)
    assert [one["ref"] for one in gatekeeper.json("log", quiet)["entries"]] == [quiet]


def test_csv_has_every_entry_in_the_accounts_time(
    gatekeeper: Gatekeeper, ledger: Ledger, history: Engine
) -> None:
    account_id = open_account(ledger, timezone="Asia/Kolkata")
    append_calls(ledger, [account_id], range(600))
    copy(ledger, history)
    append_calls(ledger, [account_id], range(600, 610))
    header, *rows = csv.reader(gatekeeper.ok("log", account_id, "--csv").splitlines(), strict=True)
    assert header == list(ENTRY_HEADER)
    shown = gatekeeper.json("log", account_id, "--limit", "10000")["entries"]
    assert [row[0] for row in rows] == [one["id"] for one in shown]
    assert len(rows) == 1 + 2 * 610
    assert all(row[1].endswith("+05:30") for row in rows)


def test_csv_is_harmless_in_a_spreadsheet(
    gatekeeper: Gatekeeper, ledger: Ledger, history: Engine, account_id: str
) -> None:
    """Whatever a person typed, before and after it is copied."""
    formula = '=HYPERLINK("https://example.com","a, b")'
    gatekeeper.ok("credits", "add", account_id, "2", "--reason", formula, "--reference", "-a")
    for _ in range(2):
        lines = gatekeeper.ok("log", account_id, "--csv").splitlines()
        (added, _) = csv.DictReader(lines, strict=True)
        assert (added["cause"], added["reference"]) == (f"'{formula}", "'-a")
        assert added["purchased_change"] == "2"
        copy(ledger, history)


def test_what_is_copied_and_trimmed_meanwhile_is_there_once(
    ledger: Ledger, history: Engine, account_id: str
) -> None:
    append_calls(ledger, [account_id], range(5))
    whole = list(ledger.log.entries(account_id))[::-1]
    newest = entries_not_copied(ledger, history, account_id)
    assert newest == whole
    copy(ledger, history)
    ledger.client.xtrim(ledger.keys.of_account(account_id).log, maxlen=3, approximate=False)
    append_calls(ledger, [account_id], range(5, 6))
    copy(ledger, history)
    for not_copied in (newest, newest[:4]):  # trimmed before, or after it was read from the log
        lines = export_entries(history, account_id, ZoneInfo("UTC"), not_copied=not_copied)
        _, *rows = csv.reader(lines)
        assert [row[0] for row in rows] == [entry.id for entry in whole]


def test_what_is_copied_and_trimmed_between_the_two_is_not_lost(
    ledger: Ledger, history: Engine, account_id: str
) -> None:
    """The log is asked before history: else what moves from one to the other is in neither."""
    append_calls(ledger, [account_id], range(5))
    whole = [entry.id for entry in ledger.log.entries(account_id)][::-1]

    log_key = ledger.keys.of_account(account_id).log
    reads = []

    def move(_connection: object, _cursor: object, sql: str, *_: object) -> None:
        if "FROM entries" in sql:
            reads.append(sql)
        if len(reads) == 1:  # what copies reads too
            reads.append("")
            copy(ledger, history)
            ledger.client.xtrim(log_key, maxlen=0, approximate=False)

    event.listen(history, "after_cursor_execute", move)
    page = newest_entries(ledger, history, account_id, after=None, limit=100)
    assert [entry.id for entry in page.items] == whole
    assert ledger.client.xlen(log_key) == 0


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("sqlite:///empty.sqlite", "history has no tables yet: `gatekeeper release` makes them"),
        ("sqlite:///nowhere/history.sqlite", "history's database cannot be used"),
        (f"postgresql://someone:hunter2@127.0.0.1:{DEAD_PORT}/history", "refused"),
    ],
)
@pytest.mark.parametrize(
    "command",
    [("log",), ("log", "--csv"), ("log", "--json"), ("usage",), ("usage", "--csv")],
    ids=" ".join,
)
def test_a_database_that_cannot_be_read(
    gatekeeper: Gatekeeper, account_id: str, command: tuple[str, ...], url: str, words: str
) -> None:
    line = gatekeeper.refused(*command, account_id, DATABASE_URL=url)
    assert words in line
    assert ("see DATABASE_URL" in line) is ("no tables yet" not in line)
    assert "hunter2" not in line
    assert "Error" not in line  # a class of Python's


def test_what_log_is_not_asked_for(
    gatekeeper: Gatekeeper, history: Engine, account_id: str
) -> None:
    assert "no account" in gatekeeper.refused("log", "acct_000000000000")
    line = gatekeeper.refused("log", account_id, "--after", "yesterday")
    assert line == "--after: no page has made this cursor"
    gatekeeper.usage_error("log", account_id, "--limit", "0")
    assert "exclude each other" in gatekeeper.usage_error("log", account_id, "--json", "--csv")
    for more in (("--limit", "5"), ("--after", "1-0")):
        assert "every entry" in gatekeeper.usage_error("log", account_id, "--csv", *more)
