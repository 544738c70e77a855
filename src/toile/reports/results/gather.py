"""Everything about a study that the store knows, read once. Nothing is trained, and no model is loaded."""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from toile.committee.assemble import Assembled, assemble
from toile.committee.rules import combine
from toile.committee.selection import NoneAffordable
from toile.data.dataset import Images
from toile.errors import Misuse
from toile.evaluation.metrics import METRICS, evaluate, with_balanced_accuracy
from toile.evaluation.predictions import Predictions
from toile.reports.results.result import CalibratedResult, ChoiceResult, CommitteeResult, MemberResult, TrialResult
from toile.reports.results.search import search_result
from toile.reports.results.study import StudyResults
from toile.runner import baselines, label_errors
from toile.runner.plans import committees
from toile.runner.plans.committees import Group, Member
from toile.runner.plans.planned import Plan, PlannedTrial
from toile.study.fields.published import Published


def gather(plan: Plan, *, joined: bool = True) -> StudyResults:
    """The results of a planned study, as far as they are stored.

    Committees with a member that is not stored are left out; with several seeds or folds there is one committee of each. One
    that no candidate is cheap enough for is named. A run whose files are not what was written is named on standard error, and
    left out: figures that its own probabilities may contradict are not shown.

    Args:
        joined: whether to read probabilities, for committees and calibrations; without, it is quick.

    Raises:
        Misuse: a committee cannot be, see `toile.runner.plans.committees.check_group`.
    """
    search = search_result(plan) if joined else None
    # Of a search the test images are looked at for what was picked, and for nothing else.
    picked = search.pick if search else ()
    shown = [one for one in plan.trials if not one.proposed or one.name in picked]
    for planned in shown:
        plan.store.sound(planned.fingerprint, plan.judged(planned) if joined else None)
    trials = tuple(
        TrialResult(
            name=planned.name,
            fingerprint=planned.fingerprint,
            trial=json.loads(planned.trial.canonical()),
            published=_published(planned.published),
            run=plan.run_of(planned),
            state=plan.state(planned),
            line=planned.line,
            calibrated=calibrated(plan, planned) if joined else None,
            beside=_drawn_alike(plan, planned),
        )
        for planned in shown
    )
    made, unmade = list[CommitteeResult](), list[str]()
    for group in committees.groups(plan) if joined else ():
        try:
            made += [] if (found := _committee(plan, group)) is None else [found]
        except NoneAffordable as error:
            unmade.append(str(error))
    simple = {one.name: baselines.kept(plan, one) for one in shown} if plan.study.baselines else {}
    return StudyResults(
        study=plan.study,
        reference=plan.reference,
        called=plan.called,
        dataset=plan.dataset,
        audit=plan.store.audit(plan.dataset, plan.trials[0].trial.split),
        test=_test(plan),
        trials=trials,
        committees=tuple(made),
        unmade=tuple(unmade),
        reduced=str(plan.reduction),
        baselines={name: of for name, of in simple.items() if of is not None},
        search=search,
        suspects=label_errors.of_study(plan) if joined else None,
    )


def _test(plan: Plan) -> Images | None:
    """The study's test images: the data set's own, or those that its split draws."""
    return plan.dataset.test or plan.parts(plan.trials[0]).test


def named(plan: Plan, name: str) -> CommitteeResult | None:
    """The committee of that name; None if there is none, or not all of its members are stored."""
    for group in committees.groups(plan):
        if group.name == name:
            return _committee(plan, group)
    return None


def of_line(plan: Plan, name: str) -> list[CommitteeResult]:
    """The committees of that name, or of all seeds and folds of the one that the study file calls so; those that are stored."""
    all_groups = committees.groups(plan)
    wanted = [group for group in all_groups if group.name == name] or [group for group in all_groups if group.spec.name == name]
    return [found for group in wanted if (found := _committee(plan, group)) is not None]


def calibrated(plan: Plan, planned: PlannedTrial) -> CalibratedResult | None:
    """A stored run after its calibration, if the study asks for one."""
    if planned.calibration is None or plan.run_of(planned) is None:
        return None
    made, fitted_on, _, _ = _assembled(plan, committees.alone(planned))
    if made.settled.calibration is None:
        return None
    return CalibratedResult(made.settled.calibration, made.predictions.probabilities, made.test, fitted_on)


