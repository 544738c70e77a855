"""Engines: an epoch is what Keras's own `fit` makes of the same images in the same order, on every backend."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.utils.class_weight import compute_class_weight

from tests.training.fixture import ALL_BACKENDS, OTHER_BACKENDS, STATEFUL, dataset, elsewhere, python
from toile.data.images import Images
from toile.models import architectures
from toile.study.recipe.optimizers import OPTIMIZERS
from toile.study.recipe.recipe import RecipeSpec
from toile.training import recipe
from toile.training.engines import Sums, Taught, engine

BATCH = 32
# Not relu: images that light none of eight units would tie between classes, and accuracy would hang on the last bit.
PLAIN = {"hidden": [8], "activation": "tanh"}
NORM = {**STATEFUL, "dropout": 0.0, "dense_dropout": 0.0, "dense_norm": True}
RESIDUAL = {"stem": 4, "stem_kernel": 4, "stem_stride": 2, "widths": [4, 8], "blocks": [1, 2], "activation": "tanh"}
PENALISED = {**NORM, "l2": 0.01, "dense_l2": 0.02}

# What differs in arithmetic: name -> (architecture, options, recipe). 200 images: the last batch has 8 of 32.
CASES = {
    "sgd": ("mlp", PLAIN, {"optimizer": "sgd"}),
    "adam": ("mlp", PLAIN, {"optimizer": "adam"}),
    "momentum": ("mlp", PLAIN, {"optimizer": {"name": "sgd", "momentum": 0.9, "nesterov": True, "weight_decay": 0.01}}),
    "heavy ball": ("mlp", PLAIN, {"optimizer": {"name": "sgd", "momentum": 0.9}}),
    "rmsprop": ("mlp", PLAIN, {"optimizer": {"name": "rmsprop", "learning_rate": 1e-4}}),
    "rmsprop, momentum": ("mlp", PLAIN, {"optimizer": {"name": "rmsprop", "learning_rate": 1e-4, "momentum": 0.9}}),
    "rmsprop, centered": ("mlp", PLAIN, {"optimizer": {"name": "rmsprop", "learning_rate": 1e-4, "centered": True}}),
    "amsgrad": ("mlp", PLAIN, {"optimizer": {"name": "adam", "amsgrad": True}}),
    "batch norm": ("cnn", NORM, {"optimizer": "sgd"}),
    "residual": ("resnet", RESIDUAL, {"optimizer": {"name": "sgd", "momentum": 0.9, "nesterov": True}}),
    "muon": ("resnet", RESIDUAL, {"optimizer": "muon-conv"}),
    "l2 penalty": ("cnn", PENALISED, {"optimizer": "sgd"}),
    "label smoothing": ("cnn", NORM, {"optimizer": "sgd", "label_smoothing": 0.2}),
    "scaled loss": ("mlp", PLAIN, {"optimizer": {"name": "sgd", "loss_scale_factor": 16.0}}),
    "clipped": ("mlp", PLAIN, {"optimizer": {"name": "adam", "global_clipnorm": 0.1}}),
    "class weights": ("cnn", NORM, {"optimizer": "sgd", "label_smoothing": 0.1, "class_weight": [0.5] * 5 + [1, 2, 3, 4, 5]}),
    "balanced": ("mlp", PLAIN, {"optimizer": {"name": "sgd", "momentum": 0.9}, "class_weight": "balanced"}),
    "sample weights": ("cnn", NORM, {"optimizer": "sgd", "label_smoothing": 0.1, "sample_weight": True}),
    "accumulated": ("mlp", PLAIN, {"optimizer": {"name": "sgd", "gradient_accumulation_steps": 2}}),
}
# Not among those, for Keras's `fit` knows no teacher.
STUDENT = ("mlp", PLAIN, {"optimizer": "sgd"})


def teacher() -> Taught:
    """Made up: any probabilities will do."""
    drawn = np.random.default_rng(1).dirichlet(np.ones(dataset().classes), len(dataset().train))
    return Taught(drawn.astype(np.float32), temperature=3.0, hard_labels=0.25)


def prepared(case: str) -> tuple[Any, RecipeSpec]:
    """A model, always with the same initial weights, and the case's recipe."""
    import keras

    architecture, options, asked = STUDENT if case == "student" else CASES[case]
    keras.utils.set_random_seed(3)
    model = architectures.build(architecture, dataset().image_shape, dataset().classes, options)
    recipe_asked = {key: value for key, value in asked.items() if key != "sample_weight"}
    return model, RecipeSpec.model_validate({"batch_size": BATCH, **recipe_asked})


