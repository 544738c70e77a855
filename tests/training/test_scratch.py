"""The NumPy network: its gradients are Keras's and those of finite differences, and a training is one on any day."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.training.fixture import dataset
from toile.data.dataset import Images
from toile.errors import Misuse, ToileError
from toile.models.scratch.layers import ACTIVATIONS, Activation, SoftmaxCrossEntropy, cross_entropies, softmax
from toile.models.scratch.network import Network, build
from toile.training import recipe
from toile.training.scratch.check import gradient_check
from toile.training.scratch.optimise import MomentumSGD, add_penalty_gradient, penalty
from toile.training.scratch.training import Training

BATCH = 32
EVERY_ACTIVATION = pytest.mark.parametrize("activation", ACTIVATIONS)


def training(**options: Any) -> Training:
    train, options = dataset().train, {"hidden": (12, 8), "batch_size": BATCH, "initial": "glorot-uniform", **options}
    return Training(train.images, train.labels, dataset().classes, **options)


def orders(epochs: int) -> list[np.ndarray]:
    return [recipe.order(0, epoch, len(dataset().train)) for epoch in range(epochs)]


def run(learner: Training, epochs: int = 1, rate: float = 0.5) -> list[Any]:
    steps = recipe.steps_per_epoch(len(dataset().train), learner.batch_size)
    return [learner.epoch(order, np.full(steps, rate, np.float32)) for order in orders(epochs)]


def relative(ours: np.ndarray, theirs: np.ndarray) -> float:
    return float(np.linalg.norm(ours - theirs) / (np.linalg.norm(ours) + np.linalg.norm(theirs)))


@EVERY_ACTIVATION
@pytest.mark.parametrize("initial", ["standard-normal", "glorot-uniform"])
@pytest.mark.parametrize("loss_scale", ["batch", "batch-and-classes"])
def test_gradients_are_those_of_keras(activation: str, initial: str, loss_scale: str) -> None:
    import keras
    import tensorflow as tf

    l2, train = 0.01, dataset().train[:BATCH]
    learner = training(activation=activation, initial=initial, loss_scale=loss_scale, l2=l2, hidden=(50, 50), dtype=np.float64)
    model, network = learner.to_keras(), learner.network
    to_logits = keras.Model(model.input, model.get_layer("logits").output)
    targets = np.eye(dataset().classes)[train.labels]
    with tf.GradientTape() as tape:
        losses = tf.nn.softmax_cross_entropy_with_logits(targets, to_logits(train.images))
        loss = tf.reduce_mean(losses) / (dataset().classes if loss_scale == "batch-and-classes" else 1)
        loss += l2 * sum(tf.reduce_sum(v**2) for v in model.trainable_variables if v.path.endswith("kernel"))
    theirs = tape.gradient(loss, [variable.value for variable in model.trainable_variables])

    # Keras's Rescaling takes 1/255 from float32 in whatever precision.
    outputs = network.forward(train.images.reshape(BATCH, -1) * float(np.float32(1 / 255)))
    assert learner.loss.value(outputs, targets) + penalty(network, l2) == pytest.approx(float(loss), rel=1e-9)
    network.backward(learner.loss.delta(outputs, targets))
    add_penalty_gradient(network, l2)
    ours = [array for layer in network.linear for array in (layer.kernel_gradient, layer.bias_gradient)]
    assert len(ours) == len(theirs) == 6
    # Asked for: 1e-5. In float64 nothing stands between the two but the order of sums; and TensorFlow's leak is a float32.
    tolerance = 1e-7 if activation == "leaky-relu" else 1e-10
    assert max(relative(a, b.numpy()) for a, b in zip(ours, theirs, strict=True)) < tolerance


def test_an_epoch_is_one_of_keras() -> None:
    import keras

    l2, tolerance, (order,) = 0.003, 1e-4, orders(1)
    learner = training(l2=l2, loss_scale="batch")
    model = learner.to_keras()
    for layer in model.layers:
        if isinstance(layer, keras.layers.Dense):
            layer.kernel.regularizer = keras.regularizers.L2(l2)
    to_logits = keras.Model(model.input, model.get_layer("logits").output)
    to_logits.compile(
        keras.optimizers.SGD(0.25, momentum=0.9), keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )  # fmt: skip
    train = dataset().train[order]
    history = to_logits.fit(train.images, train.labels, batch_size=BATCH, shuffle=False, verbose=0).history
    (sums,) = run(learner, rate=0.25)
    for ours, theirs in zip(learner.get_weights(), to_logits.get_weights(), strict=True):
        assert relative(ours, theirs) < tolerance
    figures = sums.figures(len(train))
    assert figures["loss"] == pytest.approx(history["loss"][0], rel=tolerance)
    assert figures["accuracy"] == pytest.approx(history["accuracy"][0], abs=1e-6)


@EVERY_ACTIVATION
def test_to_keras_predicts_the_same(activation: str) -> None:
    learner = training(activation=activation)
    run(learner)
    model, images = learner.to_keras(), dataset().test.images
    ours, theirs = learner.predict(images), model.predict(images, verbose=0)
    assert ours.dtype == np.float32
    np.testing.assert_allclose(ours, theirs, atol=1e-5)
    assert model.count_params() == learner.parameters
    assert [layer.name for layer in model.layers[-2:]] == ["logits", "probabilities"]


@pytest.mark.parametrize("activation", ["tanh", "sigmoid"])
@pytest.mark.parametrize("l2", [0.0, 0.01])
def test_gradient_check_agrees(activation: str, l2: float) -> None:
    learner = training(activation=activation, l2=l2)
    before = learner.get_weights()
    fine = gradient_check(learner.network, dataset().train, 10, epsilon=1e-5, samples=40, l2=l2)
    coarse = gradient_check(learner.network, dataset().train, 10, samples=40, l2=l2)
    assert [(row["layer"], row["array"]) for row in fine] == [
        (layer, array) for layer in ("hidden-1", "hidden-2", "logits") for array in ("kernel", "bias")
    ]
    assert [row["checked"] for row in fine] == [40, 12, 40, 8, 40, 10]
    assert fine[0]["weights"] == dataset().train.images[0].size * 12
    assert max(row["relative_error"] for row in fine) < 1e-7
    assert max(row["relative_error"] for row in coarse) < 1e-3
    assert min(row["largest_gradient"] for row in fine) > 0
    assert all(np.array_equal(a, b) for a, b in zip(before, learner.get_weights(), strict=True))


@pytest.mark.parametrize("activation", ["relu", "leaky-relu"])
def test_gradient_check_agrees_off_the_kink(activation: str) -> None:
    # Of so small a step, hardly one passes a kink.
    rows = gradient_check(training(activation=activation).network, dataset().train, 10, epsilon=1e-7, samples=40)
    assert max(row["relative_error"] for row in rows) < 1e-5


def test_gradient_check_finds_a_wrong_gradient(monkeypatch: pytest.MonkeyPatch) -> None:
    right = Activation.backward
    monkeypatch.setattr(Activation, "backward", lambda layer, delta: right(layer, delta) * 1.1)
    errors = [row["relative_error"] for row in gradient_check(training().network, dataset().train, 10, samples=40)]
    assert min(errors[:4]) > 0.04  # 10 % too much in both hidden layers …
    assert max(errors[4:]) < 1e-3  # … and the logits, above all activations, are right


def test_gradient_check_wants_every_class() -> None:
    some = dataset().train.labels < 8
    with pytest.raises(ToileError, match=r"none of \[8, 9\]"):
        gradient_check(training().network, dataset().train[some], 10)


def test_loss_scale_divides_by_classes() -> None:
    generator = np.random.default_rng(0)
    logits, targets = generator.normal(size=(5, 10)), np.eye(10)[[1, 2, 3, 4, 9]]
    plain, divided = SoftmaxCrossEntropy("batch"), SoftmaxCrossEntropy("batch-and-classes")
    assert plain.value(logits, targets) == pytest.approx(10 * divided.value(logits, targets))
    np.testing.assert_allclose(plain.delta(logits, targets), 10 * divided.delta(logits, targets))


def test_loss_scale_is_a_smaller_learning_rate() -> None:
    """Dividing by ten classes, at ten times the rate and a tenth of the penalty, is not dividing: in figures, too."""
    plain = training(loss_scale="batch", l2=0.01, dtype=np.float64)
    divided = training(loss_scale="batch-and-classes", l2=0.001, dtype=np.float64)
    (ours,), (theirs,) = run(plain, rate=0.25), run(divided, rate=2.5)
    assert ours == pytest.approx(theirs, rel=1e-9)
    for a, b in zip(plain.get_weights(), divided.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-8, atol=1e-12)


@given(st.integers(1, 6), st.integers(2, 12), st.floats(0.1, 1e4), st.integers(0, 2**31))
def test_softmax_is_probabilities_at_any_size(rows: int, classes: int, size: float, seed: int) -> None:
    logits = np.random.default_rng(seed).normal(size=(rows, classes)) * size
    probabilities = softmax(logits)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1)
    assert (probabilities >= 0).all()
    np.testing.assert_allclose(softmax(logits + 17.0), probabilities, atol=1e-9)
    of_label = cross_entropies(logits, np.eye(classes)[probabilities.argmax(axis=1)])
    np.testing.assert_allclose(of_label, -np.log(probabilities.max(axis=1)), atol=1e-9)


def test_resumed_is_uninterrupted_bit_by_bit() -> None:
    whole, first, second = training(l2=1e-4), training(l2=1e-4), training(l2=1e-4, seed=9)
    steps = recipe.steps_per_epoch(len(dataset().train), BATCH)
    rates = np.full(steps, 0.5, np.float32)
    for order in orders(3):
        whole.epoch(order, rates)
    first.epoch(orders(1)[0], rates)
    second.set_weights(first.get_weights())
    second.optimizer.variables[0].assign(np.asarray(first.optimizer.variables[0]))
    for order in orders(3)[1:]:
        second.epoch(order, rates)
    assert [w.tobytes() for w in second.get_weights()] == [w.tobytes() for w in whole.get_weights()]
    assert whole.predict(dataset().test.images).tobytes() == second.predict(dataset().test.images).tobytes()


def test_what_is_handed_out_is_a_copy() -> None:
    learner = training()
    weights, state = learner.get_weights(), [np.asarray(slot) for slot in learner.optimizer.variables]
    kept = [array.copy() for array in (*weights, *state)]
    run(learner)
    assert all(np.array_equal(a, b) for a, b in zip((*weights, *state), kept, strict=True))
    assert not np.array_equal(learner.get_weights()[0], weights[0])


@EVERY_ACTIVATION
def test_one_image_a_step(activation: str) -> None:
    """The document's batch of one: the path of its own that it takes leads to the same place."""
    one, same = training(activation=activation, batch_size=1), training(activation=activation, batch_size=4)
    index = np.arange(1, dtype=np.int32)
    for learner in (one, same):
        learner.epoch(index, np.array([0.1], np.float32))
    for a, b in zip(one.get_weights(), same.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-6)
    run(one, rate=0.01)
    assert np.isfinite(one.predict(dataset().test.images)).all()