def _committee(plan: Plan, group: Group) -> CommitteeResult | None:
    if any(plan.run_of(training) is None for member in group.members for training in member.trainings):
        return None
    made, fitted_on, test, members = _assembled(plan, group)
    return CommitteeResult(
        name=group.name,
        joined=tuple(members[i] for i in made.settled.members),
        rule=group.spec.rule,
        weights=made.settled.weights,
        probabilities=made.predictions.probabilities,
        test=made.test,
        mean_of_members=made.mean_of_members,
        published=_published(group.spec.published),
        calibration=made.settled.calibration,
        uncalibrated=None if made.settled.calibration is None else made.joint.probabilities,
        fitted_on=fitted_on,
        choice=_choice(made, test),
        line=group.spec.name,
        key=group.key,
        elsewhere=_elsewhere(plan, group),
    )


def _elsewhere(plan: Plan, group: Group) -> Images | None:
    """The test images of a committee, where they are others than the study's."""
    own = plan.parts(group.members[0].trainings[0])
    return None if own.indices.get("test") is None or _drawn_alike(plan, group.members[0].trainings[0]) else own.test


def _drawn_alike(plan: Plan, planned: PlannedTrial) -> bool:
    """Whether the test images that a trial's split draws are those of the study's first trial."""
    drawn, first = (plan.parts(one).indices.get("test") for one in (planned, plan.trials[0]))
    return drawn is not None and first is not None and np.array_equal(drawn, first)


def _assembled(plan: Plan, group: Group) -> tuple[Assembled, str, list[Predictions], list[MemberResult]]:
    """The committee; on what it was fitted; and what its candidates are and say of the test images."""
    committees.check_group(plan, group)
    spec, test = group.spec, [committees.test_of(plan, member) for member in group.members]
    fits = spec.fitted or spec.calibrated
    unseen = [committees.unseen_of(plan, member) for member in group.members] if fits else []
    members = [_member(plan, member) for member in group.members]
    costs = {key: [one.costs[key.removeprefix("max_")] for one in members] for key in spec.budgets if key != "max_members"}
    try:
        return assemble(spec, test, unseen, costs), _fitted_on(unseen), test, members
    except Misuse as error:
        raise type(error)(f"{group.kind} {group.name!r}: {error}") from None


def _member(plan: Plan, member: Member) -> MemberResult:
    runs = {one.name: plan.stored_run(one) for one in member.trainings}
    (run, *others), line = runs.values(), member.trainings[0].line
    said = None if not others else committees.test_of(plan, member)
    figures = with_balanced_accuracy(run.metrics.get("test", {})) if said is None else evaluate(said.probabilities, said.labels)
    return MemberResult(member.name, line, runs, figures)


def _fitted_on(unseen: list[Predictions]) -> str:
    if not unseen:
        return ""
    images = f"{len(unseen[0]):,}"
    return f"{images} validation images" if unseen[0].split == "validation" else f"{images} training images, out of fold"


def _choice(made: Assembled, test: list[Predictions]) -> ChoiceResult | None:
    how = made.settled.selection
    if how is None:
        return None
    path = []
    # Each at its temperature once, and not for every pick: that is what takes time.
    tempered = [combine([one], "greedy", [(1.0, exponent)]) for one, exponent in zip(test, how.exponents, strict=True)]
    for pick, (loss, nested) in enumerate(zip(how.losses, how.nested, strict=True), start=1):
        shares = how.path[pick - 1]
        chosen = np.flatnonzero(shares)
        said = combine([tempered[i] for i in chosen], "weighted-mean", shares[chosen])
        judged = {
            key: METRICS[name].function(said.probabilities, said.labels)
            for key, name in (("test", "loss"), ("accuracy", "accuracy"))
        }
        path.append({"members": len(chosen), "loss": float(loss), "nested": float(nested), **judged})
    return ChoiceResult(len(test), tuple(path), how.picks, how.optimism)


def _published(published: Published | None) -> dict[str, Any]:
    return published.model_dump(exclude_defaults=True) if published else {}
