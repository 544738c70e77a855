"""What the smaller verbs print: committees, comparisons, predictions."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table

from toile.errors import ToileError
from toile.reports.text import MEAN_OF_MEMBERS, figure

if TYPE_CHECKING:
    from toile.reports.results import StudyResults
    from toile.verbs import Answer, Exported

FIGURES = ("accuracy", "loss", "precision", "recall")


def print_committees(results: StudyResults) -> None:
    """Each committee, its members, and the means of the members' figures, which no committee has.

    Raises:
        ToileError: the study has none, or none whose members are all stored.
    """
    if not results.study.committee:
        raise ToileError(f"the study {results.reference!r} has no [[committee]]")
    if not results.committees:
        raise ToileError(f"no committee's members are all stored; `toile run {results.reference}` trains what is missing")
    table = Table(title=f"{results.title} ({results.dataset.name}, test images)", title_justify="left")
    table.add_column("committee or member")
    for name in FIGURES:
        table.add_column(name, justify="right")
    members = {trial.name: trial for trial in results.stored}
    for committee in results.committees:
        weights = committee.weights or (None,) * len(committee.members)
        for name, weight in zip(committee.members, weights, strict=True):
            said = "" if weight is None else f" (weight {weight:.3f})"
            table.add_row(name + said, *(figure(members[name].test.get(key)) for key in FIGURES))
        means = (figure(committee.mean_of_members.get(key)) for key in FIGURES)
        table.add_row(MEAN_OF_MEMBERS, *means, style="dim")
        figures = (figure(committee.test.get(key)) for key in FIGURES)
        table.add_row(f"{committee.name} ({committee.rule})", *figures, style="bold", end_section=True)
    Console().print(table)


def print_comparison(found: dict[str, Any]) -> None:
    """A comparison as its verdict and the figures that it rests on."""
    console = Console(highlight=False)
    for key, value in found.items():
        if key != "verdict":
            label = key.replace("_", " ")
            shown = " to ".join(map(_plain, value)) if "interval" in key else _plain(value)
            console.print(f"{label:<16} {shown}", markup=False)
    console.print(found["verdict"], markup=False, style="bold")


def print_gradient_check(rows: Iterable[dict[str, Any]]) -> None:
    """How far backpropagation and central differences lie apart, array by array."""
    table = Table("layer", "array", title="Backpropagation against central differences", title_justify="left")
    for name in ("weights", "checked", "relative error", "largest difference", "largest gradient"):
        table.add_column(name, justify="right")
    for row in rows:
        errors = (f"{row[key]:.2e}" for key in ("relative_error", "largest_difference", "largest_gradient"))
        table.add_row(row["layer"], row["array"], f"{row['weights']:,}", f"{row['checked']:,}", *errors)
    Console().print(table)


def print_answers(answers: Iterable[Answer]) -> None:
    """For each image: what was done to it, what it is, how sure, and how the members voted."""
    console = Console(highlight=False)
    for answer in answers:
        ranked = sorted(answer.probabilities.items(), key=lambda pair: -pair[1])
        console.print(f"{answer.image}: {answer.class_name} ({ranked[0][1]:.1%})", markup=False, style="bold")
        for step in answer.steps:
            console.print(f"  image: {step}", markup=False)
        for name, probability in ranked:
            console.print(f"  {probability:7.4f}  {name}", markup=False)
        for member, probabilities in answer.members.items():
            vote = max(probabilities, key=probabilities.__getitem__)
            console.print(f"  {member}: {vote} ({probabilities[vote]:.1%})", markup=False)


def print_export(made: Exported) -> None:
    """Where the file is, and how well it says what the stored models say."""
    console = Console(highlight=False, soft_wrap=True)
    console.print(f"{made.path.resolve()}", markup=False, style="bold")
    undecided = f"; {made.undecided} of them equal but for rounding" if made.undecided else ""
    console.print(f"largest difference {made.difference:.1e} on {made.images:,} images, the same class on all{undecided}")
    if made.from_stored is not None:
        console.print(f"from the probabilities that the store has: {made.from_stored:.1e}")


def _plain(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {_plain(one)}" for key, one in value.items())
    if isinstance(value, (list, tuple)):
        return ", ".join(map(_plain, value))
    return f"{value:.4g}" if isinstance(value, float) else str(value)
