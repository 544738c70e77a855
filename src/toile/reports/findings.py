"""What was found, in sentences made from the figures. They say for each figure what kind of figure it is."""

from __future__ import annotations

from toile.reports.plots.accuracy import accuracies
from toile.reports.results import CommitteeResult, StudyResults
from toile.reports.text import figure, joined


def findings(results: StudyResults) -> list[str]:
    """The summary of the report: one string a paragraph, plain text."""
    missing = [trial for trial in results.trials if trial.run is None]
    if not results.stored:
        return [f"None of the {len(results.trials)} trials of this study has been run yet, so there is nothing to report."]
    paragraphs = [_models(results), *(_committee(results, committee) for committee in results.committees)]
    if missing:
        paragraphs.append(
            f"Not run yet: {len(missing)} of {len(results.trials)} trials. Everything here is about the others."
        )
    return [paragraph for paragraph in paragraphs if paragraph]


def _models(results: StudyResults) -> str:
    rows = [row for panel in accuracies(results) for row in panel["rows"] if row["kind"] == "model"]
    if not rows:
        return ""
    best = max(rows, key=lambda row: row["accuracy"])
    tested = f"{len(results.test):,} test images of {results.dataset.name}"
    interval = f"95 % interval {figure(best['low'])} to {figure(best['high'])}"
    if len(rows) == 1:
        return f"On the {tested}, {best['name']} is right on a share of {figure(best['accuracy'])} ({interval})."
    text = (
        f"On the {tested}, {best['name']} has the highest accuracy of the {len(rows)} single models: "
        f"{figure(best['accuracy'])} ({interval}). It is shown, not selected on: to pick a model by its test figure would "
        "be peeking."
    )
    chosen = [trial for trial in results.stored if trial.validation.get("accuracy") is not None]
    if len(chosen) > 1:
        pick = max(chosen, key=lambda trial: trial.validation["accuracy"])
        same = "the same model" if pick.name == best["name"] else pick.name
        text += f" The validation images, which may choose, choose {same}"
        if pick.name != best["name"] and pick.test.get("accuracy") is not None:
            text += f" ({figure(pick.test['accuracy'])} on test)"
        text += "."
    return text


def _committee(results: StudyResults, committee: CommitteeResult) -> str:
    accuracy = committee.test.get("accuracy")
    members = {trial.name: trial.test.get("accuracy") for trial in results.stored if trial.name in committee.members}
    text = (
        f"The committee “{committee.name}” joins the probabilities of {joined(list(committee.members))} by the rule "
        f"“{committee.rule}” and is right on a share of {figure(accuracy)} of the test images."
    )
    mean = committee.mean_of_members.get("accuracy")
    if mean is not None:
        text += (
            f" The mean of its members’ accuracies is {figure(mean)}: another kind of number, which no set of probabilities "
            "has and which says nothing about the committee."
        )
    known = {name: value for name, value in members.items() if value is not None}
    if known and accuracy is not None:
        name = max(known, key=known.get)
        difference = accuracy - known[name]
        if abs(difference) < 5e-5:
            text += f" It is right as often as its best member, {name}."
        else:
            side = "above" if difference > 0 else "below"
            text += (
                f" It stands {abs(difference):.4f} {side} its best member, {name}. Whether such a difference is more than "
                "chance, only a paired test can tell."
            )
    return text
