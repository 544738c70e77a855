"""How a committee was chosen: what each further pick came to, on the images of the selection and on others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from toile.reports.page.palette import series
from toile.reports.plots.svg import panel
from toile.reports.results.study import StudyResults

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# The three curves, from the images that chose to those that did not: their label, and how the line is drawn.
CURVES = {
    "loss": ("on the images of the selection", (0, (1, 1.5))),
    "nested": ("held out of it, by folds", (0, (4, 2))),
    "test": ("on the test images, which chose nothing", "solid"),
}


def selection_paths(results: StudyResults) -> list[dict[str, Any]]:
    """The log loss along the path of each greedy selection.

    Returns:
        For each: `title`, `description`, `picks` (1, 2, …), `chosen` (how many of them the committee has) and, by the names in
        `CURVES`, the log loss after each pick.
    """
    panels = []
    for committee in results.committees:
        if (choice := committee.choice) is not None:
            at = choice.path[choice.picks - 1]
            spoken = ", ".join(f"{at[key]:.4f} {label}" for key, (label, _) in CURVES.items())
            panels.append({
                "title": committee.name,
                "description": f"Log loss of {committee.name} after {choice.picks} picks: {spoken}",
                "picks": list(range(1, len(choice.path) + 1)),
                "chosen": choice.picks,
                **{key: [step[key] for step in choice.path] for key in CURVES},
            })  # fmt: skip
    return panels


def draw_selection_path(data: dict[str, Any]) -> Figure:
    from matplotlib.ticker import MaxNLocator

    figure, axes = panel(380, 260, left=56, right=14, bottom=40)
    for number, (key, (_, dashes)) in enumerate(CURVES.items()):
        axes.plot(data["picks"], data[key], color=series(number), linewidth=1.8, linestyle=dashes)
        axes.plot(data["chosen"], data[key][data["chosen"] - 1], marker="o", markersize=5, color=series(number))
    axes.xaxis.set_major_locator(MaxNLocator(7, integer=True))
    axes.yaxis.set_major_locator(MaxNLocator(5))
    axes.margins(0.06)
    axes.grid(axis="y")
    axes.set_xlabel("picks (dot: those of the committee)")
    axes.set_ylabel("log loss")
    axes.set_title(data["title"])
    return figure


def selection_paths_legend(_: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What the panels share: `label`, `colour` (CSS), `dashed` of each curve."""
    return [
        {"label": label, "colour": f"var(--series-{number})", "dashed": dashes != "solid", "marker": ""}
        for number, (label, dashes) in enumerate(CURVES.values(), start=1)
    ]
