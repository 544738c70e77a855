"""The gradient check: backpropagation against central differences, one weight changed at a time."""

from __future__ import annotations

from typing import Any

import numpy as np

from toile.data.dataset import Images
from toile.errors import ToileError
from toile.models.scratch.layers import SoftmaxCrossEntropy
from toile.models.scratch.network import Network
from toile.study.trial import Trial
from toile.training.scratch.optimise import add_penalty_gradient, penalty
from toile.training.scratch.training import Training


def gradient_check(
    network: Network,
    images: Images,
    classes: int,
    *,
    epsilon: float = 1e-2,
    samples: int = 100,
    l2: float = 0.0,
    loss_scale: str = "batch",
    seed: int = 0,
) -> list[dict[str, Any]]:
    """Compare the network's gradients with `(E(w + epsilon) - E(w - epsilon)) / (2 epsilon)`, in float64.

    The batch is the first image of each class. The difference quotient is itself wrong by the order of epsilon^2 (and by more
    at the kink of a ReLU), so the document's epsilon of 1e-2 bounds how well the two can agree; 1e-5 is about the best.

    Args:
        network: is left as it is.
        images: where to look for one image of each class.
        classes: number of classes.
        samples: weights drawn from each array; all of them where it has no more.
        l2, loss_scale: of the loss that is checked.
        seed: of the drawing.

    Returns:
        One dictionary for each kernel and each bias: `layer` ("hidden-1", …, "logits"), `array` ("kernel" or "bias"),
        `weights` (how many there are), `checked` (how many were looked at), `relative_error` (|g - n| / (|g| + |n|), Euclidean
        norms over those looked at, 0..1, and 0 where both are 0), `largest_difference` and `largest_gradient` (absolute).

    Raises:
        ToileError: a class has no image.
    """
    missing = sorted(set(range(classes)) - set(np.unique(images.labels).tolist()))
    if missing:
        raise ToileError(f"a gradient check takes one image of each class, and there is none of {missing}")
    first = [int(np.argmax(images.labels == label)) for label in range(classes)]
    inputs = images.images[first].reshape(classes, -1) / 255
    targets = np.eye(classes)
    network, loss = network.astype(np.float64), SoftmaxCrossEntropy(loss_scale)

    def error() -> float:
        return loss.value(network.forward(inputs), targets) + penalty(network, l2)

    network.backward(loss.delta(network.forward(inputs), targets))
    add_penalty_gradient(network, l2)
    generator = np.random.default_rng([seed, 0xC8EC7])
    rows = []
    for number, layer in enumerate(network.linear, start=1):
        for array in ("kernel", "bias"):
            # Views: what is changed in them changes the network.
            values, gradients = getattr(layer, array).reshape(-1), getattr(layer, f"{array}_gradient").reshape(-1)
            chosen = generator.choice(values.size, min(samples, values.size), replace=False)
            numeric = np.array([_central_difference(values, at, epsilon, error) for at in chosen])
            analytic = gradients[chosen]
            difference, size = analytic - numeric, np.linalg.norm(analytic) + np.linalg.norm(numeric)
            rows.append({
                "layer": "logits" if number == len(network.linear) else f"hidden-{number}",
                "array": array,
                "weights": int(values.size),
                "checked": len(chosen),
                "relative_error": float(np.linalg.norm(difference) / size) if size else 0.0,
                "largest_difference": float(np.abs(difference).max()),
                "largest_gradient": float(np.abs(analytic).max()),
            })  # fmt: skip
    return rows


def check_trial(trial: Trial, train: Images, *, epsilon: float, samples: int) -> list[dict[str, Any]]:
    """The same for the network that a trial begins with, on its own training images and loss."""
    options = trial.architecture.options
    made = Training(train.images[:1], train.labels[:1], trial.dataset.classes, seed=trial.seed, **options)
    return gradient_check(
        made.network, train, trial.dataset.classes, epsilon=epsilon, samples=samples, l2=options["l2"],
        loss_scale=options["loss_scale"], seed=trial.seed,
    )  # fmt: skip


def _central_difference(values: np.ndarray, at: int, epsilon: float, error: Any) -> float:
    kept = values[at]
    values[at] = kept + epsilon
    above = error()
    values[at] = kept - epsilon
    below = error()
    values[at] = kept
    return (above - below) / (2 * epsilon)
