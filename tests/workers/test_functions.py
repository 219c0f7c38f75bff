"""The jobs' functions, called as RQ calls them."""

import json

import pytest
from structlog.testing import capture_logs

from gatekeeper.bootstrap import Parts
from gatekeeper.domain.account import Card, NewAccount
from gatekeeper.domain.notice import NoticeKind
from gatekeeper.jobs import card_task, email_task
from gatekeeper.mail.smtp_errors import MailServerUnavailable, RecipientRefused
from gatekeeper.sandbox.mailbox import Behaviour, Mailbox
from tests.payments.buyers import Buyer
from tests.payments.till import Debtor, Till
from workers.charges import charge, finish_checkout
from workers.emails import send_notice
from workers.upkeep import correct_payment, follow_card, look_at_threshold


@pytest.fixture
def mailbox(running_mailbox: Mailbox) -> Mailbox:
    running_mailbox.behaviour = Behaviour()
    running_mailbox.deliveries.clear()
    return running_mailbox


@pytest.fixture
def debtor(till: Till) -> Debtor:
    return till.debtor()


@pytest.fixture
def notice_id(own: Parts, debtor: Debtor) -> str:
    """The notice of a top-off that succeeded."""
    charge(debtor.topoff_id)
    shard = own.ledger.keys.shard_of(debtor.account_id)
    (task,) = (task for task, _ in own.ledger.owed.tasks(shard) if task.startswith("email:"))
    return task.rpartition(":")[2]


def is_owed(own: Parts, debtor: Debtor, notice_id: str) -> bool:
    task = email_task(NoticeKind.TOPOFF_SUCCEEDED, notice_id)
    return own.ledger.owed.is_owed(debtor.account_id, task)


def test_a_charge_says_how_it_ended(till: Till, debtor: Debtor) -> None:
    result = charge(debtor.topoff_id)
    assert json.loads(json.dumps(result)) == {"outcome": "succeeded", "decline_code": ""}
    till.assert_credited_once(debtor)


def test_a_decline_is_a_finished_job(till: Till) -> None:
    declined = till.debtor(outcome={"outcome": "decline", "decline_code": "lost_card"})
    assert charge(declined.topoff_id) == {"outcome": "declined", "decline_code": "lost_card"}


def test_a_look_says_what_it_came_to(own: Parts, debtor: Debtor) -> None:
    assert look_at_threshold(debtor.account_id) == "not_due"


def test_a_correction_says_what_it_came_to(till: Till, debtor: Debtor) -> None:
    charge(debtor.topoff_id)
    paid = till.topoff(debtor).payment_intent
    till.stripe.v1.refunds.create({"payment_intent": paid, "amount": 1000})
    assert json.loads(json.dumps(correct_payment(paid))) == {
        "outcome": "clawed_back",
        "account": debtor.account_id,
        "credits": -40,
        "reference": debtor.topoff_id,
    }


def test_a_card_that_is_gone_is_taken_away(own: Parts, till: Till, debtor: Debtor) -> None:
    till.stripe.v1.payment_methods.detach(debtor.card.payment_method)
    own.ledger.owed.note_owed(debtor.account_id, card_task(debtor.account_id))
    assert [follow_card(debtor.account_id) for _ in range(2)] == ["removed", "not_owed"]
    assert own.ledger.accounts.account(debtor.account_id).card is None


def test_a_customer_that_our_key_does_not_know_is_logged_as_an_error(
    own: Parts, debtor: Debtor
) -> None:
    own.ledger.accounts.set_card(debtor.account_id, Card("cus_live", "pm_live", "visa", "1", ""))
    own.ledger.owed.note_owed(debtor.account_id, card_task(debtor.account_id))
    with capture_logs() as logs:
        assert follow_card(debtor.account_id) == "not_at_stripe"
    assert [(line["event"], line["log_level"]) for line in logs] == [("card", "error")]


