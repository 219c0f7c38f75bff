"""Dead workers whose last words arrive late, and children that outlive their worker."""

from __future__ import annotations

from http import HTTPStatus

import pytest

from gatekeeper.domain.incident import FailureReason
from tests.e2e.books import DECLINED_CARD, Customer
from tests.e2e.kills import WEBHOOKS, each, hold_at
from tests.e2e.pausing_proxy import Fate, When
from tests.e2e.stage import Stage
from tests.e2e.steps import Step, around

pytestmark = pytest.mark.slow


def late(*names: str) -> list[Step]:
    """List steps that are held before they are executed, and executed later."""
    return [Step(name, When.BEFORE, Fate.DELIVERED) for name in names]


@each(late("begin_charge", "record_intent", "settle_topoff"))
def test_a_dead_workers_verb_comes_last(stage: Stage, step: Step) -> None:
    stage.configure_webhooks(WEBHOOKS["never"])
    customer = stage.books.open()
    held = hold_at(stage, step)
    stage.charges.kill_busy()
    stage.play_to_the_end(customer)
    stage.books.assert_paid_once(customer)
    held.end()
    stage.until("the ledger has answered it", held.is_over)
    stage.play_to_the_end(customer)
    stage.books.assert_paid_once(customer)


def test_a_dead_workers_report_of_a_decline_comes_last(stage: Stage) -> None:
    customer = stage.books.open(DECLINED_CARD)
    held = hold_at(stage, *late("fail_topoff"))
    stage.charges.kill_busy()
    stage.play_to_the_end(customer)
    held.end()
    stage.until("the ledger has answered it", held.is_over)
    stage.play_to_the_end(customer)
    stage.books.assert_failed_once(customer, FailureReason.DECLINED, declined=1)


@each(late("create", "confirm"))
def test_a_dead_workers_request_meets_its_successors(stage: Stage, step: Step) -> None:
    customer = stage.books.open()
    held = hold_at(stage, step)
    stage.charges.kill_busy()
    stage.until("its successor was told to wait", lambda: was_told_to_wait(stage, customer))
    held.end()
    stage.play_to_the_end(customer)
    assert held.is_over()
    stage.books.assert_paid_once(customer)


def test_a_dead_workers_own_intent_is_not_confirmed_beside_another(stage: Stage) -> None:
    stage.configure_webhooks(WEBHOOKS["never"])
    customer = stage.books.open()
    first = hold_at(stage, *late("record_intent"))
    stage.charges.kill_busy()
    stage.control.prune_idempotency_keys()  # as after a day: a second PaymentIntent is created
    second = hold_at(stage, Step("confirm", When.AFTER))
    first.end()
    stage.until("the ledger has answered it", first.is_over)
    stage.charges.kill_busy()
    second.end()
    stage.play_to_the_end(customer)
    stage.books.assert_paid_once(customer)


def was_told_to_wait(stage: Stage, customer: Customer) -> bool:
    return any(
        seen["status"] == HTTPStatus.CONFLICT
        for seen in stage.control.requests()
        if (seen["idempotency_key"] or "").startswith(stage.books.topoff_id(customer))
    )


@each(
    [
        *late("begin_charge", "record_intent", "settle_topoff"),
        Step("create", When.AFTER),
        Step("confirm", When.AFTER),
    ]
)
def test_a_child_that_outlives_its_worker(stage: Stage, step: Step) -> None:
    stage.configure_webhooks(WEBHOOKS["never"])
    customer = stage.books.open()
    held = hold_at(stage, step)
    orphan = stage.charges.orphan_busy()
    stage.play_to_the_end(customer)
    stage.books.assert_paid_once(customer)
    held.end()
    orphan.wait_dead()
    stage.play_to_the_end(customer)
    stage.books.assert_paid_once(customer)


@each(around("create", "confirm", "settle_topoff"))
def test_a_child_killed_alone(stage: Stage, step: Step) -> None:
    customer = stage.books.open()
    held = hold_at(stage, step)
    stage.charges.busy().kill_child()
    held.end()
    stage.play_to_the_end(customer)
    stage.books.assert_paid_once(customer)
