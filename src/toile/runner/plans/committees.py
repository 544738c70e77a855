"""Who is in a study's committees, and whether they may be: by the images that they saw, before anything is trained."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from toile.arrays import PositionLabels, Positions
from toile.committee.rules import RULES
from toile.committee.unseen import places, unseen
from toile.data.parts.splits import Parts
from toile.errors import Misuse
from toile.evaluation.calibrators import AUTO, CALIBRATIONS
from toile.evaluation.predictions import Predictions
from toile.runner.plans import library, teachers
from toile.runner.plans.groups import Group, Member, of_members, only, whole
from toile.runner.plans.planned import Plan, PlannedTrial
from toile.study.committee import CommitteeSpec
from toile.study.fields.patterns import matching
from toile.text import listed


def groups(plan: Plan) -> list[Group]:
    """All committees of a study.

    Raises:
        Misuse: a pattern matches nothing, or a member has no folds where a committee is across them.
    """
    return [group for spec in plan.study.committee for group in of_spec(plan, spec)]


def alone(planned: PlannedTrial) -> Group:
    """A trial that is calibrated."""
    spec = CommitteeSpec(name=planned.line, members=(planned.line,), calibration=planned.calibration)
    return Group(spec, planned.name, (only(planned),), "trial")


def of_spec(plan: Plan, spec: CommitteeSpec) -> Iterator[Group]:
    """A committee once for each seed and fold that all its members have, or as `across` and `candidates` say."""
    if spec.candidates:
        # None where all are proposals of a search that nobody has trained yet.
        if members := tuple(_candidates(plan, spec)):
            yield Group(spec, spec.name, members)
        return
    yield from of_members(plan.trials, spec)


def test_of(plan: Plan, member: Member) -> Predictions:
    """What a stored member says of the test images: of several trainings, the mean.

    Raises:
        Misuse: there are none.
    """
    test = plan.parts(member.trainings[0]).test
    if test is None:
        raise Misuse(f"{member.name!r} has no test images to be judged on; give split.test, such as test = 0.2, or test_path")
    said = np.stack([plan.stored_run(one).probabilities("test", len(test)) for one in member.trainings])
    return Predictions("test", said[0] if len(said) == 1 else RULES["mean"](said, None), test.labels)


def unseen_of(plan: Plan, member: Member) -> Predictions:
    """What a stored member says of images that it was not trained on, in the order of the data set: the validation part; of
    folds, every image by the training that held it out."""
    parts = [plan.parts(one) for one in member.trainings]
    runs = [plan.stored_run(one) for one in member.trainings]
    said = [run.probabilities("validation", len(one.held_out)) for run, one in zip(runs, parts, strict=True)]
    return unseen(plan.dataset, parts, said)


def unseen_places(plan: Plan, member: Member) -> tuple[Positions, PositionLabels]:
    """Where those images are in the data set, as `toile.data.parts.splits.Parts.held_out` has it, in the order of the
    trainings; and their labels in the order of the data set."""
    return places(plan.dataset, [plan.parts(one) for one in member.trainings])


def _candidates(plan: Plan, spec: CommitteeSpec) -> Iterator[Member]:
    """All trainings that match, each once; those of a line's folds as one."""
    lines: dict[str, dict[tuple[int, int | None], PlannedTrial]] = {}
    for one in {one.fingerprint: one for one in reversed(_matching(plan, spec))}.values():
        lines.setdefault(one.line, {})[one.trial.seed, one.trial.fold] = one
    for trainings in reversed(lines.values()):
        in_order = dict(sorted(trainings.items(), key=lambda item: (item[0][0], item[0][1] or 0)))
        if any(fold is not None for _, fold in in_order):
            members = (member for _, member in whole(in_order))
            yield from (member for member in members if len(member.trainings) == member.trainings[0].trial.split.folds)
        else:
            yield from map(only, in_order.values())


def _matching(plan: Plan, spec: CommitteeSpec) -> list[PlannedTrial]:
    if spec.among == "study":
        try:
            named = plan.matching(spec.candidates)
        except Misuse as error:
            raise Misuse(f"committee {spec.name!r}: {error}") from None
        # What a search proposed and nobody has trained is no candidate yet.
        return [one for one in named if not one.proposed or plan.run_of(one)]
    found = [
        one
        for one in (*plan.trials, *library.others(plan))
        if any(matching((one.name, one.line, one.trial.architecture.name), pattern) for pattern in spec.candidates)
    ]
    if not found:
        raise Misuse(
            f"committee {spec.name!r}: no trial of the study, and no stored run with its images and split, matches "
            f"{', '.join(map(repr, spec.candidates))}; a stored run is known by its architecture, as 'cnn*'"
        )
    return found


def check(plan: Plan) -> Plan:
    """The plan itself, if its committees, calibrations and students can be.

    Raises:
        Misuse: one cannot, see `check_group`; or its `max_parameters` are fewer than its smallest candidate has.
    """
    for group in (*groups(plan), *(alone(one) for one in plan.trials if one.calibration)):
        check_group(plan, group)
        _check_budget(plan, group)
    teachers.check(plan)
    return plan


def notes(plan: Plan) -> list[str]:
    """What a study asks of its committees that is not done, and why."""
    return [
        f"committee {spec.name!r}: calibration {spec.calibration!r} is off; {spec.rule} is calibrated by its own fit"
        for spec in plan.study.committee
        if spec.calibration and not spec.calibrated
    ]


