"""Pieces that architectures share: options that are one for all or one each, activations, initialisers, penalties."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, TypeVar

from toile.models.protocols import KerasLayer

T = TypeVar("T")


def each(value: T | tuple[T, ...], count: int, name: str) -> tuple[T, ...]:
    """`value` for each of `count` blocks: repeated if there is one, as it is if there are as many.

    Raises:
        ValueError: another number of values.
    """
    if not isinstance(value, tuple):
        return (value,) * count
    if len(value) != count:
        raise ValueError(f"{name} has {len(value)} values for {count} layers; one for all or one each is wanted")
    return value


def dense_parameters(widths: Sequence[int], norm: bool = False) -> int:
    """Parameters of dense layers with biases.

    Args:
        widths: what goes into the first, then the units of each; the last one is of logits.
        norm: whether batch normalisation, of four numbers a channel, follows each but the last.
    """
    return sum((a + 1) * b for a, b in pairwise(widths)) + (4 * sum(widths[1:-1]) if norm else 0)


def activation_layer(name: str) -> KerasLayer:
    """An activation as a layer of its own."""
    from keras import layers

    if name == "leaky-relu":
        return layers.LeakyReLU(negative_slope=0.01)
    return layers.Activation(name)


def initializer_for(name: str) -> str:
    """Keras's name of an initialiser."""
    return name.replace("-", "_")


def l2_penalty(strength: float) -> Any:
    """Keras's L2 regulariser, which adds strength * sum(w^2) to the loss; None for strength 0."""
    from keras import regularizers

    return regularizers.L2(strength) if strength else None
