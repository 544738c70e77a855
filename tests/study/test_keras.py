"""Optimizers and schedules against the installed Keras. (The only tests of this room that import it.)"""

from __future__ import annotations

import inspect
import math

import numpy as np
import pytest

from toile.study.recipe.optimizers import OPTIMIZERS, complete
from toile.study.recipe.schedules import Cosine, CosineRestarts, Exponential, HoldThenDecay

keras = pytest.importorskip("keras")

# No optimizers of their own, but wrappers and the base.
WRAPPERS = {"Optimizer", "LossScaleOptimizer", "MultiOptimizer", "OptimizerMap"}
# Left out on purpose: a display name, and Muon's choice of layers by name, which no study knows.
LEFT_OUT = {"name", "kwargs", "exclude_layers"}
# Not Keras's: Muon for convolutions, with Muon's options.
OWN = {"muon-conv"}
CLASSES = {
    name: kind
    for name, kind in vars(keras.optimizers).items()
    if inspect.isclass(kind) and issubclass(kind, keras.optimizers.Optimizer) and name not in WRAPPERS
}


def test_every_optimizer_of_keras_has_a_name_and_no_other() -> None:
    assert {name.lower() for name in CLASSES} == set(OPTIMIZERS) - OWN


@pytest.mark.parametrize("name", CLASSES)
def test_every_option_of_an_optimizer_with_its_default(name: str) -> None:
    parameters = inspect.signature(CLASSES[name].__init__).parameters
    defaults = {key: parameter.default for key, parameter in parameters.items() if key not in LEFT_OUT | {"self"}}
    assert OPTIMIZERS[name.lower()] == defaults


@pytest.mark.parametrize("name", CLASSES)
def test_keras_takes_the_completed_options(name: str) -> None:
    options = complete(name.lower(), {"learning_rate": 1, "clipnorm": 1, "gradient_accumulation_steps": 2})
    made = CLASSES[name](**options).get_config()
    assert {key: made[key] for key in ("learning_rate", "clipnorm", "gradient_accumulation_steps")} == {
        "learning_rate": 1.0, "clipnorm": 1.0, "gradient_accumulation_steps": 2,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("adam", {"clipnorm": 1.0, "clipvalue": 1.0}),
        ("sgd", {"momentum": 1.5}),
        ("ftrl", {"initial_accumulator_value": -0.1}),
        ("ftrl", {"learning_rate_power": 0.5}),
        ("ftrl", {"l1_regularization_strength": -1.0}),
        ("ftrl", {"l2_regularization_strength": -1.0}),
        ("ftrl", {"l2_shrinkage_regularization_strength": -1.0}),
        ("lion", {"beta_1": 0.0}),
        ("lion", {"beta_1": 1.5}),
        ("adam", {"gradient_accumulation_steps": 1}),
        ("adam", {"use_ema": True, "ema_momentum": 2.0}),
    ],
)
def test_what_keras_refuses_is_refused_before_training(name: str, options: dict) -> None:
    with pytest.raises(ValueError):
        {kind.lower(): made for kind, made in CLASSES.items()}[name](**options)
    with pytest.raises(ValueError):
        complete(name, options)


def test_hold_then_decay_is_the_scheduler_of_the_first_document() -> None:
    def scheduler(epoch, lr):  # word for word
        if epoch < 10:
            return lr
        else:  # noqa: RET505
            return lr * math.exp(-0.1)

    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile(keras.optimizers.SGD(0.01), "mse")
    callback = keras.callbacks.LearningRateScheduler(scheduler)
    callback.set_model(model)
    rates = []
    for epoch in range(20):
        callback.on_epoch_begin(epoch)
        rates.append(float(model.optimizer.learning_rate))
    positions = np.arange(20.0)
    ours = 0.01 * HoldThenDecay(name="hold-then-decay").factors(positions, 20)
    np.testing.assert_allclose(ours, rates, rtol=1e-5)
    # The whole of an epoch has the rate of its beginning.
    np.testing.assert_array_equal(HoldThenDecay(name="hold-then-decay").factors(positions + 0.99, 20) * 0.01, ours)


STEPS = 7  # an epoch
POSITIONS = np.arange(12 * STEPS) / STEPS


def keras_factors(schedule) -> np.ndarray:
    return np.array([float(schedule(step)) for step in range(len(POSITIONS))])


@pytest.mark.parametrize("staircase", [False, True])
def test_exponential_as_keras(staircase: bool) -> None:
    theirs = keras.optimizers.schedules.ExponentialDecay(1.0, STEPS, 0.9, staircase=staircase)
    ours = Exponential(name="exponential", factor=0.9, staircase=staircase).factors(POSITIONS, 12)
    np.testing.assert_allclose(ours, keras_factors(theirs), rtol=1e-4)


def test_cosine_as_keras() -> None:
    theirs = keras.optimizers.schedules.CosineDecay(1.0, 12 * STEPS, alpha=0.1)
    np.testing.assert_allclose(Cosine(name="cosine", minimum=0.1).factors(POSITIONS, 12), keras_factors(theirs), atol=1e-5)


def test_cosine_with_warm_up_as_keras() -> None:
    # Keras's decay_steps do not count the warm-up; our epochs do.
    theirs = keras.optimizers.schedules.CosineDecay(0.0, 9 * STEPS, alpha=0.1, warmup_target=1.0, warmup_steps=3 * STEPS)
    ours = Cosine(name="cosine", minimum=0.1, warmup=3).factors(POSITIONS, 12)
    np.testing.assert_allclose(ours, keras_factors(theirs), atol=1e-5)


@pytest.mark.parametrize("multiplier", [1.0, 2.0, 1.5])
def test_cosine_restarts_as_keras(multiplier: float) -> None:
    theirs = keras.optimizers.schedules.CosineDecayRestarts(1.0, 3 * STEPS, t_mul=multiplier, alpha=0.05)
    ours = CosineRestarts(name="cosine-restarts", period=3, multiplier=multiplier, minimum=0.05).factors(POSITIONS, 12)
    starts = [3 * sum(multiplier**i for i in range(k)) for k in range(8)]
    # Exactly at a restart Keras's float32 may fall to either side of it.
    inside = np.min(np.abs(POSITIONS[:, None] - starts[1:]), axis=1) > 1e-6
    np.testing.assert_allclose(ours[inside], keras_factors(theirs)[inside], atol=1e-4)
    np.testing.assert_allclose(ours[~inside], 1.0, atol=1e-9)