def training_images(case: str) -> Images:
    """With weights, if the case has some: they are no part of a recipe."""
    train = dataset().train
    if "sample_weight" not in (STUDENT if case == "student" else CASES[case])[2]:
        return train
    return replace(train, weights=np.random.default_rng(2).uniform(0.1, 3, len(train)).astype(np.float32))


def one_epoch(case: str, backend: str, weights: list[np.ndarray] | None = None) -> tuple[Any, Sums, np.ndarray]:
    """The model after an epoch, what it summed up, and what it predicts of the test images."""
    model, spec = prepared(case)
    if weights is not None:
        model.set_weights(weights)
    train = training_images(case)
    learner = engine(
        backend, model, recipe.optimizer(spec), train.images, train.labels,
        batch_size=BATCH, label_smoothing=spec.label_smoothing, taught=teacher() if case == "student" else None,
        weights=recipe.weights(spec, train, dataset().classes),
    )  # fmt: skip
    steps = recipe.steps_per_epoch(len(train), BATCH)
    sums = learner.epoch(recipe.order(0, 0, len(train)), recipe.learning_rates(spec, 0, steps))
    return model, sums, learner.predict(dataset().test.images)


def fitted(case: str) -> tuple[Any, dict[str, float]]:
    """The same by Keras's `fit`: the model, and its training figures."""
    import keras

    model, spec = prepared(case)
    optimizer = recipe.optimizer(spec)
    # `fit` would build it inside of a graph, where ScheduleFreeAdamW takes the weights that it starts from for zeros.
    optimizer.build(model.trainable_variables)
    model.compile(
        optimizer,
        keras.losses.CategoricalCrossentropy(label_smoothing=spec.label_smoothing),
        metrics=["accuracy", keras.metrics.Precision(name="precision"), keras.metrics.Recall(name="recall")],
    )
    train = training_images(case)[recipe.order(0, 0, len(dataset().train))]
    targets = keras.utils.to_categorical(train.labels, dataset().classes)
    weights = spec.class_weight
    if weights == "balanced":
        weights = compute_class_weight("balanced", classes=np.arange(dataset().classes), y=train.labels)
    weights = None if weights is None else {label: float(weight) for label, weight in enumerate(weights)}
    history = model.fit(
        train.images, targets, batch_size=BATCH, shuffle=False, verbose=0, class_weight=weights, sample_weight=train.weights
    )
    return model, {name: values[0] for name, values in history.history.items()}


Trained = tuple[list[np.ndarray], dict[str, float]]


def both(case: tuple[str, dict[str, Any], dict[str, Any]]) -> tuple[list[str], Trained, Trained]:
    """In a process of its own: the weights' names; weights and figures after an epoch, ours and Keras's."""
    CASES["this"] = case
    (model, sums, _), (oracle, figures) = one_epoch("this", "tensorflow"), fitted("this")
    ours = model.get_weights(), sums.figures(len(dataset().train))
    return [variable.path for variable in model.weights], ours, (oracle.get_weights(), figures)


