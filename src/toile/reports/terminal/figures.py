"""What the smaller verbs print: committees, comparisons, gradient checks, layers."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich import box
from rich.table import Table

from toile.errors import ToileError
from toile.models.outline import outline
from toile.reports.text import MEAN_OF_MEMBERS, NOTHING, figure, shares
from toile.terminal import Terminal
from toile.text import counted

if TYPE_CHECKING:
    from toile.reports.results.study import StudyResults

FIGURES = ("accuracy", "loss", "ece", "precision", "recall")


def print_committees(results: StudyResults) -> None:
    """Each committee, its members, and the means of the members' figures, which no committee has.

    Raises:
        ToileError: the study has none, or none whose members are all stored.
    """
    if not results.study.committee:
        raise ToileError(f"the study {results.reference!r} has no [[committee]]")
    if not results.committees and not results.unmade:
        raise ToileError(f"no committee's members are all stored; `toile run {results.called}` trains what is missing")
    title = f"{results.title} ({results.dataset.name}, test images)"
    # Narrow enough for all columns on 80 characters.
    table = Table(title=title, title_justify="left", box=box.SIMPLE, padding=(0, 1, 0, 0), pad_edge=False)
    table.add_column("committee or member", overflow="fold")
    for name in FIGURES:
        table.add_column(name, justify="right", no_wrap=True)
    for committee in results.committees:
        said = shares(committee.rule, committee.weights, len(committee.members))
        for member, share in zip(committee.joined, said, strict=True):
            own = f"{member.name} ({share})" if committee.weights else member.name
            table.add_row(own, *(figure(member.test.get(key)) for key in FIGURES))
        means = (figure(committee.mean_of_members.get(key)) for key in FIGURES)
        table.add_row(MEAN_OF_MEMBERS, *means, style="dim")
        figures = (figure(committee.test.get(key)) for key in FIGURES)
        after = f", {committee.calibration.name}" if committee.calibration else ""
        table.add_row(f"{committee.name} ({committee.rule}{after})", *figures, style="bold", end_section=True)
    console = Terminal()
    if results.committees:
        console.print(table)
    for why in results.unmade:
        console.print(f"not made: {why}")


def print_comparison(found: dict[str, Any]) -> None:
    """A comparison as its verdict and the figures that it rests on."""
    console = Terminal()
    for key, value in found.items():
        if key != "verdict":
            label = key.replace("_", " ")
            if "interval" in key:
                shown = NOTHING if None in value else " to ".join(map(_plain, value))
            elif key == "each":  # training by training, what both have
                shown = ", ".join(" and ".join(map(_plain, pair)) for pair in value)
            else:
                shown = _plain(value)
            console.print(f"{label:<16} {shown}")
    console.print(found["verdict"], style="bold")


def print_gradient_check(rows: Iterable[dict[str, Any]]) -> None:
    """How far backpropagation and central differences lie apart, array by array."""
    table = Table("layer", "array", title="Backpropagation against central differences", title_justify="left")
    for name in ("weights", "checked", "relative error", "largest difference", "largest gradient"):
        table.add_column(name, justify="right")
    for row in rows:
        errors = (f"{row[key]:.2e}" for key in ("relative_error", "largest_difference", "largest_gradient"))
        table.add_row(row["layer"], row["array"], f"{row['weights']:,}", f"{row['checked']:,}", *errors)
    Terminal().print(table)


def _plain(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {_plain(one)}" for key, one in value.items())
    if isinstance(value, (list, tuple)):
        return ", ".join(map(_plain, value))
    if value is None:
        return NOTHING
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def print_layers(name: str, path: Path) -> None:
    """The layers of a stored model, as Keras's `model.summary` shows them.

    Raises:
        ToileError: it is a classical model, which has none, or no model at all.
    """
    rows = outline(path)
    table = Table(title=f"The layers of {name}", title_justify="left", box=box.SIMPLE, padding=(0, 1, 0, 0), pad_edge=False)
    for column in ("layer", "kind", "options", "comes out"):
        table.add_column(column, overflow="fold")
    table.add_column("parameters", justify="right", no_wrap=True)
    for row in rows:
        table.add_row(row.name, row.kind, row.says, row.shape, f"{row.parameters:,}")
    console = Terminal()
    console.print(table)
    console.print(f"{counted(len(rows), 'layer')}, {sum(row.parameters for row in rows):,} parameters")
