"""How values are proposed: Optuna's samplers, told what is known so far.

For each proposal Optuna's study is made anew and told all proposals before it in their order, and the sampler is seeded with
the number of the proposal. So a proposal depends on the seed, its number and what is known, and not on what was drawn before.
"""

from __future__ import annotations

import importlib.util
import logging
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from toile.search.pruning import FAILED
from toile.study.search.search import SearchSpec
from toile.version import installing

if TYPE_CHECKING:
    from optuna.samplers import BaseSampler
    from optuna.trial import FrozenTrial, Trial

# What each sampler needs beside Optuna, and the extra that brings it.
_NEEDS = {"cma-es": ("cmaes", "search"), "gp": ("torch", "torch")}


@dataclass(frozen=True)
class Asked:
    """What Optuna proposed, as it is told of it again: `values` by the name of the parameter, and the rest is its own."""

    values: dict[str, Any]
    distributions: dict[str, Any]
    notes: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Known:
    """What is known of a proposal: its figure, of which more is better, after so many epochs; None for none yet.

    `ended` says that these are all of its epochs.
    """

    value: float | None = None
    epochs: int = 0
    ended: bool = False


def lacking() -> dict[str, str]:
    """Why a sampler cannot be used here, by name."""
    if importlib.util.find_spec("optuna") is None:
        why = f"a search needs the extra 'search': {installing('search')}"
        return dict.fromkeys(("tpe", "random", "gp", "cma-es"), why)
    return {
        name: f"the sampler {name!r} needs the extra {extra!r}: {installing(extra)}"
        for name, (module, extra) in _NEEDS.items()
        if importlib.util.find_spec(module) is None
    }


def ask(spec: SearchSpec, told: Sequence[tuple[Asked, Known]], walk: Callable[[Trial], Any]) -> tuple[Asked, Any]:
    """The next proposal.

    Args:
        told: all proposals before, in their order.
        walk: is given Optuna's trial, and asks it for one value after the other.

    Returns:
        What was proposed, and what `walk` returned.
    """
    import optuna

    logging.getLogger("optuna").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what is experimental in Optuna
        study = optuna.create_study(direction="maximize", sampler=_sampler(spec, len(told)))
        study.add_trials([_frozen(spec, asked, known) for asked, known in told])
        trial = study.ask()
        found = walk(trial)
        made = study.get_trials(deepcopy=False)[-1]
        return Asked(dict(made.params), dict(made.distributions), dict(made.system_attrs)), found


def _sampler(spec: SearchSpec, number: int) -> BaseSampler:
    from optuna import samplers

    seed = int(np.random.SeedSequence([spec.seed, number, 0x5EA2C4]).generate_state(1)[0])
    if spec.sampler == "random":
        return samplers.RandomSampler(seed=seed)
    if spec.sampler == "gp":
        return samplers.GPSampler(seed=seed, warn_independent_sampling=False)
    if spec.sampler == "cma-es":
        return samplers.CmaEsSampler(seed=seed, warn_independent_sampling=False)
    return samplers.TPESampler(seed=seed, constant_liar=True)


def _frozen(spec: SearchSpec, asked: Asked, known: Known) -> FrozenTrial:
    """What Optuna is told of a proposal.

    TPE takes a proposal that was not trained to its end as pruned, and ranks those by their epochs first, and last those
    without a figure. The others know no epochs: they are told the figure of the last one, and leave failures out.
    """
    from optuna.trial import TrialState, create_trial

    state = TrialState.RUNNING
    said: dict[str, Any] = {}
    if known.value == FAILED:
        state = TrialState.PRUNED if spec.sampler == "tpe" else TrialState.FAIL
    elif known.value is not None and (known.ended or spec.sampler != "tpe"):
        state, said = TrialState.COMPLETE, {"value": known.value}
    elif known.value is not None:
        state, said = TrialState.PRUNED, {"intermediate_values": {known.epochs: known.value}}
    return create_trial(
        state=state, params=asked.values, distributions=asked.distributions, system_attrs=asked.notes, **said
    )  # fmt: skip
