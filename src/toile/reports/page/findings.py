"""What was found, in sentences made from the figures. They say for each figure what kind of figure it is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from statistics import fmean

from toile.evaluation.significance import McNemar
from toile.reports.page.comparisons import over
from toile.reports.page.students import sentences
from toile.reports.plots.accuracy import accuracies
from toile.reports.results.claim import Claim
from toile.reports.results.claims import best_line, committee_lines
from toile.reports.results.lines import study_lines
from toile.reports.results.result import CommitteeResult, TrialResult
from toile.reports.results.study import StudyResults
from toile.reports.text import count, figure, joined, p_value, spread
from toile.study.expand import combinations
from toile.study.spec import SweepSpec
from toile.text import counted_images


def findings(results: StudyResults) -> list[str]:
    """The summary of the report: one string a paragraph, plain text."""
    missing = [trial for trial in results.trials if trial.run is None]
    if not results.stored:
        return [f"None of the {len(results.trials)} trials of this study has been run yet, so there is nothing to report."]
    paragraphs = [_models(results)]
    paragraphs += [_best_of(results, sweep) for sweep in results.study.sweep]
    paragraphs += [
        _committee(results, line, of, explained=number == 0)
        for number, (line, of) in enumerate(committee_lines(results).items())
    ]
    paragraphs += [f"Not made: {why}." for why in results.unmade]
    paragraphs += [*sentences(results), _compared(results)]
    if missing:
        paragraphs.append(f"Not run yet: {len(missing)} of {len(results.trials)} trials. Everything here is about the others.")
    return [paragraph for paragraph in paragraphs if paragraph]


def _models(results: StudyResults) -> str:
    judged = {line.name for line in study_lines(results) if line.part == "test" and all(map(results.judged, line.trials))}
    shown = [row for panel in accuracies(results) if panel["part"] == "test" for row in panel["rows"]]
    rows = [row for row in shown if row["kind"] == "model" and row["name"] in judged]
    if not rows:
        return ""
    best = max(rows, key=lambda row: row["accuracy"])
    tested = f"{len(results.test_images):,} test images of {results.dataset.name}"
    between = f"{figure(best['low'])} to {figure(best['high'])}"
    interval = f"95 % interval {between}" if best["n"] == 1 else f"the mean of {best['n']} trainings, {between}"
    models = len(judged)
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
        lines: dict[str, list[TrialResult]] = {}
        for trial in chosen:
            lines.setdefault(trial.line or trial.name, []).append(trial)
        means = {name: fmean(trial.validation["accuracy"] for trial in of) for name, of in lines.items()}
        picks = [name for name, mean in means.items() if mean == max(means.values())]
        same = "the same model" if picks == [best["name"]] else joined(picks) + " alike" * (len(picks) > 1)
        text += f" The validation images, which may choose, choose {same}"
        tested = [trial.test["accuracy"] for trial in lines[picks[0]] if "accuracy" in trial.test]
        if len(picks) == 1 and picks != [best["name"]] and len(tested) == len(lines[picks[0]]):
            text += f" ({figure(fmean(tested))} on test)"
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


def _committee(results: StudyResults, line: str, committees: Sequence[CommitteeResult], *, explained: bool) -> str:
    """The committees of a line beside their members; `explained`, as the first is, with what kinds of figures these are."""
    accuracy, first = spread([one.test["accuracy"] for one in committees]), committees[0]
    mean = [one.mean_of_members["accuracy"] for one in committees if "accuracy" in one.mean_of_members]
    several = "" if len(committees) == 1 else f", {len(committees)} times, each time of other trainings,"
    if explained:
        text = (
            f"The committee “{line}” joins the probabilities of {_members(committees)}{several} by the rule “{first.rule}” "
            f"and is right on a share of {accuracy} of the test images."
        )
        average = (
            " The mean of its members’ accuracies is {}: another kind of number, which no set of probabilities has and which "
            "says nothing about the committee."
        )
    else:
        text = f"“{line}” joins {_members(committees)}{several} by the rule “{first.rule}” and has {accuracy}."
        average = " The mean of its members’ accuracies is {}."
    if mean:
        text += average.format(figure(fmean(mean)))
    return text + _beside_its_best(results, line, committees) + _fitted(committees)


def _fitted(committees: Sequence[CommitteeResult]) -> str:
    """Sentences on what was fitted and chosen, and what it came to."""
    committee = committees[0]
    if not committee.fitted_on:
        return ""
    after = ""
    if (calibration := committee.calibration) is not None:
        of = (
            "" if calibration.by_folds is None or len(committees) > 1 else f", the best of {len(calibration.by_folds)} by folds"
        )
        # "auto" may choose another one for each seed.
        times = Counter(one.calibration.name for one in committees if one.calibration is not None)
        several = len(times) > 1
        named = [f"“{name}”" + f" ({number} of {len(committees)})" * several for name, number in times.items()]
        after = f", and calibrated by {joined(named)}{of}"
    loss, error = (spread([one.test[name] for one in committees]) for name in ("loss", "ece"))
    text = f" It was fitted on {committee.fitted_on}{after}: its log loss is {loss}, its calibration error {error}."
    if (choice := committee.choice) is not None and len(committees) == 1:
        at = choice.path[choice.picks - 1]
        text += (
            f" {len(committee.joined)} of {choice.candidates} candidates were chosen; on the images that chose them the log "
            f"loss is {figure(at['loss'])}, on images held out of the choice {figure(at['nested'])}, on the test images "
            f"{figure(at['test'])}."
        )
    return text


def _members(committees: Sequence[CommitteeResult]) -> str:
    """The members in words, several trainings of a line together; of several committees, the lines."""
    if len(committees) > 1:
        return joined(list(dict.fromkeys(member.line for one in committees for member in one.joined)))
    lines: dict[str, list[str]] = {}
    for member in committees[0].joined:
        lines.setdefault(member.line, []).append(member.name)
    return joined([names[0] if len(names) == 1 else f"{len(names)} trainings of “{line}”" for line, names in lines.items()])


def _beside_its_best(results: StudyResults, line: str, committees: Sequence[CommitteeResult]) -> str:
    """A sentence on the committee and the best of its members."""
    claims = results.claims.beside.get(line, ())
    if not claims:
        return ""
    if len(claims) == 1:
        (claim,) = claims
        ours = claim.test.difference * (1 if claim.a[0] == "committee" else -1)
        best = (claim.b if claim.a[0] == "committee" else claim.a)[1]
        side = "as often right as" if abs(ours) < 5e-5 else f"{abs(ours):.4f} {_side(ours)}"
        return f" The committee is {side} its best member, {best}{_tested(results, claim)}."
    better = sum(claim.differ and claim.a[0] == "committee" for claim in claims)
    worse = sum(claim.differ and claim.b[0] == "committee" for claim in claims)
    return (
        f" Of the {len(claims)} committees, {better} are better and {worse} worse than their best members, mostly "
        f"“{best_line(committees)}”, by more than chance (McNemar’s exact test, corrected)."
    )


def _side(difference: float) -> str:
    return "above" if difference > 0 else "below"


def _tested(results: StudyResults, claim: Claim) -> str:
    """What a comparison shows, by which test."""
    verdict = "more than chance" if claim.differ else "no more than chance may do"
    p = f"p\N{NO-BREAK SPACE}{p_value(claim.p_value, relation=True)}"
    same = f"; they are equivalent within {results.claims.margin:g}" if claim.equivalent else ""
    if (one := claim.only_not_worse) is not None:
        same = f"; {one[1]} is shown to be not worse by {results.claims.margin:g} or more"
    if isinstance(claim.test, McNemar):
        alone = f"{claim.a[1]} alone is right on {counted_images(claim.test.only_a)}, {claim.b[1]} alone on "
        return f"; {alone}{count(claim.test.only_b)}, which is {verdict} (McNemar’s exact test, {p}){same}"
    if not claim.test.testable:
        return f", the same each time over {over(claim)}: without any spread that cannot be tested"
    return f", which is {verdict} (paired t-test over {over(claim)}, {p}){same}"


def _compared(results: StudyResults) -> str:
    """How many comparisons there are, who cannot be told from the best, and what the p-values mean."""
    claims = results.claims
    if not claims.pairs:
        return ""
    kinds = {claim.over for claim in claims.pairs.values()}
    number = claims.tests
    tests = f"{number:,} tests are made here" if number > 1 else "One test is made here"
    text = f"{tests}, and each p is corrected for all of them (Holm)." if number > 1 else f"{tests}."
    if "images" in kinds:
        text += " Tests over images speak of these trainings, and nothing is said of other seeds."
    if "seeds" in kinds:
        text += " Tests over seeds speak of architectures and recipes, on these test images."
    for part, where in (("test", "on the test images"), ("validation", "on the held-out folds")):
        ranked = claims.ranked(part)
        if len(ranked) > 2:
            best, *rest = ranked
            said = [(one.ref[1], claims.of(best.ref, one.ref)) for one in rest]
            others = [name for name, claim in said if claim is None or not claim.differ]
            same = f"{joined(others)} cannot be told from it" if others else "it is told apart from all others"
            text += f" Of {len(ranked)} models and committees, {best.ref[1]} has the highest accuracy {where}, and {same}."
    return text
