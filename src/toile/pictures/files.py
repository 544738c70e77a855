"""Which files of a folder are pictures, and which are what systems and archives leave between them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

ENDINGS = (".png", ".jpg", ".jpeg", ".jfif", ".gif", ".bmp", ".webp", ".tif", ".tiff")
# What are pictures too, by their names, and cannot be read.
_UNREADABLE = (
    ".heic",
    ".heif",
    ".avif",
    ".jxl",
    ".jp2",
    ".jpe",
    ".svg",
    ".psd",
    ".tga",
    ".pgm",
    ".ppm",
    ".dng",
    ".cr2",
    ".nef",
)
# Besides what begins with a dot: Windows' and macOS's views of a folder, and what archives and network drives add.
_JUNK = {
    "thumbs.db", "ehthumbs.db", "ehthumbs_vista.db", "desktop.ini", "picasa.ini", "__macosx", "icon\r", "@eadir", "#recycle",
    "$recycle.bin", "system volume information", "lost+found",
}  # fmt: skip
# What Windows keeps beside a file that was downloaded, where another system sees it as a file: `cat.png:Zone.Identifier`.
_BESIDE = ("zone.identifier", "thumbs.db:encryptable")


def junk(name: str) -> bool:
    """Whether a file or folder of this name is none of the user's."""
    return name.startswith(".") or name.lower() in _JUNK or name.lower().endswith(_BESIDE)


def entries(folder: Path) -> list[os.DirEntry[str]]:
    """What is in a folder, without junk, by name."""
    with os.scandir(folder) as found:
        return sorted((entry for entry in found if not junk(entry.name)), key=lambda entry: entry.name)


def is_folder(entry: os.DirEntry[str]) -> bool:
    """Whether it is one, or leads to one."""
    try:
        return entry.is_dir()
    except OSError:  # a link in a circle
        return False


def folders(folder: Path) -> list[Path]:
    """The folders in a folder, by name."""
    return [Path(entry.path) for entry in entries(folder) if is_folder(entry)]


def walk(folder: Path, above: frozenset[tuple[int, int]] | None = None) -> Iterator[os.DirEntry[str]]:
    """All files below a folder, by name. Links to folders are followed, but not in circles: to none that it is in.

    Args:
        above: device and inode of the folders that it is in; found where left out.
    """
    if above is None:
        above = frozenset(map(_place, (*folder.resolve().parents, *folder.absolute().parents)))  # it may be a link itself
    if (here := _place(folder)) in above:
        return
    for entry in entries(folder):
        if is_folder(entry):
            yield from walk(Path(entry.path), above | {here})
        else:
            yield entry


def _place(folder: Path) -> tuple[int, int]:
    about = folder.stat()
    return about.st_dev, about.st_ino


def pictures(folder: Path) -> list[Path]:
    """All files below a folder that are called as pictures are, by name."""
    return [Path(entry.path) for entry in walk(folder) if Path(entry.name).suffix.lower() in ENDINGS]


def unreadable(folder: Path) -> list[Path]:
    """All files below a folder that are called as pictures are which cannot be read, by name."""
    return [Path(entry.path) for entry in walk(folder) if Path(entry.name).suffix.lower() in _UNREADABLE]


def shown(path: Path, root: Path) -> str:
    r"""The path of a file within a folder, with /. Bytes that are no text, which no file of ours could hold, are `\udcff`."""
    return path.relative_to(root).as_posix().encode("utf-8", "backslashreplace").decode("utf-8")