def called(plan: Plan, name: str) -> bool:
    """Whether a name is a committee's: as the study file has it, or with its seed and fold."""
    specs = [spec.name for spec in plan.study.committee]
    if name in specs or not any(name.startswith(f"{spec} (") for spec in specs):
        return name in specs
    return any(name == group.name for group in groups(plan))


def check_group(plan: Plan, group: Group) -> None:
    """Whether a committee can be joined, judged and, if it has to be, fitted.

    Raises:
        Misuse: no test images, or others for another member; a member was trained or stopped by another's test images; a fit
            without images held out, or with others for another member, with fewer than there are numbers to fit, or with none
            of a class; or not one weight a member.
    """
    seen = [[plan.parts(one) for one in member.trainings] for member in group.members]
    what, first = f"{group.kind} {group.name!r}", group.members[0]
    for member, parts in zip(group.members, seen, strict=True):
        if any(part.test is None for part in parts):
            raise Misuse(f"{what} has no test images to be judged on; give split.test, such as test = 0.2, or test_path")
        _same_test(what, (first, seen[0]), (member, parts))
    weights = group.spec.weights
    if isinstance(weights, tuple) and len(weights) != len(group.members):
        names = listed(member.name for member in group.members)
        raise Misuse(f"{what}: one weight a member is wanted, got {len(weights)} for {len(group.members)} members: {names}")
    if group.spec.fitted or group.spec.calibrated:
        _check_fit(plan, group, what)


def _check_budget(plan: Plan, group: Group) -> None:
    """Refuse a number of parameters that no candidate keeps, where all are known before they are built. Of a search others may
    come."""
    limit, counts = group.spec.max_parameters, [[plan.parameters(one) for one in member.trainings] for member in group.members]
    if limit is None or plan.study.search or any(None in of for of in counts):
        return
    least, member = min((sum(filter(None, of)), member.name) for of, member in zip(counts, group.members, strict=True))
    if least > limit:
        raise Misuse(
            f"{group.kind} {group.name!r}: max_parameters = {limit:,}, and the smallest candidate, {member!r}, has {least:,}"
        )


def _same_test(what: str, a: tuple[Member, list[Parts]], b: tuple[Member, list[Parts]]) -> None:
    for (one, its), (other, others) in ((a, b), (b, a)):
        judged = np.unique(np.concatenate([_drawn(part) for part in its]))
        for part in others:
            learned = np.concatenate([part.indices["train"], part.indices.get("validation", judged[:0])])
            if leaked := int(np.isin(judged, learned).sum()):
                raise Misuse(
                    f"{what}: {leaked:,} test images of {one.name!r} are among the training and validation images of "
                    f"{other.name!r}; members have to be split alike"
                )
    if not np.array_equal(_drawn(a[1][0]), _drawn(b[1][0])):
        pair = f"{a[0].name!r} and {b[0].name!r}"
        raise Misuse(f"{what}: {pair} are judged on different test images; members have to be split alike")


def _drawn(parts: Parts) -> Positions:
    """Which of the training images the split made test images; none where the data set has its own."""
    return parts.indices.get("test", np.zeros(0, np.int64))


def _check_fit(plan: Plan, group: Group, what: str) -> None:
    spec, classes = group.spec, plan.dataset.classes
    fitted = spec.rule if spec.fitted else spec.calibrated
    first, labels = unseen_places(plan, group.members[0])
    first = np.sort(first)
    for member in group.members:
        places = np.sort(unseen_places(plan, member)[0])
        if not len(places):
            raise Misuse(
                f"{what}: {fitted} is fitted on images held out, and {member.name!r} has neither a validation split nor folds; "
                f"give split.validation, such as 0.2, or split.folds"
            )
        if not np.array_equal(places, first):
            raise Misuse(
                f"{what}: {fitted} is fitted on images that no member was trained on, and {group.members[0].name!r} and "
                f"{member.name!r} hold out different ones; members have to be split alike"
            )
    numbers = _numbers(spec, len(group.members), classes)
    if len(labels) < numbers:
        raise Misuse(
            f"{what}: {fitted} of {len(group.members)} members and {classes} classes has {numbers:,} numbers to fit, and there "
            f"are {len(labels):,} images held out; {_with_fewer(spec)}, or hold out more"
        )
    if len(missing := np.setdiff1d(np.arange(classes), labels)):
        names = ", ".join(repr(plan.dataset.class_names[label]) for label in missing[:3])
        raise Misuse(f"{what}: {fitted} is fitted on {len(labels):,} images held out, and none of them is of class {names}")


def _with_fewer(spec: CommitteeSpec) -> str:
    """What has fewer numbers to fit."""
    if spec.rule == "stack":
        return "take a rule with fewer, such as log-pool"
    if spec.calibrated not in (None, AUTO, "temperature"):
        return "take a calibration with fewer, such as temperature"
    return "name fewer candidates" if spec.candidates else "name fewer members"


def _numbers(spec: CommitteeSpec, members: int, classes: int) -> int:
    """How many numbers a committee's fits have."""
    # Of "greedy" a temperature each, fitted alone and held near 1; the shares are counts of at most 50 picks, made one by one.
    of_rule = {"stack": (members * classes + 1) * (classes - 1)}.get(spec.rule, members) if spec.fitted else 0
    # "auto" tries what there are images for, and a temperature at least.
    after = "temperature" if spec.calibrated == AUTO else spec.calibrated
    return of_rule + (CALIBRATIONS[after].numbers(classes) if after else 0)
