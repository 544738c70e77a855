"""A picture of a model's layers: one box a layer from the image down, as Keras's `plot_model` and `summary` show them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from toile.errors import ToileError
from toile.models.outline import outline
from toile.reports.page.palette import INK, MUTED, RULE, SURFACE, series
from toile.reports.plots.svg import FONT, panel, shortened
from toile.reports.results.lines import study_lines
from toile.reports.results.study import StudyResults

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# So many different models are drawn; of one with more layers, as many from both ends.
MODELS, LAYERS = 12, 30
HEIGHT = 26


def layers(results: StudyResults) -> list[dict[str, Any]]:
    """The layers of each different Keras model of the study, of the lines in their order.

    A model is another one where a layer, its options or its parameters are. A classical model has none, and a file that is not
    what it should be is left out: who asks `toile show RUN --layers` is told.

    Returns:
        A dictionary a model: `title` (the lines that have it), `description`, `layers` (`kind`, `shape`, `parameters`, `says`
        each), `left_out` (how many layers in the middle are not drawn) and `parameters` in all.
    """
    found: dict[tuple[Any, ...], dict[str, Any]] = {}
    for line in study_lines(results):
        if line.trials[0].trial.get("learner") == "classical":
            continue
        try:
            rows = outline(line.trials[0].stored_run.model)
        except ToileError:
            continue
        key = tuple((row.kind, row.shape, row.parameters, row.says) for row in rows)
        if key in found:
            found[key]["names"].append(line.name)
        elif len(found) < MODELS:
            found[key] = {"names": [line.name], "rows": rows}
    return [_panel(one["names"], one["rows"]) for one in found.values()]


def _panel(names: list[str], rows: list[Any]) -> dict[str, Any]:
    plain = [{"kind": row.kind, "shape": row.shape, "parameters": row.parameters, "says": row.says} for row in rows]
    left_out = max(0, len(plain) - LAYERS)
    shown = plain if not left_out else plain[: LAYERS // 2] + plain[len(plain) - LAYERS // 2 :]
    total = sum(row.parameters for row in rows)
    several = f" and {len(names) - 1} more" if len(names) > 1 else ""
    words = "; ".join(f"{row['kind']} {row['shape']}".strip() for row in shown)
    return {
        "title": names[0] + several, "description": f"{len(plain)} layers, {total:,} parameters: {words}", "layers": shown,
        "left_out": left_out, "parameters": total,
    }  # fmt: skip


def draw_layers(data: dict[str, Any]) -> Figure:
    from matplotlib.patches import FancyBboxPatch

    rows = data["layers"]
    figure, axes = panel(380, 60 + HEIGHT * len(rows), left=8, right=8, top=28, bottom=22)
    axes.set_xlim(0, 1)
    axes.set_ylim(len(rows), 0)
    axes.axis("off")
    middle = len(rows) // 2 if data["left_out"] else -1
    for index, row in enumerate(rows):
        learns = row["parameters"] > 0
        box = FancyBboxPatch(
            (0.01, index + 0.1), 0.98, 0.76, boxstyle="round,pad=0,rounding_size=0.012", linewidth=1.2 if learns else 0.8,
            facecolor=SURFACE, edgecolor=series(0) if learns else RULE, mutation_aspect=len(rows),
        )  # fmt: skip
        axes.add_patch(box)
        if index + 1 < len(rows):
            axes.plot([0.5, 0.5], [index + 0.86, index + 1.1], color=MUTED, linewidth=1)
        says = f", {row['says']}" if row["says"] else ""
        place = {"va": "center", "fontsize": FONT - 1}
        axes.text(0.03, index + 0.48, shortened(row["kind"] + says, 40), color=INK, **place)
        right = row["shape"] + (f" · {row['parameters']:,}" if learns else "")
        axes.text(0.97, index + 0.48, right, color=MUTED, ha="right", **place)
        if index == middle:
            axes.text(0.52, index + 0.0, f"{data['left_out']} layers more", color=MUTED, fontsize=FONT - 2, va="center")
    axes.text(0.01, len(rows) + 0.5, f"{data['parameters']:,} parameters", color=MUTED, fontsize=FONT - 0.5, va="center")
    axes.set_title(shortened(data["title"], 44))
    return figure
