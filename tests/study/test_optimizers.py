"""Optimizer options, completed and checked without Keras. (tests/study/test_keras.py compares the table with Keras.)"""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from toile.study.recipe.optimizers import OPTIMIZERS, complete
from toile.study.recipe.recipe import OptimizerSpec


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_nothing_given_is_all_defaults(name: str) -> None:
    assert complete(name, {}) == OPTIMIZERS[name]
    assert OptimizerSpec(name=name).options == OPTIMIZERS[name]


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_default_written_out_is_no_other_optimizer(name: str) -> None:
    # Not only equal: 1 and 1.0 are, but not as JSON, of which the fingerprint is made.
    for key, value in OPTIMIZERS[name].items():
        if value is not None:
            assert repr(complete(name, {key: value})) == repr(complete(name, {}))


def test_numbers_get_the_type_of_the_option() -> None:
    options = complete("sgd", {"learning_rate": 1, "momentum": 0, "ema_overwrite_frequency": 3.0, "clipnorm": 2})
    kinds = {key: type(options[key]) for key in ("learning_rate", "momentum", "ema_overwrite_frequency", "clipnorm")}
    assert kinds == {"learning_rate": float, "momentum": float, "ema_overwrite_frequency": int, "clipnorm": float}


def test_options_are_written_beside_the_name_or_in_their_own_table() -> None:
    beside = OptimizerSpec.model_validate({"name": "sgd", "momentum": 0.9})
    apart = OptimizerSpec.model_validate({"name": "sgd", "options": {"momentum": 0.9}})
    assert beside == apart
    assert beside.options["momentum"] == 0.9


def test_the_table_itself_is_never_changed() -> None:
    complete("adam", {})["learning_rate"] = 5.0
    assert OPTIMIZERS["adam"]["learning_rate"] == 0.001


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("adam", {"beta1": 0.9}, "optimizer 'adam' has no option 'beta1' (did you mean 'beta_1'?); it has amsgrad, beta_1"),
        ("sgd", {"learning_rate": 0}, "option 'learning_rate' of 'sgd' is above 0, got 0.0"),
        ("sgd", {"learning_rate": float("nan")}, "option 'learning_rate' of 'sgd' is a finite number, got nan"),
        ("sgd", {"learning_rate": 10**400}, "option 'learning_rate' of 'sgd' is a finite number"),
        ("sgd", {"learning_rate": "fast"}, "option 'learning_rate' of 'sgd' is a number, got 'fast'"),
        ("sgd", {"learning_rate": True}, "option 'learning_rate' of 'sgd' is a number, got True"),
        ("sgd", {"learning_rate": None}, "option 'learning_rate' of 'sgd' is a number, got None"),
        ("sgd", {"nesterov": 1}, "option 'nesterov' of 'sgd' is true or false, got 1"),
        ("sgd", {"momentum": 1.5}, "option 'momentum' of 'sgd' is from 0 to 1, got 1.5"),
        ("ftrl", {"learning_rate_power": 1}, "option 'learning_rate_power' of 'ftrl' is at most 0, got 1.0"),
        ("lion", {"beta_1": 0}, "option 'beta_1' of 'lion' is above 0 and at most 1, got 0.0"),
        ("muon", {"ns_steps": 2.5}, "option 'ns_steps' of 'muon' is a whole number of at least 1, got 2.5"),
        ("adam", {"gradient_accumulation_steps": float("inf")}, "is a finite number, got inf"),
        ("adam", {"gradient_accumulation_steps": 1}, "is a whole number of at least 2, got 1"),
        ("adam", {"clipnorm": 1.0, "clipvalue": 1.0}, "only one of clipnorm, clipvalue and global_clipnorm may be set"),
    ],
)
def test_wrong_options(name: str, options: dict, message: str) -> None:
    with pytest.raises(ValueError) as caught:
        complete(name, options)
    assert message in str(caught.value)


def test_all_wrong_options_at_once() -> None:
    with pytest.raises(ValueError) as caught:
        complete("adam", {"lr": 1.0, "epsilon": "x", "amsgrad": 0})
    assert str(caught.value).count(";") == 3  # between three mistakes, and before the options that adam has


@pytest.mark.parametrize("wrong", [{"name": "admn"}, {"name": 3}, {"momentum": 0.9}, {"name": ""}])
def test_wrong_optimizers(wrong: dict) -> None:
    with pytest.raises(ValidationError):
        OptimizerSpec.model_validate(wrong)
