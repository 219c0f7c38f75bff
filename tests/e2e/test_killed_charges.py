"""A charges worker and its child killed with SIGKILL at each step of a charge: paid exactly once.

A step is a ledger verb or a call of Stripe. Before it, it has been sent and is not executed; after
it, it was executed and the worker did not hear of it.
"""

from __future__ import annotations

from typing import Final

import pytest

from gatekeeper.domain.incident import FailureReason
from tests.e2e.books import DECLINED_CARD
from tests.e2e.kills import WEBHOOKS, each, kill_at
from tests.e2e.pausing_proxy import When
from tests.e2e.stage import Stage
from tests.e2e.steps import Step, around

pytestmark = pytest.mark.slow

BEGUN: Final = around("begin_charge", "create", "record_intent")
PAID: Final = around("confirm", "settle_topoff")
DECLINED: Final = around("confirm", "fail_topoff")


@each([*BEGUN, *PAID])
@pytest.mark.parametrize("webhooks", ["never", "twice"])
def test_killed_at_a_step_it_is_paid_once(stage: Stage, step: Step, webhooks: str) -> None:
    kill_and_pay(stage, step, webhooks)


@each(PAID)
@pytest.mark.parametrize("webhooks", ["late", "first"])
def test_webhooks_that_come_late_or_first_pay_once(stage: Stage, step: Step, webhooks: str) -> None:
    kill_and_pay(stage, step, webhooks)


@each([*BEGUN, *DECLINED])
def test_killed_at_a_step_it_is_declined_once(stage: Stage, step: Step) -> None:
    kill_and_decline(stage, step, "never")


@each(DECLINED)
@pytest.mark.parametrize("webhooks", ["twice", "late", "first"])
def test_webhooks_of_a_decline_fail_it_once(stage: Stage, step: Step, webhooks: str) -> None:
    kill_and_decline(stage, step, webhooks)


@each(around("begin_charge", "fail_topoff"))
def test_killed_at_a_step_without_a_card_it_fails_once(stage: Stage, step: Step) -> None:
    customer = stage.books.open(card=None)
    kill_at(stage, step)
    stage.play_to_the_end(customer)
    stage.books.assert_failed_once(customer, FailureReason.NO_PAYMENT_METHOD)


def test_killed_four_times_it_is_paid_once(stage: Stage) -> None:
    stage.configure_webhooks(WEBHOOKS["late"])
    customer = stage.books.open()
    for step in (
        Step("create", When.AFTER),
        Step("record_intent", When.AFTER),
        Step("confirm", When.AFTER),
        Step("settle_topoff", When.BEFORE),
    ):
        kill_at(stage, step)
    stage.play_to_the_end(customer)
    stage.books.assert_paid_once(customer)


def kill_and_pay(stage: Stage, step: Step, webhooks: str) -> None:
    stage.configure_webhooks(WEBHOOKS[webhooks])
    customer = stage.books.open()
    kill_at(stage, step)
    stage.play_to_the_end(customer)
    stage.books.assert_paid_once(customer)


def kill_and_decline(stage: Stage, step: Step, webhooks: str) -> None:
    stage.configure_webhooks(WEBHOOKS[webhooks])
    customer = stage.books.open(DECLINED_CARD)
    kill_at(stage, step)
    stage.play_to_the_end(customer)
    stage.books.assert_failed_once(customer, FailureReason.DECLINED, declined=1)
