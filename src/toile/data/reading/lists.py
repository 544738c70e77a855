"""Where the lists of pictures of a data set are: the file itself, or those of a folder as Hugging Face has them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from toile.data.errors import DataError, reading
from toile.data.reading import tables
from toile.data.reading.columns import ROBOFLOW
from toile.data.reading.layout import PARTS, loose, part_of
from toile.pictures.files import folders, junk
from toile.text import listed

METADATA = ("metadata.csv", "metadata.tsv", "metadata.parquet", ROBOFLOW)
_LOOKED_AT = 50  # lines


def lists(path: Path, test_path: Path | None) -> list[tuple[str, Path, Path]]:
    """(part, table, folder in which its pictures are) of all of them."""
    root = path if path.is_dir() else path.parent
    found = [(part, one, root) for part, one in (tables_in(path) if path.is_dir() else [("train", path)])]
    if test_path is not None:
        if any(part == "test" for part, *_ in found):
            raise DataError(f"{path}: holds test images already; leave out test_path ({test_path})")
        apart = tables_in(test_path) if test_path.is_dir() else [("test", test_path)]
        if not apart:
            raise DataError(f"{test_path}: no list of pictures in this folder ({listed(METADATA)}), as {path} is one")
        if len(inside := dict(apart)) > 1:
            raise DataError(f"{test_path}: holds lists of {' and '.join(inside)}; expected one of test images")
        found += [("test", one, root) for _, one in apart]
    return found


def tables_in(folder: Path) -> list[tuple[str, Path]]:
    """(part, table) of a folder as Hugging Face has them: metadata.csv in it or in train/ and test/; or Parquet files, called
    train-00000-of-00001.parquet and the like, in it or in data/, or of any name in train/ and test/,
    where these have nothing else."""
    inside = [(part_of(one.name), one) for one in folders(folder)]
    places = [("train", folder), *((part, one) for part, one in inside if part is not None)]
    found = [(part, place / name) for part, place in places for name in METADATA if (place / name).is_file()]
    if found:
        return found
    for place in (folder, folder / "data"):
        if files := _parquet_in(place):
            return list(zip(_parts_of(files), files, strict=True))
    apart = [(part, place, _parquet_in(place)) for part, place in places[1:]]
    if any(folders(place) or (files and loose(place)) for _, place, files in apart):
        return []  # a table beside folders of classes or beside pictures is none of the data set
    if len(inside) == 1 and not any(files for _, _, files in apart) and not loose(folder) and not loose(inside[0][1]):
        return _named_only(tables_in(inside[0][1]))  # Hugging Face's folder of a configuration, as mnist/ in mnist
    return [(part, file) for part, _, files in apart for file in files]


def _named_only(tables: list[tuple[str, Path]]) -> list[tuple[str, Path]]:
    return [(part, one) for part, one in tables if one.suffix == ".parquet" and one.name not in METADATA]


def _parquet_in(folder: Path) -> list[Path]:
    return sorted(one for one in folder.glob("*.parquet") if not junk(one.name)) if folder.is_dir() else []


def _parts_of(files: Sequence[Path]) -> list[str]:
    """Of which part each is: one of the words of its name says so; where that says none of them, `train`.

    Raises:
        DataError: some say it and others do not.
    """
    words = [set(re.split(r"[^a-z]+", one.stem.lower())) for one in files]
    parts = [[part for part, names in PARTS.items() if words_ & set(names)] for words_ in words]
    if not any(parts):
        return ["train"] * len(files)
    if odd := [file for file, found in zip(files, parts, strict=True) if len(found) != 1]:
        wanted = "; ".join(f"{part}: {', '.join(names)}" for part, names in PARTS.items())
        raise DataError(
            f"{odd[0].parent}: of which part is {odd[0].name}? Expected a name with one of these words ({wanted}); or set path "
            "to the file of the training images, and test_path to that of the test images"
        )
    return [part for (part,) in parts]


def part_named(stem: str) -> str | None:
    """The part that a word of a list's name says, as in `trainLabels` and `labels_test`; None for none or several."""
    words = re.findall(r"[^\W\d_]+", re.sub(r"(?<=[a-z])(?=[A-Z])", "_", stem))
    found = {part for word in words if (part := part_of(word)) is not None}
    return found.pop() if len(found) == 1 else None


def names_in(path: Path) -> set[str]:
    """What the first lines of a text say, cell by cell, with the folder in front of it and without, and with a label behind a
    space and without; nothing of what is no text."""
    lines: list[str] = []
    with suppress(DataError), reading(path, tables.NO_TEXT), tables.opened(path) as file:
        lines = [file.readline(tables.LONGEST) for _ in range(_LOOKED_AT)]
    cells = {cell.strip() for line in lines for cell in re.split(r'[,;\t"]', line)}
    ways = [re.split(r"[/\\]", word) for cell in cells for word in (cell, *cell.split())]
    return {"/".join(way[-last:]) for way in ways for last in (1, 2)}
