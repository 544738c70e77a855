"""Everything about a study that the store knows, read once. Nothing is trained, and no model is loaded."""

from __future__ import annotations

import json
from typing import Any, Literal

from toile.committee.assemble import assemble
from toile.data.dataset import Images
from toile.data.splits import Parts, split
from toile.evaluation.predictions import Predictions
from toile.reports.results.study import CommitteeResult, StudyResults, TrialResult
from toile.runner.plan import Plan, PlannedTrial
from toile.study.spec import CommitteeSpec, Published


def gather(plan: Plan) -> StudyResults:
    """The results of a planned study, as far as they are stored.

    Committees with a member that is not stored are left out; with several seeds or folds there is one committee of each.
    """
    parts: dict[str, Parts] = {}
    trials = tuple(
        TrialResult(
            name=planned.name,
            fingerprint=planned.fingerprint,
            trial=json.loads(planned.trial.canonical()),
            published=_published(planned.published),
            run=plan.run_of(planned),
            line=planned.line,
        )
        for planned in plan.trials
    )
    committees = [
        result
        for spec in plan.study.committee
        for members, suffix in groups(plan, spec)
        if (result := _committee(plan, spec, members, suffix, parts)) is not None
    ]
    return StudyResults(
        study=plan.study,
        reference=plan.reference,
        dataset=plan.dataset,
        audit=plan.store.audit(plan.dataset),
        test=_test(plan, parts),
        trials=trials,
        committees=tuple(committees),
        reduced=str(plan.reduction),
    )


def _test(plan: Plan, parts: dict[str, Parts]) -> Images | None:
    """The study's test images: the data set's own, or those that its split draws."""
    return plan.dataset.test or _parts(plan, plan.trials[0], parts).test


def groups(plan: Plan, spec: CommitteeSpec) -> list[tuple[list[PlannedTrial], str]]:
    """The committee's members, once for each seed and fold that all of them have, with what that adds to its name.

    Across seeds, they are all trainings of its lines, once for each fold that all of them have.
    """
    lines = {member: {(p.trial.seed, p.trial.fold): p for p in plan.trials if p.line == member} for member in spec.members}
    first = next(iter(lines.values()))
    if spec.across:
        folds = dict.fromkeys(fold for _, fold in first)
        return [
            (
                [planned for line in lines.values() for (_, of), planned in line.items() if of == fold],
                "" if fold is None else f" (fold {fold + 1})",
            )
            for fold in folds
        ]
    shared = [key for key in first if all(key in line for line in lines.values())]
    if not shared:  # members with different single seeds still make one committee
        return [([next(iter(line.values())) for line in lines.values()], "")]
    several = len({seed for seed, _ in shared}) > 1
    suffixes = [
        ", ".join(([f"seed {seed}"] if several else []) + ([f"fold {fold + 1}"] if fold is not None else []))
        for seed, fold in shared
    ]
    return [
        ([line[key] for line in lines.values()], f" ({suffix})" if suffix else "")
        for key, suffix in zip(shared, suffixes, strict=True)
    ]


def predictions(
    plan: Plan, planned: PlannedTrial, which: Literal["validation", "test"], parts: dict[str, Parts]
) -> Predictions:
    """A stored trial's predictions of a split, with the labels they are judged by."""
    part = getattr(_parts(plan, planned, parts), which)
    return Predictions(which, plan.stored_run(planned).probabilities(which), part.labels)


def _committee(
    plan: Plan, spec: CommitteeSpec, members: list[PlannedTrial], suffix: str, parts: dict[str, Parts]
) -> CommitteeResult | None:
    if any(plan.run_of(member) is None for member in members):
        return None
    test = [predictions(plan, member, "test", parts) for member in members]
    fitted = spec.weights == "fit"
    validation = [predictions(plan, member, "validation", parts) for member in members] if fitted else []
    made = assemble(spec, test, validation)
    return CommitteeResult(
        name=spec.name + suffix,
        members=tuple(member.name for member in members),
        rule=spec.rule,
        weights=made.weights,
        probabilities=made.predictions.probabilities,
        test=made.test,
        mean_of_members=made.mean_of_members,
        published=_published(spec.published),
    )


def _parts(plan: Plan, planned: PlannedTrial, known: dict[str, Parts]) -> Parts:
    """The parts of the trial's split, each split cut once."""
    key = f"{planned.trial.split.model_dump_json()}|{planned.trial.fold}"
    if key not in known:
        known[key] = split(plan.dataset, planned.trial.split, planned.trial.fold)
    return known[key]


def _published(published: Published | None) -> dict[str, Any]:
    return published.model_dump(exclude_defaults=True) if published else {}
