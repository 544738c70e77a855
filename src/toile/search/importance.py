"""What mattered in a search: how much of the differences between its figures each parameter accounts for, by Optuna."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Sequence

from toile.search.pruning import FAILED
from toile.search.walk import Walk

# Of fewer figures a forest says nothing.
_LEAST = 10


def importance(walk: Walk) -> dict[str, dict[str, float]]:
    """The shares of the parameters, the largest first, by fANOVA (Hutter, Hoos & Leyton-Brown, ICML 2014).

    The figures are those of the fewest epochs of each proposal, so that they are of one kind. A parameter that only some
    proposals have is weighed among those: for each architecture alone, beside all together.

    Returns:
        `"all"` and names of architectures -> parameter -> share, 0..1, of those with at least ten figures that differ.
    """
    import optuna
    from optuna.importance import FanovaImportanceEvaluator, get_param_importances
    from optuna.trial import TrialState, create_trial

    logging.getLogger("optuna").setLevel(logging.ERROR)
    figures = {}
    for step, known in zip(walk.steps, walk.outcomes, strict=True):
        if known is not None and known.value != FAILED:
            figures.setdefault(step.proposal, known.value)
    found = {}
    for group, numbers in _groups(walk, list(figures)).items():
        if len(numbers) < _LEAST or len({figures[number] for number in numbers}) < 2:
            continue
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            study = optuna.create_study(direction="maximize")
            for number in numbers:
                asked = walk.proposals[number].asked
                study.add_trial(
                    create_trial(
                        state=TrialState.COMPLETE, params=asked.values, distributions=asked.distributions, value=figures[number]
                    )
                )
            try:
                shares = get_param_importances(study, evaluator=FanovaImportanceEvaluator(seed=0))
            except RuntimeError:  # all that these proposals share is the same in each
                continue
        if shares:
            found[group] = {name: float(share) for name, share in shares.items()}
    return found


def _groups(walk: Walk, numbers: Sequence[int]) -> dict[str, list[int]]:
    groups = {"all": list(numbers)}
    if len(walk.space.architectures) > 1:
        for name in walk.space.architectures:
            of_it = [number for number in numbers if walk.proposals[number].values["architecture", "name"] == name]
            groups[name] = of_it
    return groups
