"""A list of pictures, CSV, TSV or Parquet: filename,label and perhaps split; Hugging Face's metadata.csv and Parquet"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Unpack

from toile.data.dataset import Dataset
from toile.data.errors import DataError, reading
from toile.data.images import LeftOut
from toile.data.reading import tables
from toile.data.reading.beside import Beside
from toile.data.reading.columns import Columns, columns_of
from toile.data.reading.file_column import is_picture
from toile.data.reading.labels import in_order
from toile.data.reading.limits import Budget, plain
from toile.data.reading.lists import METADATA, lists, part_named, tables_in
from toile.data.reading.picture_files import Listed, Reading, read_files
from toile.data.reading.unsaid import unsaid_parts, without_list
from toile.errors import ToileError
from toile.pictures.read import Blob
from toile.text import composed, cut, listed
from toile.version import DISTRIBUTION

_MOST = 5_000_000  # lines
_SPLIT = "say so for each picture in a column `split`"
_PIXELS = 4  # columns whose names end with numbers: as many are pixels, not a list


@dataclass
class _Table:
    """Columns by name, in lower case; a picture in Parquet is a dictionary of `bytes` and `path`. `written`: their names as the
    file has them. `names`: column -> what the classes are called of which it has the positions."""

    path: Path
    columns: dict[str, list[Any]]
    written: list[str]
    names: dict[str, tuple[str, ...]] = field(default_factory=dict)

    def at(self, label: str | None) -> Columns:
        """Which columns are what."""
        return columns_of(self.columns, self.path, label, self.written)


def matches(path: Path) -> bool:
    if path.is_dir():
        found = tables_in(path)
        return any(part == "train" or table.name in METADATA for part, table in found)
    if path.suffix.lower() == ".parquet":
        return True
    if not tables.is_table(path):
        return False
    names, first = tables.header(path), _first(path)
    if any(tables.called(name, tables.FILES) and is_picture(cell) for name, cell in zip(names, first, strict=False)):
        return True  # whatever else it has numbers of, such as the corners of what is to be seen
    if sum(name[-1:].isdigit() for name in names) >= _PIXELS:
        return False
    return any(tables.called(name, (*tables.FILES, *tables.IDS)) for name in names) or any(map(is_picture, first))


def read(
    path: Path,
    test_path: Path | None,
    class_names: tuple[str, ...] | None,
    *,
    label: str | None = None,
    **how: Unpack[Reading],
) -> Dataset:
    """Files are looked for beside the list, and where that has no such file by their names in the folders beside it."""
    files: list[Listed] = []
    missing: list[LeftOut] = []
    own, budget = dict[str, None](), Budget()  # the names of classes that files bring, in their order
    notes, written = dict[str, None](), dict[str, None]()
    for part, source, root in lists(path, test_path):
        table = _parquet(source, budget) if source.suffix.lower() == ".parquet" else _text(source)
        at = table.at(label)
        own |= dict.fromkeys(_names(table, at) or ())
        written |= dict.fromkeys(map(composed, table.written) if at.labels is None else ())
        found = list(_listed(table, at, part, root))
        asked = part == "train" and not at.splits and not at.flags
        unsaid = unsaid_parts([(one.name, _above(one)) for one in found if asked and isinstance(one, Listed)], source, _SPLIT)
        notes |= dict.fromkeys((*at.notes, *unsaid))
        files += [one for one in found if isinstance(one, Listed)]
        missing += [one for one in found if isinstance(one, LeftOut)]
    if path.is_dir():
        notes |= dict.fromkeys(without_list(path, [source for _, source in tables_in(path)]))
    # Columns of classes are in their order, also where the list that is read first has no picture of some.
    own = {name: None for name in written if name in own} | own
    if not files and not missing:
        raise DataError(f"{path}: no line after the header; expected one picture a line, as in filename,label")
    if not own:
        made = read_files(path, files, class_names, missing, **how)
        return replace(made, notes=(*notes, *made.notes))
    place = {name: number for number, name in enumerate(in_order(list(own), class_names, path, "classes"))}
    if odd := next((one for one in files if not isinstance(one.label, str) or one.label not in place), None):
        said = f"the class of {odd.name} is {cut(str(odd.label), 60)!r}"
        raise DataError(f"{path}: {said}, and those with names are {listed(own, 8)}; expected one of them in all parts")
    files = [replace(one, label=place[one.label]) for one in files]
    made = read_files(path, files, class_names or tuple(own), missing, first=0, **how)
    return replace(made, notes=(*notes, *made.notes))


def sources(path: Path, test_path: Path | None, *, label: str | None = None, **how: Unpack[Reading]) -> Iterator[Path]:
    """The lists, and the picture files in them. (Pictures that are in a Parquet file are in none of their own.)

    Raises:
        DataError: a file that is not there, which may be one day.
    """
    for part, source, root in lists(path, test_path):
        yield source
        parquet = source.suffix.lower() == ".parquet"
        if not (parquet and _holds_pictures(source)):
            table = _parquet(source, Budget()) if parquet else _text(source)
            for one in _listed(table, table.at(label), part, root):
                if isinstance(one, LeftOut):
                    raise DataError(f"{source}: {one.name}: {one.why}")
                if isinstance(one.source, Path):
                    yield one.source


def pictures(path: Path) -> list[Path | Blob]:
    """All pictures that are listed and can be found."""
    budget, found = Budget(), list[Path | Blob]()
    for part, source, root in lists(path, None):
        table = _parquet(source, budget) if source.suffix.lower() == ".parquet" else _text(source)
        found += [one.source for one in _listed(table, table.at(None), part, root) if isinstance(one, Listed)]
    return found


def _first(path: Path) -> list[str]:
    """The cells of the first line below the header."""
    with suppress(DataError), closing(tables.rows(path, 2)) as lines:
        return next(itertools.islice(lines, 1, 2), (2, []))[1]
    return []


def _text(path: Path) -> _Table:
    lines = tables.rows(path, _MOST)
    number, names = next(lines)
    if pictures := [at for at, name in enumerate(names) if is_picture(name)]:  # no header, but a picture
        if len(pictures) > 1 or len(names) != 2:
            said = f"{cut(names[pictures[0]], 60)!r} is no name of a column"
            raise DataError(f"{path}: line 1: {said}; expected filename,label …")
        lines = itertools.chain([(number, names)], lines)
        names = ["filename", "label"] if pictures == [0] else ["label", "filename"]
    read: list[list[Any]] = [[] for _ in names]
    for number, cells in lines:
        if len(cells) != len(names):
            raise DataError(f"{path}: line {number} has {len(cells)} cells; expected {len(names)}: {listed(names, 8)}")
        for column, cell in zip(read, cells, strict=True):
            column.append(cell)
    # Spreadsheets write columns that once were in use, and have neither a name nor anything else any more.
    kept = [at for at, name in enumerate(names) if name or any(read[at])]
    names = [names[at] for at in kept]
    return _Table(path, dict(zip(_lower(names, f"{path}: line 1"), (read[at] for at in kept), strict=True)), names)


def _lower(names: Sequence[str], where: str) -> list[str]:
    """Names of columns in lower case, each once: of two the second would be read as both."""
    lower = [name.lower() for name in names]
    if twice := [name for name, own in zip(names, lower, strict=True) if lower.count(own) > 1]:
        said = f"{where}: two columns of one name, {listed(map(repr, twice), 4)}, as capitals do not count"
        raise DataError(f"{said}; call one of them otherwise, or take it out")
    return lower


def _parquet(path: Path, budget: Budget) -> _Table:
    try:
        import pyarrow.parquet as parquet
    except ImportError:
        said = "Parquet is read by the extra `parquet`"
        raise ToileError(f"{path}: {said}; `pip install '{DISTRIBUTION}[parquet]'` installs it") from None
    plain(path)
    with reading(path, "not a whole Parquet file"):
        file = parquet.ParquetFile(path)
        names = _lower(file.schema_arrow.names, str(path))
        budget.take(sum(file.metadata.row_group(at).total_byte_size for at in range(file.metadata.num_row_groups)), path)
        table = file.read()
        columns = {name: column.to_pylist() for name, column in zip(names, table.columns, strict=True)}
        return _Table(path, columns, table.column_names, _hugging_names((table.schema.metadata or {}).get(b"huggingface")))


def _holds_pictures(path: Path) -> bool:
    """Whether a Parquet file has bytes in it."""
    import pyarrow
    import pyarrow.parquet as parquet

    return any(pyarrow.types.is_nested(one.type) or pyarrow.types.is_binary(one.type) for one in parquet.read_schema(path))


def _hugging_names(metadata: bytes | None) -> dict[str, tuple[str, ...]]:
    """What Hugging Face's ClassLabel calls the classes of each column, from the metadata of a Parquet file."""
    import json

    features = json.loads(metadata).get("info", {}).get("features", {}) if metadata else {}
    return {
        name.lower(): tuple(composed(str(text)) for text in one["names"])
        for name, one in features.items()
        if isinstance(one, dict) and one.get("_type") == "ClassLabel" and one.get("names")
    }


