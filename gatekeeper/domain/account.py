"""Accounts: who pays for calls, what they have, and what they chose."""

from __future__ import annotations

import re
import secrets
import zoneinfo
from dataclasses import dataclass

from gatekeeper.domain.call import Standing
from gatekeeper.domain.cycle import Interval, period_of
from gatekeeper.domain.email_address import is_email_address
from gatekeeper.domain.incident import FailureReason
from gatekeeper.domain.topoff import TopoffState, passes_cap

#: No balance, threshold or amount is ever larger; keeps sums far from what Lua rounds.
MAX_CREDITS = 1_000_000
#: Stripe's bounds of one card charge in minor units: eight digits, and half a dollar.
#: https://docs.stripe.com/currencies#minimum-and-maximum-charge-amounts
MAX_CHARGE_MINOR = 99_999_999
MIN_CHARGE_MINOR = 50
#: Of top-offs in a period; above it somebody has mistyped.
MAX_CAP_MINOR = 100 * MAX_CHARGE_MINOR

_ID = re.compile(r"acct_[0-9a-z]{12}\Z")
_ID_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
MAX_NAME_LENGTH = 120


class InvalidSettings(ValueError):
    """What a person entered cannot be used. `problems` maps each field to a sentence."""

    def __init__(self, problems: dict[str, str]) -> None:
        self.problems = problems
        super().__init__("; ".join(f"{field}: {text}" for field, text in problems.items()))


def new_account_id() -> str:
    """Make an account id: 60 random bits, letters that cannot be mistaken for digits."""
    return "acct_" + "".join(secrets.choice(_ID_ALPHABET) for _ in range(12))


def is_account_id(text: str) -> bool:
    """Tell whether the text has the shape of an account id."""
    return _ID.match(text) is not None


@dataclass(frozen=True, slots=True)
class NewAccount:
    """What an account is opened with. Raises InvalidSettings when it cannot be.

    `anchor_ms` is an instant at which a billing cycle begins; None is when it is opened.
    """

    id: str
    name: str
    email: str
    allotment: int = 0
    timezone: str = "UTC"
    anchor_ms: int | None = None
    interval: Interval = Interval.MONTHLY

    def __post_init__(self) -> None:
        problems: dict[str, str] = {}
        if not is_account_id(self.id):
            problems["id"] = "must look like acct_ and 12 letters or digits"
        if not self.name.strip() or len(self.name) > MAX_NAME_LENGTH or not self.name.isprintable():
            problems["name"] = f"must be 1 to {MAX_NAME_LENGTH} printable characters"
        if not is_email_address(self.email):
            problems["email"] = "must be one e-mail address"
        if not 0 <= self.allotment <= MAX_CREDITS:
            problems["allotment"] = f"must be a whole number from 0 to {MAX_CREDITS:,}"
        if not is_timezone(self.timezone):
            problems["timezone"] = "must be an IANA time zone such as Europe/Berlin"
        if problems:
            raise InvalidSettings(problems)


def is_timezone(name: str) -> bool:
    """Tell whether the name is a known IANA time zone."""
    try:
        zoneinfo.ZoneInfo(name)
    except (ValueError, OSError):  # ZoneInfoNotFoundError is a KeyError; odd paths are ValueErrors
        return False
    except zoneinfo.ZoneInfoNotFoundError:
        return False
    return True


#: What is wrong with such a cap; who knows the currency can name the price.
CAP_BELOW_PRICE = "must be at least the price of one top-off"


