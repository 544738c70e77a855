"""What was found, in sentences made from the figures. They say for each figure what kind of figure it is."""

from __future__ import annotations

from toile.evaluation.predictions import Predictions
from toile.evaluation.significance import mcnemar
from toile.reports.plots.accuracy import accuracies
from toile.reports.results.lines import study_lines
from toile.reports.results.study import CommitteeResult, MemberResult, StudyResults
from toile.reports.text import figure, joined
from toile.study.expand import combinations
from toile.study.spec import SweepSpec


def findings(results: StudyResults) -> list[str]:
    """The summary of the report: one string a paragraph, plain text."""
    missing = [trial for trial in results.trials if trial.run is None]
    if not results.stored:
        return [f"None of the {len(results.trials)} trials of this study has been run yet, so there is nothing to report."]
    paragraphs = [_models(results)]
    paragraphs += [_best_of(results, sweep) for sweep in results.study.sweep]
    paragraphs += [_committee(results, one, explained=one is results.committees[0]) for one in results.committees]
    if (number := len(results.committees)) > 1:
        paragraphs.append(
            f"{number} committees are tested here, and one test of twenty says “more than chance” where there is nothing but "
            f"chance: multiply a p by {number} before you believe it (Bonferroni)."
        )
    if missing:
        paragraphs.append(f"Not run yet: {len(missing)} of {len(results.trials)} trials. Everything here is about the others.")
    return [paragraph for paragraph in paragraphs if paragraph]


def _models(results: StudyResults) -> str:
    rows = [row for panel in accuracies(results) if panel["part"] == "test" for row in panel["rows"] if row["kind"] == "model"]
    if not rows:
        return ""
    best = max(rows, key=lambda row: row["accuracy"])
    tested = f"{len(results.test_images):,} test images of {results.dataset.name}"
    between = f"{figure(best['low'])} to {figure(best['high'])}"
    interval = f"95 % interval {between}" if best["n"] == 1 else f"the mean of {best['n']} trainings, {between}"
    models = sum(line.part == "test" for line in study_lines(results))
    if models == 1:
        return f"On the {tested}, {best['name']} is right on a share of {figure(best['accuracy'])} ({interval})."
    text = (
        f"On the {tested}, {best['name']} has the highest accuracy of the {models} single models: "
        f"{figure(best['accuracy'])} ({interval}). It is shown, not selected on: to pick a model by its test figure would "
        "be peeking."
    )
    chosen = [trial for trial in results.stored if trial.validation.get("accuracy") is not None]
    held_out = {(str(trial.trial.get("split")), trial.trial.get("fold")) for trial in chosen}
    if len(chosen) > 1 and len(held_out) == 1:  # figures of other validation images cannot choose between models
        pick = max(chosen, key=lambda trial: trial.validation["accuracy"])
        same = "the same model" if (pick.line or pick.name) == best["name"] else pick.name
        text += f" The validation images, which may choose, choose {same}"
        if (pick.line or pick.name) != best["name"] and pick.test.get("accuracy") is not None:
            text += f" ({figure(pick.test['accuracy'])} on test)"
        text += "."
    return text


def _best_of(results: StudyResults, sweep: SweepSpec) -> str:
    """Which point of a grid is the best on images that may choose: held-out folds, or the validation images."""
    before, lines = f"{sweep.name}: ", {line.name: line for line in study_lines(results)}
    points = [
        (trial.name.removeprefix(before), accuracy, len(lines[trial.name].trials))
        for trial in combinations(sweep)
        if trial.name in lines and (accuracy := lines[trial.name].of("validation", "accuracy")) is not None
    ]
    if len(points) < 2:
        return ""
    name, accuracy, trainings = max(points, key=lambda point: point[1])
    folds = any(trial.trial.get("fold") is not None for trial in lines[before + name].trials)
    where = "held-out folds" if folds else "validation images"
    several = f", the mean of {trainings} trainings" if trainings > 1 else ""
    text = (
        f"Of the {len(points)} points of “{sweep.name}”, {name} has the highest accuracy on the {where}: "
        f"{figure(accuracy)}{several}."
    )
    # Of two axes, the best of the second for each value of the first: as the best penalty of each activation.
    firsts = dict.fromkeys(point.partition(", ")[0] for point, _, _ in points if ", " in point)
    if len(firsts) > 1:
        best = [max((point for point in points if point[0].startswith(f"{first}, ")), key=lambda p: p[1]) for first in firsts]
        text += f" For each {next(iter(firsts)).partition('=')[0].replace('_', ' ')} the best is: "
        text += "; ".join(f"{point} ({figure(value)})" for point, value, _ in best) + "."
    return text


