"""Checks of lines, of grids and of the images."""

from __future__ import annotations

from statistics import fmean, stdev

from toile.reports.results.lines import Line, curves_of_sweeps, study_lines
from toile.reports.results.study import StudyResults
from toile.reports.text import figure, joined

LARGEST = 2.0  # times its even share of the images: from then on accuracy is mostly of one class
BASELINES = {"majority": "the commonest class", "logistic": "a logistic regression"}


def below_baseline(results: StudyResults) -> list[str]:
    """A line is right no more often than the commonest class, or than a logistic regression."""
    said = []
    for line in study_lines(results):
        found = results.baselines.get(line.trials[0].name) or {}
        accuracy = line.mean("accuracy")
        below = [
            f"{what} ({figure(found[key][line.part])})"
            for key, what in BASELINES.items()
            if accuracy is not None and accuracy <= found.get(key, {}).get(line.part, -1.0)
        ]
        if below:
            said.append(f"{line.name} is right on {figure(accuracy)} of the {line.part} images, no more than {joined(below)}.")
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
    """Images of one part are in another too."""
    said = []
    for pair in ("train_and_validation", "train_and_test", "validation_and_test"):
        found = results.audit.get(pair) or {}
        near = (found.get("near_duplicates") or {}).get("images", 0)
        if images := found.get("images", 0) + near:
            first, _, second = pair.partition("_and_")
            nearly = f", {near:,} of them nearly the same" if near else ""
            said.append(f"{images:,} {second} images are among the {first} images too{nearly}.")
    return said


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
