"""Which number is full light in a data set's pictures of more than eight bits.

A file does not say it: the same numbers are 8 bits, 12 bits in a file of 16, or fractions. It is decided once for all whole
numbers together and once for all floats together, so that a dark picture stays darker than a bright one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from toile.pictures.decode import ImageError
from toile.pictures.look import Look
from toile.pictures.ranges import BEYOND, nearly_black, of_bits, of_floats
from toile.pictures.read import Blob

_FEW = 3  # files that are named


@dataclass
class Light:
    """What was decided.

    Args:
        full, fractions: as in `toile.pictures.form.Form`.
        broken: position -> why, of files that lie in no range.
        notes: sentences for the owner of the pictures.
    """

    full: float | None = None
    fractions: float | None = None
    broken: dict[int, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def of_all(looks: Mapping[int, Look], files: Sequence[Path | Blob]) -> Light:
    """Full light of a data set's deep pictures.

    Args:
        looks: position in `files` -> what was seen of it; of each picture of more than eight bits.

    Raises:
        ImageError: floats up to 1 stand beside floats up to much more, so that one of both would be wrong.
    """
    made, whole, floats = Light(), {}, {}
    for number, one in looks.items():
        if one.deep is not None:
            (whole if one.whole else floats)[number] = one.deep
    if whole:
        greatest = max(most for _, most in whole.values())
        made.full = of_bits(greatest)
        _tell_dark(made, whole, made.full, files)
    if floats:
        full = _of_floats(made, floats, files)
        made.fractions = full if made.full not in (None, full) else None
        made.full = made.full or full
    return made


def _of_floats(made: Light, floats: Mapping[int, tuple[float, float]], files: Sequence[Path | Blob]) -> float:
    most = max(high for _, high in floats.values())
    small = {number: of for number, of in floats.items() if 0 < of[1] <= 1 + BEYOND}
    if most > 1 + BEYOND and small:
        large = [number for number in floats if floats[number][1] > 1 + BEYOND]
        greatest = max(high for _, high in small.values())
        raise ImageError(
            f"pictures of floats have two ranges: {len(small):,} go up to {greatest:g} ({named(small, files)}), "
            f"and {len(large):,} up to {most:g} ({named(large, files)}); expected one for all of them, such as 0..1"
        )
    full = of_floats(most)
    for number, (low, _) in floats.items():
        if low < -BEYOND * full:
            made.broken[number] = f"{files[number]} has pixels below 0, down to {low:g}"
    _tell_dark(made, floats, full, files)
    low = min((of[0] for number, of in floats.items() if number not in made.broken), default=0)
    if low < 0 or most > full:
        made.notes.append(
            f"the pixels of pictures of floats lie in {low:.4g}..{most:.4g}: taken for 0..{full:g}, and cut where they lie "
            "outside, as resizing with cubic splines leaves them"
        )
    return full


def _tell_dark(made: Light, pictures: Mapping[int, tuple[float, float]], full: float, files: Sequence[Path | Blob]) -> None:
    dark = [number for number, (_, most) in pictures.items() if nearly_black(most, full)]
    if dark:
        greatest, others = max(pictures[number][1] for number in dark), max(most for _, most in pictures.values())
        count = f"{len(dark):,} of {len(pictures):,}"
        made.notes.append(
            f"{count} pictures of more than 8 bits hold numbers up to {greatest:g} only, where others "
            f"go up to {others:g}, and become nearly black ({named(dark, files)}): were they made with fewer bits?"
        )


def named(numbers: Sequence[int] | Mapping[int, object], files: Sequence[Path | Blob]) -> str:
    """The first of some files, by their names."""
    names = [files[number] for number in numbers]
    said = "; ".join(name.name for name in names[:_FEW])
    return f"{said}; …" if len(names) > _FEW else said
