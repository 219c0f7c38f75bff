"""How many credits go back with the money."""

from __future__ import annotations

import pytest

from gatekeeper.domain.correction import CorrectionCause, Reversal, credits_due_back


def gone(*amounts_minor: int) -> list[Reversal]:
    return [
        Reversal(f"re_{n}", CorrectionCause.REFUND, 1, amount_minor, is_out=True)
        for n, amount_minor in enumerate(amounts_minor)
    ]


@pytest.mark.parametrize(
    ("amounts_minor", "credits"),
    [
        ([], 0),
        ([1], 0),
        ([24], 0),
        ([25], 1),
        ([24, 24], 1),
        ([4999], 199),
        ([5000], 200),
        ([5000, 5000], 200),
    ],
)
def test_in_proportion_rounded_down_and_never_more_than_all(
    amounts_minor: list[int], credits: int
) -> None:
    assert credits_due_back(200, 5000, gone(*amounts_minor)) == credits


def test_money_that_came_again_counts_no_more() -> None:
    came_again = Reversal("re_x", CorrectionCause.REFUND, 2, 5000, is_out=False)
    assert credits_due_back(200, 5000, [came_again, *gone(50)]) == 2
