"""What no run and no work in progress needs: finding it, and deleting it. `toile.store.claims` says how that meets others."""

from __future__ import annotations

import shutil
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import Timeout

from toile.store import checked
from toile.store.checked import Damaged
from toile.store.claims import Needs, needs

if TYPE_CHECKING:
    from toile.store.run import Run
    from toile.store.store import Store


@dataclass
class _Needed:
    """What is needed, by the trials that need it.

    `unknown` says that somebody is at work and has not said with what, or that a run cannot say it any more. `at_work` are
    those needs that are no stored run's.
    """

    trials: dict[str, Needs]
    unknown: bool = False
    at_work: tuple[Needs, ...] = ()


def found(store: Store) -> list[Path]:
    """What nobody needs: work that nobody is at; data sets, weights and features of no trial; what was set aside as damaged;
    and what an earlier cleaning did not finish."""
    if not store.root.is_dir():
        return []
    with store.claims.looking():
        return _found(store)


def remove(store: Store) -> list[Path]:
    """Delete what `found` finds then; the paths. Work that was taken up meanwhile stays."""
    if not store.root.is_dir():
        return []
    gone: list[Path] = []
    with store.claims.short():
        store.claims.forget_the_dead()
        for path in _found(store):
            if path.parent == store.trash_folder:
                gone.append(path)
                continue
            try:
                if path.parent == store.work_folder:
                    with store.claims.of(path.name).acquire(timeout=0):
                        _throw(store, path)
                else:
                    _throw(store, path)
            except Timeout:
                continue
            gone.append(path)
    empty_trash(store)
    return gone


def discard(store: Store, run: Run) -> None:
    """Delete a run. It is gone as a whole, by one rename, before its files go."""
    _throw(store, run.folder)
    empty_trash(store)


def empty_trash(store: Store) -> None:
    """Delete what was thrown away."""
    for path in _entries(store.trash_folder):
        # Two may do so at once.
        shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink(missing_ok=True)


def _throw(store: Store, path: Path) -> None:
    store.trash_folder.mkdir(exist_ok=True)
    path.rename(store.trash_folder / f"{path.name}.{uuid.uuid4().hex}")


def _found(store: Store) -> list[Path]:
    needed = _Needed(store.claims.held())
    idle: list[Path] = []
    for fingerprint in store.unfinished():
        if fingerprint in needed.trials:
            continue
        if store.claims.is_free(fingerprint):
            idle.append(store.work(fingerprint))
        else:
            _ask(needed, fingerprint, store.work(fingerprint) / "trial.json")
    needed.at_work = tuple(needed.trials.values())
    # Asked last, so that work which is finished meanwhile counts as a run.
    for run in store.runs():
        try:
            needed.trials[run.fingerprint] = needs(run.trial)
        except Damaged as error:
            needed.unknown = True
            checked.say(f"{error}; nobody knows what that run needs, so all data sets, weights and features stay")
    return [
        *idle,
        *([] if needed.unknown else _unneeded(store, needed)),
        *_entries(store.damaged_folder),
        *_entries(store.trash_folder),
    ]


def _ask(needed: _Needed, fingerprint: str, trial: Path) -> None:
    """What somebody at work needs, as far as it is written down."""
    try:
        needed.trials[fingerprint] = needs(checked.parse_json(trial, checked.read(trial)))
    except (Damaged, KeyError, TypeError, AttributeError):
        needed.unknown = True


def _unneeded(store: Store, needed: _Needed) -> list[Path]:
    """Data sets, weights and features of no trial.

    What is being written is named by what it becomes, and more. Where the whole is there too, only those at work could still be
    writing: a plan, which holds nothing, writes what is not there. What a killed process left beside it is needed by no run.
    """

    def idle(path: Path, key: str) -> bool:
        whole = store.data_folder / _stem(path) if key == "content" else store.weights_path(_stem(path))
        needing = needed.at_work if _is_part(path) and whole.exists() else needed.trials.values()
        return _stem(path) not in {trial[key] for trial in needing}

    return [
        *(path for path in _entries(store.data_folder) if (path.is_dir() or _is_part(path)) and idle(path, "content")),
        *(path for path in _entries(store.weights_folder) if idle(path, "weights")),
        *(folder for folder in _entries(store.features_folder) if not any((folder / name).exists() for name in needed.trials)),
    ]


def _is_part(path: Path) -> bool:
    """Whether it is what a data set, a file of weights or a record is called while it is written."""
    return path.name.startswith(".") or path.suffix == ".tmp"


def _stem(path: Path) -> str:
    return path.name.lstrip(".").partition(".")[0]


def _entries(folder: Path) -> list[Path]:
    return sorted(folder.iterdir()) if folder.is_dir() else []
