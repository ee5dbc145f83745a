"""The contrast of colours, as WCAG 2 defines it."""

from __future__ import annotations

import re


def over(colour: str, background: tuple[float, ...]) -> tuple[float, ...]:
    """Red, green and blue, 0 to 255, of a colour on a background."""
    if match := re.fullmatch(r"rgba\((\d+),(\d+),(\d+),(\.\d+)\)", colour):
        alpha = float(match[4])
        front = [float(match[number]) for number in (1, 2, 3)]
        return tuple(alpha * f + (1 - alpha) * b for f, b in zip(front, background, strict=True))
    return tuple(float(int(colour[at : at + 2], 16)) for at in (1, 3, 5))


def luminance(rgb: tuple[float, ...]) -> float:
    """Relative luminance, as WCAG 2 defines it."""
    parts = [
        value / 255 / 12.92 if value / 255 <= 0.04045 else ((value / 255 + 0.055) / 1.055) ** 2.4
        for value in rgb
    ]
    return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]


def ratio(first: tuple[float, ...], second: tuple[float, ...]) -> float:
    """The contrast of two colours, 1 to 21."""
    one, other = luminance(first), luminance(second)
    return (max(one, other) + 0.05) / (min(one, other) + 0.05)
