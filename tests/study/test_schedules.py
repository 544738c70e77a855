"""Laws of the schedules."""

from __future__ import annotations

import typing

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from toile.study.recipe import schedules
from toile.study.recipe.schedules import (
    Constant,
    Cosine,
    CosineRestarts,
    Exponential,
    HoldThenDecay,
    OneCycle,
    ReduceOnPlateau,
    Schedule,
)

MODEL: dict[str, keras.Model] = {}
KINDS = typing.get_args(typing.get_args(Schedule)[0])
shares = st.floats(0, 1)
factors = st.floats(0.01, 1.0)

ANY = st.one_of(
    st.builds(Constant),
    st.builds(HoldThenDecay, name=st.just("hold-then-decay"), hold=st.integers(0, 50), factor=factors),
    st.builds(Exponential, name=st.just("exponential"), factor=factors, staircase=st.booleans()),
    st.builds(Cosine, name=st.just("cosine"), minimum=shares, warmup=st.floats(0, 10)),
    st.builds(
        CosineRestarts, name=st.just("cosine-restarts"), period=st.floats(0.5, 20), multiplier=st.floats(1, 4), minimum=shares
    ),
    st.builds(
        ReduceOnPlateau,
        name=st.just("reduce-on-plateau"),
        factor=st.floats(0.01, 0.99),
        patience=st.integers(1, 20),
        monitor=st.sampled_from(["loss", "accuracy"]),
        cooldown=st.integers(0, 5),
        minimum=shares,
    ),
    st.builds(OneCycle, name=st.just("one-cycle"), rise=shares, start=shares, end=shares),
)


def at(schedule, *positions: float, epochs: int = 20) -> list[float]:
    return schedule.factors(np.array(positions, dtype=float), epochs).tolist()


@settings(deadline=None)
@given(schedule=ANY, epochs=st.integers(1, 40), steps=st.integers(1, 30))
def test_factors_are_one_a_step_and_shares_of_the_learning_rate(schedule, epochs: int, steps: int) -> None:
    position = np.arange(epochs * steps) / steps
    result = schedule.factors(position, epochs)
    assert result.shape == position.shape
    assert result.dtype == np.float64
    assert np.all(np.isfinite(result))
    assert np.all((result >= 0) & (result <= 1 + 1e-12))


@settings(deadline=None)
@given(schedule=ANY, epochs=st.integers(1, 40), cut=st.integers(0, 40))
def test_a_step_has_the_same_factor_whichever_steps_it_is_asked_with(schedule, epochs: int, cut: int) -> None:
    # A resumed training asks for the rest of its epochs only.
    position = np.arange(epochs * 4) / 4
    np.testing.assert_array_equal(schedule.factors(position, epochs)[cut:], schedule.factors(position[cut:], epochs))


@settings(deadline=None)
@given(schedule=ANY)
def test_a_schedule_survives_json(schedule) -> None:
    assert TypeAdapter(Schedule).validate_python(schedule.model_dump(mode="json")) == schedule


@settings(deadline=None)
@given(minimum=shares, warmup=st.floats(0, 5))
def test_cosine_falls_from_one_to_its_minimum_after_the_warm_up(minimum: float, warmup: float) -> None:
    schedule = Cosine(name="cosine", minimum=minimum, warmup=warmup)
    position = np.linspace(warmup, 20, 100)
    down = schedule.factors(position, 20)
    assert down[0] == pytest.approx(1)
    assert down[-1] == pytest.approx(minimum)
    assert np.all(np.diff(down) <= 1e-12)
    up = schedule.factors(np.linspace(0, warmup, 20, endpoint=False), 20)
    assert np.all(np.diff(up) >= 0)


def test_ends() -> None:
    assert at(Constant(), 0, 7.5, 20) == [1, 1, 1]
    assert at(HoldThenDecay(name="hold-then-decay", hold=2, factor=0.5), 0, 1.9, 2, 2.9, 3) == [1, 1, 0.5, 0.5, 0.25]
    assert at(HoldThenDecay(name="hold-then-decay", hold=0, factor=0.5), 0, 1) == [0.5, 0.25]
    assert at(Exponential(name="exponential", factor=0.25), 0, 0.5, 1) == [1, 0.5, 0.25]
    assert at(Exponential(name="exponential", factor=0.25, staircase=True), 0, 0.5, 1) == [1, 1, 0.25]
    assert at(Cosine(name="cosine", warmup=4), 0, 1, 4) == [0, 0.25, 1]
    assert at(OneCycle(name="one-cycle", rise=0.5, start=0.1, end=0.2), 0, 10, 20) == pytest.approx([0.1, 1, 0.2])


