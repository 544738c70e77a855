"""What toile uses of Keras's objects, for whoever is given one: Keras itself is imported only where models are built.

Tensors are `Any`: each backend has its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray


class Weighted(Protocol):
    """What learns: Keras's models, and the NumPy network in training."""

    @property
    def weights(self) -> Sequence[Any]: ...

    def get_weights(self) -> list[NDArray[Any]]: ...

    def set_weights(self, weights: Sequence[NDArray[Any]], /) -> None: ...


class Variable(Protocol):
    """What a checkpoint writes and reads: Keras's variables, and arrays that behave so."""

    @property
    def shape(self) -> Any: ...

    def assign(self, value: Any, /) -> Any: ...


class KerasVariable(Variable, Protocol):
    """A `keras.Variable`: its tensor is `value`."""

    path: str

    @property
    def value(self) -> Any: ...

    def numpy(self) -> NDArray[Any]: ...


class KerasLayer(Protocol):
    """A `keras.layers.Layer`, called on a tensor."""

    name: str

    @property
    def output(self) -> Any: ...

    @property
    def input(self) -> Any: ...

    @property
    def trainable_variables(self) -> list[KerasVariable]: ...

    def get_weights(self) -> list[NDArray[Any]]: ...

    def __call__(self, x: Any, /, **options: Any) -> Any: ...


class KerasModel(KerasLayer, Protocol):
    """A `keras.Model`; toile's take uint8 images, and end in a layer "probabilities" on their logits."""

    @property
    def inputs(self) -> list[Any]: ...

    @property
    def outputs(self) -> list[Any]: ...

    @property
    def input_shape(self) -> tuple[Any, ...]: ...

    @property
    def output_shape(self) -> tuple[Any, ...]: ...

    @property
    def layers(self) -> list[KerasLayer]: ...

    @property
    def losses(self) -> list[Any]: ...

    @property
    def variables(self) -> list[KerasVariable]: ...

    @property
    def weights(self) -> list[KerasVariable]: ...

    @property
    def non_trainable_variables(self) -> list[KerasVariable]: ...

    def get_layer(self, name: str) -> KerasLayer: ...

    def set_weights(self, weights: Sequence[NDArray[Any]], /) -> None: ...

    def load_weights(self, filepath: str) -> None: ...

    def count_params(self) -> int: ...

    def to_json(self) -> str: ...

    def predict_on_batch(self, x: NDArray[np.uint8]) -> Any: ...

    def predict(self, x: NDArray[np.uint8], batch_size: int, verbose: int) -> Any: ...

    def stateless_call(self, trainable: Any, fixed: Any, x: Any, /, **options: Any) -> Any: ...

    def save(self, filepath: Path) -> None: ...

    def export(self, filepath: Path, format: str, verbose: bool) -> None: ...


class Remembering(Protocol):
    """What changes weights, and remembers what a checkpoint keeps."""

    @property
    def variables(self) -> Sequence[Variable]: ...


class KerasOptimizer(Remembering, Protocol):
    """A `keras.optimizers.Optimizer`."""

    learning_rate: Any
    _learning_rate: Any

    def build(self, variables: Sequence[KerasVariable], /) -> None: ...

    def apply(self, gradients: Any, variables: Sequence[KerasVariable], /) -> Any: ...

    def stateless_apply(self, variables: Any, gradients: Any, trainable: Any, /) -> tuple[Any, Any]: ...

    def scale_loss(self, loss: Any, /) -> Any: ...

    def finalize_variable_values(self, variables: Sequence[KerasVariable], /) -> None: ...
