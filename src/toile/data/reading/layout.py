"""Where in a folder of pictures the parts and the classes are."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from toile.data.errors import DataError
from toile.data.images import LeftOut
from toile.data.reading.labels import in_order
from toile.data.reading.limits import plain
from toile.data.reading.tables import is_table, rows
from toile.errors import nearest
from toile.pictures.files import ENDINGS, entries, folders, is_folder, shown, walk
from toile.text import composed, listed

# As people call the folders of the parts, in any case.
PARTS = {
    "train": ("train", "training"),
    "validation": ("val", "valid", "validation", "dev"),
    "test": ("test", "testing"),
}


def part_of(name: str) -> str | None:
    """The part that is called so, in any case; None for any other name."""
    return next((part for part, names in PARTS.items() if name.lower() in names), None)


# Words that say nothing of what is in a folder.
_PLAIN = {"", "data", "image", "images", "img", "imgs", "picture", "pictures"}
_ARRAYS = (".npz", ".npy", ".parquet")
_LOOKED_AT = 50  # lines of a table


def _words(name: str) -> list[str]:
    return [word.removesuffix("set") for word in re.findall(r"[^\W\d_]+", name.lower())]


def _part_within(name: str) -> str | None:
    """The part whose name is a word of a folder's, as in `training_set`, `seg_test`, `val2017`; None for none or several."""
    found = {part for word in _words(name) if (part := part_of(word)) is not None}
    return found.pop() if len(found) == 1 else None


def part_called(name: str) -> str | None:
    """The part of which pictures in a folder of this name are, by one word of it where all others say nothing: `train_images`,
    `test2`; not of `crash_test`."""
    part = _part_within(name)
    return part if all(part_of(word) == part or word in _PLAIN for word in _words(name)) else None


def alike(folders: list[Path]) -> bool:
    """Whether folders have names that differ in the part only, of which there are several: `seg_train` and `seg_test`; not
    `train` and `crash_test`, which may be classes."""
    rest = {tuple(word for word in _words(one.name) if part_of(word) is None and word not in _PLAIN) for one in folders}
    parts = {_part_within(one.name) for one in folders}
    return len(rest) == 1 and len(parts) > 1 and None not in parts


@dataclass(frozen=True)
class Layout:
    """Folders of the parts: in each there is a folder a class.

    Args:
        root: from where names of files are told.
        parts: `train`, and `validation` and `test` where there are such.
    """

    root: Path
    parts: dict[str, Path]


def find(path: Path, wanted: dict[str, str] | None, *, nested: bool = False) -> Layout:
    """The parts in a folder.

    Either the folder has one folder a class, or it has `train` and perhaps `val` and `test`, in any spelling of `PARTS` and any
    case, and these have the classes. Where it has nothing else, the name of a part may also be one word of a folder's name. A
    folder that has nothing but one folder of folders is looked through.

    Args:
        wanted: part -> folder in `path`, if a study says so.
        nested: whether a class may have folders.

    Raises:
        DataError: it has no folders, or not those that are wanted.
    """
    if wanted is not None:
        if "train" not in wanted:
            raise DataError(f"{path}: parts = {{ … }} names {', '.join(wanted)}; expected `train` among them")
        return Layout(path, {part: _inner(_named(path, part, wanted[part])) for part in PARTS if part in wanted})
    inner = _inner(path)
    inside = _folders(inner)
    parts = {part: [one for one in inside if part_of(one.name) == part] for part in PARTS}
    others = [one for one in inside if not any(one in found for found in parts.values())]
    deep = [one for one in inside if folders(one)]
    if not (deep or nested) and alike(inside) and "train" in map(_part_within, (one.name for one in inside)):
        raise DataError(
            f"{inner}: {_named_few(inside)} have no folders of their own, so of what class their pictures are is not known; "
            f"expected a folder a class in each, or a list of the pictures, a CSV file of filename,label{tables_in(inner)}. If "
            "these are the classes: `nested = true` in the study's data set"
        )
    if deep and nested and others and parts["train"] and (parts["validation"] or parts["test"]):
        train = json.dumps(parts["train"][0].name)
        raise DataError(
            f"{inner}: {_named_few(inside)}: are these the parts, or the classes? Write `parts = {{ train = {train}, … }}` in "
            'the study\'s data set; or, if each is a class, `parts = { train = "." }`'
        )
    if not deep or (nested and others):
        return Layout(path, {"train": inner})
    if others or not parts["train"]:
        if len(deep) < len(inside) and not any(one in deep for one in parts["train"]):
            return Layout(path, {"train": inner})
        called = {part: found for part in PARTS if len(found := [one for one in deep if _part_within(one.name) == part]) == 1}
        if "train" in called and len(called) == len(inside) and alike(inside):  # training_set/ and test_set/, and nothing else
            return Layout(path, {part: _inner(found[0]) for part, found in called.items()})
        said = ", ".join(f"{part} = {json.dumps(found[0].name)}" for part, found in called.items())
        raise DataError(
            f"{inner}: {_named_few(deep)} have folders of their own. If these are parts, say which is which: "
            f"`parts = {{ {said if 'train' in called else 'train = …, test = …'} }}` in the study's data set; if each is a "
            f"class, `nested = true`{_or_tables(inner)}"
        )
    for found in parts.values():
        if len(found) > 1:
            raise DataError(f"{inner}: {_named_few(found)} are one part; expected one of them, or `parts = {{ train = … }}`")
        if found and found[0] not in deep:
            line = f"`parts = {{ train = {json.dumps(parts['train'][0].name)} }}` in the study's data set"
            raise DataError(
                f"{found[0]}: no sub-folders; expected one a class, with pictures in it. If they have no labels, leave it "
                f"out: {line}"
            )
    return Layout(path, {part: _inner(found[0]) for part, found in parts.items() if found})


