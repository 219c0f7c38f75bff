"""R9: an incident is dismissed by a person, for themselves and for this incident."""

from __future__ import annotations

import pytest

from gatekeeper.domain.account import new_account_id
from gatekeeper.domain.entry import EntryType, charged_of
from gatekeeper.domain.incident import FailureReason
from gatekeeper.ledger.errors import UnknownAccount
from gatekeeper.ledger.incidents import DISMISSED_KEPT_S
from gatekeeper.ledger.topoffs import Charge, RetryAnswer
from tests.ledger.desk import PRICE_MINOR, Desk

OWNER, VIEWER = "owner@example.com", "viewer@example.com"


@pytest.fixture
def failed(desk: Desk) -> Desk:
    """An account whose top-off has just been declined."""
    desk.open().card().topoff(amount=20)
    desk.failed_topoff(desk.decline)
    return desk


def _seen_by(desk: Desk, email: str) -> str | None:
    found = desk.ledger.incidents.unseen_incident(desk.id, email)
    return None if found is None else found.id


def test_r9_who_dismisses_it_sees_it_no_more_and_others_do(failed: Desk) -> None:
    incident_id = failed.account.incident_id
    assert failed.ledger.incidents.dismiss_incident(incident_id, OWNER)
    assert failed.ledger.incidents.dismiss_incident(incident_id, OWNER)
    assert _seen_by(failed, OWNER) is None
    assert _seen_by(failed, VIEWER) == incident_id
    assert failed.account.incident_id == incident_id
    assert failed.account.blocked_by is FailureReason.DECLINED


def test_r9_a_fresh_failure_is_seen_again(failed: Desk) -> None:
    first = failed.account.incident_id
    failed.ledger.incidents.dismiss_incident(first, OWNER)
    failed.ledger.topoffs.request_topoff(failed.id, first, by=OWNER)
    assert _seen_by(failed, OWNER) is None
    failed.failed_topoff(failed.decline)
    second = failed.account.incident_id
    assert second != first
    assert _seen_by(failed, OWNER) == second
    assert not failed.ledger.incidents.dismiss_incident(first, OWNER)
    assert _seen_by(failed, OWNER) == second


def test_r9_what_is_resolved_is_seen_by_nobody(failed: Desk) -> None:
    incident_id = failed.account.incident_id
    failed.topoff(on=False)
    assert _seen_by(failed, VIEWER) is None
    assert not failed.ledger.incidents.dismiss_incident(incident_id, VIEWER)


def test_r9_no_account_no_incident(desk: Desk) -> None:
    unknown = new_account_id()
    assert desk.ledger.incidents.unseen_incident(unknown, OWNER) is None
    with pytest.raises(UnknownAccount):
        desk.ledger.incidents.dismiss_incident(f"{unknown}-{'0' * 12}", OWNER)


def test_r9_a_dismissal_lives_as_long_as_the_table_of_keys_says(failed: Desk) -> None:
    incident_id = failed.account.incident_id
    failed.ledger.incidents.dismiss_incident(incident_id, OWNER)
    key = failed.ledger.keys.of_account(failed.id).dismissed(incident_id)
    left_s = int(failed.ledger.client.ttl(key))
    assert DISMISSED_KEPT_S - 60 < left_s <= DISMISSED_KEPT_S


def test_entries_of_charges_say_how_much_and_who_asked(failed: Desk) -> None:
    asked = failed.ledger.topoffs.request_topoff(failed.id, failed.account.incident_id, by=OWNER)
    assert asked is RetryAnswer.REQUESTED
    failed.paid_topoff()
    entries = list(failed.ledger.log.entries(failed.id))
    charged = {entry.type: charged_of(entry) for entry in entries}
    paid = (20 * PRICE_MINOR, "usd")
    assert charged[EntryType.TOPOFF_FAILED] == charged[EntryType.TOPOFF_SUCCEEDED] == paid
    by = [entry.detail for entry in entries if entry.type is EntryType.TOPOFF_REQUESTED]
    assert by == ["", OWNER]


def test_a_failure_before_a_price_was_fixed_names_none(desk: Desk) -> None:
    desk.open().topoff(amount=20)
    topoff_id = desk.account.topoff_id
    desk.ledger.topoffs.fail_topoff(
        topoff_id, payment_intent="", reason=FailureReason.NO_PAYMENT_METHOD
    )
    (failure,) = (
        entry for entry in desk.ledger.log.entries(desk.id) if entry.type is EntryType.TOPOFF_FAILED
    )
    assert charged_of(failure) is None
    assert desk.begin(topoff_id) is Charge.FINISHED
