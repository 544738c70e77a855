"""A network: layers one after the other, and all of their parameters in one row of memory."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from toile.arrays import Batch, Rows
from toile.errors import Misuse, nearest
from toile.models.protocols import KerasModel
from toile.models.scratch.layers import LEAK, Activation, Linear

Initial = Literal["standard-normal", "glorot-uniform"]


class Network:
    """Layers one after the other; the last one's outputs are the logits.

    Args:
        layers: a `Linear` first and last. Their parameters are copied into the network's memory, and live there from then.

    `values` and `gradients` are all parameters and their derivatives, `(parameters,)` each: all kernels, then all biases. So
    an update of everything, or a penalty on the kernels, is one operation on one array, however many layers there are.
    """

    def __init__(self, layers: Sequence[Linear | Activation]) -> None:
        self.layers = list(layers)
        self.linear = [layer for layer in self.layers if isinstance(layer, Linear)]
        kernels, biases = [layer.kernel for layer in self.linear], [layer.bias for layer in self.linear]
        self.values = np.concatenate([array.ravel() for array in (*kernels, *biases)])
        self.gradients = np.zeros_like(self.values)
        self._kernels = sum(kernel.size for kernel in kernels)
        at = 0
        for name, arrays in (("kernel", kernels), ("bias", biases)):
            for layer, array in zip(self.linear, arrays, strict=True):
                for attribute, memory in ((name, self.values), (f"{name}_gradient", self.gradients)):
                    setattr(layer, attribute, memory[at : at + array.size].reshape(array.shape))
                at += array.size
        self.linear[0].wants_input_gradient = False

    @property
    def kernels(self) -> NDArray[Any]:
        """All kernels in a row, a view into `values`."""
        return self.values[: self._kernels]

    @property
    def kernel_gradients(self) -> NDArray[Any]:
        """Likewise, a view into `gradients`."""
        return self.gradients[: self._kernels]

    def forward(self, inputs: Batch) -> Rows:
        """Logits `(n, classes)` of `(n, pixels)` floats, in memory that the next call writes over."""
        for layer in self.layers:
            inputs = layer.forward(inputs)
        return inputs

    def backward(self, delta: Rows) -> None:
        """Fill `gradients`, from the derivatives of the loss by the logits of the last `forward`."""
        below: NDArray[Any] | None = delta
        for layer in reversed(self.layers):
            assert below is not None, "only the first layer gives nothing to those below it"
            below = layer.backward(below)

    def get_weights(self) -> list[NDArray[Any]]:
        """Copies, in Keras's order: kernel `(inputs, units)` and bias `(units,)` of each linear layer."""
        return [array.copy() for layer in self.linear for array in (layer.kernel, layer.bias)]

    def set_weights(self, weights: Sequence[NDArray[Any]]) -> None:
        """As `get_weights` gives them.

        Raises:
            ValueError: another number of arrays, or other shapes.
        """
        own = [array for layer in self.linear for array in (layer.kernel, layer.bias)]
        expected, found = [array.shape for array in own], [np.shape(array) for array in weights]
        if found != expected:
            raise ValueError(f"weights of the shapes {expected} are wanted, got {found}")
        for array, values in zip(own, weights, strict=True):
            array[...] = values

    def astype(self, dtype: type) -> Network:
        """The same network in memory of its own and in another precision."""
        return Network([
            Linear(layer.kernel.astype(dtype), layer.bias.astype(dtype))
            if isinstance(layer, Linear)
            else Activation(layer.name)
            for layer in self.layers
        ])  # fmt: skip


def build(
    inputs: int,
    classes: int,
    *,
    hidden: Sequence[int] = (50, 50),
    activation: str = "tanh",
    initial: str = "standard-normal",
    seed: int = 0,
    dtype: type = np.float32,
) -> Network:
    """A network with random weights, from `inputs` pixels over hidden layers to `classes` logits.

    Args:
        hidden: units of each hidden layer; empty for softmax regression.
        activation: of the hidden layers.
        initial: `"standard-normal"`: weights and biases from N(0, 1), as the document has it (which drives tanh units far
            into saturation); `"glorot-uniform"`: kernels uniform in +-sqrt(6 / (inputs + units)), biases 0
            (Glorot & Bengio 2010).
        seed: of the weights.

    Raises:
        Misuse: an unknown activation or initialisation, or a layer without units.
    """
    if initial not in get_args(Initial):
        known = ", ".join(get_args(Initial))
        raise Misuse(f"unknown initialisation {initial!r}{nearest(initial, get_args(Initial))}; known: {known}")
    if min(hidden, default=1) < 1:
        raise Misuse(f"hidden layers of at least one unit are wanted, got {list(hidden)}")
    generator = np.random.default_rng([seed, 0x5C8A7C])
    layers: list[Linear | Activation] = []
    for fan_in, units in pairwise((inputs, *hidden, classes)):
        # Drawn in float64 whatever the precision, so that float32 and float64 start from the same weights.
        if initial == "standard-normal":
            kernel, bias = generator.standard_normal((fan_in, units)), generator.standard_normal(units)
        else:
            limit = np.sqrt(6 / (fan_in + units))
            kernel, bias = generator.uniform(-limit, limit, (fan_in, units)), np.zeros(units)
        layers += [Linear(kernel.astype(dtype), bias.astype(dtype)), Activation(activation)]
    return Network(layers[:-1])


def to_keras(network: Network, image_shape: tuple[int, int, int], activation: str) -> KerasModel:
    """A Keras model with the same weights, from uint8 images to probabilities, as the architecture `mlp` makes it."""
    from keras import Input, Model, layers

    dtype = network.values.dtype.name

    def activation_layer() -> Any:
        if activation == "leaky-relu":
            return layers.LeakyReLU(LEAK, dtype=dtype)
        return layers.Activation(activation, dtype=dtype)

    inputs = Input(image_shape, dtype="uint8", name="images")
    x = layers.Flatten(dtype=dtype)(layers.Rescaling(1 / 255, name="scale", dtype=dtype)(inputs))
    *hidden, last = network.linear
    for layer in hidden:
        x = activation_layer()(layers.Dense(layer.bias.size, dtype=dtype)(x))
    logits = layers.Dense(last.bias.size, name="logits", dtype=dtype)(x)
    model = Model(inputs, layers.Softmax(dtype="float32", name="probabilities")(logits))
    model.set_weights(network.get_weights())
    return model
