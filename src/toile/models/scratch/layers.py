"""Layers, each with a forward and a backward pass over a whole batch.

`forward(inputs)` takes `(n, inputs)` and returns `(n, outputs)`; `backward(delta)` takes the derivatives of the loss by the
outputs of the last `forward`, `(n, outputs)`, leaves the derivatives by the layer's own parameters in its gradients, and
returns those by its inputs, `(n, inputs)`.

What they return lies in memory of the layer's own, which its next call writes over: at batches of one image, as the document
has them, allocating would cost more than computing. Who wants to keep it copies it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, NamedTuple, get_args

import numpy as np

from toile.arrays import Batch, Bias, Column, Kernel, Rows
from toile.errors import Misuse, nearest

Activations = Literal["tanh", "sigmoid", "relu", "leaky-relu"]
LossScale = Literal["batch", "batch-and-classes"]
LEAK = 0.01


class Linear:
    """`inputs @ kernel + bias`.

    Args:
        kernel: `(inputs, units)` floats.
        bias: `(units,)` floats of the same type.

    `kernel_gradient` and `bias_gradient` are what `backward` fills. A `Network` puts all four into memory of its own.
    """

    def __init__(self, kernel: Kernel, bias: Bias) -> None:
        self.kernel, self.bias = kernel, bias
        self.kernel_gradient, self.bias_gradient = np.zeros_like(kernel), np.zeros_like(bias)
        # The first layer of a network has nobody below who would want to know: half of its backward pass is saved.
        self.wants_input_gradient = True
        self._inputs = np.empty((0, len(kernel)), kernel.dtype)
        self._outputs, self._delta = np.empty((0, len(bias)), kernel.dtype), self._inputs

    def forward(self, inputs: Batch) -> Batch:
        self._inputs = inputs
        self._outputs = _large_enough(self._outputs, len(inputs))
        outputs = np.matmul(inputs, self.kernel, out=self._outputs[: len(inputs)])
        outputs += self.bias
        return outputs

    def backward(self, delta: Batch) -> Batch | None:
        # With one image the product of the matrices is one of a column and a row, at which BLAS is three times slower.
        product = np.matmul if len(delta) > 1 else np.multiply
        product(self._inputs.T, delta, out=self.kernel_gradient)
        np.add.reduce(delta, axis=0, out=self.bias_gradient)
        if not self.wants_input_gradient:
            return None
        self._delta = _large_enough(self._delta, len(delta))
        return np.matmul(delta, self.kernel.T, out=self._delta[: len(delta)])


class Activation:
    """An activation function, applied to every number by itself.

    Args:
        name: a key of `ACTIVATIONS`.

    Raises:
        Misuse: there is none of that name.
    """

    def __init__(self, name: str) -> None:
        if name not in ACTIVATIONS:
            known = ", ".join(ACTIVATIONS)
            raise Misuse(f"unknown activation {name!r}{nearest(name, ACTIVATIONS)}; known: {known}")
        self.name = name
        self._function, self._slope = ACTIVATIONS[name]
        self._outputs = self._slopes = np.empty((0, 0))
        self._last = self._outputs

    def forward(self, inputs: Batch) -> Batch:
        if len(self._outputs) < len(inputs):
            self._outputs, self._slopes = np.empty_like(inputs), np.empty_like(inputs)
        self._last = self._outputs[: len(inputs)]
        self._function(inputs, self._last)
        return self._last

    def backward(self, delta: Batch) -> Batch:
        slopes = self._slopes[: len(delta)]
        self._slope(self._last, slopes)
        slopes *= delta
        return slopes


class SoftmaxCrossEntropy:
    """Softmax over the classes, and cross-entropy in nats of what it gives the label.

    Args:
        scale: what the sum over the images of a batch is divided by: `"batch"`: their number, as everywhere else;
            `"batch-and-classes"`: their number times the number of classes, as the document has it, which makes every step
            so many times smaller.

    Raises:
        Misuse: another scale.
    """

    def __init__(self, scale: str = "batch") -> None:
        scales = get_args(LossScale)
        if scale not in scales:
            raise Misuse(f"unknown loss scale {scale!r}{nearest(scale, scales)}; known: {', '.join(scales)}")
        self.scale = scale

    def divisor(self, images: int, classes: int) -> int:
        """What a sum over images is divided by."""
        return images * classes if self.scale == "batch-and-classes" else images

    def value(self, logits: Rows, targets: Rows) -> float:
        """The loss of logits `(n, classes)` whose labels are one-hot in `targets` `(n, classes)`."""
        return float(cross_entropies(logits, targets).sum() / self.divisor(*logits.shape))

    def delta(self, logits: Rows, targets: Rows) -> Rows:
        """The derivatives of the loss by the logits, `(n, classes)`."""
        delta = softmax(logits)
        delta -= targets
        delta *= 1 / self.divisor(*logits.shape)
        return delta


def softmax(logits: Rows) -> Rows:
    """Probabilities `(n, classes)` from logits `(n, classes)`; the largest is taken away first, so nothing overflows."""
    exponentials = logits - np.maximum.reduce(logits, axis=1, keepdims=True)
    np.exp(exponentials, out=exponentials)
    exponentials /= np.add.reduce(exponentials, axis=1, keepdims=True)
    return exponentials


def cross_entropies(logits: Rows, targets: Rows) -> Column:
    """`(n,)`: -log of what the softmax gives the label, from the logits, so without losing digits to the softmax."""
    shifted = logits - logits.max(axis=1, keepdims=True)
    return np.log(np.exp(shifted).sum(axis=1)) - (shifted * targets).sum(axis=1)


def _large_enough(buffer: np.ndarray, rows: int) -> np.ndarray:
    """`buffer`, or a larger one."""
    return buffer if len(buffer) >= rows else np.empty((rows, buffer.shape[1]), buffer.dtype)


def _tanh_slope(outputs: np.ndarray, out: np.ndarray) -> None:
    np.multiply(outputs, outputs, out=out)
    np.subtract(1, out, out=out)


def _sigmoid(inputs: np.ndarray, out: np.ndarray) -> None:
    # 1 / (1 + exp(-x)) would overflow far below 0; this is the same function.
    np.multiply(inputs, 0.5, out=out)
    np.tanh(out, out=out)
    out += 1
    out *= 0.5


def _sigmoid_slope(outputs: np.ndarray, out: np.ndarray) -> None:
    np.subtract(1, outputs, out=out)
    out *= outputs


def _leaky_relu(inputs: np.ndarray, out: np.ndarray) -> None:
    np.multiply(inputs, LEAK, out=out)
    np.maximum(inputs, out, out=out)


def _leaky_relu_slope(outputs: np.ndarray, out: np.ndarray) -> None:
    np.greater(outputs, 0, out=out, casting="unsafe")
    out *= 1 - LEAK
    out += LEAK


class _Function(NamedTuple):
    """A function and its slope, the latter from the function's *outputs*; at 0 the slope is that of the left side."""

    function: Callable[[np.ndarray, np.ndarray], Any]
    slope: Callable[[np.ndarray, np.ndarray], Any]


ACTIVATIONS: dict[str, _Function] = {
    "tanh": _Function(lambda inputs, out: np.tanh(inputs, out=out), _tanh_slope),
    "sigmoid": _Function(_sigmoid, _sigmoid_slope),
    "relu": _Function(
        lambda inputs, out: np.maximum(inputs, 0, out=out),
        lambda outputs, out: np.greater(outputs, 0, out=out, casting="unsafe"),
    ),
    "leaky-relu": _Function(_leaky_relu, _leaky_relu_slope),
}
