"""Where the files are that a list names: beside it, or by their names in the folders there; with or without their ending."""

from __future__ import annotations

import posixpath
from collections import Counter
from collections.abc import Iterable
from functools import cached_property
from pathlib import Path
from typing import Any

from toile.data.errors import DataError
from toile.data.images import LeftOut
from toile.pictures.files import pictures, shown
from toile.pictures.read import Blob
from toile.text import composed, cut, listed


class Beside:
    """Finds the files of a list.

    Args:
        path: of the list.
        root: the folder in which its pictures are.
        files: all that it names. A picture in Parquet is bytes, or a dictionary of `bytes` and `path`.
    """

    def __init__(self, path: Path, root: Path, files: Iterable[Any]) -> None:
        self.path, self.root = path, root
        said = {text for file in files if (text := _said(file))}
        self.there = {text: place for text in said if (place := self._place(text)) is not None}
        self.elsewhere = said - set(self.there)

    def of(self, file: Any, row: int) -> tuple[Path | Blob, str] | LeftOut:
        """A file and its name within the data set; or why it is not found.

        Raises:
            DataError: what the list has is no name of a file.
        """
        if isinstance(file, dict) and file.get("bytes") is not None:
            name = str(file.get("path") or f"row {row}")
            return Blob(f"{self.path}, {name}", file["bytes"]), name
        if isinstance(file, bytes):
            return Blob(f"{self.path}, row {row}", file), f"row {row}"
        text = _said(file) or ""
        if not text or "\0" in text:
            raise DataError(f"{self.path}: row {row}: {cut(text, 60)!r} is no name of a file")
        if (place := self.there.get(text)) is not None:
            return place, self._within(place)
        found = self._called(text)
        if len(found) == 1 and self._claims[found[0]] == 1:
            return found[0], self._within(found[0])
        why = "no such file, beside the list or in the folders there"
        if len(found) == 1:
            why = f"no such file; {self._within(found[0])} is called so too, and another row of the list names it"
        elif found:
            why = f"several files: {listed(map(self._within, found), 3)}, beside the list or in the folders there"
        return LeftOut(f"row {row}: {cut(text, 80)!r}", why)

    @cached_property
    def _claims(self) -> Counter[Path]:
        """By how many different names in the list a file may be meant."""
        found = [self._called(text) for text in self.elsewhere]
        return Counter([*self.there.values(), *(files[0] for files in found if len(files) == 1)])

    @cached_property
    def _known(self) -> dict[str, list[Path]]:
        """The picture files in the folders beside the list, by their names, and by these without an ending."""
        known: dict[str, list[Path]] = {}
        for path in self._pictures:
            for key in {composed(path.name), composed(path.stem)}:
                known.setdefault(key, []).append(path)
        return known

    @cached_property
    def _alike(self) -> dict[str, list[Path]]:
        """The same by their places, or by their names, in small letters: some systems do not tell these from capitals."""
        alike: dict[str, list[Path]] = {}
        for path in self._pictures:
            for key in {composed(one).casefold() for one in (f"./{self._within(path)}", path.name, path.stem)}:
                alike.setdefault(key, []).append(path)
        return alike

    @cached_property
    def _pictures(self) -> list[Path]:
        return pictures(self.root)

    def _called(self, text: str) -> list[Path]:
        text = posixpath.normpath(composed(text))
        name = text.rpartition("/")[2]
        return self._alike.get(f"./{text}".casefold()) or self._known.get(name) or self._alike.get(name.casefold(), [])

    def _place(self, text: str) -> Path | None:
        return next((place for place in (self.path.parent / text, self.root / text) if _is_file(place)), None)

    def _within(self, path: Path) -> str:
        try:
            return shown(path, self.root)
        except ValueError:  # it lies elsewhere
            return path.as_posix()


def _said(file: Any) -> str | None:
    """The name of a file with /; None where it is a picture itself."""
    if isinstance(file, bytes) or (isinstance(file, dict) and file.get("bytes") is not None):
        return None
    return str(file.get("path") if isinstance(file, dict) else file).strip().replace("\\", "/")


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):  # too long a name, a zero byte, or links in a circle
        return False
