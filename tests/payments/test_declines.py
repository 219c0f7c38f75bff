"""Every decline that Stripe documents is classified, and none says too much."""

import pytest

from gatekeeper.payments.declines import (
    DECLINES,
    NEVER_AGAIN,
    NOT_NOW,
    TRANSIENT,
    decline_of,
    shown_code,
)
from gatekeeper.sandbox.stripe import DECLINE_CODES

SIX_HOURS_S = 6 * 3600


def test_the_table_has_every_documented_code_and_no_other() -> None:
    assert set(DECLINES) == set(DECLINE_CODES)


@pytest.mark.parametrize(
    "code",
    [
        "stolen_card",
        "lost_card",
        "pickup_card",
        "fraudulent",
        "revocation_of_authorization",
        "revocation_of_all_authorizations",
        "expired_card",
        "incorrect_number",
        "authentication_required",
        "do_not_try_again",
    ],
)
def test_a_card_that_can_never_work_is_never_tried_again(code: str) -> None:
    assert decline_of(code).card_refused
    assert decline_of(code).cool_downs_s == ()


@pytest.mark.parametrize(
    "code", ["do_not_honor", "generic_decline", "insufficient_funds", "card_velocity_exceeded"]
)
def test_a_soft_decline_is_tried_again_by_hand_only(code: str) -> None:
    assert not decline_of(code).card_refused
    assert decline_of(code).cool_downs_s == ()


@pytest.mark.parametrize(
    "code", ["processing_error", "issuer_not_available", "try_again_later", "reenter_transaction"]
)
def test_a_transient_decline_is_tried_again_once_hours_later(code: str) -> None:
    assert not decline_of(code).card_refused
    assert decline_of(code).cool_downs_s == (SIX_HOURS_S,)


def test_the_issuers_advice_outweighs_its_code() -> None:
    assert decline_of("insufficient_funds", "do_not_try_again") is NEVER_AGAIN
    assert decline_of("processing_error", "try_again_later") is TRANSIENT


def test_a_code_of_tomorrow_is_a_soft_decline() -> None:
    assert decline_of("declined_by_the_moon") is NOT_NOW
    assert shown_code("declined_by_the_moon") == "generic_decline"


@pytest.mark.parametrize(
    "code", ["fraudulent", "lost_card", "merchant_blacklist", "pickup_card", "stolen_card"]
)
def test_suspicions_are_shown_as_a_plain_decline(code: str) -> None:
    assert shown_code(code) == "generic_decline"


def test_what_a_customer_can_act_on_is_shown() -> None:
    assert shown_code("insufficient_funds") == "insufficient_funds"
    assert shown_code("expired_card") == "expired_card"
