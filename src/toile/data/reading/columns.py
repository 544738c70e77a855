"""Which columns of a list of pictures are what: by their names, or else by what is in them."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from toile.data.errors import DataError
from toile.data.reading import tables
from toile.data.reading.file_column import file_column
from toile.data.reading.layout import PARTS, alike, part_of
from toile.text import cut, listed

# A column that says of one part only whether a picture is in it: its name -> that part.
_FLAGS = {f"is_{name}": part for part, names in PARTS.items() for name in names}
# The same where nothing but true and false is in it: a `test` may also be one of blood, and a `train` one on rails.
_BARE = {name: part for part, names in PARTS.items() for name in names}
# As people call columns of parts too, and others: what is in them decides, and is told where it is none of ours.
_MAYBE = ("partition", "set", "fold", "phase", "splits", "data_split", "dataset_split", "split_name", "dataset_type")
# Of these numbers are usual: those of a cross-validation, or of a lesson.
_NUMBERED = ("fold", "set")
ROBOFLOW = "_classes.csv"
_KEPT = ("holdout", "heldout", "eval", "evaluation")
_SHORT = {"tr", "va", "vl", "te", "ts"}
_FEW = 10  # words for the parts
_YES, _NO = ("true", "1", "1.0", "yes"), ("false", "0", "0.0", "no", "")


@dataclass(frozen=True)
class Columns:
    """Their positions.

    Args:
        names: of all, in lower case.
        files: of the pictures.
        labels: of their classes; None where each class has a column of its own.
        splits: of the parts.
        flags: of those that say yes or no of one part: position -> that part.
        one_hot: of the classes, where each has a column that is 1 for its pictures and 0 for all others: position -> its name,
            as it is written.
        notes: which of them decide, where their names alone do not tell.
    """

    names: tuple[str, ...]
    files: int
    labels: int | None
    splits: tuple[int, ...]
    flags: Mapping[int, str]
    one_hot: Mapping[int, str]
    notes: tuple[str, ...]

    def label(self, cells: Sequence[Any]) -> Any:
        """What a row says of the class."""
        if self.labels is not None:
            return cells[self.labels]
        return next(name for at, name in self.one_hot.items() if _number(cells[at]) == 1)

    def others(self, cells: Sequence[Any]) -> dict[str, str]:
        """What else a row says, by the names of the columns."""
        known = {self.files, self.labels, *self.one_hot}
        return {name: str(cells[at]) for at, name in enumerate(self.names) if at not in known}

    def part(self, cells: Sequence[Any], unsaid: str, path: Path, row: int) -> str:
        """Of which part a row is. That it is not of the training part says "test", where nothing says more.

        Args:
            cells: of the row.
            unsaid: what it is where it says nothing.

        Raises:
            DataError: it says something else, or several columns say what cannot be true together.
        """
        said = {_said(cells[at], path, row) for at in self.splits if not _empty(cells[at])}
        denied = set[str]()
        for at, part in self.flags.items():
            (said if _yes(cells[at], self.names[at], path, row) else denied).add(part)
        if not said:
            likely = ("test", "validation") if unsaid == "train" and "train" in denied else (unsaid,)
            said = set([part for part in likely if part not in denied][:1])
        if len(said) != 1 or said & denied:
            cells_ = listed((f"{self.names[at]} is {cut(str(cells[at]), 40)!r}" for at in (*self.splits, *self.flags)), 8)
            whole = f", in a list of the {unsaid} part" if unsaid != "train" else ""
            raise DataError(
                f"{path}: row {row}: {cells_}{whole}: of which part is it? Expected columns that agree; mend the row, or take "
                "out of the list, or call otherwise, the column that does not say the part"
            )
        return said.pop()


def columns_of(
    columns: Mapping[str, Sequence[Any]], path: Path, label: str | None, written: Sequence[str] | None = None
) -> Columns:
    """Which columns are what.

    Args:
        columns: name, in lower case -> cells. A picture is a dictionary of `bytes` and `path`, as Parquet has it.
        label: the column of labels, where the study says it.
        written: the names as the file writes them, which columns of classes are called by.

    Raises:
        DataError: no files, no labels, or several columns that could be meant; or one that seems to say the parts, but not of
            all pictures.
    """
    names, cells = list(columns), list(columns.values())
    held = [at for at, column in enumerate(cells) if _holds_bytes(next(iter(column), None))]
    files, notes = (held[0], ()) if len(held) == 1 else file_column(names, cells, path)
    place = _place(names, cells, files) if label is None else None
    known = [name if at != place else "" for at, name in enumerate(names)]
    labels = tables.column(known, tables.LABELS, "label", path, label)
    if labels is None and files is not None and len(names) == 2:
        # There is nothing else that the other could be, if it is not called so.
        labels = None if tables.called(names[1 - files], (*tables.IDS, *tables.SPLITS)) else 1 - files
    others = [at for at in range(len(names)) if at not in (files, labels)]
    # In Roboflow's lists all columns but that of the files are classes, and there may be pictures of one of them only.
    least = 1 if path.name == ROBOFLOW else 2
    hot = _classes(names, cells, others, least) if labels is None and files is not None else ()
    if labels is None and not hot and place is not None:
        raise DataError(
            f"{path}: is `y` the label, or with `x` a place in the picture? Expected one of them to be told: write "
            f'`label = "…"` in the study\'s data set; there are: {listed((names[at] for at in others), 8)}'
        )
    if files is None or (labels is None and not hot):
        what, known = ("files", tables.FILES) if files is None else ("labels", tables.LABELS)
        way = (
            "; call the column of the files `filename`"
            if files is None
            else '; say which it is: `label = "…"` in the study\'s data set'
        )
        raise DataError(f"{path}: no column of {what} ({listed(known, 4)}); there are: {listed(names, 8)}{way}")
    splits = _splits(names, cells, others, path)
    flags = {at: part for at in others for known, part in _FLAGS.items() if tables.called(names[at], (known,))}
    bare = {at: _BARE[names[at]] for at in others if at not in hot and names[at] in _BARE and _says_yes_or_no(cells[at])}
    if not splits and not flags and _tells(bare, cells):
        flags = bare
    notes = [*notes]
    if flags or any(not tables.called(names[at], tables.SPLITS) for at in splits):
        notes.append(f"which part a picture is of is said by {_columns(names[at] for at in (*splits, *flags))} of {path.name}")
    called = {at: (written or names)[at] for at in hot}
    if called:
        notes.append(f"the classes are the columns {listed(called.values(), 8)} of {path.name}")
    for at in [at for at in others if at not in {*splits, *flags, *hot}]:
        kept, odd = _parts(cells[at])
        kept -= {"train"}
        if at in bare and not splits and not flags:
            kept = {"test" if bare[at] == "train" else bare[at]}
        if kept:
            said = f"column {names[at]!r} of {path.name} has cells that say {' and '.join(sorted(kept))}"
            call = f"is_{names[at]}" if at in bare else "split"
            notes.append(f"{said}, and is not taken for the parts; if it says them, call it `{call}`")
        elif (part := _may_be_flag(names[at])) and not splits and not flags and _says_yes_or_no(cells[at]):
            said = f"column {names[at]!r} of {path.name} is not taken for the parts; if it says which pictures are"
            whose = {"train": "of the training part", "validation": "of the validation part", "test": "kept for a test"}[part]
            notes.append(f"{said} {whose}, call it `is_{part}`")
        elif odd and (_may_be_called(names[at], cells[at]) or (not splits and not flags and _may_be_parts(odd))):
            there = dict.fromkeys(cut(str(cell).strip(), 40) for cell in cells[at] if not _empty(cell))
            notes.append(
                f"column {names[at]!r} of {path.name} is not taken for the parts, as it has {listed(there, 4)}; if it says "
                "them, write train, validation and test in it"
            )
    return Columns(tuple(names), files, labels, splits, flags, called, tuple(notes))


def _may_be_called(name: str, column: Sequence[Any]) -> bool:
    """Whether a column of other words is called as one of parts may be."""
    return tables.called(name, _MAYBE) and not (name in _NUMBERED and all(map(math.isfinite, map(_number, column))))


def _may_be_parts(odd: Sequence[str]) -> bool:
    """Whether words may be the parts, as `set_train` and `set_test` or `tr` and `te` are; not names of files, of which there
    are many, nor one word alone."""
    return 1 < len(odd) <= _FEW and (alike([Path(cell) for cell in odd]) or ("tr" in odd and set(odd) <= _SHORT))


def _may_be_flag(name: str) -> str | None:
    """The part of which a column may say yes or no by words of its own: `holdout`, `in_test_set`; None for other names."""
    words = [word for word in re.findall("[a-z]+", name) if word not in ("is", "in", "for", "set", "part", "split", "flag")]
    said = "".join(words)
    if said in _KEPT:
        return "test"
    return _BARE.get(said.removeprefix("is")) if words != [name] or said.startswith("is") else None


def _tells(bare: Mapping[int, str], cells: Sequence[Sequence[Any]]) -> bool:
    """Whether columns that are called as parts, of true and false, say them: where one is of the training or the test part, or
    where no two are true of a picture. `valid` alone rather says which pictures are any good."""
    said = {at: [_is_yes(cell) for cell in cells[at]] for at in bare}
    differ = [at for at, column in said.items() if len(set(column)) > 1]
    if len(bare) == 1:
        return bool(differ) and set(bare.values()) <= {"train", "test"}
    return bool(differ) and ("train" in bare.values() or all(sum(row) <= 1 for row in zip(*said.values(), strict=True)))


def _place(names: Sequence[str], cells: Sequence[Sequence[Any]], files: int | None) -> int | None:
    """The column `y`, which labels are called too, where with an `x` it may be a place in the picture."""
    if "x" not in names or "y" not in names or names.index("x") == files:
        return None
    both = (*cells[names.index("x")], *cells[names.index("y")])
    return None if any(math.isnan(_number(cell)) for cell in both) else names.index("y")


def _holds_bytes(cell: Any) -> bool:
    """Whether a cell of Parquet has a picture in it, as Hugging Face's have."""
    return isinstance(cell, dict) and "bytes" in cell