def tables_in(folder: Path, pictures: Path | None = None) -> str:
    """That there are tables in a folder, which may be lists of pictures; nothing where there are none.

    Args:
        pictures: a folder; only tables that name a picture of it in their first lines count.
    """
    known = None if pictures is None else {name for one in loose(pictures) for name in (one.name, one.stem)}
    found = [name for name in _names_in(folder) if is_table(Path(name))]
    return _is_it(name for name in found if known is None or _first_cells(folder / name) & known)


def _names_in(folder: Path) -> list[str]:
    return [entry.name for entry in entries(folder) if not is_folder(entry)]


def _is_it(names: Iterable[str]) -> str:
    found = list(map(repr, names))
    return f": is it {listed(found, 3)}? Then that is the `path`" if found else ""


def _or_tables(folder: Path) -> str:
    return f"; or is it a list of pictures{told}" if (told := tables_in(folder)) else ""


def _first_cells(path: Path) -> set[str]:
    """What the first lines of a table say, without folders."""
    said = set[str]()
    with suppress(DataError), closing(rows(path, sys.maxsize)) as lines:
        for _, cells in islice(lines, 1, _LOOKED_AT):
            said |= {re.split(r"[/\\]", cell)[-1] for cell in cells}
    return said


def _named_few(paths: list[Path]) -> str:
    return ", ".join(f"{path.name}/" for path in paths[:5]) + (" …" if len(paths) > 5 else "")


