"""From what a study says about its data to the data."""

from __future__ import annotations

import difflib
import os
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from toile.data import formats, sources
from toile.data.dataset import Dataset, Images
from toile.data.errors import DataError
from toile.data.reading.labels import renamed
from toile.data.reading.limits import anchored, plain_or_folder
from toile.pictures.form import Form
from toile.pictures.learned import form_of
from toile.study.data.dataset import READING
from toile.text import cut

if TYPE_CHECKING:
    from toile.data.reading.fetch import Progress
    from toile.study.data.dataset import DatasetSpec


def load(
    spec: DatasetSpec, data_dir: Path | None = None, base: Path | None = None, progress: Progress | None = None
) -> Dataset:
    """Loads the data set of a study.

    `class_names` names the classes after `class_map`; where there is one name an old class and the map merges some,
    it names the old ones, and merged classes are called "old / old".

    Args:
        spec: a registered name, or a path with its format.
        data_dir: where a registered data set is looked for first.
        base: folder that relative paths start from, the study file's; the current one where left out.
        progress: told of a download.

    Raises:
        Misuse: unknown name or format.
        DatasetUnavailable: a registered data set that is neither found nor downloaded.
        DataError: files that cannot be read or do not fit.
    """
    new_classes = _new_classes(spec.class_map) if spec.class_map is not None else None
    names_are_old = spec.class_names is not None and (
        spec.class_map is None or (len(spec.class_names) == len(spec.class_map) != new_classes)
    )
    old_names = spec.class_names if names_are_old else None
    if spec.name is not None:
        dataset = sources.load(spec.name, data_dir, progress)
        before = dataset.class_names
        if old_names is not None:
            dataset = _renamed(dataset, old_names)
            if spec.class_map is None:
                renamed(before, old_names, f"data set {dataset.name!r}")
    else:
        assert spec.path is not None  # a spec has a name or a path
        path = _found(spec.path, base)
        test_path = _found(spec.test_path, base) if spec.test_path is not None else None
        name = spec.format if spec.format is not None else formats.guess(path)
        dataset = formats.load(name).read(path, test_path, old_names, **_options(spec, name))
    if spec.class_map is not None:
        dataset = map_classes(dataset, spec.class_map)
        if spec.class_names is not None and not names_are_old:
            dataset = _renamed(dataset, spec.class_names)
    if spec.pool:
        dataset = _pooled(dataset, spec.pool)
    if spec.draw is not None:
        dataset = _drawn(dataset, spec.draw, spec.draw_seed)
    if repeated := [name for name, times in Counter(dataset.class_names).items() if times > 1]:
        raise DataError(
            f"data set {dataset.name!r}: several classes are called {cut(repeated[0], 60)!r}; expected a name of its own for "
            "each, or one class of them, by `class_map`"
        )
    return replace(dataset, form=_form(dataset))


def map_classes(dataset: Dataset, class_map: tuple[int, ...]) -> Dataset:
    """Gives every class a new label; several old classes may share one.

    Args:
        dataset: with labels 0..classes - 1.
        class_map: new label of each old one, `len(class_map) == classes`; together they are 0.., or 1.., without gaps.

    Returns:
        The same images with labels from 0; the names of merged classes joined with " / ".

    Raises:
        DataError: another length, gaps.
    """
    if len(class_map) != dataset.classes:
        raise DataError(
            f"class_map has {len(class_map)} labels, data set {dataset.name!r} has {dataset.classes} classes; "
            f"expected one new label for each old one"
        )
    count = _new_classes(class_map)
    table = np.array(class_map, np.int64) - min(class_map)
    names = tuple(
        " / ".join(name for name, new in zip(dataset.class_names, table, strict=True) if new == label) for label in range(count)
    )
    mapped = {part: replace(images, labels=table[images.labels]) for part, images in dataset.parts.items()}
    # What a model is asked for from here on are the new labels.
    return replace(dataset, class_names=names, first=min(class_map), numbers=(), **mapped)


