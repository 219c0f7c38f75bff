"""How an account stands, in the words of the Billing tab."""

from __future__ import annotations

from dataclasses import dataclass

from gatekeeper.domain.account import Account
from gatekeeper.domain.call import Decision, decide
from gatekeeper.domain.card_expiry import expiry_of
from gatekeeper.domain.cycle import Interval
from gatekeeper.domain.forecast import HORIZON_DAYS, Forecast
from gatekeeper.domain.money import format_minor
from gatekeeper.domain.phrasing import count_credits, local_moment


@dataclass(frozen=True, slots=True)
class NoteWords:
    """A note on a figure, and its tone."""

    note: str
    tone: str


def balance_words(account: Account) -> NoteWords:
    """Say what the balance means for calls."""
    balance, threshold = account.balance, account.topoff.threshold
    if decide(account.standing).decision is Decision.DROP:
        return NoteWords("Incoming calls are dropped", "bad")
    if balance >= max(1, threshold):
        return NoteWords("One credit per answered call", "plain")
    if balance > 0:
        return NoteWords(f"Below your threshold of {count_credits(threshold)}", "warning")
    if balance == 0:
        return NoteWords("Calls are answered ahead of the next top-off", "bad")
    verb = "call was" if balance == -1 else "calls were"
    return NoteWords(f"Overdraft: {-balance:,} {verb} answered ahead of the next top-off", "bad")


def allotment_label(account: Account) -> str:
    """Name the allotment by how long a period of the account's is: "Monthly allotment"."""
    return f"{account.interval.value.capitalize()} allotment"


def allotment_note(account: Account) -> str:
    """Say what the allotment is, or why there is none to use."""
    if account.withheld:
        status = account.subscription_status.replace("_", " ")
        return f"{count_credits(account.withheld)} withheld: your subscription is {status}"
    if account.granted or account.allotment_size:
        return "Used first; unused credits do not carry over"
    return "None: calls use purchased credits"


def purchased_note(account: Account) -> str:
    """Say what purchased credits are, or that they are overdrawn (R3, R5)."""
    if account.purchased >= 0:
        return "Used after the allotment; they carry over"
    return f"Overdrawn: the next credits make up for {count_credits(-account.purchased)} first"


def card_words(account: Account) -> str:
    """Name the card as its owner knows it: "Visa ending in 4242"."""
    card = account.card
    if card is None:
        return "No card"
    return f"{card.brand.replace('_', ' ').capitalize() or 'Card'} ending in {card.last4}"


def card_expiry(account: Account, now_ms: int) -> str:
    """Tell how near the card's end is, as CardExpiry says it; "" when there is no card."""
    if account.card is None:
        return ""
    return expiry_of(account.card.expiry, local_moment(now_ms, account.timezone).date()).value


def topoff_sentence(account: Account, price: str) -> str:
    """Say in one sentence what auto top-off is set to; `price` is that of one top-off."""
    topoff = account.topoff
    if not topoff.enabled:
        return (
            "Auto top-off is off: when your balance reaches zero, incoming calls are dropped "
            "instead of being answered."
        )
    if account.card is None:
        return "Auto top-off is on, but no card is attached as the payment method for it."
    return (
        f"Auto top-off is on: when your balance drops below {count_credits(topoff.threshold)}, "
        f"{price} is charged to your {card_words(account)} and {count_credits(topoff.amount)} "
        f"{'is' if topoff.amount == 1 else 'are'} added."
    )


def topoff_words(account: Account) -> NoteWords:
    """Say how auto top-off stands, for a figure that says whether it is on."""
    topoff = account.topoff
    adds = f"Adds {count_credits(topoff.amount)} below {count_credits(topoff.threshold)}"
    notes = (
        (bool(account.topoff_id), "A charge is on its way", "plain"),
        (not topoff.enabled, "Nothing is charged by itself", "plain"),
        (account.suspended, "Nothing is charged while the account is suspended", "bad"),
        (account.topoff_capped, "Paused: spending cap reached", "warning"),
        (account.blocked_by is not None, "The last charge failed", "bad"),
        (account.card is None, "No card is attached", "warning"),
        (True, adds, "plain"),
    )
    return next(NoteWords(note, tone) for applies, note, tone in notes if applies)


def cap_clause(cap_minor: int | None, currency: str) -> str:
    """Limit what is agreed to by a spending cap: ", but no more than …"; "" where there is none."""
    if cap_minor is None:
        return ""
    return f", but no more than {format_minor(cap_minor, currency)} in a billing cycle"


def cap_use(spent_minor: int, cap_minor: int, currency: str) -> str:
    """Say how much of a spending cap is used; it may have been lowered below that since."""
    spent, cap = format_minor(spent_minor, currency), format_minor(cap_minor, currency)
    if spent_minor > cap_minor:
        return f"{spent} charged, cap {cap}"
    return f"{spent} of {cap} used"


def cap_sentence(account: Account, spent_minor: int, currency: str, end_ms: int) -> str:
    """Say how much of the spending cap top-offs have used in the cycle that ends at `end_ms`.

    "" where there is no cap.
    """
    cap_minor = account.topoff.spending_cap_minor
    if cap_minor is None:
        return ""
    used = f"Spending cap: {cap_use(spent_minor, cap_minor, currency)} in this billing cycle."
    if not account.topoff_capped:
        return used
    return f"{used} One more top-off would pass it, so there is none until {_day(account, end_ms)}."


def reset_sentence(account: Account, end_ms: int, days_left: int) -> str:
    """Say when the allotment is set anew, in how many days of the calendar, and to what if changed.

    The day is one of the account's time zone.
    """
    size = account.allotment_size
    anew = "" if size == account.granted else f" to {count_credits(size)}"
    return f"It resets{anew} {_in_days(days_left)}, on {_day(account, end_ms)}."


def _day(account: Account, at_ms: int) -> str:
    at = local_moment(at_ms, account.timezone)
    day = f"{at:%b} {at.day}, {at:%Y}"
    return day if (at.hour, at.minute) == (0, 0) else f"{day} at {at:%H:%M}"


def _in_days(days: int) -> str:
    if days <= 0:
        return "today"
    return "tomorrow" if days == 1 else f"in {days} days"


def forecast_sentence(told: Forecast, interval: Interval) -> str:
    """Say how long credits last, and what was reckoned with: allotments, but no purchases."""
    rate = f"{told.per_day:,.1f}".removesuffix(".0")
    unit = "credit" if rate == "1" else "credits"
    at = f"At the rate of your last {told.over_days} days, {rate} {unit} a day,"
    if told.days_left is None:
        span = f"more than {HORIZON_DAYS} days"
    elif told.days_left == 0:
        span = "less than a day"
    else:
        span = f"about {told.days_left} {'day' if told.days_left == 1 else 'days'}"
    counting = ""
    if told.counted:
        verb = "comes" if told.counted == 1 else "come"
        counting = f", counting the {told.counted:,} that {verb} {_EACH[interval]},"
    return f"{at} your credits last for {span}{counting} if you buy none."


_EACH = {Interval.MONTHLY: "each month", Interval.YEARLY: "each year"}
