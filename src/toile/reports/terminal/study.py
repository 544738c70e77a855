"""The figures of a study as tables for a terminal."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from toile.reports.results.lines import OF_PART, study_lines
from toile.reports.results.study import StudyResults
from toile.reports.text import MEAN_OF_MEMBERS, count, duration, figure

if TYPE_CHECKING:
    from toile.terminal import Terminal

# A narrower terminal gets the figures alone.
WIDE = 104
FIGURES = ("accuracy", "loss", "precision", "recall")


def print_summary(results: StudyResults, console: Terminal) -> None:
    """Print the models (several seeds or folds as their mean) and the committees, and below each what was published."""
    from rich import box
    from rich.table import Table

    tested = "no" if results.test is None else f"{len(results.test):,}"
    title = f"{results.title} · {results.dataset.name}, {tested} test images"
    table = Table(title=title, title_justify="left", box=box.SIMPLE, padding=(0, 1, 0, 0), pad_edge=False)
    table.add_column("model or committee", overflow="fold", min_width=30)
    wide = console.width >= WIDE
    names = ("balanced_accuracy", *FIGURES) if results.uneven else FIGURES
    for column in (*(name.replace("_", " ") for name in names), *(("parameters", "epochs", "training") if wide else ())):
        table.add_column(column, justify="right", no_wrap=True)

    def row(label: str, figures: dict, *rest: str, style: str = "") -> None:
        cells = [figure(figures.get(key)) for key in names]
        table.add_row(label, *cells, *(rest if wide else ()), style=style)

    planned = Counter(trial.line or trial.name for trial in results.trials)
    absent = {trial.line or trial.name: trial.absent for trial in results.trials}
    lines = {line.name: line for line in study_lines(results)}
    for name, number in planned.items():
        if name not in lines:
            table.add_row(name, absent[name], style="dim")
            continue
        line = lines[name]
        several = f": mean of {len(line.trials)}" + (f" of {number}" if len(line.trials) < number else "") if number > 1 else ""
        facts = count(line.fact("parameters")), count(line.fact("epochs_run")), duration(line.fact("seconds", "train"))
        row(name + several + OF_PART[line.part], {key: line.mean(key) for key in names}, *facts)
        if line.published:
            row("  published", line.published, style="dim")
    if results.committees:
        table.add_section()
    for committee in results.committees:
        row(f"{committee.name} ({committee.rule})", committee.test, style="bold")
        row(f"  {MEAN_OF_MEMBERS}", committee.mean_of_members, style="dim")
        for key, what in (("mean_of_members", "  published, as combined"), ("test", "  published")):
            if published := (committee.published or {}).get(key):
                row(what, published, style="dim")
    console.print(table)
    for why in results.unmade:
        console.print(f"not made: {why}")