def _form(dataset: Dataset) -> Form:
    """How its pictures became images; with what the training images show about strange ones, if all of them had one size."""
    seen = form_of(dataset.train.images)
    if dataset.form is None:
        return seen
    return replace(dataset.form, guess=seen.guess) if dataset.form.own else dataset.form


def _options(spec: DatasetSpec, name: str) -> dict[str, Any]:
    """What a study says of how its files are read, for a format that knows of it.

    Raises:
        DataError: it says something that the format knows nothing of.
    """
    known = formats.options(name)
    said = {key: getattr(spec, key) for key in READING if key in spec.model_fields_set}
    if unknown := [key for key in said if key not in known]:
        able = [other for other in formats.names() if set(unknown) <= formats.options(other)]
        raise DataError(f"{spec.path}: a data set of the format {name!r} has no {', '.join(unknown)}; {' and '.join(able)} has")
    return said


def _pooled(dataset: Dataset, pool: bool | str) -> Dataset:
    """Training images, validation images and test images as one set of training images, in this order; or without the last."""
    parts = dataset.parts
    if pool == "validation":
        parts.pop("test", None)
        if dataset.validation is None:
            raise DataError(f"data set {dataset.name!r} has no validation images to pool; leave out `pool`")
    elif dataset.test is None:
        raise DataError(f"data set {dataset.name!r} has no test images to pool; leave out `pool`")
    all_ = list(parts.values())
    named = [part.names for part in all_ if part.names is not None]
    names = np.concatenate(named) if len(named) == len(all_) else None
    columns = [part.columns or {} for part in all_]
    shared = {name: np.concatenate([of[name] for of in columns]) for name in columns[0] if all(name in of for of in columns)}
    images, labels = (np.concatenate(arrays) for arrays in zip(*((part.images, part.labels) for part in all_), strict=True))
    joined = Images(images, labels, names, shared or None)
    return replace(dataset, train=joined, validation=None, test=dataset.test if pool == "validation" else None)


def _drawn(dataset: Dataset, count: int, seed: int) -> Dataset:
    """`count` of the training images, drawn without replacement and put in a random order."""
    if count > len(dataset.train):
        raise DataError(f"draw = {count:,}, data set {dataset.name!r} has {len(dataset.train):,} images to draw from")
    chosen = np.random.default_rng(seed).permutation(len(dataset.train))[:count]
    return replace(dataset, train=dataset.train[chosen])


def _new_classes(class_map: tuple[int, ...]) -> int:
    used = sorted(set(class_map))
    if not used or used[0] not in (0, 1) or used != list(range(used[0], used[0] + len(used))):
        raise DataError(f"class_map uses the labels {used}; expected 0, 1, 2 … or 1, 2, 3 … without gaps")
    return len(used)


def _renamed(dataset: Dataset, class_names: tuple[str, ...]) -> Dataset:
    if len(class_names) != dataset.classes:
        raise DataError(
            f"{len(class_names)} class names, data set {dataset.name!r} has {dataset.classes} classes; expected one each"
        )
    return replace(dataset, class_names=class_names)


def _found(path: str, base: Path | None) -> Path:
    anchored(path, base or Path())  # refuses what can be no path at all
    found = (base or Path()) / Path(path).expanduser()
    if found.name in ("", ".."):  # the folder in which somebody is has a name too
        found = found.resolve()
    if not found.exists():
        beside = [entry.name for entry in found.parent.iterdir()] if found.parent.is_dir() else []
        close = difflib.get_close_matches(found.name, beside, n=1)
        hint = f" (did you mean {close[0]!r}?)" if close else ""
        if "\\" in path and os.sep != "\\":
            hint = f"; \\ separates no folders on this system, and / does on all: {path.replace(chr(92), '/')}"
        raise DataError(f"{found}: no such file or folder{hint}")
    plain_or_folder(found)
    return found
