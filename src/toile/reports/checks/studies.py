"""Checks of lines, of grids and of the images."""

from __future__ import annotations

from statistics import NormalDist, fmean, stdev

from toile.reports.checks.trainings import LEVEL, distance
from toile.reports.results.lines import Line, curves_of_sweeps, study_lines
from toile.reports.results.study import StudyResults
from toile.reports.text import figure, joined

LARGEST = 2.0  # times its even share of the images: from then on accuracy is mostly of one class


def below_baseline(results: StudyResults) -> list[str]:
    """A line is right no more often than the commonest class would be, or less often than a logistic regression beyond chance.

    Chance is what drawing images explains: a test of two proportions at 1 %, divided by the number of lines (Bonferroni).
    """
    said, lines = [], study_lines(results)
    limit = NormalDist().inv_cdf(1 - LEVEL / max(1, len(lines)))
    for line in lines:
        found, part = results.baselines.get(line.trials[0].name) or {}, line.part
        accuracy, images = line.mean("accuracy"), _images(line)
        majority, logistic = (found.get(key, {}).get(part) for key in ("majority", "logistic"))
        if accuracy is None:
            continue
        below = []
        if majority is not None and accuracy <= majority < 1:
            below.append(f"no more than the commonest class alone would be ({figure(majority)})")
        if logistic is not None and images and distance((logistic, images), (accuracy, images)) > limit:
            below.append(f"fewer than a logistic regression ({figure(logistic)})")
        if below:
            said.append(f"{line.name} is right on {figure(accuracy)} of the {part} images, {joined(below)}.")
    return said


def at_the_edge(results: StudyResults) -> list[str]:
    """The best value of a grid, by the validation images, is its first or its last: a better one may lie beyond."""
    said = []
    for key, sweeps in curves_of_sweeps(results).items():
        for name, points in sweeps.items():
            known = [(value, accuracy) for value, line in points if (accuracy := _validation(line)) is not None]
            if len(known) > 2 and len({accuracy for _, accuracy in known}) > 1:
                place = max(range(len(known)), key=lambda index: known[index][1])
                if place in (0, len(known) - 1):
                    side = "smallest" if place == 0 else "largest"
                    said.append(
                        f"{name}: the best {key} on the validation images is {known[place][0]:g}, the {side} that was tried."
                    )
    return said


def imbalanced(results: StudyResults) -> list[str]:
    """One class has more than twice its even share of the training images, so that accuracy is mostly about it."""
    counts = (results.audit.get("train") or {}).get("counts") or []
    if not sum(counts) or max(counts) <= LARGEST * sum(counts) / len(counts):
        return []
    name, share = results.dataset.class_names[counts.index(max(counts))], max(counts) / sum(counts)
    recalls = [value for line in study_lines(results) if (value := line.mean("balanced_accuracy")) is not None]
    beside = (
        f" The balanced accuracy, the mean over classes of the share that is found, is {figure(max(recalls))} at best."
        if recalls
        else ""
    )
    return [f"{name} has {100 * share:.0f} % of the training images: always to say so would be right as often.{beside}"]


def shared_pictures(results: StudyResults) -> list[str]:
    """Images of one part are in another too, as the audit says it."""
    return [f"{sentence}." for sentence in results.audit.get("shared", [])]


def within_seeds(results: StudyResults) -> list[str]:
    """The two best lines differ by less than the seeds of either do."""
    lines = [line for line in study_lines(results) if line.part == "test" and len(line.values("accuracy")) > 1]
    if len(lines) < 2:
        return []
    best, second = sorted(lines, key=lambda line: -fmean(line.values("accuracy")))[:2]
    difference = fmean(best.values("accuracy")) - fmean(second.values("accuracy"))
    spread = max(stdev(line.values("accuracy")) for line in (best, second))
    if difference >= spread:
        return []
    return [
        f"{best.name} and {second.name} differ by {figure(difference)} on the test images, and their seeds by a standard "
        f"deviation of up to {figure(spread)}."
    ]


def _validation(line: Line) -> float | None:
    found = [trial.validation["accuracy"] for trial in line.trials if trial.validation.get("accuracy") is not None]
    return fmean(found) if found else None


def _images(line: Line) -> int:
    """Of the part that a line is judged by."""
    return (line.trials[0].test if line.part == "test" else line.trials[0].validation).get("images", 0)
