"""Picture files with their labels as a data set: what folders of pictures and lists of them have in common."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, TypedDict, Unpack

import numpy as np
from numpy.typing import NDArray

from toile.data.dataset import PARTS, Dataset
from toile.data.errors import DataError
from toile.data.images import Images, LeftOut, as_names
from toile.data.reading.checks import as_dataset
from toile.data.reading.limits import Budget
from toile.pictures.decode import ImageError
from toile.pictures.look import Wanted
from toile.pictures.many import Many, read_many
from toile.pictures.read import Blob
from toile.study.data.dataset import MAX_PIXELS
from toile.study.data.pictures import Fit, Ground
from toile.text import counted, cut

_NAMED = 100  # files that an error names; it says how many there are
_SIZES = 6  # that an error shows
_USUAL = 64  # pixels: what to propose where pictures have all kinds of sizes


class Reading(TypedDict, total=False):
    """How pictures are read, as a study says it; what it does not say is as in `toile.study.data.dataset.DatasetSpec`."""

    size: int | tuple[int, int] | None
    fit: Fit
    transparency: Ground | None
    upright: bool
    on_error: Literal["stop", "skip"]


@dataclass(frozen=True)
class Listed:
    """A picture: its part, its label (a number or a word), the file, and its name within the data set; and what else is said
    of it, by name."""

    part: str
    label: Any
    source: Path | Blob
    name: str
    columns: dict[str, str] = field(default_factory=dict)


def read_files(
    path: Path,
    files: Sequence[Listed],
    class_names: tuple[str, ...] | None,
    strays: Sequence[LeftOut] = (),
    *,
    first: int | None = None,
    **how: Unpack[Reading],
) -> Dataset:
    """A data set of picture files, each part in the order of its files.

    Args:
        path: the folder or the list, for messages.
        class_names: as `toile.data.reading.labels.numbered` takes them.
        strays: what is left out already.
        first: 0 where labels are positions in `class_names`, whatever these are called; None where they are what files say.

    Raises:
        DataError: files that cannot be read, where the study does not leave them out; pictures of several sizes, where it says
            none; no training picture.
    """
    files = sorted(files, key=lambda one: PARTS.index(one.part))
    size = how.get("size")
    wanted = Wanted(
        size=(size, size) if isinstance(size, int) else size,
        fit=how.get("fit", "pad"),
        ground=how.get("transparency"),
        upright=how.get("upright", True),
    )
    budget = Budget()
    try:
        made = read_many([one.source for one in files], wanted, MAX_PIXELS, lambda count: budget.take(count, path))
    except ImageError as error:
        raise DataError(f"{path}: {error}") from None
    whys = {at: why.removeprefix(f"{files[at].source} ").removeprefix("is ") for at, why in sorted(made.broken.items())}
    left_out = [*strays, *(LeftOut(files[at].name, why) for at, why in whys.items())]
    if left_out and how.get("on_error", "stop") == "stop":
        raise DataError(_unread(path, left_out))
    if not len(made.kept):
        why = f"; the first: {left_out[0].why}" if left_out else ""
        raise DataError(f"{path}: none of {len(files):,} files can be read as a picture{why}")
    if made.images is None:
        raise DataError(_sizes(path, made))
    kept = [files[at] for at in made.kept]
    names, labels = as_names([one.name for one in kept]), _labels(path, kept)
    of_part = {part: np.flatnonzero([one.part == part for one in kept]) for part in dict.fromkeys(one.part for one in files)}
    for part, where in of_part.items():
        if not len(where):
            raise DataError(f"{path}: no picture of the {part} part can be read; {left_out[0].name}: {left_out[0].why}")
    if "train" not in of_part:
        raise DataError(f"{path}: no picture of the train part; expected some")
    given = {part: (made.images[where[0] : where[-1] + 1], labels[where]) for part, where in of_part.items()}
    test, validation = given.get("test"), given.get("validation")
    dataset = as_dataset(path.name, path, given["train"], test, class_names, first, validation)
    columns = {name: as_names([one.columns.get(name, "") for one in kept]) for name in (kept[0].columns if kept else ())}
    named = {
        part: Images(one.images, one.labels, names[at], {name: of[at] for name, of in columns.items()} or None)
        for part, one in dataset.parts.items()
        for at in [of_part[part]]
    }
    return replace(dataset, form=made.form, left_out=tuple(left_out), notes=(*dataset.notes, *made.notes), **named)


def _labels(path: Path, files: Sequence[Listed]) -> NDArray[Any]:
    """The labels of pictures, `(n,)`, or `(n, classes)` where they are lists of one length, as one-hot ones are.

    Raises:
        DataError: lists of several lengths, as those of pictures of several classes are.
    """
    widths = [len(one.label) if isinstance(one.label, list) else 0 for one in files]
    if odd := next((at for at, width in enumerate(widths) if width != widths[0]), 0):
        first, other = (f"{cut(str(files[at].label), 40)} of {files[at].name}" for at in (0, odd))
        raise DataError(
            f"{path}: labels of several lengths: {first}, {other}; expected one each, as an image has one class here"
        )
    return np.array([one.label for one in files])


def _unread(path: Path, left_out: list[LeftOut]) -> str:
    count = counted(len(left_out), "file that cannot be used", "files that cannot be used")
    lines = [f"  {one.name}: {one.why}" for one in left_out[:_NAMED]]
    more = [f"  … and {len(left_out) - _NAMED:,} more"] if len(left_out) > _NAMED else []
    way = 'mend or remove them, or write `on_error = "skip"` in the study\'s data set to leave such files out'
    return "\n".join([f"{path}: {count}:", *lines, *more, way])


def _sizes(path: Path, made: Many) -> str:
    """That the pictures cannot be taken in their own size: which sizes there are, and what to write."""
    common = made.sizes.most_common()
    count = sum(made.sizes.values())
    what = f"{count:,} pictures of {len(common):,} sizes" if len(common) > 1 else f"{count:,} pictures of over 4 megapixels"
    width = len(f"{common[0][1]:,}")
    lines = [f"  {times:>{width},} of {wide} x {high}" for (high, wide), times in common[:_SIZES]]
    if len(common) > _SIZES:
        rest = made.sizes - Counter(dict(common[:_SIZES]))
        small, large = min(rest, key=np.prod), max(rest, key=np.prod)
        span = f"{small[1]} x {small[0]} to {large[1]} x {large[0]}"
        lines.append(f"  {sum(rest.values()):>{width},} of {len(rest):,} other sizes, from {span}")
    line = f"dataset = {{ path = {json.dumps(path.as_posix(), ensure_ascii=False)}, size = {_proposed(made)} }}"
    way = (
        f"toile is for small images; write in the study file\n  {line}\n"
        'and, if they are not to be whole on the colour of their border, also fit = "crop" or fit = "stretch"'
    )
    return "\n".join([f"{path}: {what}; expected one size (width x height):", *lines, way])


def _proposed(made: Many) -> str:
    """A size for pictures of several: the usual one of them, if that is small, as in a study file."""
    (usual, times), *_ = made.sizes.most_common()
    if times > sum(made.sizes.values()) / 2 and max(usual) <= 2 * _USUAL:
        return str(usual[0]) if usual[0] == usual[1] else f"[{usual[0]}, {usual[1]}]"
    return str(min(_USUAL, max(map(max, made.sizes))))
