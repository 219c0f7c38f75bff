"""Stripe's errors in our own words: what a job raises is stored by RQ and shown to on-call."""

from __future__ import annotations

from stripe import StripeError


def describe(error: StripeError) -> str:
    """Say what happened without the words of the answer, which may repeat what it was given."""
    code = error.error.code if error.error else None
    known = (f"HTTP {error.http_status}" if error.http_status else "", code, error.request_id)
    return " ".join([type(error).__name__, *filter(None, known)])


def is_kept(error: StripeError) -> bool:
    """Tell whether Stripe says that it repeats the answer it kept under the idempotency key."""
    return (error.headers or {}).get("Idempotent-Replayed") == "true"