def test_it_learns() -> None:
    learner = training()
    sums = run(learner, epochs=30, rate=1.0)
    assert sums[-1].loss < sums[0].loss / 2
    test = dataset().test
    assert (learner.predict(test.images).argmax(axis=1) == test.labels).mean() > 0.7


def test_momentum_by_hand() -> None:
    network = build(3, 2, hidden=(), seed=1, dtype=np.float64)
    optimizer, start = MomentumSGD(network, momentum=0.5, l2=0.1), network.values.copy()
    kernels = np.arange(len(start)) < 6
    gradient = np.arange(8.0)
    network.gradients[...] = gradient
    optimizer.step(np.float64(0.2))
    velocity = -0.2 * (gradient + 0.2 * start * kernels)
    np.testing.assert_allclose(network.values, start + velocity)
    once = network.values.copy()
    network.gradients[...] = gradient
    optimizer.step(np.float64(0.2))
    np.testing.assert_allclose(network.values, once + 0.5 * velocity - 0.2 * (gradient + 0.2 * once * kernels))


def test_flush_takes_only_what_moves_nothing() -> None:
    optimizer = MomentumSGD(build(2, 2, hidden=()))
    optimizer.velocity[...] = [1e-40, -1e-35, 1e-20, -1.0, 0.0, 1e-31]
    optimizer.flush()
    np.testing.assert_array_equal(optimizer.velocity, np.float32([0, 0, 1e-20, -1.0, 0, 0]))