def _committee(results: StudyResults, committee: CommitteeResult, *, explained: bool) -> str:
    """A committee beside its members; `explained`, as the first is, with what kinds of figures these are."""
    members, accuracy = _members(committee), figure(committee.test.get("accuracy"))
    mean = committee.mean_of_members.get("accuracy")
    if explained:
        text = (
            f"The committee “{committee.name}” joins the probabilities of {members} by the rule “{committee.rule}” and is "
            f"right on a share of {accuracy} of the test images."
        )
        average = (
            " The mean of its members’ accuracies is {}: another kind of number, which no set of probabilities has and which "
            "says nothing about the committee."
        )
    else:
        text = f"“{committee.name}” joins {members} by the rule “{committee.rule}” and has {accuracy}."
        average = " The mean of its members’ accuracies is {}."
    if mean is not None:
        text += average.format(figure(mean))
    return text + _beside_its_best(results, committee, explained=explained) + _fitted(committee)


def _fitted(committee: CommitteeResult) -> str:
    """Sentences on what was fitted and chosen, and what it came to."""
    if not committee.fitted_on:
        return ""
    after = f", and calibrated by “{committee.calibration.name}”" if committee.calibration else ""
    loss, error = figure(committee.test.get("loss")), figure(committee.test.get("ece"))
    text = f" It was fitted on {committee.fitted_on}{after}: its log loss is {loss}, its calibration error {error}."
    if (choice := committee.choice) is not None:
        at = choice.path[choice.picks - 1]
        text += (
            f" {len(committee.joined)} of {choice.candidates} candidates were chosen; on the images that chose them the log "
            f"loss is {figure(at['loss'])}, on images held out of the choice {figure(at['nested'])}, on the test images "
            f"{figure(at['test'])}."
        )
    return text


def _members(committee: CommitteeResult) -> str:
    """The members in words, several trainings of a line together."""
    lines: dict[str, list[str]] = {}
    for member in committee.joined:
        lines.setdefault(member.line, []).append(member.name)
    return joined([names[0] if len(names) == 1 else f"{len(names)} trainings of “{line}”" for line, names in lines.items()])


def _beside_its_best(results: StudyResults, committee: CommitteeResult, *, explained: bool) -> str:
    """A sentence on the committee and the best of its members."""
    accuracy = committee.test.get("accuracy")
    known = [member for member in committee.joined if member.test.get("accuracy") is not None]
    if not known or accuracy is None:
        return ""
    best = max(known, key=lambda member: member.test["accuracy"])
    difference = accuracy - best.test["accuracy"]
    side = "as often right as" if abs(difference) < 5e-5 else f"{abs(difference):.4f} {_side(difference)}"
    tested = _tested(results, committee, best, explained=explained)
    return f" The committee is {side} its best member, {best.name}{tested}."


def _side(difference: float) -> str:
    return "above" if difference > 0 else "below"


def _tested(results: StudyResults, committee: CommitteeResult, member: MemberResult, *, explained: bool) -> str:
    """Whether the committee and its best member differ by more than chance, by a paired test."""
    labels = results.test_images.labels
    test = mcnemar(Predictions("test", committee.probabilities, labels), Predictions("test", member.probabilities, labels))
    verdict = "more than chance" if test.p_value < 0.05 else "no more than chance may do"
    p = f"p\N{NO-BREAK SPACE}=\N{NO-BREAK SPACE}{test.p_value:.2g}"
    note = f"McNemar’s exact test, {p}; one training each, so nothing is said of other seeds" if explained else p
    alone = f"the committee alone is right on {test.only_a:,} images, {member.name} alone on {test.only_b:,}"
    return f"; {alone}, which is {verdict} ({note})"
