"""Registered data sets: one module each, found by its file name.

Each module has a docstring of one line (for `toile list`) and

    load(data_dir: Path | None, progress: Progress | None = None) -> Dataset
        Raises DatasetUnavailable where it is neither found nor downloaded.

and, where it is not built in,

    fetch(progress: Progress | None = None) -> Path
        Downloads it into the per-user cache.
"""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

from toile.data import registry
from toile.data.dataset import Dataset
from toile.data.reading.fetch import Progress
from toile.errors import Misuse, nearest


def names() -> tuple[str, ...]:
    """All registered data sets, sorted."""
    return registry.names(__path__)


def load(name: str, data_dir: Path | None = None, progress: Progress | None = None) -> Dataset:
    """Loads a registered data set.

    Args:
        name: one of `names()`.
        data_dir: where to look first.
        progress: told of a download, should one be needed.

    Raises:
        Misuse: no such name.
        DatasetUnavailable: neither found nor downloaded.
    """
    return _module(name).load(data_dir, progress)


def fetch(name: str, progress: Progress | None = None) -> Path | None:
    """Downloads what a registered data set needs into the per-user cache; what is there already is not fetched again.

    Returns:
        The folder; None for a data set that is built in.

    Raises:
        Misuse: no such name.
        DatasetUnavailable: no address gives it.
    """
    download = getattr(_module(name), "fetch", None)
    return download(progress) if download is not None else None


def about(name: str) -> str:
    """One line about a registered data set."""
    return registry.about(_module(name))


def _module(name: str) -> ModuleType:
    if name not in names():
        raise Misuse(
            f"unknown data set {name!r}{nearest(name, names())}; allowed: {', '.join(names())}, or `path` for your own"
        )
    return registry.module(__name__, name)