@given(st.lists(st.integers(1, 9), max_size=3), st.integers(1, 20), st.integers(2, 7), st.integers(0, 2**32 - 1))
def test_weights_round_trip(hidden: list[int], inputs: int, classes: int, seed: int) -> None:
    network, other = (build(inputs, classes, hidden=hidden, seed=number) for number in (seed, seed + 1))
    sizes = [inputs, *hidden, classes]
    shapes = [shape for a, b in pairwise(sizes) for shape in ((a, b), (b,))]
    assert [array.shape for array in network.get_weights()] == shapes
    assert network.values.size == sum(int(np.prod(shape)) for shape in shapes)
    other.set_weights(network.get_weights())
    assert np.array_equal(network.values, other.values)
    assert np.array_equal(network.kernels, network.values[: network.values.size - sum(sizes[1:])])
    images = np.random.default_rng(seed).random((3, inputs), np.float32)
    np.testing.assert_allclose(network.forward(images), network.astype(np.float64).forward(images), rtol=1e-3, atol=1e-3)


def test_initial_weights_are_what_they_say() -> None:
    normal, glorot = build(784, 10, initial="standard-normal"), build(784, 10, initial="glorot-uniform")
    assert normal.values.std() == pytest.approx(1, abs=0.02)
    assert normal.values.mean() == pytest.approx(0, abs=0.02)
    limit = np.sqrt(6 / (784 + 50))
    assert np.abs(glorot.linear[0].kernel).max() == pytest.approx(limit, rel=0.01)
    assert not glorot.linear[0].bias.any()
    assert np.array_equal(build(784, 10, seed=5).values, build(784, 10, seed=5).values)
    assert not np.array_equal(build(784, 10, seed=5).values, normal.values)


