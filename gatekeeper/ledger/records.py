"""Reads what the scripts write: call records, accounts, top-offs, notices and so on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from redis.client import Pipeline

from gatekeeper.domain.account import Account, Card, TopoffSettings
from gatekeeper.domain.call import (
    Bucket,
    CallRecord,
    CallState,
    Decision,
    Direction,
    Reason,
    Standing,
    Verdict,
)
from gatekeeper.domain.checkout import Checkout, CheckoutMode, CheckoutState
from gatekeeper.domain.correction import CorrectionCause
from gatekeeper.domain.cycle import Interval
from gatekeeper.domain.entry import Entry, read_type
from gatekeeper.domain.incident import FailureReason, Incident, Resolution
from gatekeeper.domain.notice import (
    BalanceLow,
    CallsDropped,
    CreditsClawedBack,
    Notice,
    NoticeKind,
    PurchaseSucceeded,
    SpendingCapReached,
    TopoffFailed,
    TopoffSucceeded,
)
from gatekeeper.domain.topoff import Topoff, TopoffCause, TopoffState
from gatekeeper.ledger.keys import AccountKeys, account_of

_STATES: Final = {
    "o": CallState.OPEN,
    "k": CallState.KEPT,
    "r": CallState.RELEASED,
    "c": CallState.CLOSED,
    "e": CallState.UNDECIDED,
}
_DECISIONS: Final = {"A": Decision.ANSWER, "D": Decision.DROP}
REASON_CODES: Final = {
    "al": Reason.ALLOTMENT,
    "pu": Reason.PURCHASED,
    "ov": Reason.OVERDRAFT,
    "lu": Reason.LEDGER_UNREACHABLE,
    "to": Reason.EMPTY_TOPOFF_OFF,
    "tf": Reason.EMPTY_TOPOFF_FAILED,
    "tc": Reason.EMPTY_TOPOFF_CAPPED,
    "ou": Reason.EMPTY_OVERDRAFT_USED,
    "su": Reason.ACCOUNT_SUSPENDED,
}
_BUCKETS: Final = {"a": Bucket.ALLOTMENT, "p": Bucket.PURCHASED, "n": Bucket.NONE}
_TOPOFF_STATES: Final = {"-": None, "r": TopoffState.REQUESTED, "c": TopoffState.CHARGING}
_BLOCKS: Final = {
    "-": None,
    "n": FailureReason.NO_PAYMENT_METHOD,
    "d": FailureReason.DECLINED,
    "i": FailureReason.INTERNAL_ERROR,
}
#: In their place where the spending cap alone keeps top-offs from beginning.
_CAPPED: Final = "c"


def read_verdict(record: str) -> Verdict:
    """Read a call record's head alone: all that the voice path needs."""
    return Verdict(_DECISIONS[record[1]], REASON_CODES[record[2:4]], _BUCKETS[record[4]])


def read_call(record: str) -> CallRecord:
    """Read a call record, as the prelude's `explain` and the call verbs write it."""
    head, *fields = record.split(" ")
    allotment, purchased, enabled, threshold, amount, overdraft = fields[:6]
    topoff, block, requested, cycle_no, at_ms = fields[6:]
    return CallRecord(
        state=_STATES[head[0]],
        verdict=read_verdict(head),
        standing=Standing(
            allotment=int(allotment),
            purchased=int(purchased),
            suspended=head[2:4] == "su",
            topoff_enabled=enabled == "1",
            threshold=int(threshold),
            topoff_amount=int(amount),
            overdraft_limit=int(overdraft),
            topoff_state=_TOPOFF_STATES[topoff],
            blocked_by=None if block == _CAPPED else _BLOCKS[block],
            topoff_capped=block == _CAPPED,
        ),
        debited=head[5] == "1",
        topoff_requested=requested == "1",
        cycle_no=int(cycle_no),
        at_ms=int(at_ms),
    )


def queue_account(pipeline: Pipeline, own: AccountKeys) -> None:
    """Queue the commands whose ACCOUNT_REPLIES replies `read_account` reads."""
    pipeline.hgetall(own.account)
    pipeline.hgetall(own.profile)
    pipeline.get(own.route)
    pipeline.get(own.drop_message)


ACCOUNT_REPLIES: Final = 4


