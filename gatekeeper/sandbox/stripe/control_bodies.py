"""What the control interface accepts, as typed bodies and queries."""

import re
from dataclasses import replace
from typing import Annotated, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    NonNegativeInt,
    PositiveInt,
    field_validator,
)

from gatekeeper.sandbox.stripe.cards import Behavior
from gatekeeper.sandbox.stripe.declines import AdviceCode, Decline, decline
from gatekeeper.sandbox.stripe.faults import KINDS
from gatekeeper.sandbox.stripe.resources.disputes import Outcome

_WaitS = Annotated[float, Field(ge=0, le=60)]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class _DeclineBody(_Body):
    """A decline; every field but `decline_code` replaces what Stripe would usually say.

    An `advice_code` of null means no advice.
    """

    decline_code: str = "generic_decline"
    code: str | None = None
    message: str | None = None
    advice_code: AdviceCode | None = None

    def decline(self) -> Decline:
        """Return it as the cards have it."""
        usual = decline(self.decline_code, code=self.code, message=self.message)
        if "advice_code" in self.model_fields_set:
            return replace(usual, advice_code=self.advice_code)
        return usual


class OutcomeBody(_DeclineBody):
    """What a card does from now on."""

    outcome: Literal["succeed", "decline", "processing", "authenticate"]

    def behavior(self) -> Behavior:
        """Return it as the cards have it."""
        match self.outcome:
            case "decline":
                return Behavior(decline=self.decline())
            case "processing":
                return Behavior(processing=True)
            case "authenticate":
                return Behavior(authentication="always")
        return Behavior()


class ReissueBody(_Body):
    """What is new of a card; its number stays without `last4`."""

    exp_month: Annotated[int, Field(ge=1, le=12)]
    exp_year: Annotated[int, Field(ge=2000, le=9999)]
    last4: Annotated[str, Field(pattern=r"^[0-9]{4}$")] | None = None


class SettleBody(_DeclineBody):
    """How something that is out of the API's hands ends."""

    outcome: Literal["succeed", "decline"]

    def reason(self) -> Decline | None:
        """Return the decline, or `None` for success."""
        return self.decline() if self.outcome == "decline" else None


class CustomerBody(_Body):
    """A customer to create, with a card (number, `tok_…` or `pm_card_…`) if given."""

    card: str | None = None
    outcome: OutcomeBody | None = None
    email: str | None = None
    name: str | None = None
    metadata: dict[str, str] | None = None


class DisputeBody(_Body):
    """A dispute to open, by default over all of a charge that hasn't been refunded."""

    amount_minor: PositiveInt | None = None
    reason: str = "fraudulent"
    inquiry: bool = False


class CloseDisputeBody(_Body):
    """How a dispute ends."""

    outcome: Outcome


class SettleRefundBody(_Body):
    """How a refund ends; why it fails is of no interest when it succeeds."""

    outcome: Literal["succeed", "fail"]
    failure_reason: str = "expired_or_canceled_card"


class AdvanceBody(_Body):
    """When it is to be: for one customer, or for all without a test clock."""

    to_s: NonNegativeInt
    customer: str | None = None


class ExhaustRetriesBody(_Body):
    """What becomes of a subscription whose payment isn't tried any more."""

    outcome: Literal["unpaid", "canceled"]


class FaultBody(_Body):
    """A fault to queue; see `faults.Fault`."""

    kind: str
    method: Literal["GET", "POST", "DELETE"] | None = None
    path: str = ".*"
    skip: NonNegativeInt = 0
    count: PositiveInt | None = 1
    status: Annotated[int, Field(ge=400, le=599)] = 500
    should_retry: bool | None = None

    @field_validator("kind")
    @classmethod
    def _is_known(cls, kind: str) -> str:
        if kind not in KINDS:
            raise ValueError(f"must be one of {', '.join(KINDS)}")
        return kind

    @field_validator("path")
    @classmethod
    def _is_pattern(cls, path: str) -> str:
        try:
            re.compile(path)
        except re.error as error:
            raise ValueError(f"is not a regular expression: {error}") from error
        return path


class HeldQuery(_Body):
    """Wait until `count` requests are held, for at most `wait_s`."""

    count: NonNegativeInt = 0
    wait_s: _WaitS = 0


class WebhooksQuery(_Body):
    """Wait until no delivery is pending, for at most `wait_s`."""

    wait_s: _WaitS = 0


class ReleaseBody(_Body):
    """Which held request to let go; all of them without an id."""

    request_id: str | None = None


class ReleaseEventsBody(_Body):
    """Which held events to deliver, and in which order."""

    events: list[str] | None = None
    order: Literal["created", "reversed"] = "created"


class PruneBody(_Body):
    """Which idempotency key to forget; all of them without one."""

    key: str | None = None
