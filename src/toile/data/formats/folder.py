"""A folder of PNG, JPEG, GIF, BMP, WEBP or TIFF pictures: one sub-folder a class, or train/, val/ and test/ above those"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np

from toile.data import layout
from toile.data.checks import as_dataset
from toile.data.dataset import Dataset
from toile.data.errors import DataError
from toile.data.images import Images, LeftOut, as_names
from toile.data.limits import Budget
from toile.pictures.files import shown
from toile.pictures.look import Wanted
from toile.pictures.many import Many, read_many
from toile.study.dataset import MAX_PIXELS
from toile.study.pictures import Fit, Ground

_NAMED = 100  # files that an error names; it says how many there are
_SIZES = 6  # that an error shows
_USUAL = 64  # pixels: what to propose where pictures have all kinds of sizes


def matches(path: Path) -> bool:
    return path.is_dir()


def read(
    path: Path,
    test_path: Path | None,
    class_names: tuple[str, ...] | None,
    *,
    size: int | tuple[int, int] | None = None,
    fit: Fit = "pad",
    transparency: Ground | None = None,
    upright: bool = True,
    parts: dict[str, str] | None = None,
    nested: bool = False,
    on_error: Literal["stop", "skip"] = "stop",
) -> Dataset:
    """Labels are the sorted sub-folders (by number where all are numbers). `class_names` that hold every folder's name
    set the order of the labels; others rename the sorted classes."""
    found = layout.find(path, parts, nested=nested)
    folders = {part: (folder, path) for part, folder in found.parts.items()}
    if test_path is not None:
        if "test" in folders:
            raise DataError(f"{path}: holds {folders['test'][0].name}/ already; leave out test_path ({test_path})")
        folders["test"] = (layout.find(test_path, None, nested=nested).parts["train"], test_path)
    order = layout.classes(folders["train"][0], class_names)
    strays: list[LeftOut] = []
    files: list[tuple[str, str, Path, str]] = []  # part, class, file, name
    for part, (folder, root) in folders.items():
        listed = layout.files(folder, order, nested=nested, root=root, strays=strays)
        files += [(part, class_, file, shown(file, root)) for class_, file in listed]
    both = (size, size) if isinstance(size, int) else size
    wanted = Wanted(size=both, fit=fit, ground=transparency, upright=upright)
    budget = Budget()
    made = read_many([file for _, _, file, _ in files], wanted, MAX_PIXELS, lambda count: budget.take(count, path))
    whys = {at: why.removeprefix(f"{files[at][2]} ").removeprefix("is ") for at, why in sorted(made.broken.items())}
    broken = [LeftOut(files[at][3], why) for at, why in whys.items()]
    left_out = [*strays, *broken]
    if left_out and on_error == "stop":
        raise DataError(_unread(path, left_out))
    if not len(made.kept):
        raise DataError(f"{path}: none of {len(files):,} files can be read as a picture; the first: {left_out[0].why}")
    if made.images is None:
        raise DataError(_sizes(path, made))
    kept = [files[at] for at in made.kept]
    names = as_names([name for *_, name in kept])
    labels = np.array([order.index(class_) for _, class_, *_ in kept], np.int64)
    of_part = {part: np.flatnonzero([one[0] == part for one in kept]) for part in folders}
    for part, where in of_part.items():
        if not len(where):
            raise DataError(f"{path}: no picture of the {part} part can be read; {left_out[0].name}: {left_out[0].why}")
    given = {part: (made.images[where[0] : where[-1] + 1], labels[where]) for part, where in of_part.items()}
    called = class_names if class_names is not None else tuple(order)
    test, validation = given.get("test"), given.get("validation")
    dataset = as_dataset(path.name, path, given["train"], test, called, validation=validation)
    named = {part: Images(one.images, one.labels, names[of_part[part]]) for part, one in dataset.parts.items()}
    return replace(dataset, form=made.form, left_out=tuple(left_out), **named)


def _unread(path: Path, left_out: list[LeftOut]) -> str:
    count = "1 file that cannot be used" if len(left_out) == 1 else f"{len(left_out):,} files that cannot be used"
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
