"""A checkpoint brings everything back, or is none."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from toile.study.recipe.recipe import EarlyStopping
from toile.training import checkpoint
from toile.training.recipe import Patience


class Variables:
    """As much of a model or an optimizer as a checkpoint looks at."""

    def __init__(self, *values: list[float]) -> None:
        import keras

        self.variables = self.weights = [keras.Variable(np.array(value)) for value in values]

    def get_weights(self) -> list[np.ndarray]:
        return [variable.numpy() for variable in self.weights]

    def set_weights(self, values: list[np.ndarray]) -> None:
        for variable, value in zip(self.weights, values, strict=True):
            variable.assign(value)


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # of Keras, on reading a variable
def test_checkpoint_brings_everything_back_or_leaves_everything(tmp_path):
    path = tmp_path / "checkpoint.npz"
    spec = EarlyStopping(patience=2, restore_best=True)
    progress = checkpoint.Progress(
        Patience(spec, best=0.25, best_epoch=3, waited=1), [{"epoch": 1, "loss": 0.1}], [np.array([7.0, 8.0])], [{"threads": 1}]
    )
    checkpoint.save(path, Variables([1.0, 2.0]), Variables([3.0], [4.0, 5.0]), progress)
    whole = path.read_bytes()

    def restored() -> tuple[bool, Any, Any, checkpoint.Progress]:
        model, optimizer, fresh = Variables([0.0, 0.0]), Variables([0.0], [0.0, 0.0]), checkpoint.Progress(Patience(spec))
        return checkpoint.restore(path, model, optimizer, fresh), model, optimizer, fresh

    ok, model, optimizer, fresh = restored()
    assert ok and fresh.patience == progress.patience and fresh.history == progress.history
    assert fresh.sessions == progress.sessions and fresh.best[0].tolist() == [7.0, 8.0]
    assert [w.tolist() for w in (*model.get_weights(), *optimizer.get_weights())] == [[1.0, 2.0], [3.0], [4.0, 5.0]]
    # Cut off anywhere, or with a few bytes overwritten, it is none at all.
    step = max(1, len(whole) // 60)
    damaged = [whole[:size] for size in range(0, len(whole), step)]
    damaged += [whole[:at] + b"\xff" * 4 + whole[at + 4 :] for at in range(0, len(whole) - 4, step)]
    for content in damaged:
        path.write_bytes(content)
        ok, model, optimizer, fresh = restored()
        assert not ok and fresh.history == [] and fresh.best is None
        assert [w.tolist() for w in (*model.get_weights(), *optimizer.get_weights())] == [[0.0, 0.0], [0.0], [0.0, 0.0]]
    path.unlink()
    assert not restored()[0]
