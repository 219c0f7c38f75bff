"""Requeueing jobs from the dashboard, as on-call may at 3 a.m., changes nothing."""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import Any

import pytest
import requests
from rq import Queue
from rq.job import Job
from rq.serializers import JSONSerializer

from gatekeeper.domain.incident import FailureReason
from gatekeeper.sandbox.mailbox import Behaviour
from gatekeeper.sign_in_links import SignInLinks
from tests.e2e.books import DECLINED_CARD, Customer
from tests.e2e.kills import WEBHOOKS, hold_at
from tests.e2e.pausing_proxy import When
from tests.e2e.stage import Stage
from tests.e2e.steps import ASKED_BY_ONE_JOB, Step, let_fail

pytestmark = pytest.mark.slow

QUEUES = ("charges", "emails")
ROUNDS = 3


class Dashboard:
    """What on-call does with a browser."""

    def __init__(self, stage: Stage) -> None:
        settings = stage.stack.settings
        self._url = f"{settings['PUBLIC_URL']}/ops/queues"
        self._headers = {"Origin": settings["PUBLIC_URL"]}
        self._browser = requests.Session()
        links = SignInLinks(settings["PUBLIC_URL"], [settings["SECRET_KEY"]])
        self._sign_in(links.url(stage.ledger.sign_ins.new_link(settings["ADMIN_EMAILS"])))

    def jobs(self, registry: str, customer: Customer) -> list[str]:
        """List the ids of a customer's jobs that are shown as `finished` or `failed`."""
        shown = [job["id"] for queue in QUEUES for job in self._list(queue, registry)]
        return [job_id for job_id in shown if customer.account_id in job_id]

    def requeue(self, job_id: str) -> int:
        """Press a job's button; returns the status answered."""
        return self._post(f"job/{job_id}/requeue")

    def requeue_all(self) -> None:
        """Press every queue's button."""
        assert {self._post(f"requeue/{queue}") for queue in QUEUES} == {HTTPStatus.OK}

    def _sign_in(self, link: str) -> None:
        """Press the button of the page that a link leads to."""
        page = self._browser.get(link, timeout=10).text
        (token,) = re.findall(r'name="csrf_token" value="([^"]+)"', page)
        answer = self._browser.post(link, data={"csrf_token": token}, timeout=10)
        assert answer.url.endswith("/admin/")  # which cannot list accounts: there is no history

    def _list(self, queue: str, registry: str) -> list[dict[str, Any]]:
        url = f"{self._url}/0/data/jobs/{queue}/{registry}/999/asc/1.json"
        jobs: list[dict[str, Any]] = self._browser.get(url, timeout=10).json()["jobs"]
        return jobs

    def _post(self, path: str) -> int:
        answer = self._browser.post(f"{self._url}/{path}", headers=self._headers, timeout=10)
        return answer.status_code


@pytest.fixture
def dashboard(stage: Stage) -> Dashboard:
    return Dashboard(stage)


def run_again(stage: Stage, job_id: str) -> None:
    """Run a finished job again, which the dashboard has no way to."""
    job = Job.fetch(job_id, connection=stage.queue_redis, serializer=JSONSerializer)
    Queue(job.origin, connection=stage.queue_redis, serializer=JSONSerializer).enqueue_job(job)


def requeue_everything(stage: Stage, dashboard: Dashboard, customer: Customer) -> None:
    """Requeue a customer's jobs again and again, in each way there is."""
    for _ in range(ROUNDS):
        for job_id in dashboard.jobs("failed", customer):
            assert dashboard.requeue(job_id) == HTTPStatus.OK
        stage.play_to_the_end(customer)
        assert dashboard.jobs("failed", customer) == []
        for job_id in dashboard.jobs("finished", customer):
            assert dashboard.requeue(job_id) == HTTPStatus.CONFLICT
            run_again(stage, job_id)
        stage.play_to_the_end(customer)
        dashboard.requeue_all()


def test_a_charge_that_failed_before_it_succeeded(stage: Stage, dashboard: Dashboard) -> None:
    let_fail(stage, "error_before", "confirm", count=ASKED_BY_ONE_JOB)
    customer = stage.books.open()
    stage.play_to_the_end(customer)
    assert len(dashboard.jobs("failed", customer)) == 1
    requeue_everything(stage, dashboard, customer)
    stage.books.assert_paid_once(customer)


def test_a_charge_that_was_declined(stage: Stage, dashboard: Dashboard) -> None:
    customer = stage.books.open(DECLINED_CARD)
    stage.play_to_the_end(customer)
    requeue_everything(stage, dashboard, customer)
    stage.books.assert_failed_once(customer, FailureReason.DECLINED, declined=1)


def test_a_charge_that_stripe_refused(stage: Stage, dashboard: Dashboard) -> None:
    let_fail(stage, "error_before", "confirm", status=HTTPStatus.BAD_REQUEST)
    customer = stage.books.open()
    stage.play_to_the_end(customer)
    assert len(dashboard.jobs("failed", customer)) == 1
    requeue_everything(stage, dashboard, customer)
    stage.books.assert_failed_once(customer, FailureReason.INTERNAL_ERROR)


def test_an_email_that_failed_before_it_was_sent(stage: Stage, dashboard: Dashboard) -> None:
    stage.stack.mailbox.behaviour = Behaviour(temporary_failure=True)
    customer = stage.books.open()
    stage.until("an e-mail failed", lambda: dashboard.jobs("failed", customer))
    stage.stack.mailbox.behaviour = Behaviour()
    stage.play_to_the_end(customer)
    requeue_everything(stage, dashboard, customer)
    stage.books.assert_paid_once(customer)


def test_requeued_while_another_job_charges(stage: Stage, dashboard: Dashboard) -> None:
    stage.configure_webhooks(WEBHOOKS["never"])
    let_fail(stage, "error_before", "create", count=ASKED_BY_ONE_JOB)
    customer = stage.books.open()
    charging = hold_at(stage, Step("confirm", When.AFTER))
    (failed,) = dashboard.jobs("failed", customer)
    assert dashboard.requeue(failed) == HTTPStatus.OK
    stage.until("it has paid", lambda: not stage.books.is_in_flight(customer))
    charging.end()
    stage.play_to_the_end(customer)
    stage.books.assert_paid_once(customer)
