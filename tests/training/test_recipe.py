"""What a recipe means: the order of the images, the learning rates, the optimizer, early stopping. Keras is the oracle."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.utils.class_weight import compute_class_weight

from toile.data.images import Images
from toile.study.recipe.optimizers import OPTIMIZERS
from toile.study.recipe.recipe import EarlyStopping, RecipeSpec
from toile.training import recipe
from toile.training.recipe import Patience


@given(seed=st.integers(0, 2**32 - 1), epoch=st.integers(0, 10_000), images=st.integers(1, 300))
def test_order_is_a_permutation_decided_by_seed_and_epoch(seed, epoch, images):
    order = recipe.order(seed, epoch, images)
    assert order.dtype == np.int32
    assert sorted(order) == list(range(images))
    np.testing.assert_array_equal(order, recipe.order(seed, epoch, images))


def test_order_differs_between_epochs_and_seeds():
    orders = {recipe.order(seed, epoch, 100).tobytes() for seed in range(5) for epoch in range(5)}
    assert len(orders) == 25


@given(
    seed=st.integers(0, 2**32 - 1),
    epoch=st.integers(0, 10_000),
    labels=st.lists(st.integers(0, 5), min_size=1, max_size=80).map(np.array),
)
def test_a_balanced_epoch_has_every_class_alike_and_as_many_images_as_ever(seed, epoch, labels):
    order = recipe.epoch_order(RecipeSpec(sampling="balanced"), seed, epoch, labels)
    assert order.dtype == np.int32 and len(order) == len(labels)
    classes, counts = np.unique(labels[order], return_counts=True)
    assert set(classes) <= set(labels) and counts.max() - counts.min() <= 1
    assert len(classes) == min(len(np.unique(labels)), len(labels))
    for label in classes:
        times = [np.sum(order == image) for image in np.flatnonzero(labels == label)]
        assert max(times) - min(times) <= 1  # of one class none is preferred
    np.testing.assert_array_equal(order, recipe.epoch_order(RecipeSpec(sampling="balanced"), seed, epoch, labels))
    np.testing.assert_array_equal(recipe.order(seed, epoch, len(labels)), recipe.epoch_order(RecipeSpec(), seed, epoch, labels))


def test_over_epochs_all_images_of_a_large_class_are_seen():
    labels = np.array([0] * 90 + [1] * 10)
    orders = [recipe.epoch_order(RecipeSpec(sampling="balanced"), 0, epoch, labels) for epoch in range(12)]
    assert set(np.concatenate(orders)) == set(range(100)) and len({order.tobytes() for order in orders}) == 12


def pictures(labels: np.ndarray, weights: np.ndarray | None = None) -> Images:
    return Images(np.zeros((len(labels), 1, 1, 1), np.uint8), labels, weights=weights)


@given(
    pairs=st.lists(st.tuples(st.integers(0, 5), st.floats(0.125, 8, width=32)), min_size=1, max_size=80), weighed=st.booleans()
)
def test_balanced_weights_are_scikit_learns(pairs, weighed):
    labels, own = np.array([label for label, _ in pairs]), np.array([weight for _, weight in pairs], np.float32)
    own = own if weighed else None
    classes = np.unique(labels)
    found = recipe.weights(RecipeSpec(class_weight="balanced"), pictures(labels, own), 7)
    of_class = compute_class_weight("balanced", classes=classes, y=labels, sample_weight=own)
    np.testing.assert_allclose(found, of_class[np.searchsorted(classes, labels)] * (1 if own is None else own), rtol=1e-5)
    assert found.dtype == np.float32


def test_an_image_weighs_its_own_weight_times_that_of_its_class():
    labels, own = np.array([0, 1, 1]), np.array([1, 2, 4], np.float32)
    listed = RecipeSpec(class_weight=[3.0, 0.5])
    assert recipe.weights(listed, pictures(labels, own), 2).tolist() == [3, 1, 2]
    assert recipe.weights(listed, pictures(labels), 2).tolist() == [3, 0.5, 0.5]
    assert recipe.weights(RecipeSpec(), pictures(labels, own), 2) is own
    assert recipe.weights(RecipeSpec(), pictures(labels), 2) is None


@given(seed=st.integers(0, 2**32 - 1), epoch=st.integers(0, 10_000), count=st.integers(0, 6))
def test_generators_start_each_epoch_from_seeds_of_their_own(seed, epoch, count):
    seeds = recipe.epoch_seeds(seed, epoch, count)
    assert seeds.shape == (count, 2) and seeds.dtype == np.uint32
    np.testing.assert_array_equal(seeds, recipe.epoch_seeds(seed, epoch, count))
    assert len({row.tobytes() for row in seeds}) == count
    other = recipe.epoch_seeds(seed, epoch + 1, count)
    assert not {row.tobytes() for row in seeds} & {row.tobytes() for row in other}


@pytest.mark.parametrize(("images", "batch_size", "steps"), [(64, 32, 2), (65, 32, 3), (1, 32, 1), (31, 1, 31)])
def test_steps_count_the_smaller_last_batch(images, batch_size, steps):
    assert recipe.steps_per_epoch(images, batch_size) == steps


def rates(schedule: dict, epochs: int, steps: int, learning_rate: float = 0.01) -> np.ndarray:
    spec = RecipeSpec.model_validate(
        {"optimizer": {"name": "sgd", "learning_rate": learning_rate}, "schedule": schedule, "epochs": epochs}
    )
    return np.concatenate([recipe.learning_rates(spec, epoch, steps) for epoch in range(epochs)])


def test_hold_then_decay_is_the_committee_documents_schedule():
    factor = math.exp(-0.1)

    def scheduler(epoch: int, rate: float) -> float:  # as the document wrote it
        return rate if epoch < 10 else rate * factor

    expected, rate = [], 0.001
    for epoch in range(14):
        rate = scheduler(epoch, rate)
        expected += [rate] * 3
    found = rates({"name": "hold-then-decay", "hold": 10, "factor": factor}, 14, 3, 0.001)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, rtol=1e-6)


@pytest.mark.parametrize(
    ("schedule", "oracle", "options"),
    [
        ({"name": "constant"}, "ExponentialDecay", {"decay_steps": 5, "decay_rate": 1.0}),
        ({"name": "exponential", "factor": 0.8}, "ExponentialDecay", {"decay_steps": 5, "decay_rate": 0.8}),
        (
            {"name": "exponential", "factor": 0.8, "staircase": True},
            "ExponentialDecay",
            {"decay_steps": 5, "decay_rate": 0.8, "staircase": True},
        ),
        ({"name": "cosine", "minimum": 0.1}, "CosineDecay", {"decay_steps": 60, "alpha": 0.1}),
        (
            {"name": "cosine", "warmup": 2.0},
            "CosineDecay",
            {"initial_learning_rate": 0.0, "decay_steps": 50, "warmup_target": 0.01, "warmup_steps": 10},
        ),
        (
            {"name": "cosine-restarts", "period": 3.0, "minimum": 0.2},
            "CosineDecayRestarts",
            {"first_decay_steps": 15, "t_mul": 1.0, "alpha": 0.2},
        ),
        (
            {"name": "cosine-restarts", "period": 2.0, "multiplier": 2.0},
            "CosineDecayRestarts",
            {"first_decay_steps": 10, "t_mul": 2.0},
        ),
    ],
)
def test_learning_rates_are_those_of_keras_schedules(schedule, oracle, options):
    import keras

    expected = getattr(keras.optimizers.schedules, oracle)(**{"initial_learning_rate": 0.01, **options})
    found = rates(schedule, 12, 5)
    assert found.shape == (60,)
    np.testing.assert_allclose(found, [float(expected(step)) for step in range(60)], rtol=1e-4, atol=1e-8)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_optimizer_is_the_keras_optimizer_of_that_name_with_its_options(name):
    made = recipe.optimizer(RecipeSpec.model_validate({"optimizer": {"name": name, "learning_rate": 0.25}}))
    assert type(made).__name__.lower() == {"muon-conv": "convolutionmuon"}.get(name, name)
    config = made.get_config()
    assert {key: config[key] for key in OPTIMIZERS[name]} == {**OPTIMIZERS[name], "learning_rate": 0.25}


def test_options_of_a_study_reach_the_optimizer():
    spec = RecipeSpec.model_validate(
        {"optimizer": {"name": "sgd", "momentum": 0.9, "nesterov": True, "weight_decay": 1e-4, "clipnorm": 1}}
    )
    config = recipe.optimizer(spec).get_config()
    assert (config["momentum"], config["nesterov"], config["weight_decay"], config["clipnorm"]) == (0.9, True, 1e-4, 1.0)


class Weights:
    """As much of a Keras model as EarlyStopping looks at; its weights are the epoch that they are of."""

    epoch, stop_training, restored = 0, False, None

    def get_weights(self) -> int:
        return self.epoch

    def set_weights(self, weights: int) -> None:
        self.restored = weights


def with_keras(spec: EarlyStopping, figures: list[float]) -> tuple[int, int, int | None]:
    import keras

    callback = keras.callbacks.EarlyStopping(
        monitor="val", mode="min" if spec.monitor == "loss" else "max", min_delta=spec.min_delta,
        patience=spec.patience, restore_best_weights=spec.restore_best,
    )  # fmt: skip
    model = Weights()
    callback.set_model(model)
    callback.on_train_begin()
    for figure in figures:
        model.epoch += 1
        callback.on_epoch_end(model.epoch - 1, {"val": figure})
        if model.stop_training:
            break
    callback.on_train_end()
    return model.epoch, callback.best_epoch + 1, model.restored


def with_patience(spec: EarlyStopping, figures: list[float]) -> tuple[int, int, int | None]:
    patience, epoch, best = Patience(spec), 0, None
    while epoch < len(figures) and not patience.exhausted:
        epoch += 1
        if patience.improved(epoch, {f"validation_{spec.monitor}": figures[epoch - 1]}) and spec.restore_best:
            best = epoch
    return epoch, patience.best_epoch, best


# Sixty-fourths, because Keras compares in float32: of these the sums are exact, so improvements by exactly `min_delta` and
# ties come up, and rounding does not.
figure_lists = st.lists(st.integers(0, 12).map(lambda n: n / 64) | st.integers(0, 1024).map(lambda n: n / 64), min_size=1)


@given(
    figures=figure_lists,
    patience=st.integers(0, 3),
    monitor=st.sampled_from(["loss", "accuracy"]),
    min_delta=st.sampled_from([0.0, 1 / 64, 2 / 64, 0.5]),
    restore_best=st.booleans(),
)
@settings(deadline=None, max_examples=300)
def test_early_stopping_is_keras_early_stopping(figures, patience, monitor, min_delta, restore_best):
    spec = EarlyStopping(patience=patience, monitor=monitor, min_delta=min_delta, restore_best=restore_best)
    assert with_patience(spec, figures) == with_keras(spec, figures)


@given(patience=st.integers(0, 12), epochs=st.integers(1, 12))
def test_a_patience_that_can_stop_nothing_early_is_said(patience, epochs):
    spec = EarlyStopping(patience=patience)
    assert bool(spec.unreached(epochs)) == (with_patience(spec, [1.0] * epochs)[0] == epochs)
    assert not spec.model_copy(update={"restore_best": True}).unreached(epochs)


def test_without_early_stopping_nothing_stops_or_is_best():
    patience = Patience(None)
    assert not any(patience.improved(epoch, {}) for epoch in range(1, 5))
    assert not patience.exhausted and patience.best_epoch == 0
