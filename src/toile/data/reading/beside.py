"""Where the files are that a list names: beside it, or by their names in the folders there, unless the folders that it writes
say otherwise; with or without their ending."""

from __future__ import annotations

import posixpath
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from toile.data.errors import DataError
from toile.data.images import LeftOut
from toile.data.reading.layout import part_called
from toile.pictures.files import pictures, shown
from toile.pictures.read import Blob
from toile.text import composed, cut, listed


class Beside:
    """Finds the files of a list.

    Args:
        path: of the list.
        root: the folder in which its pictures are.
        files: all that it names. A picture in Parquet is bytes, or a dictionary of `bytes` and `path`.
        part: of which all of them are, where nothing in the list says it and its own name does.
        classes: as the list calls them; a folder of such a name is that of a class, not of a part.
    """

    def __init__(
        self, path: Path, root: Path, files: Iterable[Any], part: str | None = None, classes: Iterable[str] = ()
    ) -> None:
        self.path, self.root, self.part = path, root, part
        self.classes = {composed(one).casefold() for one in classes}
        self._asked: dict[str, list[Path]] = {}
        self._split: dict[Path, tuple[str, ...]] = {}
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
        found = self._meant(text)
        if len(found) == 1 and self._claims[found[0]] == 1:
            return found[0], self._within(found[0])
        why = "no such file, beside the list or in the folders there"
        if len(found) == 1:
            why = f"no such file; {self._within(found[0])} is called so too, and another row of the list names it"
        elif found:
            several = listed(map(self._within, found), 3)
            why = f"several files: {several}, beside the list or in the folders there; write in the list which, with its folder"
        elif others := self._called(text):
            are = "is called so, but lies" if len(others) == 1 else "are called so, but lie"
            parts = {self._lies(self._folders(one)) for one in others}
            if not _names(text)[:-1] and self.part is not None and None not in parts:
                of = " and ".join(sorted(part for part in parts if part is not None))
                where = f"in a folder of the {of} part, and this is a list of the {self.part} part"
                way = "if it is meant, write in the list where it lies"
            else:
                where = "in another folder than the list says"
                way = "put the file where the list says, or write in the list what is meant"
            why = f"no such file; {listed(map(self._within, others), 3)} {are} {where}; {way}"
        elif not _absolute(text) and (
            above := next((one for one in self.root.resolve().parents[:3] if _is_file(one / text)), None)
        ):
            why = f"no such file, beside the list or in the folders there; from {above} it is there: put the list there"
        return LeftOut(f"row {row}: {cut(text, 80)!r}", why)

    @cached_property
    def _claims(self) -> Counter[Path]:
        """By how many different names in the list a file may be meant."""
        found = [self._meant(text) for text in self.elsewhere]
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

    @cached_property
    def _tails(self) -> set[tuple[str, ...]]:
        """All that paths of folders with pictures below them end with."""
        within = {self._folders(path) for path in self._pictures}
        above = {one[:last] for one in within for last in range(1, len(one) + 1)}
        return {one[first:] for one in above for first in range(len(one))}

    def _called(self, text: str) -> list[Path]:
        """The files of this name, wherever they are."""
        name = posixpath.normpath(composed(text)).rpartition("/")[2]
        return self._known.get(name) or self._alike.get(name.casefold(), [])

    @cached_property
    def _by_folder(self) -> dict[tuple[str, str], list[Path]]:
        """The files by each of the folders that they lie in, and their names, with and without an ending."""
        found: dict[tuple[str, str], list[Path]] = {}
        for path in self._pictures:
            for name in {composed(one).casefold() for one in (path.name, path.stem)}:
                for folder in set(self._folders(path)):
                    found.setdefault((folder, name), []).append(path)
        return found

    def _meant(self, text: str) -> list[Path]:
        """See `_looked_for`, once for each text."""
        if text not in self._asked:
            self._asked[text] = self._looked_for(text)
        return self._asked[text]

    def _looked_for(self, text: str) -> list[Path]:
        """Of the files that are called so those that may be meant: no other part's, and none where the folder that is written
        is there and lacks it. The picture of another class, or of the test part, would get the label of a missing one."""
        text = posixpath.normpath(composed(text))
        exact = self._alike.get(f"./{text}".casefold(), [])
        if exact := [path for path in exact if not self._of_another_part(text, self._folders(path))]:
            return exact
        written = _names(text)[:-1]
        # Where many have one name, those in the folder that is written come first: no other lies in as many of the folders.
        near = self._by_folder.get((written[-1], _names(text)[-1]), []) if written else []
        found = {path: self._folders(path) for path in near or self._called(text)}
        if near and all(self._of_another_part(text, at) for at in found.values()):
            found = {path: self._folders(path) for path in self._called(text)}
        found = self._of_own_part(found) if _part(written) is None else found
        fits = {path: _fit(written, at)[0] for path, at in found.items() if not self._of_another_part(text, at)}
        best = max(fits.values(), default=0)
        if best < len(written) and (written[-best - 1 :] in self._tails or (not best and self._is_there(text))):
            return []
        return [path for path, fit in fits.items() if fit == best]

    def _of_own_part(self, found: dict[Path, tuple[str, ...]]) -> dict[Path, tuple[str, ...]]:
        """Of files for which the list writes no part those that are meant by its own: pictures of `train.csv` are not those of
        test/, which may have the same names. That of another part may have been cut from what lies in train/."""
        lies = {path: self._lies(at) for path, at in found.items()}
        if self.part is None or (self.part not in lies.values() and self.part != "train"):
            return found
        allowed = (self.part,) if self.part in lies.values() else (None,)
        return {path: at for path, at in found.items() if lies[path] in allowed}

    def _lies(self, folders: Sequence[str]) -> str | None:
        """In a folder of which part a file is: the list's own if one of its folders is that."""
        parts = [part for name in reversed(folders) if name not in self.classes and (part := part_called(name)) is not None]
        return self.part if self.part in parts else next(iter(parts), None)

    def _of_another_part(self, text: str, found: tuple[str, ...]) -> bool:
        """Whether folders say one part where the list has a file, and another one where it was found."""
        written = _names(text)[:-1]
        if _absolute(text):  # of another machine: what is far above the picture is nothing of the data set's
            written = written[-2:]
        else:
            try:
                written = (*_names(self.path.parent.relative_to(self.root).as_posix()), *written)
            except ValueError:  # the list lies elsewhere, as that of the test images may
                written, found = (*_names(self.path.parent.name), *written), (*_names(self.root.name), *found)
        same, end = _fit(written, found)
        said, lies = _part(written[: len(written) - same]), _part(found[: end - same])
        return said is not None and lies is not None and said != lies

    def _is_there(self, text: str) -> bool:
        """Whether there is the folder in which a list has a file. One that begins at the root of another machine is not asked
        for: here may be one of its name that is nothing of the data set's."""
        folder = posixpath.dirname(text)
        return not _absolute(text) and any(_is_folder(place / folder) for place in (self.path.parent, self.root))

    def _folders(self, path: Path) -> tuple[str, ...]:
        if path not in self._split:
            self._split[path] = _names(composed(self._within(path)))[:-1]
        return self._split[path]

    def _place(self, text: str) -> Path | None:
        if _is_file(place := self.path.parent / text):
            return place
        if not _is_file(place := self.root / text) or self._of_another_part(text, self._folders(place)):
            return None
        return place

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


def _names(path: str) -> tuple[str, ...]:
    """What a path is made of; of capitals and small letters some systems make no difference."""
    return tuple(name for name in path.casefold().split("/") if name not in ("", ".", ".."))


def _absolute(text: str) -> bool:
    return re.match(r"/|[a-z]:", text, re.IGNORECASE) is not None


def _fit(written: Sequence[str], found: Sequence[str]) -> tuple[int, int]:
    """How many of the last folders that are written a file lies in, one in the other, perhaps deeper; and how many of its own
    folders these end at."""
    fits = [(0, len(found))]
    for end in range(1, len(found) + 1):
        most = min(len(written), end)
        same = next((at for at in range(most) if written[-at - 1] != found[end - at - 1]), most)
        fits.append((same, end))
    return max(fits)


def _part(folders: Sequence[str]) -> str | None:
    return next((part for name in reversed(folders) if (part := part_called(name)) is not None), None)


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except (OSError, ValueError):
        return False


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):  # too long a name, a zero byte, or links in a circle
        return False
