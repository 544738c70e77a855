"""A training on disk after each epoch: everything that the next epoch depends on, in one file, replaced in one step.

Keras's own BackupAndRestore is neither atomic nor complete (the state of dropout's generators is not in it). Here the
generators are not saved either: they are seeded anew from (seed, epoch) at the start of every epoch.

The file is an `.npz` with its SHA-256 behind it; see `toile.store.sealed`.
"""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from toile.models.protocols import Remembering, Variable, Weighted
from toile.store import checked, sealed
from toile.store.checked import Damaged
from toile.training.recipe import Patience


@dataclass
class Progress:
    """How far a training has come.

    `history` has one dictionary an epoch; `best` are the best epoch's weights where early stopping will restore them.
    """

    patience: Patience
    history: list[dict[str, float]] = field(default_factory=list)
    best: list[NDArray[Any]] | None = None
    sessions: list[dict[str, Any]] = field(default_factory=list)

    @property
    def epochs(self) -> int:
        return len(self.history)


def save(path: Path, model: Weighted, optimizer: Remembering, progress: Progress) -> None:
    """Replace the checkpoint at `path`."""
    groups = {
        "weights": model.get_weights(),
        "optimizer": [_numpy(variable) for variable in optimizer.variables],
        "best": progress.best or [],
    }
    arrays = {f"{group}/{i:04d}": array for group, values in groups.items() for i, array in enumerate(values)}
    patience = progress.patience
    state = {
        "history": progress.history,
        "sessions": progress.sessions,
        "patience": [patience.best, patience.best_epoch, patience.waited],
    }
    buffer = io.BytesIO()
    arrays = {"state": np.frombuffer(json.dumps(state).encode(), dtype=np.uint8), **arrays}
    np.savez(buffer, **arrays)  # pyright: ignore[reportArgumentType]: none is called allow_pickle
    with sealed.writing(path) as file:
        file.write(buffer.getbuffer())


def restore(path: Path, model: Weighted, optimizer: Remembering, progress: Progress) -> bool:
    """Bring model, optimizer and progress to where the checkpoint at `path` was made; False if there is none.

    A file that is not the whole checkpoint that was written (of a disk that lost some), or one whose arrays another version
    of Keras laid out in another way, counts as none: the training begins anew, from the model and optimizer as they are.
    """
    if not path.exists():
        return False
    try:
        sealed.check(path)
    except Damaged as error:
        checked.say(f"{error}; the training begins anew")
        return False
    with np.load(path, allow_pickle=False) as stored:
        arrays = {name: stored[name] for name in stored.files}
    state = json.loads(arrays.pop("state").tobytes())
    groups: dict[str, list[NDArray[Any]]] = {"weights": [], "optimizer": [], "best": []}
    for name in sorted(arrays):
        groups[name.split("/")[0]].append(arrays[name])
    if not (_fit(groups["weights"], model.weights) and _fit(groups["optimizer"], optimizer.variables)):
        return False
    model.set_weights(groups["weights"])
    for variable, value in zip(optimizer.variables, groups["optimizer"], strict=True):
        variable.assign(value)
    progress.history, progress.sessions = state["history"], state["sessions"]
    progress.best = groups["best"] or None
    progress.patience.best, progress.patience.best_epoch, progress.patience.waited = state["patience"]
    return True


def _fit(arrays: list[NDArray[Any]], variables: Sequence[Variable]) -> bool:
    return [array.shape for array in arrays] == [tuple(variable.shape) for variable in variables]


def _numpy(variable: Variable) -> NDArray[Any]:
    from keras import ops

    return np.asarray(ops.convert_to_numpy(variable))
