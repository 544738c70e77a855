"""What a report may claim: every comparison that it makes, its p-value corrected for how many there are."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from statistics import fmean
from typing import Any

import numpy as np

from toile.arrays import Probabilities
from toile.data.dataset import Images
from toile.evaluation.multiplicity import holm
from toile.evaluation.predictions import Predictions
from toile.evaluation.repeated import across_folds, across_seeds
from toile.evaluation.significance import McNemar, mcnemar
from toile.reports.results.claim import Claim, Claims, Contender, Key, Ref, Test
from toile.reports.results.lines import Line, study_lines
from toile.reports.results.result import CommitteeResult, MemberResult, StoredStudy
from toile.study.expand import variants

# Of so many models and committees all are compared with all. Of more, with thousands of tests, hardly any could be believed.
MOST = 60

# A comparison before the correction: two, the test of them, and of how many the test images chose the second; 1 of no choice.
Tested = tuple[Ref, Ref, Test, int]


def make(results: StoredStudy) -> Claims:
    """Every comparison that the report of a study makes.

    Compared are all lines of models and all committees with each other, and each committee with the best of its members. What
    shares two seeds or folds or more is compared over these, by a paired t-test; what is single, or says the same with every
    seed, over the test images.
    """
    found, tested = contenders(results), dict[frozenset[Ref], Tested]()
    for a, b in itertools.combinations(found, 2) if len(found) <= MOST else ():
        if (test := _test(a, b)) is not None:
            tested[frozenset((a.ref, b.ref))] = (a.ref, b.ref, test, 1)
    by_ref = {one.ref: one for one in found}
    for line, recipe in ((line.name, line.recipe) for line in variants(results.study)):
        # A student and its teacher are compared however many others there are.
        student, teacher = by_ref.get(("model", line)), by_ref.get(("committee", recipe.teacher.name if recipe.teacher else ""))
        if student and teacher and (test := _test(student, teacher)) is not None:
            tested[frozenset((student.ref, teacher.ref))] = (student.ref, teacher.ref, test, 1)
    beside: dict[str, list[frozenset[Ref]]] = {}
    for line, committees in committee_lines(results).items():
        best = best_line(committees)
        pair = frozenset[Ref]((("committee", line), ("model", best or "")))
        if pair in tested:
            beside[line] = [pair]
            continue
        for a, b, test, among in _one_by_one(results, committees):
            tested[frozenset((a, b))] = (a, b, test, among)
            beside.setdefault(line, []).append(frozenset((a, b)))
    pairs = _corrected(tested, results.study.equivalence_margin)
    kept = tuple(found) if len(found) <= MOST else ()
    return Claims(
        results.study.equivalence_margin, kept, pairs, {line: tuple(map(pairs.__getitem__, of)) for line, of in beside.items()}
    )


def contenders(results: StoredStudy) -> list[Contender]:
    """All lines of models and of committees; a line that is another one under a second name once."""
    found: dict[tuple[str, ...], Contender] = {}
    lines = study_lines(results)
    for line in lines:
        if (one := _of_line(results, line)) is not None:
            found.setdefault(tuple(trial.fingerprint for trial in line.trials), one)
    series = len({trial.line or trial.name for trial in results.trials})
    committees = []
    for line, of in committee_lines(results).items():
        if results.test is not None and all(one.elsewhere is None for one in of):
            accuracies: dict[Key, float] = {one.key: one.test["accuracy"] for one in of}
            single = _always([one.probabilities for one in of], results.test)
            folds = [one.key[1] for one in of if one.key is not None and one.key[1] is not None]
            held_out = held_out_by(of[0]) if len(set(folds)) > 1 else None
            committees.append(Contender(("committee", line), series, "test", None, accuracies, single, held_out))
        series += len(of)
    return [*found.values(), *committees]


def committee_lines(results: StoredStudy) -> dict[str, list[CommitteeResult]]:
    """The committees by their names in the study file: of several seeds or folds, those together; others by themselves."""
    found: dict[str, list[CommitteeResult]] = {}
    for one in results.committees:
        found.setdefault(one.name if one.key is None else one.line or one.name, []).append(one)
    return found


def best_line(committees: Sequence[CommitteeResult]) -> str | None:
    """The line whose trainings, as members, are the most accurate on the test images; of all committees of a line."""
    lines: dict[str, list[float]] = {}
    for member in (member for one in committees for member in one.joined):
        if (accuracy := member.test.get("accuracy")) is not None:
            lines.setdefault(member.line, []).append(accuracy)
    return max(lines, key=lambda line: fmean(lines[line]), default=None)


def best_member(committee: CommitteeResult) -> MemberResult | None:
    """The member that is right on the most test images."""
    known = [member for member in committee.joined if member.test.get("accuracy") is not None]
    return max(known, key=lambda member: member.test["accuracy"], default=None)


def _of_line(results: StoredStudy, line: Line) -> Contender | None:
    """A line, where its figures are of the study's own test images or of held-out folds."""
    trials = [trial for trial in line.trials if getattr(trial, line.part).get("accuracy") is not None]
    if line.part == "test":
        trials = [trial for trial in trials if results.judged(trial)]
    if not trials:
        return None
    split, first = line.trials[0].trial["split"], trials[0]
    accuracies: dict[Key, float] = {
        (one.trial.get("seed", 0), one.trial.get("fold")): getattr(one, line.part)["accuracy"] for one in trials
    }
    single = None
    if line.part == "test" and len(set(accuracies.values())) == 1:
        single = _always([one.stored_run.probabilities("test") for one in trials], results.test_images)
    held_out = None
    if first.trial.get("fold") is not None and split.get("folds"):
        held_out = _held_out(split)
    return Contender(("model", line.name), line.series, line.part, split, accuracies, single, held_out)


