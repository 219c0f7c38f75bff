"""The deployment's accent colour, made readable: the colours that follow from it, as CSS.

Contrast is WCAG 2's: https://www.w3.org/TR/WCAG22/#dfn-contrast-ratio
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import count
from typing import Final

Rgb = tuple[int, int, int]

#: What text needs at level AA. https://www.w3.org/TR/WCAG22/#contrast-minimum
AA_CONTRAST: Final = 4.5

_BLACK: Final[Rgb] = (0, 0, 0)
_WHITE: Final[Rgb] = (255, 255, 255)
_HOVER_SHARE: Final = 0.14
_STEP: Final = 0.02


@dataclass(frozen=True, slots=True)
class Scheme:
    """One colour scheme: the surface that text in the accent colour contrasts least with."""

    surface: Rgb
    ink: Rgb  # what the accent is mixed with until it can be read


#: Light and dark, as base.css paints its tinted surfaces (`--tint`).
LIGHT: Final = Scheme(surface=(0xEE, 0xF1, 0xF5), ink=_BLACK)
DARK: Final = Scheme(surface=(0x26, 0x2D, 0x38), ink=_WHITE)


def parse_color(text: str) -> Rgb:
    """Read "#2456d6". Raises ValueError for anything else."""
    if not re.fullmatch(r"#[0-9a-fA-F]{6}", text):
        raise ValueError("must be # and 6 hex digits, such as #2456d6")
    return int(text[1:3], 16), int(text[3:5], 16), int(text[5:7], 16)


def contrast(one: Rgb, other: Rgb) -> float:
    """Compare two colours: from 1, the same, to 21, black and white."""
    lighter, darker = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def _luminance(color: Rgb) -> float:
    red, green, blue = (_linear(channel / 255) for channel in color)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _linear(channel: float) -> float:
    """Undo sRGB's curve: https://www.w3.org/TR/WCAG22/#dfn-relative-luminance ."""
    is_linear = channel <= 0.04045  # noqa: PLR2004 - the formula's own
    return channel / 12.92 if is_linear else float(((channel + 0.055) / 1.055) ** 2.4)


def mix(color: Rgb, other: Rgb, share: float) -> Rgb:
    """Mix `share` of the other colour, from 0 to 1, into the first."""
    red, green, blue = (
        round(one + (two - one) * share) for one, two in zip(color, other, strict=True)
    )
    return red, green, blue


def text_on(background: Rgb) -> Rgb:
    """Choose black or white text, whichever is read better; one of them always meets AA."""
    return max(_BLACK, _WHITE, key=lambda text: contrast(text, background))


def readable(color: Rgb, scheme: Scheme) -> Rgb:
    """Change a colour as little as makes it readable as text on the scheme's surfaces."""
    mixes = (mix(color, scheme.ink, min(1.0, step * _STEP)) for step in count())
    return next(one for one in mixes if contrast(one, scheme.surface) >= AA_CONTRAST)


def theme_css(accent: str) -> str:
    """Write the accent's colours as CSS variables, for the light and the dark scheme.

    `accent` is a colour such as "#2456d6"; raises ValueError for anything else. `--accent` is the
    fill of buttons with `--on-accent` upon it, `--accent-text` is for links, marks and bars.
    """
    color = parse_color(accent)
    return (
        f":root{{{_variables(color, LIGHT)}}}\n"
        f"@media (prefers-color-scheme:dark){{:root{{{_variables(color, DARK)}}}}}\n"
    )


def _variables(accent: Rgb, scheme: Scheme) -> str:
    text = text_on(accent)
    away_from_text = _BLACK if text == _WHITE else _WHITE
    colors = {
        "accent": accent,
        "accent-hover": mix(accent, away_from_text, _HOVER_SHARE),
        "on-accent": text,
        "accent-text": readable(accent, scheme),
    }
    return ";".join(f"--{name}:#{bytes(color).hex()}" for name, color in colors.items())
