"""Learning rates that differ from layer to layer: a variable may say what factor of the optimizer's it learns by.

Howard & Ruder, "Universal language model fine-tuning for text classification" (ACL 2018), call them discriminative learning
rates. Caffe's `lr_mult` is such a factor. Keras has none: one optimizer has one rate. To scale gradients instead would change
nothing for Adam and its kind, which divide by their size.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import keras

from toile.models.protocols import KerasVariable


def multiply_learning_rates(optimizer: Any, variables: Sequence[KerasVariable]) -> None:
    """Have a built Keras optimizer learn each variable by its own `learning_rate_multiplier`, where it has one.

    Weight decay, which takes a share of learning rate x weight away, is multiplied too. On every backend, for every optimizer;
    after `fuse_updates`, whose updates are multiplied too. Without any such variable the optimizer is left as it is.

    Args:
        variables: those that the optimizer was built for.
    """
    factors = {
        optimizer._get_variable_index(variable): factor
        for variable in variables
        if (factor := getattr(variable, "learning_rate_multiplier", 1.0)) != 1
    }
    if not factors:
        return

    def factor_of(variable: Any) -> float:
        return factors.get(optimizer._get_variable_index(variable), 1.0)

    if hasattr(optimizer, "_parallel_update_step"):
        # On PyTorch, Keras updates all variables in one go, by one rate; what it derives that from updates one after the other.
        known = vars(keras.optimizers).values()
        derived_from = next(kind for kind in type(optimizer).__mro__ if kind in known)
        optimizer._backend_update_step = partial(derived_from._backend_update_step, optimizer)
    update, decay = optimizer.update_step, optimizer._apply_weight_decay
    optimizer.update_step = lambda gradient, variable, rate: update(gradient, variable, rate * factor_of(variable))
    optimizer._apply_weight_decay = lambda variables: _decay(optimizer, decay, factor_of, variables)


def _decay(optimizer: Any, decay: Callable[[list[Any]], None], factor_of: Callable[[Any], float], variables: list[Any]) -> None:
    """Keras's decay, which looks at the optimizer's own rate: by a smaller share, once for each factor."""
    names = [name for name in ("weight_decay", "adam_weight_decay") if getattr(optimizer, name, None) is not None]
    kept = {name: getattr(optimizer, name) for name in names}
    for factor in dict.fromkeys(map(factor_of, variables)):
        for name in names:
            setattr(optimizer, name, kept[name] * factor)
        decay([variable for variable in variables if factor_of(variable) == factor])
    for name in names:
        setattr(optimizer, name, kept[name])