def test_warm_restarts_begin_again_at_one() -> None:
    schedule = CosineRestarts(name="cosine-restarts", period=2, multiplier=2)  # periods of 2, 4, 8 epochs
    assert at(schedule, 0, 2, 6) == pytest.approx([1, 1, 1])
    assert at(schedule, 1, 4, 10) == pytest.approx([0.5, 0.5, 0.5])
    assert at(schedule, 1.999, 5.999) == pytest.approx([0, 0], abs=1e-5)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_every_schedule_is_named_described_and_made_from_its_name_alone(kind) -> None:
    name = typing.get_args(kind.model_fields["name"].annotation)[0]
    schedule = TypeAdapter(Schedule).validate_python({"name": name})
    assert type(schedule) is kind
    assert len(at(schedule, 0, 1, 2)) == 3
    assert kind.__doc__
    assert all(field.description for field in kind.model_fields.values())


def test_none_is_forgotten_in_the_union() -> None:
    made = {k for k in vars(schedules).values() if isinstance(k, type) and issubclass(k, schedules._Schedule)}
    assert made - {schedules._Schedule} == set(KINDS)


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": "exponential", "factor": 0.0},
        {"name": "exponential", "factor": float("inf")},
        {"name": "hold-then-decay", "hold": -1},
        {"name": "hold-then-decay", "hold": 1.5},
        {"name": "cosine", "minimum": 1.5},
        {"name": "cosine", "warmup": -1.0},
        {"name": "cosine-restarts", "period": 0.0},
        {"name": "cosine-restarts", "multiplier": 0.5},
        {"name": "one-cycle", "rise": float("nan")},
        {"name": "one-cycle", "peak": 1.0},
        {"name": "linear"},
        {},
    ],
)
def test_impossible_schedules(wrong: dict) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(Schedule).validate_python(wrong)


@settings(deadline=None, max_examples=200)
@given(
    losses=st.lists(st.floats(0.0, 1.0), max_size=40), factor=st.sampled_from([0.1, 0.5]), patience=st.integers(1, 6),
    cooldown=st.integers(0, 4), minimum=st.sampled_from([0.0, 0.01, 0.3]), monitor=st.sampled_from(["loss", "accuracy"]),
)  # fmt: skip
def test_reduce_on_plateau_is_keras_callback(losses, factor, patience, cooldown, minimum, monitor) -> None:
    """Keras's own callback, told the same figures, sets the same learning rates."""
    callback = keras.callbacks.ReduceLROnPlateau(
        monitor=f"val_{monitor}", mode="min" if monitor == "loss" else "max", factor=factor, patience=patience,
        min_delta=1e-4, cooldown=cooldown, min_lr=minimum,
    )  # fmt: skip
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)]) if MODEL.get("it") is None else MODEL["it"]
    MODEL["it"] = model
    model.compile(optimizer=keras.optimizers.SGD(1.0), loss="mse")
    callback.set_model(model)
    callback.on_train_begin()
    schedule = ReduceOnPlateau(
        name="reduce-on-plateau", factor=factor, patience=patience, monitor=monitor, cooldown=cooldown, minimum=minimum
    )
    history = [{f"validation_{monitor}": value} for value in losses]
    assert schedule.learned([]) == 1
    for epoch, value in enumerate(losses):
        callback.on_epoch_end(epoch, {f"val_{monitor}": value})
        assert schedule.learned(history[: epoch + 1]) == pytest.approx(float(model.optimizer.learning_rate), rel=1e-5)


# Each with the fewest epochs in which the learning rate falls, or restarts.
FEWEST = [
    (HoldThenDecay(name="hold-then-decay", hold=10), 11),
    (Exponential(name="exponential", staircase=True), 2),
    (Exponential(name="exponential"), 1),
    (Cosine(name="cosine", warmup=5), 6),
    (CosineRestarts(name="cosine-restarts", period=4, multiplier=2), 5),
    (OneCycle(name="one-cycle", rise=0.3), 4),
    (ReduceOnPlateau(name="reduce-on-plateau", patience=3), 5),
]


@pytest.mark.parametrize(("schedule", "fewest"), FEWEST, ids=lambda value: getattr(value, "name", None))
def test_what_never_comes_in_so_few_epochs_is_said(schedule, fewest: int) -> None:
    no_better = [{"validation_loss": 1.0, "validation_accuracy": 0.5}]
    for epochs in (1, max(1, fewest - 1), fewest, 10):
        length = max(epochs, 10)
        change = np.diff(schedule.factors(np.linspace(0, epochs, 997)[:-1], length))
        comes = change.max() > 0 if isinstance(schedule, CosineRestarts) else change.min() < 0
        comes = comes or schedule.learned(no_better * (epochs - 1)) < 1
        assert comes == (epochs >= fewest) == (not schedule.unreached(epochs, length)), epochs