def _classes(names: Sequence[str], cells: Sequence[Sequence[Any]], others: Sequence[int], least: int) -> tuple[int, ...]:
    """The columns of classes, without those that are called as parts are; but some may be called so where the others make none
    without them, as the train of cars and trains."""
    hot = _one_hot(names, cells, [at for at in others if names[at] not in _BARE], least)
    with_them = () if hot else _one_hot(names, cells, others, least)
    return hot or (with_them if any(names[at] not in _BARE for at in with_them) else ())


def _one_hot(names: Sequence[str], cells: Sequence[Sequence[Any]], others: Sequence[int], least: int) -> tuple[int, ...]:
    """The columns of classes that have pictures, if each row has one 1 in them and else 0; nothing where that is not so."""
    known = (*tables.IDS, *tables.SPLITS, *_FLAGS)
    hot = [at for at in others if not tables.called(names[at], known) and all(_number(cell) in (0, 1) for cell in cells[at])]
    hot = [at for at in hot if any(map(_number, cells[at]))]
    rows = zip(*(cells[at] for at in hot), strict=True)
    return tuple(hot) if len(hot) >= least and all(sum(map(_number, row)) == 1 for row in rows) else ()


def _number(cell: Any) -> float:
    try:
        return float(cell)
    except (TypeError, ValueError):
        return math.nan