def assert_as_fit(case: tuple[str, dict[str, Any], dict[str, Any]], tolerance: float = 1e-5) -> None:
    paths, (ours, figures), (theirs, expected) = elsewhere(both, case)
    for one, other, path in zip(ours, theirs, paths, strict=True):
        np.testing.assert_allclose(one, other, atol=tolerance, err_msg=path)
    assert figures == pytest.approx(expected, abs=tolerance)


@pytest.mark.parametrize("case", CASES)
def test_tensorflow_epoch_is_keras_fit(case):
    assert_as_fit(CASES[case])


@pytest.mark.parametrize("name", sorted(set(OPTIMIZERS) - {"sgd", "adam"}))
def test_every_optimizer_does_what_it_does_in_keras_fit(name):
    # Those that divide by the gradient's size make much of the last bits of small gradients.
    assert_as_fit(("mlp", PLAIN, {"optimizer": name}), 1e-4)


@pytest.mark.parametrize(
    ("options", "fused"),
    [({"name": "adam"}, True), ({"name": "adamw"}, True), ({"name": "sgd", "momentum": 0.9}, True),
     ({"name": "sgd"}, False), ({"name": "adam", "amsgrad": True}, False), ({"name": "rmsprop"}, True),
     ({"name": "rmsprop", "centered": True}, False), ({"name": "adagrad"}, False)],
)  # fmt: skip
def test_updates_that_have_a_fused_kernel(options, fused):
    import keras

    from toile.training.optimizers.fused_updates import fuse_updates

    optimizer = recipe.optimizer(RecipeSpec(optimizer=options))
    weight = keras.Variable([1.0, -2.0])
    optimizer.build([weight])
    keras_own = optimizer.update_step
    fuse_updates(optimizer)
    assert (optimizer.update_step != keras_own) == fused
    optimizer.apply([np.float32([0.5, 0.0])], [weight])
    assert weight.numpy()[0] < 1.0


def test_prediction_is_the_models_own_and_takes_any_number_of_images():
    elsewhere(predict_any_number)


def predict_any_number() -> None:
    model, _, predicted = one_epoch("batch norm", "tensorflow")
    images = dataset().test.images
    np.testing.assert_allclose(predicted, model.predict(images, verbose=0), atol=1e-6)
    assert predicted.dtype == np.float32
    learner = engine("tensorflow", *prepared_for_prediction(model), batch_size=BATCH, label_smoothing=0.0)
    many = np.concatenate([images] * 9)  # more than one batch of predictions, the last one smaller
    np.testing.assert_allclose(learner.predict(many), np.concatenate([predicted] * 9), atol=1e-6)
    assert learner.predict(images[:1]).shape == (1, dataset().classes)


def prepared_for_prediction(model: Any) -> tuple[Any, Any, np.ndarray, np.ndarray]:
    return model, recipe.optimizer(RecipeSpec()), dataset().train.images, dataset().train.labels


def test_figures_are_shares_of_images():
    figures = Sums(loss=50.0, correct=75.0, true_positives=60.0, predicted_positives=80.0).figures(100)
    assert figures == {"loss": 0.5, "accuracy": 0.75, "precision": 0.75, "recall": 0.6}
    assert Sums(230.0, 10.0, 0.0, 0.0).figures(100)["precision"] == 0.0  # nothing is above 0.5


# Backends, each in one process of its own for all its cases.

SHARED_CASES = (
    "adam", "momentum", "residual", "muon", "l2 penalty", "label smoothing", "scaled loss", "class weights", "sample weights",
    "student",
)  # fmt: skip


def save_initial_weights(given: Path) -> None:
    np.savez(given, **{f"{case}/{i}": w for case in SHARED_CASES for i, w in enumerate(prepared(case)[0].get_weights())})


