"""The table that the relay enqueues by: every entry can be run, every id is one that RQ takes."""

import inspect

import pytest
from rq.job import validate_job_id
from rq.utils import import_attribute

from gatekeeper.domain.notice import NoticeKind
from gatekeeper.jobs import (
    FUNC_PATHS,
    JOB_TIMEOUT_S,
    QUEUES,
    SPECS,
    argument_of,
    card_task,
    checkout_task,
    correction_task,
    email_task,
    job_id,
    spec_of,
    subscription_task,
)
from gatekeeper.ledger.sign_ins import sign_in_task
from gatekeeper.payments.client import CONNECT_TIMEOUT_S, MAX_NETWORK_RETRIES, READ_TIMEOUT_S

ACCOUNT = "acct_00000000000b"
RECORD = f"{ACCOUNT}-0123456789ab"
PAYMENT = "pi_3Qx_9"
LINK = "0123456789abcdef" * 2
TASKS = (
    f"charge:{RECORD}",
    f"look:{ACCOUNT}",
    f"cycle:{ACCOUNT}",
    subscription_task(ACCOUNT),
    card_task(ACCOUNT),
    correction_task(PAYMENT),
    checkout_task(RECORD),
    *(email_task(kind, RECORD) for kind in NoticeKind),
    sign_in_task(LINK),
)


@pytest.mark.parametrize("path", sorted(FUNC_PATHS))
def test_every_job_is_a_function_of_one_id(path: str) -> None:
    assert len(inspect.signature(import_attribute(path)).parameters) == 1


def test_every_kind_of_task_has_a_job_on_a_queue_that_exists() -> None:
    assert len(TASKS) == len(SPECS)
    assert {spec_of(task).queue for task in TASKS} == set(QUEUES)


@pytest.mark.parametrize("task", TASKS)
def test_a_task_has_a_valid_job_id_and_its_argument(task: str) -> None:
    validate_job_id(job_id(task, 3))
    assert job_id(task, 3).endswith("-3")
    assert argument_of(task) in (ACCOUNT, RECORD, PAYMENT, LINK)


def test_descriptions_say_what_and_for_whom() -> None:
    described = {spec_of(task).describe(argument_of(task)) for task in TASKS}
    assert f"Charge {ACCOUNT}: top-off 0123456789ab" in described
    assert f"E-mail {ACCOUNT}: balance low, notice 0123456789ab" in described
    assert f"Look at {ACCOUNT}: is a top-off due again?" in described


@pytest.mark.parametrize(
    "task",
    [
        "",
        "charge",
        "charge:",
        f"charge:{ACCOUNT}",
        f"look:{RECORD}",
        f"cycle:{RECORD}",
        f"email:{RECORD}",
        f"email:party:{RECORD}",
        f"email:sign_in:{RECORD}",
        f"charge:{RECORD}\n",
        "charge:<script>-0123456789ab",
    ],
)
def test_what_the_ledger_never_writes_is_no_task(task: str) -> None:
    with pytest.raises(ValueError, match="not a task"):
        spec_of(task)


def test_a_job_outlasts_three_requests_to_stripe_at_its_slowest() -> None:
    slowest_s = (CONNECT_TIMEOUT_S + READ_TIMEOUT_S + 1) * (1 + MAX_NETWORK_RETRIES)
    assert 3 * slowest_s < JOB_TIMEOUT_S
