"""Muon for convolutions: each kernel is stepped as the matrix that it is, from all that a filter sees to the filters.

Keras's Muon takes matrices alone, and leaves the kernels of convolutions to AdamW. Those of Jordan et al., "Muon: an optimizer
for hidden layers in neural networks" (2024, https://kellerjordan.github.io/posts/muon/) are flattened, and the last layer is
left to AdamW, as are biases and normalisation.
"""

from __future__ import annotations

from typing import Any

import keras
from keras import ops


class ConvolutionMuon(keras.optimizers.Muon):
    """Keras's Muon, with its options, over kernels of four dimensions too; the layer `logits` goes by AdamW."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options, exclude_layers=["logits"])

    def _should_use_adamw(self, variable: Any) -> bool:
        return len(variable.shape) != 4 and super()._should_use_adamw(variable)

    def zeropower_via_newtonschulz5(self, x: Any, steps: int) -> Any:
        """The nearest orthogonal matrix, about; of a kernel `(height, width, channels, filters)` that of its matrix."""
        matrix = ops.reshape(x, (-1, x.shape[-1]))
        return ops.reshape(super().zeropower_via_newtonschulz5(matrix, steps), x.shape)

    def lr_adjust(self, x: Any) -> Any:
        """The update scaled for its matrix's sides; see Keras's Muon."""
        return ops.reshape(super().lr_adjust(ops.reshape(x, (-1, x.shape[-1]))), x.shape)