def test_a_correction_that_a_person_must_make_is_logged_as_an_error(
    own: Parts, till: Till, debtor: Debtor
) -> None:
    charge(debtor.topoff_id)
    paid = till.topoff(debtor).payment_intent
    till.stripe.v1.refunds.create({"payment_intent": paid})
    own.ledger.client.delete(own.ledger.keys.of_account(debtor.account_id).topoff(debtor.topoff_id))
    with capture_logs() as logs:
        correct_payment(paid)
        correct_payment("pi_0")
    assert logs == [
        {
            "event": "correction",
            "log_level": "error",
            "payment_intent": paid,
            "outcome": "unknown_topoff",
            "account": debtor.account_id,
            "credits": 0,
            "reference": debtor.topoff_id,
        },
        {
            "event": "correction",
            "log_level": "error",
            "payment_intent": "pi_0",
            "outcome": "not_at_stripe",
            "account": "",
            "credits": 0,
            "reference": "",
        },
    ]


def test_a_visit_to_checkout_says_how_it_ended(till: Till) -> None:
    buyer = Buyer(till)
    visit_id = buyer.bought()
    assert [finish_checkout(visit_id) for _ in range(2)] == ["credited", "repeated"]
    buyer.assert_credited_once(visit_id)


def test_a_notice_is_sent_and_struck_off(
    own: Parts, mailbox: Mailbox, debtor: Debtor, notice_id: str
) -> None:
    assert send_notice(notice_id) == "sent"
    assert [mail.recipients for mail in mailbox.deliveries.all()] == [("ada@example.com",)]
    assert not is_owed(own, debtor, notice_id)


def test_a_notice_is_sent_once_however_often_it_is_requeued(
    mailbox: Mailbox, notice_id: str
) -> None:
    assert [send_notice(notice_id) for _ in range(3)] == ["sent", "already_sent", "already_sent"]
    assert len(mailbox.deliveries.all()) == 1


def test_two_jobs_at_once_send_it_once(own: Parts, mailbox: Mailbox, notice_id: str) -> None:
    held = own.queue_redis.lock(f"gatekeeper:sending:{notice_id}", timeout=60)
    assert held.acquire(blocking=False)
    assert send_notice(notice_id) == "being_sent"
    held.release()
    assert send_notice(notice_id) == "sent"
    assert len(mailbox.deliveries.all()) == 1


@pytest.mark.parametrize(
    ("behaviour", "failure"),
    [
        (Behaviour(temporary_failure=True), MailServerUnavailable),
        (Behaviour(refuse=frozenset({"ada@example.com"})), RecipientRefused),
    ],
)
def test_what_cannot_be_sent_stays_owed(
    own: Parts,
    mailbox: Mailbox,
    debtor: Debtor,
    notice_id: str,
    behaviour: Behaviour,
    failure: type[Exception],
) -> None:
    mailbox.behaviour = behaviour
    with pytest.raises(failure):
        send_notice(notice_id)
    assert is_owed(own, debtor, notice_id)
    mailbox.behaviour = Behaviour()
    assert send_notice(notice_id) == "sent"
    assert len(mailbox.deliveries.all()) == 1


def test_a_notice_whose_content_is_gone_is_given_up(
    own: Parts, mailbox: Mailbox, debtor: Debtor, notice_id: str
) -> None:
    own.ledger.client.delete(own.ledger.keys.of_account(debtor.account_id).notice(notice_id))
    assert send_notice(notice_id) == "expired"
    assert not is_owed(own, debtor, notice_id)
    assert mailbox.deliveries.all() == []


def test_it_goes_to_the_address_that_the_account_has_now(
    own: Parts, mailbox: Mailbox, debtor: Debtor, notice_id: str
) -> None:
    own.ledger.accounts.update_account(debtor.account_id, email="new@example.com")
    send_notice(notice_id)
    assert [mail.recipients for mail in mailbox.deliveries.all()] == [("new@example.com",)]


def test_an_account_needs_no_card_to_be_looked_at(own: Parts) -> None:
    own.ledger.accounts.open_account(NewAccount("acct_00000000000c", "Bob", "bob@example.com"))
    assert look_at_threshold("acct_00000000000c") == "not_due"
