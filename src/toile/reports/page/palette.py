"""Colours of a report, for light and dark: one table, from which the page's CSS variables are made.

The series colours are Okabe and Ito's colour-blind-safe set (https://jfly.uni-koeln.de/color/), darkened for paper and
lightened for the dark theme until each has a contrast of at least 3 : 1 with its background (WCAG 2.2, 1.4.11).
Colour never speaks alone: markers and dashes differ as well.
"""

from __future__ import annotations

LIGHT = {
    "surface": "#fdfcf9",
    "raised": "#f4f2ec",
    "ink": "#1c1d20",
    "muted": "#5b5f66",
    "rule": "#d8d5cc",
    "link": "#0b559f",
    "warn": "#8a3b00",
    "warn-surface": "#fdf1e3",
    "series-1": "#0064ad",
    "series-2": "#b54405",
    "series-3": "#00755a",
    "series-4": "#a03a7a",
    "series-5": "#8a6500",
    "series-6": "#1f83b5",
    "series-7": "#5a5a5a",
    "series-8": "#6450a0",
}

DARK = {
    "surface": "#15171b",
    "raised": "#1d2026",
    "ink": "#e9e7e2",
    "muted": "#a5a9b1",
    "rule": "#383d46",
    "link": "#86bfff",
    "warn": "#ffb97a",
    "warn-surface": "#2c2118",
    "series-1": "#6cb6ff",
    "series-2": "#ff9a5c",
    "series-3": "#3fcfa5",
    "series-4": "#f09ccb",
    "series-5": "#e3bb3b",
    "series-6": "#a5e0f7",
    "series-7": "#c3c3c3",
    "series-8": "#bba9f4",
}

SERIES = 8
# Seven markers and eight colours have no common divisor: 56 lines look different.
MARKERS = ("o", "s", "^", "D", "v", "P", "X")

# What Matplotlib draws with. No drawing can hold a CSS variable while Matplotlib parses colours, so each variable has a
# stand-in that nothing else uses; `plots.svg` puts the variable in its place.
INK, MUTED, RULE, SURFACE = "#01fe01", "#01fe02", "#01fe03", "#01fe04"
_SERIES = tuple(f"#02fe{number:02x}" for number in range(1, SERIES + 1))

STAND_INS = {
    # Ink is the colour of the text around the picture, so a picture is right wherever it is pasted.
    INK: "currentColor",
    MUTED: "var(--muted)",
    RULE: "var(--rule)",
    SURFACE: "var(--surface)",
    **{colour: f"var(--series-{number})" for number, colour in enumerate(_SERIES, start=1)},
}


def series(index: int) -> str:
    """The stand-in of the series with this index (from 0); from the ninth on the colours come again."""
    return _SERIES[index % SERIES]


def css() -> str:
    """CSS rules that define every colour as a variable, for both themes; print is always light."""

    def block(colours: dict[str, str]) -> str:
        return ":root{" + "".join(f"--{name}:{value};" for name, value in colours.items()) + "}"

    return f"{block(LIGHT)}@media screen and (prefers-color-scheme:dark){{{block(DARK)}}}"
