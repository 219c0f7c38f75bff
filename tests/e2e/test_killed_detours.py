"""Workers killed on the ways that a charge takes when something else went wrong already."""

from __future__ import annotations

import pytest

from gatekeeper.domain.incident import FailureReason
from tests.e2e.kills import WEBHOOKS, each, hold_at, kill_at
from tests.e2e.pausing_proxy import Fate, When
from tests.e2e.stage import Stage
from tests.e2e.steps import ASKED_BY_ONE_JOB, Step, around, let_fail

pytestmark = pytest.mark.slow


@each(around("retrieve", "settle_topoff"))
def test_killed_again_while_it_is_looked_up(stage: Stage, step: Step) -> None:
    stage.configure_webhooks(WEBHOOKS["never"])
    customer = stage.books.open()
    kill_at(stage, Step("confirm", When.AFTER))
    kill_at(stage, step)
    stage.play_to_the_end(customer)
    stage.books.assert_paid_once(customer)


@pytest.mark.parametrize("call", ["create", "confirm"])
def test_killed_after_stripe_failed_before_it_acted(stage: Stage, call: str) -> None:
    let_fail(stage, "error_before", call, count=ASKED_BY_ONE_JOB)
    customer = stage.books.open()
    kill_at(stage, Step("confirm", When.AFTER))
    stage.play_to_the_end(customer)
    stage.books.assert_paid_once(customer)


@each(around("retrieve", "settle_topoff"))
@pytest.mark.parametrize("kind", ["error_after", "reset_after"])
def test_killed_after_stripe_failed_once_it_had_charged(
    stage: Stage, step: Step, kind: str
) -> None:
    stage.configure_webhooks(WEBHOOKS["late"])
    let_fail(stage, kind, "confirm", count=ASKED_BY_ONE_JOB)
    customer = stage.books.open()
    kill_at(stage, step)
    stage.play_to_the_end(customer)
    stage.books.assert_paid_once(customer)


@each(around("next_attempt"))
def test_killed_while_a_new_attempt_is_begun(stage: Stage, step: Step) -> None:
    let_fail(stage, "error_after", "create")
    customer = stage.books.open()
    kill_at(stage, step)
    stage.play_to_the_end(customer)
    stage.books.assert_paid_once(customer)


@each(around("retrieve_card", "cancel", "fail_topoff"))
def test_killed_after_stripe_refused_the_request(stage: Stage, step: Step) -> None:
    stage.configure_webhooks(WEBHOOKS["twice"])
    let_fail(stage, "error_before", "confirm", status=400, count=None)
    customer = stage.books.open()
    kill_at(stage, step)
    stage.play_to_the_end(customer)
    stage.books.assert_failed_once(customer, FailureReason.INTERNAL_ERROR)


@each(around("retrieve", "cancel", "fail_topoff"))
def test_killed_while_it_is_given_up(stage: Stage, step: Step) -> None:
    customer = stage.books.open()
    kill_at(stage, Step("record_intent", When.AFTER))
    stage.books.make_overdue(customer)
    kill_at(stage, step)
    stage.play_to_the_end(customer)
    stage.books.assert_failed_once(customer, FailureReason.INTERNAL_ERROR)


def test_a_dead_workers_confirmation_charges_nothing_once_it_was_given_up(stage: Stage) -> None:
    customer = stage.books.open()
    held = hold_at(stage, Step("confirm", When.BEFORE, Fate.DELIVERED))
    stage.charges.kill_busy()
    stage.books.make_overdue(customer)
    stage.play_to_the_end(customer)
    held.end()
    stage.until("Stripe has answered it", held.is_over)
    stage.play_to_the_end(customer)
    stage.books.assert_failed_once(customer, FailureReason.INTERNAL_ERROR)
