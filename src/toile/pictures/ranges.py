"""Ranges of the numbers of pictures of more than eight bits: which number is full light, by the greatest one."""

from __future__ import annotations

BEYOND = 0.1  # share of the range by which floats may lie outside of it: resizing with cubic splines overshoots
_BITS = (8, 10, 12, 14, 16)  # of cameras' and scanners' whole numbers
_DARK = 16  # parts of full light: a picture that has not one of them is nearly black, as 12 bits among 16 are


def of_bits(most: float) -> float:
    """The greatest number of as many bits as that one needs, as cameras and scanners have them; else itself."""
    return next((2.0**bits - 1 for bits in _BITS if most < 2**bits), most)


def of_floats(most: float) -> float:
    """1 or 255, if the greatest of some floats may be what resizing has left of that; else as of whole numbers."""
    return next((top for top in (1.0, 255.0) if most <= (1 + BEYOND) * top), None) or of_bits(most)


def nearly_black(most: float, full: float) -> bool:
    """Whether a picture whose greatest number is `most` becomes nearly black, and is not black itself."""
    return 0 < most <= (full + 1) / _DARK
