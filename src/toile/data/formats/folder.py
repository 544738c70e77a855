"""A folder of PNG, JPEG, GIF, BMP, WEBP or TIFF pictures: one sub-folder a class, or train/, val/ and test/ above those"""

from __future__ import annotations

from pathlib import Path
from typing import Unpack

from toile.data.dataset import Dataset
from toile.data.errors import DataError
from toile.data.images import LeftOut
from toile.data.reading import layout
from toile.data.reading.picture_files import Listed, Reading, read_files
from toile.pictures.files import shown


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
        folders["test"] = (layout.find(test_path, None, nested=nested).parts["train"], test_path)
    order = layout.classes(folders["train"][0], class_names)
    strays: list[LeftOut] = []
    found: list[tuple[str, str, Path, Path]] = []
    for part, (folder, root) in folders.items():
        found += [(part, *one, root) for one in layout.files(folder, order, nested=nested, root=root, strays=strays)]
    if class_names is None:  # a class is what there is a picture of
        used = {class_ for _, class_, *_ in found}
        order = [class_ for class_ in order if class_ in used]
    called = class_names if class_names is not None else tuple(order)
    files = [Listed(part, order.index(class_), file, shown(file, root)) for part, class_, file, root in found]
    return read_files(path, files, called, strays, **how)
