"""Whatever accent a deployment chooses, what is written in it can be read."""

from __future__ import annotations

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gatekeeper.web.portal.accent import (
    AA_CONTRAST,
    DARK,
    LIGHT,
    Rgb,
    contrast,
    parse_color,
    readable,
    text_on,
    theme_css,
)

channel = st.integers(0, 255)
colors = st.tuples(channel, channel, channel)


def test_contrast_is_wcags() -> None:
    assert contrast((0, 0, 0), (255, 255, 255)) == pytest.approx(21)
    assert contrast((0x77, 0x77, 0x77), (255, 255, 255)) == pytest.approx(4.48, abs=0.005)
    assert contrast((0x0A, 0x0A, 0xFF), (0x0A, 0x0A, 0xFF)) == 1


@given(colors)
@example((0x77, 0x77, 0x77))
@example((255, 255, 255))
@example((0, 0, 0))
def test_every_text_in_every_accent_meets_aa(color: Rgb) -> None:
    css = theme_css(f"#{bytes(color).hex()}")
    for scheme, variables in zip((LIGHT, DARK), css.split("@media"), strict=True):
        of = {
            name: parse_color(value) for name, value in re.findall(r"--([a-z-]+):(#\w+)", variables)
        }
        assert contrast(of["on-accent"], of["accent"]) >= AA_CONTRAST
        assert contrast(of["on-accent"], of["accent-hover"]) >= AA_CONTRAST
        assert contrast(of["accent-text"], scheme.surface) >= AA_CONTRAST
        assert of["accent"] == color


@given(colors)
def test_a_readable_accent_is_left_alone(color: Rgb) -> None:
    for scheme in (LIGHT, DARK):
        once = readable(color, scheme)
        assert readable(once, scheme) == once
        if contrast(color, scheme.surface) >= AA_CONTRAST:
            assert once == color


def test_text_is_black_or_white() -> None:
    assert text_on(parse_color("#ffd000")) == (0, 0, 0)
    assert text_on(parse_color("#2456D6")) == (255, 255, 255)


@pytest.mark.parametrize("text", ["", "2456d6", "#24d", "#2456d6;", "#2456g6", "red", "#2456d6\n"])
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="6 hex digits"):
        theme_css(text)
