"""The Keras optimizers by name, with every option and its default.

A copy of what Keras's constructors say, because the parent process never imports Keras and because a default that changes in
Keras must not change what a stored fingerprint means. A test compares the table with the installed Keras.
Source: https://keras.io/api/optimizers/
"""

from __future__ import annotations

import sys
from typing import Any

from toile.errors import nearest

Option = bool | int | float | None

# What every Keras optimizer takes.
_COMMON: dict[str, Option] = {
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
    "adadelta": _COMMON | {"learning_rate": 0.001, "rho": 0.95, "epsilon": 1e-07},
    "adafactor": _COMMON
    | {
        "learning_rate": 0.001,
        "beta_2_decay": -0.8,
        "epsilon_1": 1e-30,
        "epsilon_2": 0.001,
        "clip_threshold": 1.0,
        "relative_step": True,
    },
    "adagrad": _COMMON | {"learning_rate": 0.001, "initial_accumulator_value": 0.1, "epsilon": 1e-07},
    "adam": _COMMON | _ADAM | {"amsgrad": False},
    "adamw": _COMMON | _ADAM | {"amsgrad": False, "weight_decay": 0.004},
    "adamax": _COMMON | _ADAM,
    "ftrl": _COMMON
    | {
        "learning_rate": 0.001,
        "learning_rate_power": -0.5,
        "initial_accumulator_value": 0.1,
        "l1_regularization_strength": 0.0,
        "l2_regularization_strength": 0.0,
        "l2_shrinkage_regularization_strength": 0.0,
        "beta": 0.0,
    },
    "lamb": _COMMON | _ADAM,
    "lion": _COMMON | {"learning_rate": 0.001, "beta_1": 0.9, "beta_2": 0.99},
    "muon": _COMMON
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
    "nadam": _COMMON | _ADAM,
    "rmsprop": _COMMON | {"learning_rate": 0.001, "rho": 0.9, "momentum": 0.0, "epsilon": 1e-07, "centered": False},
    "schedulefreeadamw": _COMMON
    | {"learning_rate": 0.0025, "beta_1": 0.9, "beta_2": 0.999, "epsilon": 1e-08, "warmup_steps": 0},
    "sgd": _COMMON | {"learning_rate": 0.01, "momentum": 0.0, "nesterov": False},
}

# The one that is not Keras's own: `toile.learners.muon` takes Muon to convolutions.
OPTIMIZERS["muon-conv"] = OPTIMIZERS["muon"]

# Options that count something, and the least they may be.
_WHOLE = {"ema_overwrite_frequency": 1, "gradient_accumulation_steps": 2, "ns_steps": 1, "warmup_steps": 0}
# Options that Keras refuses outside 0..1.
_SHARES = {"sgd": ("momentum", "ema_momentum")}


def complete(name: str, options: dict[str, Any]) -> dict[str, Option]:
    """All options of the optimizer `name`: those given, the rest by default.

    Numbers get the type that Keras's default has, so that `learning_rate = 1` and `1.0` are one trial.

    Raises:
        ValueError: all that is wrong: an option the optimizer has not, or of the wrong kind, or a value that Keras would
            refuse when training begins.
    """
    defaults = OPTIMIZERS[name]
    complete, wrong = dict(defaults), []
    for key, value in options.items():
        if key not in defaults:
            known = ", ".join(sorted(defaults))
            wrong.append(f"optimizer {name!r} has no option {key!r}{nearest(key, defaults)}; it has {known}")
            continue
        try:
            complete[key] = _value(name, key, value, defaults[key])
        except ValueError as error:
            wrong.append(str(error))
    if not complete["learning_rate"] > 0:
        wrong.append(f"option 'learning_rate' of {name!r} is above 0, got {complete['learning_rate']!r}")
    for key in _SHARES.get(name, ("ema_momentum",)):
        if not 0 <= complete[key] <= 1:
            wrong.append(f"option {key!r} of {name!r} is from 0 to 1, got {complete[key]!r}")
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
    if key not in _WHOLE:
        return float(value)
    if value != int(value) or value < _WHOLE[key]:
        raise ValueError(f"option {key!r} of {name!r} is a whole number of at least {_WHOLE[key]}, got {value!r}")
    return int(value)
