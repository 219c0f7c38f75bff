"""In the midst of a charge the ledger's server is killed, or every process is told to end."""

from __future__ import annotations

import os
import secrets
import signal
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Final

import pytest

from gatekeeper.ledger.client import connect
from gatekeeper.ledger.ledger import Ledger
from gatekeeper.sandbox.caller import Answered, TwilioCaller
from gatekeeper.sandbox.process_session import session_members
from gatekeeper.sandbox.stack import PROCESSES, LocalStack
from tests.conftest import wait_until
from tests.e2e.books import TOPOFF, Books
from tests.e2e.kills import each, hold_at
from tests.e2e.pausing_proxy import When
from tests.e2e.stage import Stage
from tests.e2e.steps import Step

pytestmark = pytest.mark.slow

HELD_TIMEOUT_S: Final = 30.0
OWED_LEASE_S: Final = 1


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """A stage of its own: RQ's worker ends when it finds no server while it has a job."""
    with Stage(tmp_path_factory.mktemp("outages"), restarts_workers=True) as stage:
        yield stage


def ring(caller: TwilioCaller, number: str) -> None:
    """Make a call that must be answered, and end it."""
    assert isinstance(caller.call(to=number, from_="+15550200200").outcome, Answered)


@each(
    [
        Step("begin_charge", When.AFTER),
        Step("record_intent", When.AFTER),
        Step("confirm", When.AFTER),
        Step("settle_topoff", When.BEFORE),
        Step("settle_topoff", When.AFTER),
    ]
)
def test_a_ledger_that_was_killed_has_forgotten_nothing(stage: Stage, step: Step) -> None:
    customer = stage.books.open(allotment=TOPOFF.threshold)
    number = f"+1555{secrets.randbelow(10**7):07}"  # no process has met it before
    stage.ledger.numbers.assign_number(number, customer.account_id)
    with stage.stack.caller() as caller:
        ring(caller, number)  # the balance falls below the threshold
        held = hold_at(stage, step)
        stage.stack.valkey.kill()
        ring(caller, number)
        held.end()
        stage.restart_valkey()
        ring(caller, number)
    stage.until("three calls are debited", lambda: stage.books.calls_debited(customer) == 3)
    stage.play_to_the_end(customer)
    stage.books.assert_paid_once(customer, other_credits=TOPOFF.threshold - 3)


def test_all_processes_told_to_end_and_started_again(tmp_path: Path) -> None:
    """As a platform deploys: SIGTERM to every process at once, those that run jobs too."""
    with (
        LocalStack(tmp_path, extra_env={"OWED_LEASE_S": str(OWED_LEASE_S)}) as stack,
        closing(connect(stack.valkey.url, timeout_s=5, max_connections=4)) as client,
    ):
        books = Books(Ledger(client), stack.control, stack.mailbox.deliveries)
        stack.control.configure_webhooks(mode="hold")
        stack.control.add_fault("hang_after", method="POST", path=r".*/confirm")
        stack.start()
        customer = books.open()
        assert stack.control.held(count=1, wait_s=HELD_TIMEOUT_S)
        tell_children_to_end(stack)
        stack.stop()
        assert books.is_in_flight(customer)
        stack.start()
        wait_until(
            lambda: not books.is_in_flight(customer) and not books.owed(customer), deadline_s=90
        )
        stack.control.release_webhooks()
        stack.control.webhooks(wait_s=HELD_TIMEOUT_S)
        books.assert_paid_once(customer)


def tell_children_to_end(stack: LocalStack) -> None:
    for name in PROCESSES:
        leader = stack.process(name).pid
        for pid in set(session_members(leader)) - {leader}:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)