def read_account(account_id: str, replies: Sequence[Any]) -> Account | None:
    """Read an account from the replies to `queue_account`; None when there is none."""
    hot, profile, route, drop_message = replies
    if not hot:
        return None
    blocked_by = hot.get("blocked_by")
    topoff_state = hot.get("topoff_state")
    return Account(
        id=account_id,
        name=profile["name"],
        email=profile["email"],
        timezone=profile["timezone"],
        suspended=hot.get("suspended") == "1",
        created_at_ms=int(hot["created_at_ms"]),
        allotment=int(hot["allotment"]),
        purchased=int(hot["purchased"]),
        allotment_size=int(hot["allotment_size"]),
        granted=int(hot["cycle_granted"]),
        withheld=int(hot.get("withheld", 0)),
        cycle_no=int(hot["cycle_no"]),
        cycle_start_ms=int(hot["cycle_start_ms"]),
        cycle_end_ms=_int(hot.get("cycle_end_ms")),
        anchor_ms=int(profile["anchor_ms"]),
        interval=Interval(profile["interval"]),
        subscription=profile.get("subscription", ""),
        subscription_status=profile.get("subscription_status", ""),
        topoff=TopoffSettings(
            enabled=hot["topoff_on"] == "1",
            threshold=int(hot["threshold"]),
            amount=int(hot["topoff_amount"]),
            overdraft_limit=_int(hot.get("overdraft_limit")),
            spending_cap_minor=_int(hot.get("cap_minor")),
        ),
        price_minor=_int(hot.get("price_minor")),
        topoff_id=hot.get("topoff", ""),
        topoff_state=TopoffState(topoff_state) if topoff_state else None,
        card=_read_card(profile),
        incident_id=hot.get("incident", ""),
        blocked_by=FailureReason(blocked_by) if blocked_by else None,
        retry_at_ms=_int(hot.get("retry_at_ms")),
        route=route or "",
        drop_message=drop_message or "",
        spent_minor=int(hot.get("spent_minor", 0)),
        spent_start_ms=int(hot["spent_start_ms"]) if "spent_start_ms" in hot else None,
        topoff_capped=hot.get("capped") == "1",
    )


def _read_card(profile: Mapping[str, str]) -> Card | None:
    if "payment_method" not in profile:
        return None
    return Card(
        customer=profile["customer"],
        payment_method=profile["payment_method"],
        brand=profile["card_brand"],
        last4=profile["card_last4"],
        expiry=profile["card_expiry"],
        refused_code=profile.get("card_refused", ""),
    )


def read_topoff(topoff_id: str, fields: Mapping[str, str]) -> Topoff:
    """Read a top-off."""
    reason = fields.get("reason")
    return Topoff(
        id=topoff_id,
        account_id=fields["account"],
        state=TopoffState(fields["state"]),
        cause=TopoffCause(fields["cause"]),
        credits=int(fields["credits"]),
        attempt=int(fields["attempt"]),
        amount_minor=_int(fields.get("amount_minor")),
        currency=fields.get("currency", ""),
        customer=fields.get("customer", ""),
        payment_method=fields.get("payment_method", ""),
        payment_intent=fields.get("payment_intent", ""),
        requested_at_ms=int(fields["requested_at_ms"]),
        charging_at_ms=_int(fields.get("charging_at_ms")),
        finished_at_ms=_int(fields.get("finished_at_ms")),
        reason=FailureReason(reason) if reason else None,
        decline_code=fields.get("decline_code", ""),
        card_last4=fields.get("card_last4", ""),
    )


def read_incident(fields: Mapping[str, str]) -> Incident:
    """Read an incident."""
    resolution = fields.get("resolution")
    return Incident(
        id=fields["id"],
        account_id=fields["account"],
        topoff_id=fields["topoff"],
        reason=FailureReason(fields["reason"]),
        credits=int(fields["credits"]),
        amount_minor=_int(fields.get("amount_minor")),
        currency=fields.get("currency", ""),
        decline_code=fields.get("decline_code", ""),
        at_ms=int(fields["at_ms"]),
        resolved_at_ms=_int(fields.get("resolved_at_ms")),
        resolution=Resolution(resolution) if resolution else None,
    )


