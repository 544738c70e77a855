"""Members and their rule as one Keras model, from uint8 images to the probabilities of each and of all together.

Each rule of `toile.committee.rules` has its twin here in Keras operations, in the table at the foot; the contract test holds
every twin against its original. What comes out has Keras's own layers and operations only: it is loaded without toile.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from toile.committee.rules import TIE, Fitted
from toile.errors import Misuse
from toile.evaluation.scores import EPSILON
from toile.models.protocols import KerasModel


def combined(
    models: Sequence[KerasModel],
    rule: str | None = None,
    weights: Fitted | None = None,
    counts: Sequence[int] | None = None,
    calibration: tuple[str, dict[str, Any]] | None = None,
) -> KerasModel:
    """One model of several, or of one without a rule.

    Args:
        models: Keras models from uint8 `(n, height, width, channels)` to probabilities `(n, classes)`. Those that compute in
            bfloat16 are taken in float32: their weights always were, and what a file says should not depend on the machine.
        rule: a name in `toile.committee.rules.RULES`; None for a single model.
        weights: as the rule takes them.
        counts: how many of the models, in their order, each member is the mean of; one each where left out.
        calibration: name and numbers of what is done last, as `toile.evaluation.calibrators.Calibration` has them.

    Returns:
        A Keras model from `images`, uint8 `(n, height, width, channels)`, to a dictionary: `probabilities`
        `(n, classes)` and `members` `(n, members, classes)`, float32.

    Raises:
        Misuse: a rule that has no twin here, or several models without a rule.
    """
    import keras
    from keras import ops

    counts = [1] * len(models) if counts is None else counts
    if rule is None and len(counts) != 1:
        raise Misuse(f"{len(counts)} models without a rule; one is allowed")
    if rule is not None and rule not in OPERATIONS:
        raise Misuse(f"the rule {rule!r} cannot be exported; these can: {', '.join(OPERATIONS)}")
    images = keras.Input(models[0].input_shape[1:], dtype="uint8", name="images")
    by_model = []
    for number, model in enumerate(map(in_float32, models), start=1):
        # Under a name of its own, because most models are called "functional".
        member = keras.Model(model.inputs[0], model.outputs[0], name=f"member_{number}")
        # training=False: with a Random* layer inside, the training graph would be exported otherwise.
        by_model.append(member(images, training=False))
    ends = np.cumsum(counts)
    own = [by_model[end - count : end] for end, count in zip(ends, counts, strict=True)]
    by_member = [one[0] if len(one) == 1 else _mean(ops.stack(one, axis=1), None) for one in own]
    members = ops.stack(by_member, axis=1)
    probabilities = by_member[0] if rule is None else ops.clip(OPERATIONS[rule](members, weights), 0, 1)
    if calibration is not None:
        name, numbers = calibration
        probabilities = ops.clip(CALIBRATED[name](probabilities, numbers), 0, 1)
    outputs = {"probabilities": probabilities, "members": members}
    return keras.Model(images, outputs, name="run" if rule is None else "committee")


def in_float32(model: KerasModel) -> KerasModel:
    """The model with the same weights and all layers in float32; itself if they are."""
    import keras

    description = model.to_json()
    if '"mixed_bfloat16"' not in description:
        return model
    made = keras.models.model_from_json(description.replace('"mixed_bfloat16"', '"float32"'))
    made.set_weights(model.get_weights())
    return made


def _mean(members: Any, weights: None) -> Any:
    from keras import ops

    return ops.mean(members, axis=1)


def _geometric_mean(members: Any, weights: None) -> Any:
    from keras import ops

    # A softmax of logarithms is an exponential that is renormalised, the largest taken away first.
    return ops.softmax(ops.mean(_logarithms(members), axis=1), axis=-1)


def _median(members: Any, weights: None) -> Any:
    from keras import ops

    # `ops.median` comes to the same in twice as many ONNX nodes.
    ordered, count = ops.sort(members, axis=1), members.shape[1]
    lower: Any = ops.take(ordered, (count - 1) // 2, axis=1)
    middle = (lower + ops.take(ordered, count // 2, axis=1)) / 2
    total: Any = ops.sum(middle, axis=1, keepdims=True)
    return _normalised(ops.where(total <= 0, _mean(members, None), middle))


def _vote(members: Any, weights: None) -> Any:
    from keras import ops

    count, classes = members.shape[1:]
    votes = ops.sum(_first_highest(members, classes), axis=1)
    tied = ops.equal(votes, ops.max(votes, axis=1, keepdims=True))
    # Sorted and in float64, as the original: which of equals is the highest should not be up to the order of a sum.
    mean = ops.where(tied, ops.mean(ops.cast(ops.sort(members, axis=1), "float64"), axis=1), -1.0)
    # Which are the highest is seen in float64: what `top_k` becomes in ONNX compares in float32.
    winner = _first_highest(ops.cast(ops.equal(mean, ops.max(mean, axis=1, keepdims=True)), "float32"), classes)
    most: Any = ops.sum(ops.cast(tied, "float32"), axis=1, keepdims=True)
    return _normalised(votes / count + ops.cast(most > 1, "float32") * winner * TIE)


def _weighted_mean(members: Any, weights: Sequence[float] | NDArray[np.float64]) -> Any:
    from keras import ops

    share = np.asarray(weights, np.float64) / np.sum(weights)
    return ops.sum(members * share.astype(np.float32)[:, None], axis=1)


def _log_pool(members: Any, weights: Sequence[float]) -> Any:
    from keras import ops

    exponents = np.asarray(weights, np.float64)[:, None]
    return _pooled(ops.sum(_logarithms(_precise(members)) * exponents, axis=1))


def _greedy(members: Any, weights: Sequence[Sequence[float]]) -> Any:
    shares, exponents = np.asarray(weights, np.float64).T
    tempered = _pooled(_logarithms(_precise(members)) * exponents[:, None])
    return _weighted_mean(tempered, shares)


def _stack(members: Any, weights: Sequence[Sequence[float]]) -> Any:
    from keras import ops

    _, count, classes = members.shape
    coefficients = np.asarray(weights, np.float64)
    logarithms = ops.reshape(_logarithms(_precise(members)), (-1, count * classes))
    return _pooled(ops.matmul(logarithms, coefficients[:-1]) + coefficients[-1])


def _precise(members: Any) -> Any:
    """In float64, as the original: large coefficients of opposite opinions cancel out, and of float32's digits few are left."""
    from keras import ops

    return ops.cast(members, "float64")