def files(
    folder: Path, classes: list[str], *, nested: bool, root: Path, strays: list[LeftOut], apart: Sequence[Path] = ()
) -> list[tuple[str, Path]]:
    """The picture files of a part, class by class in the given order, and by name: (class, file).

    Args:
        classes: in the order of their labels.
        nested: whether a class may have folders in its folder.
        strays: what is no picture, and folders without any, are added here.
        apart: the folders of the other parts, which are no classes where they lie in this one.

    Raises:
        DataError: a class that is not among `classes`.
    """
    found = _by_class(folder, apart)
    if not found:  # a part that was asked for, and would be none without a word
        expected = f"expected one a class, as the training part has{tables_in(folder.parent)}"
        raise DataError(f"{folder}: no sub-folders; {expected}. If its pictures have no labels, leave them out")
    if unknown := sorted(set(found) - set(classes)):
        way = "if these pictures have no labels, leave their part out: `parts = { train = … }`"
        close = nearest(unknown[0], classes)
        raise DataError(f"{folder}: class {unknown[0]!r} is not among the training classes {listed(classes)}{close}; {way}")
    made = []
    for name in [name for name in classes if name in found]:
        before = len(made) + len(strays)
        for entry in walk(found[name]) if nested else entries(found[name]):
            path = Path(entry.path)
            if not nested and is_folder(entry):
                way = "`nested = true` reads what is in it"
                if part_of(path.name) and len({part_of(one.name) for one in folders(found[name])} - {None}) > 1:
                    way = f"if {shown(found[name], root)}/ has the parts, and is no class, set `path` to it"
                if not apart and (part := part_of(name)) not in (None, "train") and composed(path.name) in found:
                    # nested would train on what is probably kept for the test, as one more class
                    here, there = (json.dumps(shown(one, root), ensure_ascii=False) for one in (folder, found[name]))
                    way = f"if {there} is the {part} part: `parts = {{ train = {here}, {part} = {there} }}`"
                strays.append(LeftOut(shown(path, root), f"a folder in the folder of a class; {way}"))
            elif path.suffix.lower() not in ENDINGS:
                why = f"not a picture by its name; expected only {', '.join(ENDINGS)} in the folder of a class"
                strays.append(LeftOut(shown(path, root), why))
            elif why := _odd(path):
                strays.append(LeftOut(shown(path, root), why))
            else:
                made.append((name, path))
        if len(made) + len(strays) == before:
            strays.append(LeftOut(f"{shown(found[name], root)}/", "no picture in this folder; expected the images of a class"))
    return made


def loose(folder: Path) -> list[Path]:
    """Pictures beside the folders of the classes, of which nobody says what they are."""
    files = (Path(entry.path) for entry in entries(folder) if not is_folder(entry))
    return [path for path in files if path.suffix.lower() in ENDINGS]


def _odd(path: Path) -> str:
    """Why a file is none that can be read; nothing where it is a plain file."""
    try:
        plain(path)
    except DataError as error:
        return str(error).removeprefix(f"{path}: ")
    return ""


def classes(folder: Path, class_names: tuple[str, ...] | None, apart: Sequence[Path] = ()) -> list[str]:
    """Names of the class folders, in the order of their labels: sorted, by number where all are numbers; or as in
    `class_names`, where these hold every folder's name. Folders of the other parts, `apart`, are none."""
    found = list(_by_class(folder, apart))
    if not found:
        way = "; or give a list of them, a CSV file of filename,label" if loose(folder) else ""
        way += _is_it(name for name in _names_in(folder) if is_table(Path(name)) or name.lower().endswith(_ARRAYS))
        raise DataError(f"{folder}: no sub-folders; expected one a class, with pictures in it{way}")
    order = sorted(found, key=int) if all(name.isdecimal() for name in found) else found
    return in_order(order, class_names, folder, "class folders")


def _by_class(folder: Path, apart: Sequence[Path]) -> dict[str, Path]:
    """The folders in a folder by the names of their classes, in the order of the folders' names."""
    made: dict[str, Path] = {}
    parts = {place for one in apart for place in (one.resolve(), *one.resolve().parents)}
    for one in [one for one in _folders(folder) if one.resolve() not in parts]:
        if made.setdefault(composed(one.name), one) is not one:
            raise DataError(f"{folder}: two folders are called {one.name!r}, in two ways (NFC and NFD); expected one")
    return made


def _inner(path: Path) -> Path:
    """The folder itself, or the one that archives wrap: the only one in it, if there are no pictures, but folders in that."""
    if len(inside := _folders(path)) == 1 and not loose(path) and folders(inside[0]) and not loose(inside[0]):
        return _inner(inside[0])
    return path


def _named(path: Path, part: str, name: str) -> Path:
    folder = path / name
    if not folder.is_dir():
        there = [one.name for one in folders(_checked(path))]
        raise DataError(f"{path}: no folder {name!r} for the {part} part{nearest(name, there)}; there are: {', '.join(there)}")
    return folder


def _checked(path: Path) -> Path:
    if not path.is_dir():
        raise DataError(f"{path}: not a folder; expected one sub-folder a class")
    return path


def _folders(path: Path) -> list[Path]:
    return folders(_checked(path))
