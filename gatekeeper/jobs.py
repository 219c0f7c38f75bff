"""Which RQ job does which owed work: the relay enqueues these, the workers run nothing else.

A task is what the ledger's scripts write down as owed: `charge:<top-off>`,
`email:<kind>:<notice>`, `email:sign_in:<link>`, `look:<account>`, `cycle:<account>`,
`subscription:<account>`, `card:<account>`, `checkout:<visit to Checkout>` or
`correction:<PaymentIntent>`. Its last part is the job's only argument.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from gatekeeper.domain.account import is_account_id
from gatekeeper.domain.notice import NoticeKind
from gatekeeper.ledger.keys import is_record_id
from gatekeeper.ledger.sign_ins import is_link_id

#: Longer than a charge waits for Stripe: a request ends after three tries of 23 s and the pauses
#: between (see gatekeeper/payments/client.py), and a request that fails for good ends the job.
JOB_TIMEOUT_S: Final = 300
#: How long on-call can look at a job that came to an end, and at one that failed.
RESULT_TTL_S: Final = 24 * 3600
FAILURE_TTL_S: Final = 7 * 24 * 3600


@dataclass(frozen=True, slots=True)
class JobSpec:
    """How one kind of owed work is enqueued.

    `describe` makes the line that on-call reads, from the job's argument alone: nothing that a
    caller or a customer supplied gets into it. `is_argument` tells whether a text has the shape of
    that argument.
    """

    queue: str
    func_path: str
    describe: Callable[[str], str]
    is_argument: Callable[[str], bool]


def _describe_charge(topoff_id: str) -> str:
    account_id, token = topoff_id.rsplit("-", 1)
    return f"Charge {account_id}: top-off {token}"


def _describe_email(kind: NoticeKind) -> Callable[[str], str]:
    words = kind.value.replace("_", " ")

    def describe(notice_id: str) -> str:
        account_id, token = notice_id.rsplit("-", 1)
        return f"E-mail {account_id}: {words}, notice {token}"

    return describe


def _describe_look(account_id: str) -> str:
    return f"Look at {account_id}: is a top-off due again?"


def _describe_cycle(account_id: str) -> str:
    return f"Start {account_id}'s new billing cycle, unless a call has"


def _describe_subscription(account_id: str) -> str:
    return f"Read the subscription of {account_id}: period, allotment, status"


def _describe_card(account_id: str) -> str:
    return f"Read the card of {account_id}: gone, or reissued?"


def _describe_correction(payment_intent: str) -> str:
    return f"Read refunds and disputes of {payment_intent}"


def _describe_sign_in(link_id: str) -> str:
    return f"E-mail a link to sign in by: {link_id}"


def _describe_checkout(checkout_id: str) -> str:
    account_id, token = checkout_id.rsplit("-", 1)
    return f"Read how visit {token} of {account_id} to Checkout ended"


_PAYMENT_INTENT: Final = re.compile(r"pi_[A-Za-z0-9_]{1,100}")


def is_payment_intent(text: str) -> bool:
    """Tell whether a text has the shape of a PaymentIntent's id."""
    return _PAYMENT_INTENT.fullmatch(text) is not None


#: Every spec there is, by kind of task.
SPECS: Final[dict[str, JobSpec]] = {
    "charge": JobSpec("charges", "workers.charges.charge", _describe_charge, is_record_id),
    "checkout": JobSpec(
        "charges", "workers.charges.finish_checkout", _describe_checkout, is_record_id
    ),
    "look": JobSpec("upkeep", "workers.upkeep.look_at_threshold", _describe_look, is_account_id),
    "cycle": JobSpec("upkeep", "workers.upkeep.turn_cycle", _describe_cycle, is_account_id),
    "subscription": JobSpec(
        "upkeep", "workers.upkeep.read_subscription", _describe_subscription, is_account_id
    ),
    "card": JobSpec("upkeep", "workers.upkeep.follow_card", _describe_card, is_account_id),
    "correction": JobSpec(
        "upkeep", "workers.upkeep.correct_payment", _describe_correction, is_payment_intent
    ),
    **{
        f"email:{kind}": JobSpec(
            "emails", "workers.emails.send_notice", _describe_email(kind), is_record_id
        )
        for kind in NoticeKind
    },
    "email:sign_in": JobSpec(
        "emails", "workers.emails.send_sign_in", _describe_sign_in, is_link_id
    ),
}
QUEUES: Final = ("charges", "emails", "upkeep")
#: The dotted names of the only functions that a worker runs.
FUNC_PATHS: Final = frozenset(spec.func_path for spec in SPECS.values())


def spec_of(task: str) -> JobSpec:
    """Find how a task is enqueued. Raises ValueError when it is not one the ledger writes."""
    kind, _, argument = task.rpartition(":")
    spec = SPECS.get(kind)
    if spec is None or not spec.is_argument(argument):
        raise ValueError(f"not a task: {task[:80]!a}")
    return spec


def argument_of(task: str) -> str:
    """Read a task's last part, the id its job is given."""
    return task.rpartition(":")[2]


def job_id(task: str, number: int) -> str:
    """Name the job of a task's `number`-th enqueueing, in the letters that RQ allows."""
    return f"{task.replace(':', '-')}-{number}"


def email_task(kind: NoticeKind, notice_id: str) -> str:
    """Write the task of sending a notice."""
    return f"email:{kind}:{notice_id}"


def subscription_task(account_id: str) -> str:
    """Write the task of reading an account's subscription from Stripe."""
    return f"subscription:{account_id}"


def card_task(account_id: str) -> str:
    """Write the task of reading from Stripe what became of an account's card."""
    return f"card:{account_id}"


def checkout_task(checkout_id: str) -> str:
    """Write the task of reading from Stripe how a visit to Checkout ended."""
    return f"checkout:{checkout_id}"


def correction_task(payment_intent: str) -> str:
    """Write the task of reading a payment's refunds and disputes from Stripe."""
    return f"correction:{payment_intent}"