def _held_out(split: Mapping[str, Any]) -> float:
    """Of folds, the images held out divided by those trained on; all folds need not be stored, nor all images trained on."""
    return 1 / ((split["folds"] - 1) * split.get("fraction", 1))


def held_out_by(committee: CommitteeResult) -> float:
    """The same of a committee of one fold, whose members are all split alike."""
    (run, *_) = committee.joined[0].trainings.values()
    return _held_out(run.trial["split"])


def _always(said: Sequence[Probabilities], test: Images) -> Predictions | None:
    """What one training says, or several that all decide the same, as those of a deterministic model do; else None."""
    decided = [one.argmax(axis=1) for one in said]
    return Predictions("test", said[0], test.labels) if all(np.array_equal(decided[0], one) for one in decided[1:]) else None


def _test(a: Contender, b: Contender) -> Test | None:
    """The test that two can be compared by, if any."""
    if a.part != b.part or (a.part == "validation" and a.split != b.split):
        return None
    if a.single is not None and b.single is not None:
        return mcnemar(a.single, b.single)
    shared = [key for key in a.accuracies if key is not None and key in b.accuracies]
    folds = [key[1] for key in shared if key[1] is not None]
    ours, its = ([one.accuracies[key] for key in shared] for one in (a, b))
    held_out = a.held_out or b.held_out
    if held_out is not None:
        return across_folds(ours, its, held_out, folds) if len(set(folds)) > 1 else None
    return across_seeds(ours, its) if len(shared) > 1 else None


def _one_by_one(results: StoredStudy, committees: Sequence[CommitteeResult]) -> Iterator[Tested]:
    """Each of several committees beside its own best member, which the test images chose."""
    for one in committees:
        if (best := best_member(one)) is not None:
            labels = (one.elsewhere or results.test_images).labels
            both = (Predictions("test", said.probabilities, labels) for said in (one, best))
            yield ("committee", one.name), ("model", best.name), mcnemar(*both), len(one.joined)


def _alone(test: Test, among: int, margin: float | None) -> list[float]:
    """The p-values of a pair before the correction: of "no difference"; with a margin, of "a is worse by it or more" and of "b
    is".

    That b is better than a, or not worse, is said of one that the test images chose, the best of so many: the p-value is
    multiplied with their number (Bonferroni). That a is better than the best of them, or not worse, needs no such correction.
    """
    found = [test.p_value * (among if test.difference < 0 else 1)]
    if margin is not None:
        found += [test.not_worse(margin), test.turned().not_worse(margin) * among]
    return [min(1.0, p) for p in found]


def _corrected(tested: dict[frozenset[Ref], Tested], margin: float | None) -> dict[frozenset[Ref], Claim]:
    """The claims: all tests, of differences and of who is not worse, corrected together."""
    alone = [_alone(test, among, margin) for _, _, test, among in tested.values()]
    # Of "no difference", "a is worse by the margin or more" and "b is", at most one can be true.
    pair_of = [number for number, one in enumerate(alone) for _ in one]
    corrected = iter(holm([p for one in alone for p in one], pair_of).tolist())
    found: dict[frozenset[Ref], Claim] = {}
    for pair, (a, b, test, _) in tested.items():
        p_value, not_worse = next(corrected), None if margin is None else (next(corrected), next(corrected))
        if test.difference < 0:
            a, b, test, not_worse = b, a, test.turned(), not_worse and not_worse[::-1]
        over = "images" if isinstance(test, McNemar) else test.over
        found[pair] = Claim(a, b, test, over, p_value, not_worse)
    return found