@dataclass(frozen=True, slots=True)
class TopoffSettings:
    """What a customer chose for automatic top-offs. Numbers are credits unless said otherwise.

    `overdraft_limit` None means one top-off amount (R5). `spending_cap_minor` is the most that they
    may charge in one billing cycle, in minor units; None is no such cap.
    """

    enabled: bool
    threshold: int
    amount: int
    overdraft_limit: int | None = None
    spending_cap_minor: int | None = None

    def check(self, price_minor: int) -> None:
        """Raise InvalidSettings if these cannot be served at this price of one credit.

        The threshold must stay below the amount: otherwise one top-off could leave the balance
        still below the threshold, and every call would charge the card again.
        """
        problems: dict[str, str] = {}
        if not 0 <= self.threshold <= MAX_CREDITS:
            problems["threshold"] = f"must be a whole number from 0 to {MAX_CREDITS:,}"
        if not 1 <= self.amount <= MAX_CREDITS:
            problems["amount"] = f"must be a whole number from 1 to {MAX_CREDITS:,}"
        elif not MIN_CHARGE_MINOR <= self.amount * price_minor <= MAX_CHARGE_MINOR:
            problems["amount"] = "costs less or more than a card can be charged in one payment"
        if self.overdraft_limit is not None and not 0 <= self.overdraft_limit <= MAX_CREDITS:
            problems["overdraft_limit"] = f"must be a whole number from 0 to {MAX_CREDITS:,}"
        if not problems and self.threshold >= self.amount:
            problems["threshold"] = "must be lower than the top-up amount"
        if self.spending_cap_minor is not None:
            if self.spending_cap_minor < 1:
                problems["spending_cap"] = "must be an amount of money, such as 100, or be left out"
            elif self.spending_cap_minor > MAX_CAP_MINOR:
                problems["spending_cap"] = "must be a smaller amount"
            elif "amount" not in problems and self.would_pass_cap(0, price_minor):
                problems["spending_cap"] = CAP_BELOW_PRICE
        if problems:
            raise InvalidSettings(problems)

    def would_pass_cap(self, spent_minor: int, price_minor: int) -> bool:
        """Tell whether one more top-off would pass the cap, at this price of one credit."""
        return passes_cap(
            cap_minor=self.spending_cap_minor,
            spent_minor=spent_minor,
            amount_minor=self.amount * price_minor,
        )


#: The examples of the promise made to customers; off until switched on.
DEFAULT_TOPOFF = TopoffSettings(enabled=False, threshold=50, amount=200)


@dataclass(frozen=True, slots=True)
class Card:
    """A saved card. `refused_code` is set once an issuer said never to try it again."""

    customer: str
    payment_method: str
    brand: str
    last4: str
    expiry: str  # "MM/YYYY", "" when unknown
    refused_code: str = ""


@dataclass(frozen=True, slots=True)
class Account:
    """An account as the ledger has it at one instant.

    `allotment_size` is what a new period grants, `granted` what this one has granted so far, and
    `withheld` how much of that a subscription's status took away. `subscription` is the id of the
    one at Stripe that drives it, "" when none does; `subscription_status` how that stood when it
    was last read. `spent_minor` is what top-offs have charged in this period, in minor units;
    `spent_start_ms` where that begins, for an account without a cycle that has outlived one; and
    `topoff_capped` tells that the spending cap lets no more of them begin in it.
    """

    id: str
    name: str
    email: str
    timezone: str
    suspended: bool
    created_at_ms: int
    allotment: int
    purchased: int
    allotment_size: int
    granted: int
    withheld: int
    cycle_no: int
    cycle_start_ms: int
    cycle_end_ms: int | None
    anchor_ms: int
    interval: Interval
    subscription: str
    subscription_status: str
    topoff: TopoffSettings
    price_minor: int | None
    topoff_id: str
    topoff_state: TopoffState | None
    card: Card | None
    incident_id: str
    blocked_by: FailureReason | None
    retry_at_ms: int | None
    route: str
    drop_message: str
    spent_minor: int = 0
    spent_start_ms: int | None = None
    topoff_capped: bool = False

    @property
    def balance(self) -> int:
        """Both buckets together; negative in overdraft."""
        return self.allotment + self.purchased

    @property
    def overdraft_limit(self) -> int:
        """How far below zero calls are still answered while a top-off can come."""
        limit = self.topoff.overdraft_limit
        return self.topoff.amount if limit is None else limit

    @property
    def standing(self) -> Standing:
        """What a decision would look at now."""
        return Standing(
            allotment=self.allotment,
            purchased=self.purchased,
            suspended=self.suspended,
            topoff_enabled=self.topoff.enabled,
            threshold=self.topoff.threshold,
            topoff_amount=self.topoff.amount,
            overdraft_limit=self.overdraft_limit,
            topoff_state=self.topoff_state,
            blocked_by=self.blocked_by,
            topoff_capped=self.topoff_capped,
        )

    def spent_minor_at(self, now_ms: int) -> int:
        """Tell what top-offs have charged in the period that contains an instant, in minor units.

        The ledger may still hold the period before, also of an account that has no cycle.
        """
        if self.cycle_end_ms is not None:
            return self.spent_minor if now_ms < self.cycle_end_ms else 0
        period = period_of(self.anchor_ms, self.interval, now_ms)
        since_ms = self.cycle_start_ms if self.spent_start_ms is None else self.spent_start_ms
        return self.spent_minor if period.start_ms <= since_ms else 0
