"""Tables of text, as people have them: comma, semicolon or tab, quotes, a byte order mark, plain or .gz, a header or none."""

from __future__ import annotations

import codecs
import csv
import gzip
import io
import re
from collections import deque
from collections.abc import Generator
from itertools import chain
from pathlib import Path
from typing import Literal, TextIO, cast

from toile.data.errors import DataError, reading
from toile.data.reading.limits import plain
from toile.errors import nearest
from toile.text import listed

ENDINGS = (".csv", ".tsv", ".csv.gz", ".tsv.gz")
LABELS = ("label", "labels", "class", "target", "y", "category", "class_name", "label_name", "class_label")
# Ids: of pictures, which may be the names of their files; of rows, which pandas writes without a name.
PICTURE_IDS = ("imageid", "image_id", "img_id", "id_code", "file_id")
COUNTERS = ("index", "idx", "", "unnamed: 0")
IDS = ("id", *PICTURE_IDS, *COUNTERS)
FILES = (
    "filename",
    "file_name",
    "file",
    "filepath",
    "file_path",
    "path",
    "image",
    "image_path",
    "image_name",
    "image_file",
    "img",
    "img_name",
)
SPLITS = ("split", "part", "subset", "usage")
LONGEST = 1 << 24  # characters of a line that are read at a time: a file without line ends must not fill the memory
_SPAN = 100  # lines of a cell
_DELIMITERS = ",;\t"
NO_TEXT = "cannot be read as UTF-8 text, as which spreadsheets write what they call CSV UTF-8"


def is_table(path: Path) -> bool:
    """Whether a file is called as a table of text is."""
    return path.name.lower().endswith(ENDINGS)


def opened(path: Path) -> TextIO:
    """A table, open at its first line."""
    plain(path)
    with path.open("rb") as file:
        begin = file.read(2)
    packed, wide = begin == b"\x1f\x8b", begin in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)  # Excel's "Unicode text"
    raw = cast("io.BufferedReader", gzip.open(path, "rb") if packed else path.open("rb"))  # noqa: SIM115 - the caller closes it
    return io.TextIOWrapper(raw, encoding="utf-16" if wide else "utf-8-sig", newline="")


def header(path: Path) -> list[str]:
    """The cells of the first line, in lower case; none of what is no text."""
    try:
        with reading(path, NO_TEXT), opened(path) as file:
            line = file.readline(LONGEST)
        return [cell.strip().lower() for cell in cells(line, delimiter(line), path, 1)]
    except DataError:
        return []


def delimiter(line: str) -> str:
    """The character between cells: the one of comma, semicolon and tab that a line has most of."""
    return max(_DELIMITERS, key=line.count)


def cells(line: str, between: str, path: Path, number: int) -> list[str]:
    """The cells of a line, without quotes.

    Raises:
        DataError: it has a cell of an absurd length.
    """
    if '"' not in line:
        return line.rstrip("\r\n").split(between)
    try:
        return next(csv.reader([line], delimiter=between), [])
    except csv.Error as error:
        raise DataError(f"{path}: line {number}: {error}") from None


def lines(file: TextIO, most: int) -> list[str]:
    """The next lines, so many of them or fewer long ones; nothing at the end."""
    some, characters = [], 0
    while len(some) < most and characters < LONGEST and (line := file.readline(LONGEST)):
        some.append(line)
        characters += len(line)
    return some


def until_empty(file: TextIO, some: list[str], start: int, path: Path) -> list[str]:
    """Lines without the empty ones at the end of a file.

    Raises:
        DataError: one within it is empty.
    """
    at = next((at for at, line in enumerate(some) if not line.strip()), None)
    if at is None:
        return some
    if any(line.strip() for line in chain(some[at:], iter(lambda: file.readline(LONGEST), ""))):
        raise DataError(f"{path}: line {start + at} is empty; expected cells, as in the others")
    return some[:at]


def rows(path: Path, most: int) -> Generator[tuple[int, list[str]]]:
    """Number and cells of each line, the header's first; the first number of lines that the quotes of a cell hold together.

    Raises:
        DataError: it cannot be read, or has more lines than `most`.
    """
    with reading(path, NO_TEXT), opened(path) as file:
        first = file.readline(LONGEST)
        if not first.strip():
            raise DataError(f"{path}: line 1 is empty; expected the names of the columns, such as filename,label")
        if re.fullmatch(r'"?sep=."?', first.strip(), re.IGNORECASE):
            said = f"line 1 is {first.strip()!r}, by which a spreadsheet is told what separates cells"
            raise DataError(f"{path}: {said}; take this line out, as comma, semicolon and tab are known without it")
        between, number = delimiter(first), 1
        yield 1, [cell.strip() for cell in cells(first, between, path, 1)]
        texts, ahead, joining = _texts(file, number + 1, path), deque[str](), True
        count = len(cells(first, between, path, 1))
        while line := ahead.popleft() if ahead else next(texts, ""):
            number += 1
            if number > most:
                raise DataError(f"{path}: more than {most:,} lines; expected fewer")
            more: list[str] = []
            if joining and _quotes(line, between) == "open":
                record = line
                while len(more) < _SPAN and _quotes(record, between) == "open" and (another := next(texts, "")):
                    more.append(another)
                    record += another
                joining = _quotes(record, between) == "closed" and len(cells(record, between, path, number)) == count
                if joining:
                    line = record
                else:  # a quote that is never closed is part of its cell; so are all others then
                    ahead, more = deque(more), []
            yield number, [cell.strip() for cell in cells(line, between, path, number)]
            number += len(more)


def _texts(file: TextIO, start: int, path: Path) -> Generator[str]:
    """The lines of a file but for the empty ones at its end, from the line `start` on."""
    while some := until_empty(file, lines(file, 4096), start, path):
        yield from some
        start += len(some)


def _quotes(text: str, between: str) -> Literal["open", "closed", "wrong"]:
    """Whether it ends within quotes, as the first line of a cell of several does; wrong where text follows on closed ones."""
    if '"' not in text:
        return "closed"
    try:
        next(csv.reader([text], delimiter=between, strict=True), None)
    except csv.Error as error:
        return "open" if str(error) == "unexpected end of data" else "wrong"
    return "closed"


def called(name: str, wanted: tuple[str, ...]) -> bool:
    """Whether a column is called by one of the `wanted` names, in lower case; spaces, dashes and dots count as underscores."""
    return name in wanted or re.sub(r"[\s.-]+", "_", name) in wanted


def column(names: list[str], wanted: tuple[str, ...], what: str, path: Path, said: str | None = None) -> int | None:
    """Which column is meant: the one that is `said`, or whose name is among the `wanted`.

    Args:
        names: of the columns, in lower case.
        what: it is, for messages.

    Raises:
        DataError: none is called as `said`, or several are wanted ones.
    """
    if said is not None:
        if said.lower() not in names:
            raise DataError(f"{path}: no column {said!r}{nearest(said.lower(), names)}; there are: {listed(names, 8)}")
        return names.index(said.lower())
    found = [at for at, name in enumerate(names) if called(name, wanted)]
    if len(found) > 1 and what == "label":
        both = listed(names[at] for at in found)
        raise DataError(
            f'{path}: which column has the labels, {both}? Write `label = "{names[found[0]]}"` in the study\'s data set'
        )
    return found[0] if found else None
