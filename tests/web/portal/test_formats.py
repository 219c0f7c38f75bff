"""Numbers, money and moments as the portal writes them; charts as it lays them out."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatekeeper.web.portal.charts import bar_chart, scale_top
from gatekeeper.web.portal.formats import (
    write_count,
    write_day,
    write_moment_tag,
    write_money,
    write_percent,
    write_signed,
)

AT_MS = 1_763_812_800_000  # 2025-11-22 12:00 UTC


def test_numbers_have_true_signs() -> None:
    assert write_count(-1234) == "\N{MINUS SIGN}1,234"
    assert [write_signed(one) for one in (200, 0, -1)] == ["+200", "0", "\N{MINUS SIGN}1"]
    assert write_money(-2500, "usd") == "\N{MINUS SIGN}$25.00"
    assert write_money(125000, "eur") == "€1,250.00"


@pytest.mark.parametrize(
    ("part", "written"),
    [(0, "0%"), (1, "less than 1%"), (361, "72%"), (499, "99%"), (500, "100%"), (600, "120%")],
)
def test_a_share_is_never_rounded_to_all_or_nothing(part: int, written: str) -> None:
    assert write_percent(part, 500) == written


def test_moments_are_the_accounts_own() -> None:
    assert write_day(AT_MS, "Pacific/Kiritimati") == "Nov 23, 2025"
    assert write_moment_tag(AT_MS, "America/New_York") == (
        '<time datetime="2025-11-22T12:00:00+00:00"'
        ' title="November 22, 2025, 07:00 EST (America/New_York)">Nov 22, 2025, 07:00</time>'
    )
    assert "12:00 UTC" in write_moment_tag(AT_MS, "No/Where")


@given(st.integers(0, 10**9))
def test_a_scale_is_just_high_enough(most: int) -> None:
    top = scale_top(most)
    assert most <= top <= max(2, 2 * most)


@given(st.lists(st.integers(0, 10**6), max_size=366))
def test_bars_stand_side_by_side_within_the_chart(values: list[int]) -> None:
    chart = bar_chart([(f"day {index}", value) for index, value in enumerate(values)])
    assert [bar.value for bar in chart.bars] == values
    for bar in chart.bars:
        assert 0 <= bar.x <= bar.x + bar.width <= 100.01
        assert -0.1 <= bar.y <= chart.height
        assert (bar.height > 0) == (bar.value > 0)
        assert bar.y + bar.height <= chart.height + 2.1
    for left, right in zip(chart.bars, chart.bars[1:], strict=False):
        assert left.x + left.width <= right.x + 0.01
    assert len(chart.days) <= 5
    assert chart.lines[-1].text == "0"


def test_an_empty_chart_has_a_scale() -> None:
    assert [line.text for line in bar_chart([]).lines] == ["2", "1", "0"]