def _listed(table: _Table, at: Columns, part: str, root: Path) -> Iterator[Listed | LeftOut]:
    path, column = table.path, list(table.columns.values())
    named = None if at.splits or at.flags else part_named(path.stem) or (part if part != "train" else None)
    classes = {str(at.label(cells)) for cells in zip(*column, strict=True)} if named else ()
    places = Beside(path, root, column[at.files], named, classes)
    for row, cells in enumerate(zip(*column, strict=True), 1):
        file, of = cells[at.files], at.label(cells)
        if of is None or of == "":
            raise DataError(f"{path}: row {row}: no label; expected the class of {_called(file)}, or no row of it")
        if isinstance(found := places.of(file, row), LeftOut):
            yield found
            continue
        said = at.part(cells, part, path, row)
        yield Listed(said, _word(of, _names(table, at), path, row), *found, at.others(cells))


def _above(picture: Listed) -> list[str]:
    """The folders of a picture, without one that is called as its class."""
    return [folder for folder in picture.name.split("/")[:-1] if folder.casefold() != str(picture.label).casefold()]


def _names(table: _Table, at: Columns) -> tuple[str, ...] | None:
    """What a table calls the classes, in their order; its labels are positions in it, or these names. None where it says
    nothing."""
    return tuple(map(composed, at.one_hot.values())) if at.labels is None else table.names.get(at.names[at.labels])


def _word(label: Any, names: tuple[str, ...] | None, path: Path, row: int) -> Any:
    """The name of a class of which a file has the position among its names; else the label as it is."""
    if names is None or not isinstance(label, int | float) or label != label // 1:
        return label
    if not 0 <= label < len(names):
        raise DataError(
            f"{path}: row {row}: label {label:g}; expected 0..{len(names) - 1}, which have the names {listed(names, 8)}"
        )
    return names[int(label)]


def _called(file: Any) -> str:
    return cut(str(file.get("path") if isinstance(file, dict) else file), 80)