def _pooled(scores: Any) -> Any:
    from keras import ops

    return ops.cast(ops.softmax(scores, axis=-1), "float32")


def _logarithms(members: Any) -> Any:
    from keras import ops

    return ops.log(ops.maximum(members, EPSILON))


def _first_highest(scores: Any, classes: int) -> Any:
    """One-hot over the last axis. Not by `ops.argmax`, which looks at the sign of zeros by operations that ONNX has not."""
    from keras import ops

    highest: Any = ops.top_k(scores, 1)
    return ops.one_hot(ops.squeeze(highest[1], axis=-1), classes, dtype="float32")


def _normalised(scores: Any) -> Any:
    from keras import ops

    return scores / ops.sum(scores, axis=1, keepdims=True)


def _temperature(probabilities: Any, numbers: dict[str, Any]) -> Any:
    from keras import ops

    return ops.softmax(_logarithms(probabilities) * np.float32(1 / numbers["temperature"]), axis=-1)


def _vector(probabilities: Any, numbers: dict[str, Any]) -> Any:
    from keras import ops

    scale, shift = (np.asarray(numbers[key], np.float32) for key in ("scale", "shift"))
    return ops.softmax(_logarithms(probabilities) * scale + shift, axis=-1)


def _isotonic(probabilities: Any, numbers: dict[str, Any]) -> Any:
    from keras import ops

    # A broken line is where it begins, and a part of every rise: none of it, all, or as far as the probability has come.
    most = max(2, *map(len, numbers["at"]))
    at, to = (np.stack([_lengthened(one, most) for one in numbers[key]]) for key in ("at", "to"))
    widths, rises = np.diff(at), np.diff(to)
    widths[widths == 0] = 1
    here: Any = ops.expand_dims(probabilities, -1)
    come: Any = ops.clip((here - at[:, :-1].astype(np.float32)) * (1 / widths).astype(np.float32), 0, 1)
    raised: Any = ops.sum(come * rises.astype(np.float32), axis=-1)
    return _normalised(raised + to[:, 0].astype(np.float32))


def _lengthened(points: Sequence[float], count: int) -> NDArray[np.float64]:
    """The last point again and again."""
    return np.pad(np.asarray(points, np.float64), (0, count - len(points)), "edge")


CALIBRATED: dict[str, Callable[[Any, dict[str, Any]], Any]] = {
    "temperature": _temperature,
    "vector": _vector,
    "isotonic": _isotonic,
}

OPERATIONS: dict[str, Callable[[Any, Any], Any]] = {
    "mean": _mean,
    "geometric-mean": _geometric_mean,
    "median": _median,
    "vote": _vote,
    "weighted-mean": _weighted_mean,
    "log-pool": _log_pool,
    "stack": _stack,
    "greedy": _greedy,
}
