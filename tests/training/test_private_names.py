"""Names of Keras that are not part of its public interface and that toile uses all the same: each file that does has its test.

They were tried with Keras 3.15.1. When one of these tests fails, Keras has renamed or changed what the file builds on: read the
file and Keras's code beside each other, mend the file, raise the bound in pyproject.toml, and put the new version here.
"""

from __future__ import annotations

import ast
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

import toile
from toile.training.optimizers.fused_updates import fuse_updates
from toile.training.optimizers.multipliers import multiply_learning_rates
from toile.training.optimizers.muon import ConvolutionMuon

TRIED = "3.15.1"
SOURCE = Path(toile.__file__).parent
ROOMS = ("models", "training", "inference", "workers")
# File -> what it takes of Keras's objects.
USED = {
    "training/engines/jax.py": {"_learning_rate"},
    "training/optimizers/fused_updates.py": {"_get_variable_index", "_momentums", "_velocities"},
    "training/optimizers/multipliers.py": {
        "_apply_weight_decay",
        "_backend_update_step",
        "_get_variable_index",
    },
    "training/optimizers/muon.py": {"_should_use_adamw"},
}


def of_others(path: Path) -> set[str]:
    """Private names that a file takes of anything but its own objects, of which it defines them."""
    nodes = list(ast.walk(ast.parse(path.read_text("utf-8"))))
    own = {node.name for node in nodes if isinstance(node, ast.FunctionDef)}
    taken = {(ast.unparse(node.value), node.attr) for node in nodes if isinstance(node, ast.Attribute)}
    return {
        name
        for of, name in taken
        if name.startswith("_") and not name.endswith("__") and of not in ("self", "cls", "os")
        if of == "super()" or name not in own
    }


def has(of: Any, *names: str) -> None:
    missing = [name for name in names if not hasattr(of, name)]
    assert not missing, f"{type(of).__name__} of Keras {keras.__version__} has no {missing}; tried with {TRIED}"


def built(optimizer: keras.Optimizer) -> tuple[keras.Optimizer, list[keras.Variable]]:
    variables = [keras.Variable(np.ones(shape, "float32")) for shape in ((2, 3), (3,), (3, 4))]
    optimizer.build(variables)
    return optimizer, variables


def test_no_other_file_takes_private_names() -> None:
    found = {str(path.relative_to(SOURCE)): of_others(path) for room in ROOMS for path in (SOURCE / room).rglob("*.py")}
    assert {name: names for name, names in found.items() if names} == USED


@pytest.mark.parametrize(
    ("optimizer", "moments"),
    [
        (keras.optimizers.Adam(), ["_momentums", "_velocities"]),
        (keras.optimizers.AdamW(), ["_momentums", "_velocities"]),
        (keras.optimizers.RMSprop(momentum=0.9), ["_momentums", "_velocities"]),
        (keras.optimizers.RMSprop(), ["_velocities"]),
        (keras.optimizers.SGD(momentum=0.9), ["momentums"]),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, keras.Optimizer) else "",
)
def test_fused_updates(optimizer: keras.Optimizer, moments: list[str]) -> None:
    """The moments are variables of TensorFlow in the weights' order; Keras calls `update_step` with one such variable each."""
    optimizer, variables = built(optimizer)
    has(optimizer, "_get_variable_index", "update_step", *moments)
    assert [optimizer._get_variable_index(variable.value) for variable in variables] == [0, 1, 2]
    for name in moments:
        kept = getattr(optimizer, name)
        assert [moment.shape for moment in kept] == [variable.shape for variable in variables], name
        assert all(moment.value.handle is not None for moment in kept), name
    fuse_updates(optimizer)
    update, stepped = optimizer.update_step, []
    optimizer.update_step = lambda gradient, variable, rate: (stepped.append(variable), update(gradient, variable, rate))
    optimizer.apply([keras.ops.ones(variable.shape) for variable in variables], variables)
    assert [id(one) for one in stepped] == [id(variable.value) for variable in variables]
    assert all((variable.numpy() != 1).all() for variable in variables)


@pytest.mark.parametrize("name", ["Adam", "Nadam", "Muon"])
def test_multipliers(name: str) -> None:
    """Keras asks for weight decay and an update once a step, and updates variables one by one, by their index."""
    optimizer, variables = built(getattr(keras.optimizers, name)(weight_decay=0.1))
    has(optimizer, "_get_variable_index", "_apply_weight_decay", "_backend_update_step", "update_step")
    assert not hasattr(optimizer, "_parallel_update_step"), "it is PyTorch's alone"
    variables[0].learning_rate_multiplier = 0.0
    multiply_learning_rates(optimizer, variables)
    optimizer.apply([keras.ops.ones(variable.shape) for variable in variables], variables)
    assert [bool((variable.numpy() == 1).all()) for variable in variables] == [True, False, False]


def watched(method: Callable[..., Any], asked: list[tuple[str, int]]) -> Callable[..., Any]:
    """The method, which notes its name and how many dimensions it was asked about."""

    def noting(self: Any, of: Any, *rest: Any) -> Any:
        asked.append((method.__name__, len(of.shape)))
        return method(self, of, *rest)

    return noting


def test_muon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keras asks the methods that are overridden: of each weight whether it goes by AdamW, and of a kernel the other two."""
    asked = []
    for name in ("_should_use_adamw", "zeropower_via_newtonschulz5", "lr_adjust"):
        has(keras.optimizers.Muon(), name)
        monkeypatch.setattr(ConvolutionMuon, name, watched(getattr(ConvolutionMuon, name), asked))
    kernel, bias = keras.Variable(np.ones((3, 3, 1, 2), "float32")), keras.Variable(np.ones(2, "float32"))
    optimizer = ConvolutionMuon()
    optimizer.build([kernel, bias])
    optimizer.apply([keras.ops.ones(kernel.shape), keras.ops.ones(bias.shape)], [kernel, bias])
    assert {("_should_use_adamw", 4), ("_should_use_adamw", 1)} <= set(asked)
    assert {one for one in asked if one[0] != "_should_use_adamw"} == {("zeropower_via_newtonschulz5", 4), ("lr_adjust", 4)}


@pytest.mark.parametrize("name", ["Adam", "AdamW", "SGD", "RMSprop", "Muon"])
def test_the_engine_of_jax(name: str) -> None:
    """The learning rate is one of the optimizer's variables, so that a step can be given another."""
    optimizer, _ = built(getattr(keras.optimizers, name)())
    has(optimizer, "_learning_rate")
    assert sum(variable is optimizer._learning_rate for variable in optimizer.variables) == 1