def read_notice(notice_id: str, fields: Mapping[str, str]) -> Notice:  # noqa: PLR0911 - one a kind
    """Read the frozen content of an e-mail."""
    account_id, at_ms, balance = account_of(notice_id), int(fields["at_ms"]), int(fields["balance"])
    match NoticeKind(fields["kind"]):
        case NoticeKind.TOPOFF_SUCCEEDED:
            return TopoffSucceeded(
                notice_id,
                account_id,
                at_ms,
                credits=int(fields["credits"]),
                amount_minor=int(fields["amount_minor"]),
                currency=fields["currency"],
                card_last4=fields["card_last4"],
                balance=balance,
            )
        case NoticeKind.TOPOFF_FAILED:
            return TopoffFailed(
                notice_id,
                account_id,
                at_ms,
                reason=FailureReason(fields["reason"]),
                credits=int(fields["credits"]),
                amount_minor=_int(fields["amount_minor"]),
                currency=fields["currency"],
                balance=balance,
            )
        case NoticeKind.CALLS_DROPPED:
            return CallsDropped(
                notice_id, account_id, at_ms, reason=Reason(fields["reason"]), balance=balance
            )
        case NoticeKind.BALANCE_LOW:
            threshold = int(fields["threshold"])
            return BalanceLow(notice_id, account_id, at_ms, balance=balance, threshold=threshold)
        case NoticeKind.CREDITS_CLAWED_BACK:
            return CreditsClawedBack(
                notice_id,
                account_id,
                at_ms,
                cause=CorrectionCause(fields["cause"]),
                credits=int(fields["credits"]),
                amount_minor=int(fields["amount_minor"]),
                currency=fields["currency"],
                balance=balance,
                switched_off=fields["switched_off"] == "1",
            )
        case NoticeKind.PURCHASE_SUCCEEDED:
            return PurchaseSucceeded(
                notice_id,
                account_id,
                at_ms,
                credits=int(fields["credits"]),
                amount_minor=int(fields["amount_minor"]),
                currency=fields["currency"],
                card_last4=fields["card_last4"],
                receipt_url=fields["receipt_url"],
                balance=balance,
            )
        case NoticeKind.SPENDING_CAP_REACHED:
            return SpendingCapReached(
                notice_id,
                account_id,
                at_ms,
                cap_minor=int(fields["cap_minor"]),
                spent_minor=int(fields["spent_minor"]),
                amount_minor=int(fields["amount_minor"]),
                currency=fields["currency"],
                resumes_at_ms=int(fields["resumes_at_ms"]),
                balance=balance,
            )


def read_checkout(checkout_id: str, fields: Mapping[str, str]) -> Checkout:
    """Read a visit to Checkout."""
    return Checkout(
        id=checkout_id,
        account_id=fields["account"],
        mode=CheckoutMode(fields["mode"]),
        state=CheckoutState(fields["state"]),
        session=fields.get("session", ""),
        customer=fields.get("customer", ""),
        credits=_int(fields.get("credits")) or 0,
        amount_minor=_int(fields.get("amount_minor")) or 0,
        currency=fields.get("currency", ""),
        payment_intent=fields.get("payment_intent", ""),
        card_last4=fields.get("card_last4", ""),
        receipt_url=fields.get("receipt_url", ""),
        started_at_ms=_int(fields.get("started_at_ms")),
        finished_at_ms=_int(fields.get("finished_at_ms")),
    )


def read_entry(entry_id: str, fields: Mapping[str, str]) -> Entry:
    """Read one line of the log, of whatever type."""
    return Entry(
        id=entry_id,
        at_ms=int(fields["at_ms"]),
        account_id=fields["account"],
        type=read_type(fields["type"]),
        allotment_delta=int(fields["allotment_delta"]),
        purchased_delta=int(fields["purchased_delta"]),
        allotment=int(fields["allotment"]),
        purchased=int(fields["purchased"]),
        ref=fields["ref"],
        cause=fields["cause"],
        number=fields["number"],
        detail=fields["detail"],
        direction=read_direction(fields),
    )


def read_direction(fields: Mapping[str, str]) -> Direction:
    """Read which way an entry's call goes: one that does not say so is inbound, or of no call.

    Entries that are older than the first calls told apart lack the field.
    """
    return Direction(fields.get("direction") or Direction.INBOUND)


def in_groups(flat: Sequence[Any], size: int) -> Iterator[tuple[Any, ...]]:
    """Cut a flat reply into groups: name, value, name, value."""
    return zip(*(flat[start::size] for start in range(size)), strict=True)


def _int(text: str | None) -> int | None:
    return int(text) if text else None
