"""Data sets in the store: each once, by the hash of its content; and by what words it was last asked for.

A data set is believed after its arrays were hashed again: by every process once, before the first thing that it does with it.
"""

from __future__ import annotations

import hashlib
from contextlib import suppress
from pathlib import Path
from typing import Any

from toile.data.audits import near
from toile.data.audits.audit import REVISION, audit
from toile.data.dataset import Dataset
from toile.data.errors import DamagedSnapshot
from toile.data.parts.splits import split
from toile.store import checked
from toile.store.checked import Damaged
from toile.study.data.dataset import DatasetSpec
from toile.study.data.split import SplitSpec
from toile.study.fields.strict import is_table

ASKED = "asked.json"
# Data sets that this process has hashed, as their files were then.
_hashed: dict[Path, list[tuple[str, int, int, int]]] = {}


def opened(folder: Path, *, again: bool = False) -> Dataset:
    """The data set in a folder that is named by its content, memory-mapped.

    Args:
        again: whether to hash it even if this process has.

    Raises:
        Damaged: it is another content, or cannot be read.
    """
    files = _files(folder)
    try:
        dataset = Dataset.open(folder, verify=again or _hashed.get(folder.absolute()) != files)
    except DamagedSnapshot as error:
        raise Damaged(error.path, error.why) from None
    if dataset.content != folder.name:
        raise Damaged(folder, f"it is the data set {dataset.content[:12]}, under the name of another")
    _hashed[folder.absolute()] = files
    return dataset


def _files(folder: Path) -> list[tuple[str, int, int, int]]:
    try:
        found = [(path.name, path.stat()) for path in sorted(folder.iterdir())]
    except OSError as error:
        raise checked.lost(folder, error) from None
    return [(name, of.st_ino, of.st_size, of.st_mtime_ns) for name, of in found if name.endswith(".npy")]


def asked(folder: Path) -> dict[str, Any]:
    """What words meant, by a specification's JSON: `content`, and what `Dataset.about` gives, with `classes` for
    `class_names`; and a `listing` of the files. Damaged, it counts as empty."""
    try:
        return checked.read_json(folder / ASKED)[0] if checked.is_there(folder / ASKED) else {}
    except Damaged as error:
        checked.say(f"{error}; what is asked for is read from its source")
        return {}


def remember(folder: Path, spec: DatasetSpec, dataset: Dataset, listing: str | None = None) -> None:
    """Write down that `spec` meant `dataset`, with the files as `listing` says; without one, with the files as they were.

    To be called under the store's lock: others remember in the same file.
    """
    known, about = asked(folder), dataset.about()
    answer = {"content": dataset.content, "classes": about.pop("class_names"), **about}
    before = known.get(_words(spec))
    if listing is None and is_table(before) and before.get("content") == dataset.content:
        listing = before.get("listing")
    answer |= {} if listing is None else {"listing": listing}
    if known.get(_words(spec)) != answer:
        checked.write_json(folder / ASKED, {**known, _words(spec): answer})


def kept(folder: Path, spec: DatasetSpec, listing: str | None = None) -> Dataset | None:
    """The data set that `spec` meant when it was last trained on; None if it is not kept, or damaged.

    Args:
        listing: None, or how its files must have been then.
    """
    answer = asked(folder).get(_words(spec))
    if not (is_table(answer) and answer.keys() >= {"content", "name", "classes"}):
        return None
    if listing is not None and answer.get("listing") != listing:
        return None
    path = folder / str(answer["content"])
    if not path.is_dir():
        return None
    try:
        # Names are no part of the content: the same images may have been kept under others.
        return opened(path).told({**answer, "class_names": answer["classes"]})
    except Damaged as error:
        checked.say(f"{error}; the data set is read from its source")
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        checked.say(f"{folder / ASKED} has something else than was written ({error}); the data set is read from its source")
    return None


def audited(folder: Path, dataset: Dataset, spec: SplitSpec | None = None, *, keep: bool = True) -> dict[str, Any]:
    """What `toile.data.audits.audit.audit` finds in the parts that a split makes, the first of several folds: looked for once,
    and kept beside the images if they are kept.

    Args:
        keep: whether what is found may be written.
    """
    words = "" if spec is None else "-" + hashlib.sha256(spec.model_dump_json().encode()).hexdigest()[:12]
    path = folder / dataset.content / f"audit{words}.json"
    wanted = {"revision": [REVISION, near.REVISION], **dataset.about()}
    with suppress(Damaged):  # then it is looked for again
        kept, own = checked.read_json(path)
        if own and kept.get("asked") == wanted:
            return kept["found"]
    found = audit(dataset, None if spec is None else split(dataset, spec, None if spec.folds is None else 0))
    if not keep:
        return found
    with suppress(OSError):  # not kept here, or a store that may only be read
        checked.write_json(path, {"asked": wanted, "found": found})
    return found


def _words(spec: DatasetSpec) -> str:
    return spec.model_dump_json(exclude_defaults=True)