def answer(backend: str, given: str, to: str) -> None:
    """In the backend's process: an epoch of all shared cases from the given weights, and a look at dropout."""
    with np.load(given) as stored:
        initial = {case: [stored[f"{case}/{i}"] for i in range(count(stored, case))] for case in SHARED_CASES}
    found = {"dropout": np.array(json.dumps(look_at_dropout()))}
    for case in SHARED_CASES:
        model, sums, predicted = one_epoch(case, backend, initial[case])
        found |= {f"{case}/{i}": w for i, w in enumerate(model.get_weights())}
        found |= {f"{case}/sums": np.array(sums), f"{case}/predicted": predicted}
        found |= {f"{case}/paths": np.array([variable.path for variable in model.weights])}
    np.savez(to, **found)


def count(stored: Any, case: str) -> int:
    """How many weights of the case are in there."""
    return sum(name.startswith(f"{case}/") and name.split("/")[1].isdigit() for name in stored)


@pytest.fixture(scope="module")
def answers(tmp_path_factory):
    """Backend -> what its process answered; each is started once."""
    given = tmp_path_factory.mktemp("epochs") / "given.npz"
    elsewhere(save_initial_weights, given)

    @cache
    def ask(backend: str) -> dict[str, np.ndarray]:
        to = given.with_name(f"{backend}.npz")
        if backend == "tensorflow":
            elsewhere(answer, backend, given, to)
        else:
            code = "from tests.training import test_engines as tests\ntests.answer(*sys.argv[1:])"
            python(code, backend, given, to, backend=backend)
        with np.load(to) as stored:
            return {name: stored[name] for name in stored.files}

    return ask


@pytest.mark.parametrize("backend", OTHER_BACKENDS)
def test_other_backends_agree_with_tensorflow(backend, answers):
    theirs, ours = answers(backend), answers("tensorflow")
    for case in SHARED_CASES:
        assert count(theirs, case) == count(ours, case) > 0
        for i, path in enumerate(ours[f"{case}/paths"]):
            np.testing.assert_allclose(theirs[f"{case}/{i}"], ours[f"{case}/{i}"], atol=1e-4, err_msg=f"{case}: {path}")
        np.testing.assert_allclose(theirs[f"{case}/sums"], ours[f"{case}/sums"], rtol=1e-4, err_msg=case)
        np.testing.assert_allclose(theirs[f"{case}/predicted"], ours[f"{case}/predicted"], atol=1e-4, err_msg=case)


# Random generators: what a resumed epoch depends on and no checkpoint holds.


def look_at_dropout() -> dict[str, Any]:
    """Facts about a model with dropout layers on the backend of this process."""
    import keras

    model = architectures.build("cnn", dataset().image_shape, dataset().classes, STATEFUL)
    images, states = dataset().train.images[:16], recipe.generators(model)
    layers = [layer for layer in model.layers if isinstance(layer, keras.layers.Dropout)]

    def passes(seed: int, epoch: int) -> list[np.ndarray]:
        recipe.reseed(model, seed, epoch)
        return [keras.ops.convert_to_numpy(model(images, training=True)) for _ in range(2)]

    first, again, next_epoch, other_seed = passes(0, 0), passes(0, 0), passes(0, 1), passes(1, 0)
    return {
        "every layer's": [any(layer.seed_generator.state is state for state in states) for layer in layers],
        "states": len(states),
        "among the weights": any(state is weight for state in states for weight in model.weights),
        "same again": all(np.array_equal(a, b) for a, b in zip(first, again, strict=True)),
        "next step differs": not np.array_equal(*first),
        "next epoch differs": not np.array_equal(first[0], next_epoch[0]),
        "other seed differs": not np.array_equal(first[0], other_seed[0]),
    }


@pytest.mark.parametrize("backend", ALL_BACKENDS)
def test_dropout_is_decided_by_seed_and_epoch(backend, answers):
    facts = elsewhere(look_at_dropout) if backend == "tensorflow" else json.loads(str(answers(backend)["dropout"]))
    assert facts == {
        "every layer's": [True, True],
        "states": 2,
        "among the weights": False,
        "same again": True,
        "next step differs": True,
        "next epoch differs": True,
        "other seed differs": True,
    }