def test_parameters_of_the_document() -> None:
    images = Images(np.zeros((2, 28, 28, 1), np.uint8), np.array([0, 1]))
    count = {hidden: Training(images.images, images.labels, 10, hidden=hidden).parameters
             for hidden in ((50, 50), (53,), (47, 47, 47))}  # fmt: skip
    # "Approximately the same number of parameters", it says of the latter two.
    assert count == {(50, 50): 42_310, (53,): 42_145, (47, 47, 47): 41_887}


@pytest.mark.parametrize(
    "options, message",
    [
        ({"activation": "tahn"}, "unknown activation 'tahn' .did you mean 'tanh'"),
        ({"initial": "normal"}, "did you mean 'standard-normal'"),
        ({"loss_scale": "batch-and-class"}, "did you mean 'batch-and-classes'"),
        ({"hidden": (5, 0)}, r"got \[5, 0\]"),
    ],
)
def test_impossible_options(options: dict[str, Any], message: str) -> None:
    with pytest.raises(Misuse, match=message):
        training(**options)


def test_weights_of_another_network() -> None:
    learner, other = training(), training(hidden=(5,))
    with pytest.raises(ValueError, match="shapes"):
        learner.set_weights(other.get_weights())
    with pytest.raises(ValueError, match="shape"):
        learner.optimizer.variables[0].assign(np.asarray(other.optimizer.variables[0]))


def test_divergence_is_quiet_and_seen() -> None:
    learner = training(activation="relu", initial="standard-normal", loss_scale="batch")
    sums = run(learner, epochs=2, rate=1e30)
    assert not np.isfinite(sums[-1].loss) or not np.isfinite(learner.get_weights()[0]).all()


def test_a_network_owns_its_memory() -> None:
    network = build(4, 3, hidden=(2,))
    network.values[...] = 0
    assert isinstance(network, Network)
    assert not any(array.any() for array in network.get_weights())
