"""Moving a clock: everything that falls due meanwhile happens, in order, each at its own time."""

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Final

from gatekeeper.sandbox.stripe.billing import invoicing, lifecycle
from gatekeeper.sandbox.stripe.billing.clocks import TEST_CLOCK, customers_on
from gatekeeper.sandbox.stripe.billing.subscription_bodies import period_of
from gatekeeper.sandbox.stripe.checkout import expiring
from gatekeeper.sandbox.stripe.errors import Json, invalid_request
from gatekeeper.sandbox.stripe.state import Call, State, new_id, now_s

# How long the payment may take that a first period, or one after a pause, begins with.
_PAYMENT_WITHIN_S: Final = 23 * 60 * 60
_CLOCK_LASTS_S: Final = 30 * 24 * 60 * 60


@dataclass(frozen=True, slots=True)
class _Due:
    at_s: int
    happen: Callable[[Call], None]


def new_clock(call: Call, frozen_time_s: int, *, name: str | None = None) -> Json:
    """Make a test clock that nobody is on."""
    clock: Json = {
        "id": new_id("clock"),
        "object": TEST_CLOCK,
        "created": now_s(),
        "deletes_after": now_s() + _CLOCK_LASTS_S,
        "frozen_time": frozen_time_s,
        "livemode": False,
        "name": name,
        "status": "ready",
        "status_details": {},
    }
    call.emit("test_helpers.test_clock.created", clock)
    return call.state.add(clock)


def put_on_clock(state: State, customer: Json, clock: Json) -> None:
    """Let a customer, and what they are billed for, go by a test clock."""
    customer["test_clock"] = clock["id"]
    for kind in ("subscription", "invoice"):
        for body in state.all(kind):
            if body["customer"] == customer["id"]:
                body["test_clock"] = clock["id"]


def move_clock(call: Call, clock: Json | None, to_s: int) -> None:
    """Move a test clock, or the sandbox's own, forward.

    Raises StripeError (400) when it is later than that already.
    """
    state = call.state
    here_s = clock["frozen_time"] if clock else (state.clock_s or now_s())
    if to_s <= here_s:
        raise invalid_request(f"The clock can only be moved forward from {here_s}.")
    customers: set[str | None] = {*customers_on(state, clock["id"] if clock else None)}
    if clock is None:
        customers.add(None)  # who pays without being a customer lives by the sandbox's own clock
    _pass_time(call, to_s, customers)
    if clock is None:
        state.clock_s = to_s
    else:
        clock["frozen_time"] = to_s
        call.emit("test_helpers.test_clock.ready", clock)


def _pass_time(call: Call, to_s: int, customers: Collection[str | None]) -> None:
    while due := min(_all_due(call.state, customers, to_s), key=lambda due: due.at_s, default=None):
        call.clock_s = due.at_s
        due.happen(call)
    call.clock_s = to_s


def _all_due(state: State, customers: Collection[str | None], to_s: int) -> list[_Due]:
    """Return what falls due by then; of what does at one moment, the first comes first."""
    found = [
        *(due for body in _of(state, "subscription", customers) for due in _events(state, body)),
        *(due for body in _of(state, "invoice", customers) for due in _finalizing(body)),
        *(due for body in _of(state, "subscription", customers) for due in _turning(body)),
        *(due for body in _of(state, "checkout.session", customers) for due in _expiring(body)),
    ]
    return [due for due in found if due.at_s <= to_s]


def _of(state: State, kind: str, customers: Collection[str | None]) -> list[Json]:
    return [body for body in state.objects[kind].values() if body["customer"] in customers]


def _events(state: State, subscription: Json) -> Iterator[_Due]:
    status, collection = subscription["status"], subscription["pause_collection"]
    if status not in lifecycle.ENDED and collection and collection["resumes_at"]:
        yield _Due(collection["resumes_at"], partial(_resume_collection, subscription=subscription))
    if status == "trialing" and not state.notes[subscription["id"]].trial_end_announced:
        at_s = subscription["trial_end"] - lifecycle.TRIAL_WARNING_S
        yield _Due(at_s, partial(lifecycle.announce_trial_end, subscription=subscription))
    if status in {"incomplete", "paused"}:
        invoice = lifecycle.latest_invoice(state, subscription)
        if invoice is not None and invoicing.is_waiting(state, invoice):
            at_s = invoice["created"] + _PAYMENT_WITHIN_S
            yield _Due(at_s, partial(lifecycle.give_up_payment, subscription=subscription))


def _resume_collection(call: Call, subscription: Json) -> None:
    with lifecycle.changing(call, subscription):
        subscription["pause_collection"] = None


def _finalizing(invoice: Json) -> Iterator[_Due]:
    if invoice["automatically_finalizes_at"] is not None:
        at_s = invoice["automatically_finalizes_at"]
        yield _Due(at_s, partial(lifecycle.finalize, invoice=invoice))


def _expiring(session: Json) -> Iterator[_Due]:
    if session["status"] == "open":
        yield _Due(session["expires_at"], partial(_expire, session=session))


def _expire(call: Call, session: Json) -> None:
    expiring.expire(call, session)


def _turning(subscription: Json) -> Iterator[_Due]:
    if subscription["status"] in lifecycle.RUNNING:
        end_s: int = period_of(subscription)["end"]
        at_s = min(end_s, subscription["cancel_at"] or end_s)
        yield _Due(at_s, partial(lifecycle.turn, subscription=subscription))
