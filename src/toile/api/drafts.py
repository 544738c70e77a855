"""The first step: a study for pictures that nobody has looked at yet."""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from toile import studies
from toile.api.where import Folder
from toile.data.reading.listing import listing
from toile.drafts.draft import draft
from toile.drafts.seen import Seen, see
from toile.errors import Misuse, ToileError
from toile.runner.plans import committees
from toile.runner.plans import plan as plans
from toile.runner.plans.options import options
from toile.store import atomic
from toile.store.store import Store
from toile.study.data.dataset import DatasetSpec
from toile.study.reduction import Reduction

if TYPE_CHECKING:
    from toile.runner.plans.planned import Plan


@dataclass(frozen=True)
class Drafted:
    """A study that was written: where, what was seen of the pictures, what it trains, and what is suspicious in its parts."""

    path: Path
    seen: Seen
    plan: Plan
    warnings: tuple[str, ...]


def new(
    source: str | Path,
    *,
    output: Folder = None,
    force: bool = False,
    size: int | tuple[int, int] | None = None,
    nested: bool = False,
    store: Folder = None,
) -> Drafted:
    """Look at pictures, and write a short commented study for them, which runs as it is.

    It is planned before it is written: what cannot be trained is an error, and nothing is written then.

    Args:
        source: a folder of pictures, or a file that toile reads.
        output: the study file; `NAME.toml` in the current folder where left out, by the name of the source.
        force: whether to replace a file that is there.
        size: side in pixels, or (height, width), to which the pictures of a folder are brought; chosen where left out.
        nested: whether a class of a folder may have folders in its folder.
        store: see `toile.api.where.Place`.

    Raises:
        Misuse: the file is there already, or ends otherwise than in `.toml`.
        DataError: the pictures cannot be read, or not be split.
    """
    source = Path(os.path.expanduser(source))  # noqa: PTH111 - of `~nobody` it is said that it is not there
    path = Path(output) if output is not None else Path(f"{_name(source)}.toml")
    if path.suffix != ".toml":
        raise Misuse(f"{path} is no study file: a name that ends in .toml is wanted")
    if path.exists() and not force:
        raise Misuse(f"{path} is there already; --force replaces it, --output NAME.toml writes another")
    place, before = Store.at(store), listing(DatasetSpec(path=str(source)))
    seen = see(source, size=size, nested=nested)
    text = draft(seen, _said(source, path.parent), path.name)
    loaded = studies.parsed(text, path)
    called = loaded.called + options(place, Reduction())
    planned = plans.make(loaded.spec, loaded.reference, loaded.dataset, seen.dataset, place, called=called)
    committees.check(planned.checked())
    if before is not None:  # so that the next verb need not read all pictures again
        with suppress(OSError, ToileError):
            place.keep(seen.dataset, loaded.dataset, before)
    atomic.deliver(path, text)
    return Drafted(path, seen, planned, tuple(place.audit(seen.dataset, planned.trials[0].trial.split)["warnings"]))


def _name(source: Path) -> str:
    """A file's name without its endings, a folder's name; as few surprises in it as a shell likes."""
    whole = source.resolve()
    name = whole.name if whole.is_dir() else whole.name.partition(".")[0]
    return "-".join("".join(one if one.isalnum() or one in "-_." else " " for one in name).split()) or "study"


def _said(source: Path, folder: Path) -> str:
    """The path of the pictures as a study in `folder` says it: as it was given where that is absolute, else from there."""
    if source.is_absolute():
        return source.as_posix()
    return Path(os.path.relpath(source, folder)).as_posix()
