"""Stochastic gradient descent with momentum, and the L2 penalty on weights."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from toile.models.scratch.network import Network

# Far below the last digit of any weight that matters, far above the subnormal numbers of float32 (1.2e-38).
NEGLIGIBLE = 1e-30


def penalty(network: Network, l2: float) -> float:
    """`l2 * sum(w^2)` over all kernels; biases go free, as in Keras's `kernel_regularizer=L2(l2)`."""
    return float(l2 * np.dot(network.kernels, network.kernels)) if l2 else 0.0


def add_penalty_gradient(network: Network, l2: float) -> None:
    """Add the penalty's derivatives, `2 * l2 * w`, to the gradients of the kernels."""
    if l2:
        network.kernel_gradients[...] += 2 * l2 * network.kernels


class Slot:
    """An array that a checkpoint can read and write like a Keras variable."""

    def __init__(self, array: NDArray[Any]) -> None:
        self._array = array

    @property
    def shape(self) -> tuple[int, ...]:
        return self._array.shape

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        return np.array(self._array, dtype=dtype)  # always a copy: the array goes on changing

    def assign(self, value: NDArray[Any]) -> None:
        """Put `value` into the array; ValueError if its shape is another."""
        if np.shape(value) != self.shape:
            raise ValueError(f"an array of shape {self.shape} is wanted, got {np.shape(value)}")
        self._array[...] = value


class MomentumSGD:
    """`velocity = momentum * velocity - learning_rate * gradient`, then `weights += velocity` (Polyak 1964; Keras's form).

    The L2 penalty belongs to the loss: its derivative is part of the gradient and so goes through the momentum and the
    learning rate, as the document describes it (a term 2W weighted by the regularisation factor). That is not the decoupled
    weight decay of AdamW. It is not divided by the size of the batch, nor by the number of classes.

    Args:
        network: whose weights are updated.
        momentum: 0..1, 0 for none.
        l2: strength of the penalty, at least 0.
    """

    def __init__(self, network: Network, momentum: float = 0.9, l2: float = 0.0) -> None:
        self.network, self.l2 = network, l2
        self.velocity = np.zeros_like(network.values)
        self.variables = [Slot(self.velocity)]
        # NumPy's own scalars, because Python's would be converted anew at every step.
        self._momentum = network.values.dtype.type(momentum)

    def step(self, learning_rate: np.floating) -> None:
        """Update the weights by the network's gradients, which are used up."""
        network, velocity = self.network, self.velocity
        add_penalty_gradient(network, self.l2)
        velocity *= self._momentum
        network.gradients *= learning_rate
        velocity -= network.gradients
        network.values += velocity

    def flush(self) -> None:
        """Set velocities to 0 that can no longer move a weight.

        Those of pixels that are seldom lit decay towards 0 and, as the smallest float32 times 0.9 is rounded to itself, never
        get there; arithmetic on such subnormal numbers is many times slower.
        """
        self.velocity *= np.abs(self.velocity) > NEGLIGIBLE
