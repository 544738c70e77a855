"""The Keras optimizers by name, with every option and its default.

A copy of what Keras's constructors say, because the parent process never imports Keras and because a default that changes in
Keras must not change what a stored fingerprint means. A test compares the table with the installed Keras.
Source: https://keras.io/api/optimizers/
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from toile.errors import nearest

Option = bool | int | float | None

# What every Keras optimizer takes.
COMMON: dict[str, Option] = {
    "weight_decay": None,
    "clipnorm": None,
    "clipvalue": None,
    "global_clipnorm": None,
    "use_ema": False,
    "ema_momentum": 0.99,
    "ema_overwrite_frequency": None,
    "loss_scale_factor": None,
    "gradient_accumulation_steps": None,
}
_ADAM: dict[str, Option] = {"learning_rate": 0.001, "beta_1": 0.9, "beta_2": 0.999, "epsilon": 1e-07}

OPTIMIZERS: dict[str, dict[str, Option]] = {
    "adadelta": COMMON | {"learning_rate": 0.001, "rho": 0.95, "epsilon": 1e-07},
    "adafactor": COMMON
    | {
        "learning_rate": 0.001,
        "beta_2_decay": -0.8,
        "epsilon_1": 1e-30,
        "epsilon_2": 0.001,
        "clip_threshold": 1.0,
        "relative_step": True,
    },
    "adagrad": COMMON | {"learning_rate": 0.001, "initial_accumulator_value": 0.1, "epsilon": 1e-07},
    "adam": COMMON | _ADAM | {"amsgrad": False},
    "adamw": COMMON | _ADAM | {"amsgrad": False, "weight_decay": 0.004},
    "adamax": COMMON | _ADAM,
    "ftrl": COMMON
    | {
        "learning_rate": 0.001,
        "learning_rate_power": -0.5,
        "initial_accumulator_value": 0.1,
        "l1_regularization_strength": 0.0,
        "l2_regularization_strength": 0.0,
        "l2_shrinkage_regularization_strength": 0.0,
        "beta": 0.0,
    },
    "lamb": COMMON | _ADAM,
    "lion": COMMON | {"learning_rate": 0.001, "beta_1": 0.9, "beta_2": 0.99},
    "muon": COMMON
    | {
        "learning_rate": 0.001,
        "adam_beta_1": 0.9,
        "adam_beta_2": 0.999,
        "adam_weight_decay": 0.004,
        "epsilon": 1e-07,
        "weight_decay": 0.004,
        "exclude_embeddings": True,
        "muon_a": 3.4445,
        "muon_b": -4.775,
        "muon_c": 2.0315,
        "adam_lr_ratio": 1.0,
        "momentum": 0.95,
        "ns_steps": 5,
        "nesterov": True,
        "rms_rate": 0.2,
    },
    "nadam": COMMON | _ADAM,
    "rmsprop": COMMON | {"learning_rate": 0.001, "rho": 0.9, "momentum": 0.0, "epsilon": 1e-07, "centered": False},
    "schedulefreeadamw": COMMON
    | {"learning_rate": 0.0025, "beta_1": 0.9, "beta_2": 0.999, "epsilon": 1e-08, "warmup_steps": 0},
    "sgd": COMMON | {"learning_rate": 0.01, "momentum": 0.0, "nesterov": False},
}

# The one that is not Keras's own: `toile.training.optimizers.muon` takes Muon to convolutions.
OPTIMIZERS["muon-conv"] = OPTIMIZERS["muon"]

# Options that count something, and the least they may be.
WHOLE = {"ema_overwrite_frequency": 1, "gradient_accumulation_steps": 2, "ns_steps": 1, "warmup_steps": 0}
# What each option means, for the reference of study files.
ABOUT: dict[str, str] = {
    "learning_rate": "size of a step, above 0; the schedule multiplies it",
    "weight_decay": "each step also takes learning rate x this x the weight away from it",
    "clipnorm": "the gradient of each array of weights is scaled down to this norm, if it is longer",
    "clipvalue": "each number of a gradient is cut off at plus and minus this",
    "global_clipnorm": "all gradients together are scaled down to this norm, if they are longer",
    "use_ema": "end with an exponential moving average of the weights",
    "ema_momentum": "share of that average that a step leaves as it is",
    "ema_overwrite_frequency": "steps after which the weights become their average; none: at the end",
    "loss_scale_factor": "the loss is multiplied by it and its gradients divided, so that small ones are not rounded to 0",
    "gradient_accumulation_steps": "steps whose gradients are averaged before the weights change",
    "momentum": "share of the last change that is made again",
    "nesterov": "Nesterov's form of momentum",
    "rho": "decay of the running mean of squared gradients, a step",
    "centered": "divide by the gradients' variance instead of their mean square",
    "epsilon": "keeps a denominator away from 0",
    "beta_1": "decay of the running mean of gradients, a step",
    "beta_2": "decay of the running mean of squared gradients (`lion`: of the mean that is kept), a step",
    "amsgrad": "divide by the largest mean square so far (AMSGrad)",
    "initial_accumulator_value": "what the sums of squared gradients begin with",
    "beta_2_decay": "power of the step's number by which the mean of squared gradients forgets more slowly",
    "epsilon_1": "keeps a denominator away from 0",
    "epsilon_2": "keeps steps from becoming too small, as a share of a weight's size",
    "clip_threshold": "an array's change is scaled down to this root mean square, if it is larger",
    "relative_step": "lower the learning rate with the number of steps",
    "learning_rate_power": "power by which the learning rate falls with the squared gradients; at most 0, and 0 for not at all",
    "l1_regularization_strength": "strength of the L1 penalty",
    "l2_regularization_strength": "strength of the L2 penalty",
    "l2_shrinkage_regularization_strength": "strength of an L2 penalty that is added to gradients only",
    "beta": "the beta of FTRL's paper",
    "adam_beta_1": "as `beta_1`, of the Adam that changes what is no matrix",
    "adam_beta_2": "as `beta_2`, of the same",
    "adam_weight_decay": "as `weight_decay`, of the same",
    "adam_lr_ratio": "factor on the learning rate, of the same",
    "exclude_embeddings": "leave embeddings to Adam",
    "muon_a": "first coefficient of the Newton-Schulz iteration",
    "muon_b": "second coefficient",
    "muon_c": "third coefficient",
    "ns_steps": "how many Newton-Schulz iterations a step has",
    "rms_rate": "size that changes are brought to, so that a learning rate of Adam's fits",
    "warmup_steps": "steps of linear rise to the learning rate",
}

# Options that Keras refuses outside 0..1.
_SHARES = {"sgd": ("momentum", "ema_momentum")}
# What else Keras refuses: the option -> what it wants, and whether a number is that.
_AT_LEAST_0: tuple[str, Callable[[float], bool]] = ("at least 0", lambda value: value >= 0)
_WANTED: dict[str, dict[str, tuple[str, Callable[[float], bool]]]] = {
    "ftrl": {
        "learning_rate_power": ("at most 0", lambda value: value <= 0),
        "initial_accumulator_value": _AT_LEAST_0,
        "l1_regularization_strength": _AT_LEAST_0,
        "l2_regularization_strength": _AT_LEAST_0,
        "l2_shrinkage_regularization_strength": _AT_LEAST_0,
    },
    "lion": {"beta_1": ("above 0 and at most 1", lambda value: 0 < value <= 1)},
}


def complete(name: str, options: dict[str, Any]) -> dict[str, Option]:
    """All options of the optimizer `name`: those given, the rest by default.

    Numbers get the type that Keras's default has, so that `learning_rate = 1` and `1.0` are one trial.

    Raises:
        ValueError: all that is wrong: an option the optimizer has not, or of the wrong kind, or a value that Keras would
            refuse when training begins.
    """
    defaults = OPTIMIZERS[name]
    complete = dict(defaults)
    wrong: list[str] = []
    for key, value in options.items():
        if key not in defaults:
            known = ", ".join(sorted(defaults))
            wrong.append(f"optimizer {name!r} has no option {key!r}{nearest(key, defaults)}; it has {known}")
            continue
        try:
            complete[key] = _value(name, key, value, defaults[key])
        except ValueError as error:
            wrong.append(str(error))
    if (rate := complete["learning_rate"]) is None or not rate > 0:
        wrong.append(f"option 'learning_rate' of {name!r} is above 0, got {rate!r}")
    for key in _SHARES.get(name, ("ema_momentum",)):
        if (share := complete[key]) is None or not 0 <= share <= 1:
            wrong.append(f"option {key!r} of {name!r} is from 0 to 1, got {share!r}")
    for key, (wanted, is_wanted) in _WANTED.get(name, {}).items():
        if (number := complete[key]) is None or not is_wanted(number):
            wrong.append(f"option {key!r} of {name!r} is {wanted}, got {number!r}")
    clips = [key for key in ("clipnorm", "clipvalue", "global_clipnorm") if complete[key] is not None]
    if len(clips) > 1:
        wrong.append(f"only one of clipnorm, clipvalue and global_clipnorm may be set, got {', '.join(clips)}")
    if wrong:
        raise ValueError("; ".join(wrong))
    return complete


def _value(name: str, key: str, value: Any, default: Option) -> Option:
    """`value` as the kind of number that the option is."""
    if value is None and default is None:
        return None
    if isinstance(default, bool):
        if not isinstance(value, bool):
            raise ValueError(f"option {key!r} of {name!r} is true or false, got {value!r}")
        return value
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise ValueError(f"option {key!r} of {name!r} is a number, got {value!r}")
    if abs(value) > sys.float_info.max or value != value:
        raise ValueError(f"option {key!r} of {name!r} is a finite number, got {value!r:.20}")
    if key not in WHOLE:
        return float(value)
    if value != int(value) or value < WHOLE[key]:
        raise ValueError(f"option {key!r} of {name!r} is a whole number of at least {WHOLE[key]}, got {value!r}")
    return int(value)
