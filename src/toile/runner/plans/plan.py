"""From a study to its plan: lines, seeds and folds become trials, in an order in which they can be trained."""

from __future__ import annotations

import itertools
from dataclasses import replace
from functools import partial

from toile.data.dataset import Dataset
from toile.data.parts import groups
from toile.data.parts.splits import resolved
from toile.models import architectures
from toile.runner.plans.checks import check
from toile.runner.plans.intents import architecture_of, recipe_of
from toile.runner.plans.parents import parent_of, parents_first
from toile.runner.plans.planned import Plan, PlannedTrial, counts_of
from toile.runner.plans.teachers import lines_before, teacher_of
from toile.store.store import Store
from toile.study.data.dataset import DatasetSpec
from toile.study.expand import Variant, variants
from toile.study.reduction import Reduction
from toile.study.spec import StudySpec
from toile.study.trial import Trial, TrialDataset


def make(
    study: StudySpec,
    reference: str,
    requested: DatasetSpec,
    dataset: Dataset,
    store: Store,
    reduction: Reduction = Reduction(),  # noqa: B008 - it is frozen
    called: str = "",
) -> Plan:
    """Plan a study.

    Args:
        reference, called: its short name, and how a command names it, with its options, quoted for a shell.
        requested: how the data set was asked for, by the study itself or as a stand-in.
        dataset: what that means, as `toile.data.reading.load` gives it.
        reduction: fewer images or epochs, for a first look.

    Raises:
        Misuse: a trial stops early on a validation split that it does not have, cannot be built for these images, weighs
            classes that there are not, or begins with the weights of a trial of another shape.
    """
    study = study.model_copy(update={"split": resolved(study.split, dataset)})
    lines = [reduction.of(replace(line, split=resolved(line.split, dataset))) for line in variants(study)]
    dataset, lines = _grouped(dataset, lines)
    trials: dict[str, dict[tuple[int, int | None], PlannedTrial]] = {}
    for line in parents_first(lines, partial(lines_before, study)):
        check(line, dataset, lambda spec=line.split: counts_of(dataset, spec)["train"])
        learner = architectures.learner(line.architecture.name)
        architecture, weights = architecture_of(line)
        recipe = recipe_of(line, dataset)
        for seed, fold in itertools.product(line.seeds, range(line.split.folds) if line.split.folds else [None]):
            parent = parent_of(line, architecture, seed, fold, trials.get(line.warm_start or "", {}))
            trial = Trial(
                dataset=TrialDataset(content=dataset.content, classes=dataset.classes, image_shape=dataset.image_shape),
                split=line.split,
                fold=fold,
                architecture=architecture,
                learner=learner,
                recipe=recipe,
                seed=seed,
                # It decides nothing of a classical model, and is at its default in its fingerprint.
                backend="tensorflow" if learner == "classical" else study.backend,
                warm_start=parent.fingerprint if parent else None,
                teacher=teacher_of(study, line, seed, fold, trials),
            )
            planned = PlannedTrial(_name(line, seed, fold), line.name, trial, line.published, weights, line.calibration)
            trials.setdefault(line.name, {})[seed, fold] = planned
    in_order = tuple(planned for line in lines for planned in trials[line.name].values())
    return Plan(study, reference, requested, reduction, dataset, in_order, store, called or reference)


def _grouped(dataset: Dataset, lines: list[Variant]) -> tuple[Dataset, list[Variant]]:
    """With groups of images by their digest, in splits and beside the data set: names of files, which they may come from, are
    not in a fingerprint."""
    found = {said: groups.found(dataset, said) for line in lines if (said := line.split.groups) is not None}
    names = {said: groups.digest(of) for said, of in found.items()}
    known = {name: found[said] for said, name in names.items()}
    if not known:
        return dataset, lines
    notes = [note for said in found for note in (groups.shared(dataset, said), groups.spelt(dataset, said))]
    told = [note for note in notes if note is not None and note not in dataset.notes]
    made = replace(dataset, groupings={**dataset.groupings, **known}, notes=(*dataset.notes, *told))
    made.__dict__["content"] = dataset.content  # or it would be hashed once more
    return made, [
        line if line.split.groups is None
        else replace(line, split=line.split.model_copy(update={"groups": names[line.split.groups]}))
        for line in lines
    ]  # fmt: skip


def _name(line: Variant, seed: int, fold: int | None) -> str:
    parts = [f"seed {seed}"] if len(line.seeds) > 1 else []
    parts += [f"fold {fold + 1}"] if fold is not None else []
    return f"{line.name} ({', '.join(parts)})" if parts else line.name