def _splits(names: Sequence[str], cells: Sequence[Sequence[Any]], others: Sequence[int], path: Path) -> tuple[int, ...]:
    """The columns of parts: that which is called so, and all that name parts and nothing else: a picture that is kept for a
    test must not be learned."""
    splits = []
    for at in others:
        parts, odd = _parts(cells[at])
        if not odd and parts - {"train"} and len({_part(cell) for cell in cells[at]}) > 1:
            splits.append(at)
        elif odd and len(parts) > 1 and not tables.called(names[at], tables.SPLITS):
            raise DataError(
                f"{path}: column {names[at]!r} says {' and '.join(part for part in PARTS if part in parts)}, and also "
                f"{listed((repr(cut(one, 40)) for one in odd), 3)}: is it that of the parts? Expected nothing but parts and "
                "empty cells in it; or take it out of the list, if it says something else"
            )
    called = [at for at in others if tables.called(names[at], tables.SPLITS)]
    return tuple(splits if any(at in splits for at in called) else [*called[:1], *splits])


def _parts(column: Sequence[Any]) -> tuple[set[str], list[str]]:
    """The parts that a column names, and what else it says."""
    said = {cell.strip() if isinstance(cell, str) else "" for cell in column if not _empty(cell)}  # "": no text, as Parquet has
    parts = {part for cell in said if (part := part_of(cell)) is not None}
    return parts, sorted(cell for cell in said if part_of(cell) is None)


def _part(cell: Any) -> str | None:
    return part_of(cell.strip()) if isinstance(cell, str) else None


def _empty(cell: Any) -> bool:
    return cell is None or (isinstance(cell, str) and not cell.strip())


def _columns(names: Iterable[str]) -> str:
    told = [f"`{name}`" for name in names]
    return f"the column {told[0]}" if len(told) == 1 else f"the columns {listed(told, 8)}"


def _said(text: Any, path: Path, row: int) -> str:
    part = part_of(str(text).strip())
    if part is None:
        wanted = "; ".join(f"{part}: {', '.join(names)}" for part, names in PARTS.items())
        raise DataError(f"{path}: row {row}: the split is {cut(str(text), 40)!r}; expected {wanted}")
    return part


def _says_yes_or_no(column: Sequence[Any]) -> bool:
    """Whether cells are true and false, and not all empty."""
    return all(_text(cell) in _YES + _NO for cell in column) and any(map(_text, column))


def _is_yes(cell: Any) -> bool:
    return _text(cell) in _YES


def _text(cell: Any) -> str:
    return "" if cell is None else str(cell).strip().lower()


def _yes(cell: Any, name: str, path: Path, row: int) -> bool:
    text = _text(cell)
    if text not in _YES + _NO:
        raise DataError(f"{path}: row {row}: {name} is {cut(text, 40)!r}; expected true or false")
    return text in _YES
