"""What `explain` says of calls that really were decided, from the ledger and from history."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from sqlalchemy import Engine

from gatekeeper.domain.call import CallEnd, CallId, Decision, Direction
from gatekeeper.ledger.ledger import Ledger
from tests.cli.conftest import ACCOUNT_SID, SUB_ACCOUNT_SID, Gatekeeper, open_account
from tests.cli.stories import CARD, NUMBER, call, copy, decline, forget, switch_on

Story = Callable[[Ledger, str], str]


def _overdraft(ledger: Ledger, account_id: str) -> str:
    switch_on(ledger, account_id, threshold=5, amount=20)
    return call(ledger, account_id)


def _overdraft_used(ledger: Ledger, account_id: str) -> str:
    switch_on(ledger, account_id, threshold=1, amount=2)
    call(ledger, account_id)
    call(ledger, account_id)
    return call(ledger, account_id)


def _failed(ledger: Ledger, account_id: str) -> str:
    ledger.accounts.set_card(account_id, CARD)
    decline(ledger, switch_on(ledger, account_id, threshold=5, amount=20))
    return call(ledger, account_id)


def _suspended(ledger: Ledger, account_id: str) -> str:
    ledger.accounts.update_account(account_id, suspended="1")
    return call(ledger, account_id)


def _purchased(ledger: Ledger, account_id: str) -> str:
    ledger.accounts.add_credits(account_id, 40, reference="r", cause="welcome")
    return call(ledger, account_id)


def _offline(told: Decision, end: CallEnd | None) -> Story:
    def story(ledger: Ledger, account_id: str) -> str:
        call_id = CallId(ACCOUNT_SID, "CA" + "0f" * 16)
        ledger.calls.admit_offline(account_id, call_id, NUMBER, told)
        if end is not None:
            ledger.calls.settle_call(
                account_id, call_id, NUMBER, end, duration_s=1, debit_unknown=False
            )
        return call_id.call_sid

    return story


def _ended_unheard_of(end: CallEnd) -> Story:
    def story(ledger: Ledger, account_id: str) -> str:
        call_id = CallId(ACCOUNT_SID, "CA" + "0e" * 16)
        ledger.calls.settle_call(
            account_id, call_id, NUMBER, end, duration_s=1, debit_unknown=False
        )
        return call_id.call_sid

    return story


@pytest.mark.parametrize(
    ("story", "sentence"),
    [
        (
            _purchased,
            "The call was answered from purchased credits (40 left before it), as the monthly"
            " allotment had none left.",
        ),
        (
            _overdraft,
            "The call was answered although the balance was 0, as a top-off could still come and"
            " the overdraft limit of 20 was not reached.",
        ),
        (call, "The call was dropped because the balance was 0 and auto top-off was off."),
        (
            _failed,
            "The call was dropped because the balance was 0 and the last top-off had failed: Your"
            " card was declined.",
        ),
        (
            _overdraft_used,
            "The call was dropped because the balance was -2 and the overdraft limit of 2 was used"
            " up.",
        ),
        (_suspended, "The call was dropped because the account was suspended."),
        (
            _offline(Decision.ANSWER, None),
            "The call was answered because the balance could not be looked up in time, and its"
            " credit is taken when it completes.",
        ),
        (
            _offline(Decision.ANSWER, CallEnd.COMPLETED),
            "The call was answered because the balance could not be looked up in time, and its"
            " credit was taken when it completed.",
        ),
        (
            _offline(Decision.DROP, None),
            "The call was dropped because the balance could not be looked up in time.",
        ),
        *(
            (
                story,
                "The call counts as dropped: the gate first heard of this call when it ended, or"
                " could not look the balance up in time.",
            )
            for story in (
                _offline(Decision.DROP, CallEnd.COMPLETED),
                _ended_unheard_of(CallEnd.COMPLETED),
                _ended_unheard_of(CallEnd.BUSY),
            )
        ),
    ],
)
def test_explain_says_why_in_one_sentence(
    gatekeeper: Gatekeeper, ledger: Ledger, story: Story, sentence: str
) -> None:
    call_sid = story(ledger, open_account(ledger))
    assert gatekeeper.json("explain", call_sid)["sentence"] == sentence
    assert sentence in gatekeeper.ok("explain", call_sid)


@pytest.mark.parametrize(
    ("end", "state", "words"),
    [
        (None, "open", "not known yet"),
        (CallEnd.COMPLETED, "kept", "stays taken"),
        (CallEnd.NO_ANSWER, "released", "given back"),
    ],
)
def test_explain_tells_the_end_of_an_answered_call(
    gatekeeper: Gatekeeper,
    ledger: Ledger,
    account_id: str,
    end: CallEnd | None,
    state: str,
    words: str,
) -> None:
    document = gatekeeper.json("explain", call(ledger, account_id, end))
    assert document["state"] == state
    assert words in document["end"]
    assert document["sentence"].startswith("The call was answered from the monthly allotment (3")


def test_explain_tells_the_end_of_a_dropped_call(gatekeeper: Gatekeeper, ledger: Ledger) -> None:
    document = gatekeeper.json("explain", call(ledger, open_account(ledger)))
    assert (document["state"], document["debited"]) == ("closed", False)
    assert "no credit was taken" in document["end"]


def test_explain_has_every_figure_that_decided(
    gatekeeper: Gatekeeper, ledger: Ledger, account_id: str
) -> None:
    ledger.accounts.set_card(account_id, CARD)
    switch_on(ledger, account_id, threshold=3, amount=20)
    call_sid = call(ledger, account_id)
    document = gatekeeper.json("explain", call_sid)
    assert document.pop("at").endswith("Z")
    assert document == {
        "call_sid": call_sid,
        "account": account_id,
        "account_sid": ACCOUNT_SID,
        "direction": None,  # history has not copied it yet
        "limits": None,
        "others": [],
        "sentence": "The call was answered from the monthly allotment (3 left before it); that left"
        " the balance below the threshold of 3, so a top-off of 20 credits was requested.",
        "end": "It completed, so its credit stays taken.",
        "decision": "answer",
        "reason": "allotment",
        "state": "kept",
        "bucket": "allotment",
        "debited": True,
        "topoff_requested": True,
        "before": {
            "balance": 3,
            "allotment": 3,
            "purchased": 0,
            "suspended": False,
            "topoff_enabled": True,
            "threshold": 3,
            "topoff_amount": 20,
            "overdraft_limit": 20,
            "topoff_state": None,
            "topoff_capped": False,
            "last_failure": None,
        },
    }


def test_explain_is_written_for_people(
    gatekeeper: Gatekeeper, ledger: Ledger, account_id: str
) -> None:
    lines = gatekeeper.ok("explain", call(ledger, account_id)).splitlines()
    assert [line for line in lines if line != line.rstrip()] == []
    told = dict(line.split("  ", 1) for line in lines if "  " in line)
    told = {name.strip(): text.strip() for name, text in told.items()}
    assert told["its end"] == "completed; its credit stays taken"
    assert told["paid from"] == "monthly allotment"
    assert told["credit taken"] == "yes"
    assert told["auto top-off before"] == "no"


def test_explain_looks_in_every_twilio_account(
    gatekeeper: Gatekeeper, ledger: Ledger, account_id: str
) -> None:
    call_sid = call(ledger, account_id, sid=SUB_ACCOUNT_SID)
    document = gatekeeper.json("explain", call_sid)
    assert document["decision"] == "answer"
    assert (document["account"], document["account_sid"]) == (account_id, SUB_ACCOUNT_SID)
    shown = gatekeeper.ok("explain", call_sid)
    assert account_id in shown
    assert SUB_ACCOUNT_SID in shown


def test_explain_shows_a_call_under_every_account_that_has_it(
    gatekeeper: Gatekeeper, ledger: Ledger, history: Engine
) -> None:
    """The number changed hands while its call went on."""
    asked, told_of_its_end = open_account(ledger, allotment=3), open_account(ledger)
    call_id = CallId(ACCOUNT_SID, "CA" + "0d" * 16)
    ledger.calls.settle_call(
        told_of_its_end, call_id, NUMBER, CallEnd.COMPLETED, duration_s=1, debit_unknown=False
    )
    ledger.calls.admit_call(asked, call_id, NUMBER)
    document = gatekeeper.json("explain", call_id.call_sid)
    assert (document["account"], document["debited"]) == (asked, True)
    (other,) = document["others"]
    assert (other["account"], other["state"]) == (told_of_its_end, "undecided")
    shown = gatekeeper.ok("explain", call_id.call_sid)
    assert shown.index(asked) < shown.index(told_of_its_end)
    copy(ledger, history)
    forget(ledger, call_id.call_sid)
    document = gatekeeper.json("explain", call_id.call_sid)
    assert [document["account"], document["others"][0]["account"]] == [asked, told_of_its_end]


def test_explain_says_which_way_a_call_went(
    gatekeeper: Gatekeeper, ledger: Ledger, history: Engine
) -> None:
    account_id, call_id = open_account(ledger, allotment=3), CallId(ACCOUNT_SID, "CA" + "0b" * 16)
    ledger.calls.admit_call(account_id, call_id, NUMBER, Direction.OUTBOUND)
    assert "not known yet" in gatekeeper.ok("explain", call_id.call_sid)
    copy(ledger, history)
    for _ in ("from the ledger", "from history"):
        assert gatekeeper.json("explain", call_id.call_sid)["direction"] == "outbound"
        assert "outbound" in gatekeeper.ok("explain", call_id.call_sid)
        forget(ledger, call_id.call_sid)


def test_explain_does_without_history(gatekeeper: Gatekeeper, ledger: Ledger) -> None:
    document = gatekeeper.json(
        "explain",
        call(ledger, open_account(ledger, allotment=3)),
        DATABASE_URL="sqlite:///empty.sqlite",
    )
    assert (document["decision"], document["direction"]) == ("answer", None)


def _withdrawn(ledger: Ledger, account_id: str) -> str:
    """The ledger took a credit, but its answer was lost and the caller was told a drop."""
    ledger.accounts.add_credits(account_id, 40, reference="r", cause="welcome")
    call_id = CallId(ACCOUNT_SID, "CA" + "0c" * 16)
    ledger.calls.admit_call(account_id, call_id, NUMBER)
    ledger.calls.admit_offline(account_id, call_id, NUMBER, Decision.DROP)
    return call_id.call_sid


def _ended(end: CallEnd | None) -> Story:
    def story(ledger: Ledger, account_id: str) -> str:
        ledger.accounts.add_credits(account_id, 40, reference="r", cause="welcome")
        return call(ledger, account_id, end)

    return story


@pytest.mark.parametrize(
    "story",
    [
        *(_purchased, _overdraft, call, _failed, _overdraft_used, _suspended),
        *map(_ended, (None, *CallEnd)),
        _offline(Decision.ANSWER, CallEnd.COMPLETED),
    ],
)
def test_explain_says_the_same_from_history(
    gatekeeper: Gatekeeper, ledger: Ledger, history: Engine, story: Story
) -> None:
    call_sid = story(ledger, open_account(ledger))
    copy(ledger, history)
    from_ledger = gatekeeper.json("explain", call_sid)
    forget(ledger, call_sid)
    from_history = gatekeeper.json("explain", call_sid)
    limits = from_history["limits"]
    assert from_history == from_ledger | {"account_sid": None, "limits": limits}
    assert limits == (
        "The ledger keeps a call for 48 hours; this is from history, which does not have the"
        " AccountSid."
    )
    shown = gatekeeper.ok("explain", call_sid)
    assert from_ledger["sentence"] in shown
    assert limits in shown


def test_explain_from_history_of_a_call_that_was_told_a_drop_after_all(
    gatekeeper: Gatekeeper, ledger: Ledger, history: Engine
) -> None:
    call_sid = _withdrawn(ledger, open_account(ledger))
    copy(ledger, history)
    told = gatekeeper.json("explain", call_sid)
    forget(ledger, call_sid)
    document = gatekeeper.json("explain", call_sid)
    for name in ("sentence", "decision", "reason", "bucket", "debited", "before"):
        assert document[name] == told[name]
    assert document["end"] == "It did not go through, so its credit was given back."


@pytest.mark.parametrize(
    ("end", "decision", "words"),
    [
        (CallEnd.COMPLETED, "drop", "The call counts as dropped"),
        (CallEnd.BUSY, None, "Whether the call was let through is not known any more."),
    ],
)
def test_explain_from_history_says_what_it_cannot_say(
    gatekeeper: Gatekeeper,
    ledger: Ledger,
    history: Engine,
    end: CallEnd,
    decision: str | None,
    words: str,
) -> None:
    account_id = open_account(ledger)
    call_sid = _ended_unheard_of(end)(ledger, account_id)
    copy(ledger, history)
    forget(ledger, call_sid)
    document = gatekeeper.json("explain", call_sid)
    assert document["sentence"].startswith(words)
    assert (document["account"], document["decision"]) == (account_id, decision)
    assert (document["before"], document["debited"]) == (None, False)
    assert "neither the AccountSid nor how the account stood" in document["limits"]
    shown = gatekeeper.ok("explain", call_sid)
    assert words in shown
    assert "balance before" not in shown


def test_explain_of_what_is_not_known(gatekeeper: Gatekeeper, history: Engine) -> None:
    line = gatekeeper.refused("explain", "CA" + 32 * "0")
    assert "is known, neither to the ledger nor to history" in line
    assert "`gatekeeper number show +…`" in line
    assert "CALLSID" in gatekeeper.refused("explain", "CA123")
    assert "`gatekeeper release`" in gatekeeper.refused(
        "explain", "CA" + 32 * "0", DATABASE_URL="sqlite:///empty.sqlite"
    )
