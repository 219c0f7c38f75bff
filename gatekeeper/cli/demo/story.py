"""The story of the demo, call by call. Every number in it is known before it is played."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from gatekeeper.bootstrap import Parts
from gatekeeper.cli.demo.cast import GOOD_CARD, Cast, Customer, give_card, make_cast, move_in
from gatekeeper.domain.account import Account
from gatekeeper.domain.entry import EntryType
from gatekeeper.history.lag import read_lag
from gatekeeper.ledger.store import wall_clock_ms
from gatekeeper.sandbox.caller import CallResult, TwilioCaller
from gatekeeper.sandbox.lossy_line import LossyLine
from gatekeeper.sandbox.stack import ACCOUNT_SID, AUTH_TOKEN, LocalStack, free_port

_WAIT_S = 30.0
_POLL_S = 0.02
_UNTIL_MONTH_ENDS_MS = 500
CALLER = "+15550200200"
UNKNOWN_NUMBER = "+15550100199"


class StoryStuckError(RuntimeError):
    """Something that had to happen did not."""


def call_out(caller: TwilioCaller, customer: Customer) -> CallResult:
    """Make a call from a customer's number, as AI Calling does."""
    return caller.call(to=CALLER, from_=customer.number, direction="outbound-api")


@dataclass(slots=True)
class Story:
    """Plays the demo. `tell` is given a line for each scene, `refresh` is called between calls."""

    stack: LocalStack
    parts: Parts
    tell: Callable[[str], None]
    refresh: Callable[[], None]
    pace_s: float = 0.0
    customers: Cast = field(default_factory=make_cast)
    stray_calls: list[CallResult] = field(default_factory=list)

    def play(self) -> None:
        """Play every scene. Raises StoryStuckError, StackError."""
        for customer in self.customers:
            move_in(customer, self.parts, self.stack)
        with self.stack.caller(seed=1) as caller:
            self._a_topoff_that_succeeds(caller)
            self._no_topoff(caller)
            self._a_card_that_is_declined(caller)
            self._a_month_that_ends(caller)
            self._a_card_that_stays_declined(caller)
            self._a_refund()
            self.tell("A number that nobody has: refused, and nobody pays for it")
            self.stray_calls.append(caller.call(to=UNKNOWN_NUMBER, from_=CALLER))
        self._wait_for("every e-mail to be sent", self._nothing_is_owed)
        self._wait_for("history to have it all", lambda: not read_lag(self.parts.ledger).entries)

    def _a_topoff_that_succeeds(self, caller: TwilioCaller) -> None:
        bright, *_ = self.customers
        self.tell(f"{bright.name}: six calls, and the balance falls below its threshold")
        self._calls(caller, bright, 6)
        self._wait_for("the top-off", lambda: self._balance(bright) == bright.topoff.amount + 4)
        self.tell(f"{bright.name}: Twilio sends one call twice at once; one credit")
        self._add(
            bright, caller.call(to=bright.number, from_=CALLER, duplicates=1, concurrently=True)
        )
        self.tell(f"{bright.name}: an answer is lost on the way and Twilio asks again; one credit")
        self._add(bright, self._call_over_a_lossy_line(bright))
        self.tell(f"{bright.name}: the first URL is down and Twilio asks the fallback; one credit")
        self._add(bright, self._call_by_the_fallback(bright))
        self.tell(f"{bright.name}: a caller hangs up too early; the credit comes back")
        self._add(bright, caller.call(to=bright.number, from_=CALLER, end="no-answer"))
        self.tell(f"{bright.name}: one call's end is reported twice, another's only after the next")
        self._add(bright, caller.call(to=bright.number, from_=CALLER, status_copies=2))
        late = caller.call(to=bright.number, from_=CALLER, status_copies=0)
        self._add(bright, late)
        self._calls(caller, bright, 1)
        caller.hang_up(late.call)

    def _no_topoff(self, caller: TwilioCaller) -> None:
        _, corner, *_ = self.customers
        self.tell(f"{corner.name}: no auto top-off; twelve calls for eight credits")
        self._calls(caller, corner, 12)

    def _a_card_that_is_declined(self, caller: TwilioCaller) -> None:
        _, _, delta, *_ = self.customers
        self.tell(f"{delta.name}: four calls, and the top-off's card is declined")
        self._calls(caller, delta, 4)
        self._wait_for("the declined charge", lambda: self._account(delta).incident_id)
        self.tell(f"{delta.name}: two more credits, then calls are dropped")
        self._calls(caller, delta, 6)
        self.tell(f"{delta.name}: a new card; the top-off is made up for at once")
        give_card(delta, GOOD_CARD, self.parts, self.stack)
        self._wait_for("the top-off", lambda: self._balance(delta) == delta.topoff.amount)
        self.tell(f"{delta.name}: calls are answered again")
        self._calls(caller, delta, 5)

    def _a_month_that_ends(self, caller: TwilioCaller) -> None:
        _, _, _, echo, _ = self.customers
        self.tell(f"{echo.name}: two calls of the five that the month includes")
        self._calls(caller, echo, 2)
        self.tell(f"{echo.name}: the month ends; three credits lapse and five are granted")
        account = self._account(echo)
        self.parts.ledger.cycles.set_cycle(
            account.id,
            allotment=account.allotment_size,
            anchor_ms=wall_clock_ms() + _UNTIL_MONTH_ENDS_MS,
            interval=account.interval,
        )
        self._wait_for("the new month", lambda: self._account(echo).cycle_no == 2)  # noqa: PLR2004
        self.tell(f"{echo.name}: a call in the new month")
        self._calls(caller, echo, 1)
        self.tell(f"{echo.name}: AI Calling calls somebody back; one credit, as for any call")
        self._add(echo, call_out(caller, echo))

    def _a_card_that_stays_declined(self, caller: TwilioCaller) -> None:
        *_, fern = self.customers
        self.tell(f"{fern.name}: the card is declined, and nobody has given another yet")
        self._calls(caller, fern, 2)
        self._wait_for("the declined charge", lambda: self._account(fern).incident_id)
        self._calls(caller, fern, 3)

    def _a_refund(self) -> None:
        bright, *_ = self.customers
        self.tell(f"{bright.name}: half of its top-off is refunded; half of the credits go back")
        entries = self.parts.ledger.log.entries(bright.account_id)
        charge = next(entry for entry in entries if entry.type is EntryType.TOPOFF_SUCCEEDED)
        half_minor = bright.topoff.amount * self.parts.settings.credit_price // 2
        before = self._balance(bright)
        self.parts.stripe.v1.refunds.create({"payment_intent": charge.cause, "amount": half_minor})
        left = before - bright.topoff.amount // 2
        self._wait_for("the credits to go back", lambda: self._balance(bright) == left)

    def _calls(self, caller: TwilioCaller, customer: Customer, count: int) -> None:
        for _ in range(count):
            self._add(customer, caller.call(to=customer.number, from_=CALLER))

    def _add(self, customer: Customer, call: CallResult) -> None:
        customer.calls.append(call)
        self.stack.check_running()
        self.refresh()
        if self.pace_s:
            time.sleep(self.pace_s)  # for the people who watch

    def _call_over_a_lossy_line(self, customer: Customer) -> CallResult:
        """Call so that the answer is lost and Twilio, told to retry anything, asks again."""
        with LossyLine(self.stack.web_port) as line:
            return self._call_by(f"{line.url}/voice/incoming#rc=1&rp=all", customer)

    def _call_by_the_fallback(self, customer: Customer) -> CallResult:
        return self._call_by(f"http://127.0.0.1:{free_port()}/voice/incoming", customer)

    def _call_by(self, incoming_url: str, customer: Customer) -> CallResult:
        with TwilioCaller(
            incoming_url,
            f"{self.stack.web_url}/voice/status",
            f"{self.stack.web_url}/voice/fallback",
            account_sid=ACCOUNT_SID,
            auth_token=AUTH_TOKEN,
            public_url=self.stack.web_url,
        ) as caller:
            return caller.call(to=customer.number, from_=CALLER)

    def _account(self, customer: Customer) -> Account:
        return self.parts.ledger.accounts.account(customer.account_id)

    def _balance(self, customer: Customer) -> int:
        return self._account(customer).balance

    def _nothing_is_owed(self) -> bool:
        """Whether all is done but what waits for a cycle's end."""
        owed = self.parts.ledger.owed
        tasks = (task for shard in range(owed.shards) for task, _ in owed.tasks(shard))
        return all(task.startswith("cycle:") for task in tasks)

    def _wait_for(self, what: str, condition: Callable[[], object]) -> None:
        deadline = time.monotonic() + _WAIT_S
        while not condition():
            self.stack.check_running()
            self.refresh()
            if time.monotonic() > deadline:
                raise StoryStuckError(
                    f"waited {_WAIT_S:.0f} s in vain for {what};"
                    f" what the processes said is in {self.stack.directory}"
                )
            time.sleep(_POLL_S)
