"""Muon for convolutions, against Keras's Muon on the kernels' matrices."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest

from toile.study.recipe.recipe import RecipeSpec
from toile.training import recipe
from toile.training.optimizers.muon import ConvolutionMuon

OPTIONS = {"learning_rate": 0.1, "weight_decay": 0.3, "adam_weight_decay": 0.2, "momentum": 0.8}
KERNEL, MATRIX = (3, 2, 5, 7), (30, 7)


def variable(value: np.ndarray, name: str) -> Any:
    return keras.Variable(value, name=name, dtype="float32")


def stepped(optimizer: Any, value: np.ndarray, gradients: list[np.ndarray], name: str = "kernel") -> np.ndarray:
    """A variable after the steps."""
    kept = variable(value, name)
    optimizer.build([kept])
    for gradient in gradients:
        optimizer.apply([keras.ops.convert_to_tensor(gradient.astype(np.float32))], [kept])
    return np.asarray(kept.numpy())


def drawn(shape: tuple[int, ...], count: int) -> list[np.ndarray]:
    return list(np.random.default_rng(0).normal(size=(count, *shape)))


@pytest.mark.parametrize("options", [{}, {"nesterov": False}, {"rms_rate": None}, {"ns_steps": 3}], ids=str)
def test_a_kernel_is_stepped_as_its_matrix_is(options):
    value, *gradients = drawn(KERNEL, 4)
    ours = stepped(ConvolutionMuon(**OPTIONS, **options), value, gradients)
    flat = [gradient.reshape(MATRIX) for gradient in gradients]
    theirs = stepped(keras.optimizers.Muon(**OPTIONS, **options), value.reshape(MATRIX), flat)
    assert ours.shape == KERNEL
    np.testing.assert_allclose(ours.reshape(MATRIX), theirs, rtol=1e-5, atol=1e-6)
    assert np.abs(ours - value).max() > 0.01


def test_an_update_is_about_orthogonal():
    value, gradient = drawn(KERNEL, 2)
    optimizer = ConvolutionMuon(learning_rate=1.0, weight_decay=None, rms_rate=None)
    update = (value - stepped(optimizer, value, [gradient])).reshape(MATRIX)
    singular = np.linalg.svd(update, compute_uv=False)
    assert 0.5 < singular.min() < singular.max() < 1.3  # what five steps of that polynomial make of any
    assert np.linalg.cond(gradient.reshape(MATRIX)) > 2


@pytest.mark.parametrize(("shape", "name"), [((7,), "bias"), ((4, 5), "logits/kernel"), ((4, 5), "dense/kernel")])
def test_all_else_is_as_in_keras(shape, name):
    """Vectors and the last layer by AdamW, other matrices by Muon."""
    value, *gradients = drawn(shape, 4)
    theirs = keras.optimizers.Muon(**OPTIONS, exclude_layers=["logits"])
    ours = stepped(ConvolutionMuon(**OPTIONS), value, gradients, name.replace("/", "_"))
    np.testing.assert_array_equal(ours, stepped(theirs, value, gradients, name.replace("/", "_")))


def test_a_recipe_may_ask_for_it():
    spec = RecipeSpec.model_validate({"optimizer": {"name": "muon-conv", "momentum": 0.6}})
    optimizer = recipe.optimizer(spec)
    assert type(optimizer) is ConvolutionMuon and optimizer.momentum == 0.6
