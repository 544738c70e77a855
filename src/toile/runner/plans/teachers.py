"""Students and their teachers: who teaches whom, and whether that is honest."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import numpy as np

from toile.errors import Misuse
from toile.runner.plans.groups import of_members
from toile.runner.plans.planned import Plan, PlannedTrial
from toile.study.committee import FITTED_RULES, CommitteeSpec
from toile.study.expand import Variant
from toile.study.fields.patterns import matching
from toile.study.spec import StudySpec
from toile.study.trial import TrialTeacher


def committee_of(study: StudySpec, line: Variant) -> CommitteeSpec | None:
    """The committee that a line learns from, if it learns from one.

    Raises:
        Misuse: there is no such committee, or its members are chosen.
    """
    if (taught := line.recipe.teacher) is None:
        return None
    spec = next((one for one in study.committee if one.name == taught.name), None)
    if spec is None or spec.candidates or spec.budgets:
        raise Misuse(f"trial {line.name!r} learns from {taught.name!r}, which is no committee of the study with `members`")
    return spec


def lines_before(study: StudySpec, line: Variant, names: Collection[str]) -> set[str]:
    """The lines that have to be there before a line can be planned: its warm start's and its teacher's members'."""
    spec = committee_of(study, line)
    members = [] if spec is None else [name for pattern in spec.members for name in matching(names, pattern)]
    return {*members, *([line.warm_start] if line.warm_start else [])}


def teacher_of(
    study: StudySpec,
    line: Variant,
    seed: int,
    fold: int | None,
    planned: Mapping[str, Mapping[tuple[int, int | None], PlannedTrial]],
) -> TrialTeacher | None:
    """What a line's trial learns from: of the same seed and fold, or of the committee's first seed.

    Args:
        planned: the trials that are planned already, by line, seed and fold.

    Raises:
        Misuse: there is no such committee, or it has no such fold.
    """
    spec, taught = committee_of(study, line), line.recipe.teacher
    if spec is None or taught is None:
        return None
    groups = list(of_members([one for of_line in planned.values() for one in of_line.values()], spec))
    same = [group for group in groups if group.key == (seed, fold)]
    of_fold = [group for group in groups if group.key is None or group.key[1] == fold]
    if not (found := same or of_fold):
        raise Misuse(f"trial {line.name!r} learns from {spec.name!r}, which is split otherwise: it has no such fold")
    members = tuple(tuple(one.fingerprint for one in member.trainings) for member in found[0].members)
    return TrialTeacher(
        members=members, rule=spec.rule, weights=spec.weights, calibration=spec.calibrated, temperature=taught.temperature,
        hard_labels=taught.hard_labels, tempered=spec.rule == "greedy",
        held=spec.rule in FITTED_RULES or spec.calibrated not in (None, "isotonic"),
    )  # fmt: skip


def check(plan: Plan) -> None:
    """Whether every student can be judged after it has learned from its teacher.

    Raises:
        Misuse: a member of the teacher was trained on images that the student is judged by, or was stopped by its test images;
            or what is out of fold lacks images of the student.
    """
    by_fingerprint = {one.fingerprint: one for one in plan.trials}
    for student in plan.trials:
        members = [] if student.trial.teacher is None else student.trial.teacher.members
        for member in members:
            trainings = [by_fingerprint[fingerprint] for fingerprint in member]
            for one in trainings:
                _check_leak(plan, student, one, folded=len(trainings) > 1)
            if len(trainings) > 1:
                _check_covered(plan, student, trainings)


def _check_leak(plan: Plan, student: PlannedTrial, one: PlannedTrial, *, folded: bool) -> None:
    ours, its = plan.parts(student), plan.parts(one)
    none = np.zeros(0, np.int64)
    learned, stopped = its.indices["train"], its.indices.get("validation", none)
    for name, known in (("test", np.concatenate([learned, stopped])), ("validation", learned)):
        if leaked := int(np.isin(ours.indices.get(name, none), known).sum()):
            way = "; one that learns from folds has split = { validation = 0 }" if folded and name == "validation" else ""
            raise Misuse(
                f"trial {student.name!r}: {one.name!r}, from which it learns, was trained on {leaked:,} of its {name} images; "
                f"a student and the members of its teacher have to be split alike{way}"
            )


def _check_covered(plan: Plan, student: PlannedTrial, folds: Sequence[PlannedTrial]) -> None:
    known = np.concatenate([plan.parts(one).held_out for one in folds])
    if lacking := int((~np.isin(plan.parts(student).indices["train"], known)).sum()):
        raise Misuse(
            f"trial {student.name!r}: {lacking:,} of its training images were held out by no fold of {folds[0].line!r}, from "
            f"which it learns; their test images have to be the same"
        )
