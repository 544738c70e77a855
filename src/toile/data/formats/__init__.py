"""Formats of a user's own files: a format is a module of this package, found by its file name.

Each module has a docstring of one line (for `toile list`) and

    matches(path: Path) -> bool
        Whether `path` looks like this format, from its name and kind alone.
    read(path: Path, test_path: Path | None, class_names: tuple[str, ...] | None) -> Dataset
        Reads `path`, and the test images from `test_path` where they are kept apart. Raises DataError. Keyword arguments
        after these are what a study may say of how the files are read, by the names that its `[dataset]` has for them;
        `**how: Unpack[Reading]` are those of all formats of picture files.

and, if what it reads is in more files than `path`,

    sources(path: Path, test_path: Path | None, **options) -> Iterator[Path]
        All these files; a folder's own are known without it.

and, if it reads pictures that are not simply all of a folder,

    pictures(path: Path) -> list[Path | Blob]
        All of them, for a first look at their sizes.

and, if there are such files without labels,

    unlabelled(path: Path, shape: tuple[int, int, int]) -> tuple[ids, pixels]
        Of images of (height, width, channels): two arrays of the same length, `(n,)` or None where it has no ids, and
        the images as `toile.data.reading.checks.as_images` takes them. Labels, if it has some, are ignored.
"""

from __future__ import annotations

from inspect import Parameter, signature
from pathlib import Path
from types import ModuleType

from toile.data import registry
from toile.data.reading.picture_files import Reading
from toile.errors import Misuse, nearest

# From the most to the least particular: a folder of IDX files is also a folder. What is not named here is asked last.
_ORDER = ("idx", "npz", "npy", "list", "csv", "folder")
_ARCHIVES = {".zip", ".tar", ".tgz", ".gz", ".bz2", ".xz", ".zst", ".7z", ".rar"}


def names() -> tuple[str, ...]:
    """All formats, sorted."""
    return registry.names(__path__)


def load(name: str) -> ModuleType:
    """The module of a format.

    Raises:
        Misuse: no such format.
    """
    if name not in names():
        raise Misuse(f"unknown format {name!r}{nearest(name, names())}; allowed: {', '.join(names())}")
    return registry.module(__name__, name)


def about(name: str) -> str:
    """One line about a format."""
    return registry.about(load(name))


def options(name: str) -> set[str]:
    """What a study may say of how files of a format are read."""
    found = signature(load(name).read).parameters.items()
    pictures = any(one.kind is Parameter.VAR_KEYWORD for _, one in found)
    return {key for key, one in found if one.kind is Parameter.KEYWORD_ONLY} | (
        set(Reading.__annotations__) if pictures else set()
    )


def guess(path: Path) -> str:
    """The format that `path` looks like.

    Raises:
        Misuse: none does.
    """
    for name in sorted(names(), key=lambda name: _ORDER.index(name) if name in _ORDER else len(_ORDER)):
        if load(name).matches(path):
            return name
    if path.suffix.lower() in _ARCHIVES:
        raise Misuse(f"{path} is an archive; unpack it, and give the folder or the file that comes of it")
    raise Misuse(f"{path}: the format cannot be guessed from the name; set `format` to one of {', '.join(names())}")
