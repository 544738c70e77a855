"""A folder of PNG, JPEG, GIF, BMP, WEBP or TIFF pictures: one sub-folder a class, or train/, val/ and test/ above those"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Unpack

import numpy as np

from toile.data.dataset import Dataset
from toile.data.errors import DataError
from toile.data.images import LeftOut
from toile.data.reading import layout
from toile.data.reading.lists import names_in, part_named
from toile.data.reading.picture_files import Listed, Reading, read_files
from toile.data.reading.unsaid import unsaid_parts
from toile.pictures.files import entries, is_folder, shown
from toile.pictures.files import folders as folders_in
from toile.text import counted, listed

_LISTS = (".csv", ".tsv", ".txt")


def matches(path: Path) -> bool:
    return path.is_dir()


def read(
    path: Path,
    test_path: Path | None,
    class_names: tuple[str, ...] | None,
    *,
    parts: dict[str, str] | None = None,
    nested: bool = False,
    **how: Unpack[Reading],
) -> Dataset:
    """Labels are the sorted sub-folders (by number where all are numbers). `class_names` that hold every folder's name
    set the order of the labels; others rename the sorted classes."""
    there = layout.find(path, parts, nested=nested)
    folders = {part: (folder, path) for part, folder in there.parts.items()}
    if test_path is not None:
        if "test" in folders:
            raise DataError(f"{path}: holds {folders['test'][0].name}/ already; leave out test_path ({test_path})")
        tests = layout.find(test_path, None, nested=nested).parts
        if len(tests) > 1:
            names = " and ".join(f"{folder.name}/" for folder in tests.values())
            raise DataError(f"{test_path}: holds {names}; expected the folders of the classes: set test_path to one of these")
        folders["test"] = (tests["train"], test_path)
    train = folders["train"][0]
    apart = {part: [one for other, (one, _) in folders.items() if other != part] for part in folders}
    order = layout.classes(train, class_names, apart["train"])
    if (
        len(order) == 1 and not nested and (tables := layout.tables_in(train, folders_in(train)[0]))
    ):  # images/ beside labels.csv
        raise DataError(
            f"{train}: all pictures are in one folder, {order[0]}/, so of what class they are is not known; "
            f"expected a folder a class, or a list of the pictures, a CSV file of filename,label{tables}"
        )
    strays: list[LeftOut] = []
    found: list[tuple[str, str, Path, Path]] = []
    for part, (folder, root) in folders.items():
        inside = layout.files(folder, order, nested=nested, root=root, strays=strays, apart=apart[part])
        found += [(part, *one, root) for one in inside]
    called = class_names if class_names is not None else tuple(order)
    files = [Listed(part, order.index(class_), file, shown(file, root)) for part, class_, file, root in found]
    made = read_files(path, files, called, strays, first=0, **how)
    below = [(shown(file, root), file.relative_to(train).parts[1:-1]) for part, _, file, root in found if part == "train"]
    unsaid = unsaid_parts(below, path, "put them above the classes, as in train/{0} and test/{0}".format(order[0]))
    lists = _lists({path, train}, files) if len(folders) == 1 else ()
    made = replace(made, notes=(*unsaid, *lists, *made.notes))
    if loose := [shown(file, root) for folder, root in folders.values() for file in layout.loose(folder)]:
        said = counted(len(loose), "picture")
        note = f"not read, because beside the folders of the classes and in none of them: {said} ({listed(loose, 3)})"
        made = replace(made, notes=(note, *made.notes))
    return _present(made) if class_names is None else made


def _lists(folders: Iterable[Path], files: Sequence[Listed]) -> tuple[str, ...]:
    """A sentence about lists beside the folders of the classes that may say the parts, where nothing else does: they are called
    so, and name a picture that is read."""
    there = (Path(entry.path) for folder in folders for entry in entries(folder) if not is_folder(entry))
    called = {one: part for one in there if one.suffix.lower() in _LISTS and (part := part_named(one.stem)) is not None}
    if set(called.values()) <= {"train"}:
        return ()
    known = {name for one in files for name in _names(PurePosixPath(one.name))}
    said = {one: part for one, part in called.items() if names_in(one) & known}
    if set(said.values()) <= {"train"}:
        return ()
    names = listed(sorted(one.name for one in said), 4)
    way = "set `path` and `test_path` to such lists, CSV files of filename,label"
    return (f"{names} beside the folders of the classes: not read; if they say the parts, {way}",)


def _names(file: PurePosixPath) -> Iterator[str]:
    """How a list may name a file. A number may be anything, if no folder is in front of it."""
    yield file.name
    yield f"{file.parent.name}/{file.name}"
    yield f"{file.parent.name}/{file.stem}"
    if not file.stem.isdecimal():
        yield file.stem


def _present(dataset: Dataset) -> Dataset:
    """Without classes that there is no picture of, because their folders are empty or all in them is broken."""
    present = np.unique(np.concatenate([part.labels for part in dataset.parts.values()]))
    if len(present) == dataset.classes:
        return dataset
    parts = {name: replace(part, labels=np.searchsorted(present, part.labels)) for name, part in dataset.parts.items()}
    return replace(dataset, class_names=tuple(dataset.class_names[label] for label in present), **parts)
