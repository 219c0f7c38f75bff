"""E-mail workers killed: what the mail server has accepted may come again, and nothing else.

No mail server can take a message and note that in the ledger in one step. A message that
comes again carries the same Message-ID, by which mail systems know it for what it is.
"""

from __future__ import annotations

import pytest
from rq import Queue
from rq.registry import FinishedJobRegistry
from rq.serializers import JSONSerializer

from gatekeeper.sandbox.mailbox import Behaviour
from tests.e2e.books import Customer
from tests.e2e.kills import hold_at
from tests.e2e.pausing_proxy import When
from tests.e2e.stage import Stage
from tests.e2e.steps import Step

pytestmark = pytest.mark.slow

ANSWER_HELD_S = 60.0


def kill_sender(stage: Stage) -> None:
    """Kill the worker that sends an e-mail, and its child; let the mailbox be good again."""
    stage.emails.kill_busy()
    stage.stack.mailbox.behaviour = Behaviour()
    stage.proxy.forget_holds()


def send_again(stage: Stage, customer: Customer) -> None:
    """Wait until a successor has found the killed worker's lock; let it expire, and go on."""
    before = stage.books.emails(customer)
    stage.until("a successor met the lock", lambda: "being_sent" in results(stage, customer))
    assert stage.books.emails(customer) == before
    for lock in stage.queue_redis.scan_iter("gatekeeper:sending:*"):
        stage.queue_redis.pexpire(lock, 1)
    stage.play_to_the_end(customer)


def results(stage: Stage, customer: Customer) -> list[object]:
    """List what the customer's e-mail jobs came to."""
    queue = Queue("emails", connection=stage.queue_redis, serializer=JSONSerializer)
    jobs = (queue.fetch_job(id_) for id_ in FinishedJobRegistry(queue=queue).get_job_ids())
    return [job.return_value() for job in jobs if job and customer.account_id in job.id]


def test_killed_before_the_mail_server_has_it_comes_once(stage: Stage) -> None:
    stage.stack.mailbox.behaviour = Behaviour(hang=True)
    customer = stage.books.open()
    stage.until("a message is on its way", lambda: stage.stack.mailbox.held)
    kill_sender(stage)
    send_again(stage, customer)
    stage.books.assert_paid_once(customer)


def test_killed_while_the_mail_server_accepts_it_may_come_twice(stage: Stage) -> None:
    stage.stack.mailbox.behaviour = Behaviour(delay_s=ANSWER_HELD_S)
    customer = stage.books.open()
    stage.until("the mail server has it", lambda: stage.books.emails(customer))
    kill_sender(stage)
    send_again(stage, customer)
    stage.books.assert_paid_once(customer, copies=2)


def test_killed_before_it_is_noted_it_may_come_twice(stage: Stage) -> None:
    customer = stage.books.open()
    hold_at(stage, Step("note_told", When.BEFORE))
    kill_sender(stage)
    send_again(stage, customer)
    stage.books.assert_paid_once(customer, copies=2)


@pytest.mark.parametrize(
    "step", [Step("note_told", When.AFTER), Step("strike_owed", When.BEFORE)], ids=str
)
def test_killed_once_it_is_noted_it_comes_once(stage: Stage, step: Step) -> None:
    customer = stage.books.open()
    hold_at(stage, step)
    kill_sender(stage)
    send_again(stage, customer)
    stage.books.assert_paid_once(customer)


def test_killed_after_it_is_struck_off_it_comes_once(stage: Stage) -> None:
    customer = stage.books.open()
    hold_at(stage, Step("strike_owed", When.AFTER))
    kill_sender(stage)
    stage.play_to_the_end(customer)
    stage.books.assert_paid_once(customer)


def test_an_answer_lost_on_the_way_may_let_it_come_twice(stage: Stage) -> None:
    stage.stack.mailbox.behaviour = Behaviour(lose_reply=True)
    customer = stage.books.open()
    stage.until("the mail server has it", lambda: stage.books.emails(customer))
    stage.stack.mailbox.behaviour = Behaviour()
    stage.play_to_the_end(customer)
    stage.books.assert_paid_once(customer, copies=2)
