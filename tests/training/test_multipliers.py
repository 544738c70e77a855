"""Learning rates by variable, against Keras's optimizers at those rates."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.training.fixture import OTHER_BACKENDS, python
from toile.study.recipe.optimizers import OPTIMIZERS
from toile.study.recipe.recipe import OptimizerSpec, RecipeSpec
from toile.training import recipe
from toile.training.optimizers.multipliers import multiply_learning_rates

STEPS, FACTOR = 3, 0.25


def trained(spec: dict[str, Any], slow: list[bool], fused: bool = False) -> list[np.ndarray]:
    import keras

    drawn = np.random.default_rng(0)
    optimizer = recipe.optimizer(RecipeSpec(optimizer=OptimizerSpec.model_validate(spec)))
    variables = [keras.Variable(drawn.normal(size=shape).astype("float32")) for shape in ((3, 4), (3, 4))]
    for variable, is_slow in zip(variables, slow, strict=True):
        if is_slow:
            variable.learning_rate_multiplier = FACTOR
    optimizer.build(variables)
    if fused:
        from toile.training.optimizers.fused_updates import fuse_updates

        fuse_updates(optimizer)
    multiply_learning_rates(optimizer, variables)
    for _ in range(STEPS):
        gradients = [drawn.normal(size=variable.shape).astype("float32") for variable in variables]
        optimizer.apply([keras.ops.convert_to_tensor(one) for one in gradients], variables)
    return [keras.ops.convert_to_numpy(variable) for variable in variables]


def compare_all(fused: bool = False) -> None:
    """Every optimizer, with weight decay: a slow variable beside a fast one moves as with the smaller rate for both."""
    for name in OPTIMIZERS:
        full = {"name": name, "learning_rate": 0.02, "weight_decay": 0.1}
        small = {**full, "learning_rate": 0.02 * FACTOR}
        mixed, fast, slow = trained(full, [True, False], fused), trained(full, [False, False]), trained(small, [False, False])
        np.testing.assert_allclose(mixed[0], slow[0], rtol=1e-4, atol=1e-6, err_msg=f"{name}, slow")
        np.testing.assert_allclose(mixed[1], fast[1], rtol=1e-4, atol=1e-6, err_msg=f"{name}, fast")
        assert not np.allclose(fast[0], slow[0], rtol=1e-3), name


def test_every_optimizer_steps_by_the_multiplier_of_each_variable() -> None:
    compare_all(fused=True)


@pytest.mark.parametrize("backend", OTHER_BACKENDS)
def test_on_another_backend(backend: str) -> None:
    python("from tests.training import test_multipliers as tests\ntests.compare_all()", backend=backend)


def test_without_a_multiplier_the_optimizer_is_keras_own() -> None:
    import keras

    optimizer, variable = keras.optimizers.SGD(), keras.Variable(np.ones(3, "float32"))
    optimizer.build([variable])
    multiply_learning_rates(optimizer, [variable])
    assert not {"update_step", "_apply_weight_decay"} & vars(optimizer).keys()
