"""What a notebook shows below a cell: the tables and pictures of the report, of a plan, a study's figures, committees, a
comparison or a run. One HTML element that needs nothing but itself; it follows the notebook's theme, light or dark."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from importlib.resources import files
from typing import Any

import numpy as np

from toile.evaluation.metrics import METRICS
from toile.reports.page import palette, tables
from toile.reports.page.html import shown
from toile.reports.plots import PLOTS
from toile.reports.plots.curves import SPLITS
from toile.reports.plots.svg import svg
from toile.reports.results.result import CommitteeResult
from toile.reports.results.study import StudyResults
from toile.reports.table import TEXT, Column, Table
from toile.reports.text import count, duration, figure, options, p_value
from toile.runner.plans.planned import Plan
from toile.runner.show import DONE, planned, size
from toile.store.run import Run
from toile.text import counted

CURVES = PLOTS["learning-curves"]
_CSS = """
.toile{background:var(--surface);color:var(--ink);padding:.6rem .9rem;border-radius:4px;font-variant-numeric:tabular-nums}
.toile p{margin:.3rem 0;max-width:46rem}.toile .quiet,.toile .quiet>*{color:var(--muted)}.toile .strong>*{font-weight:650}
.toile .scroll{overflow:auto;max-height:28rem;margin:.6rem 0}.toile table{border-collapse:collapse;margin:0;color:inherit}
.toile caption{caption-side:top;text-align:left;color:var(--muted);padding:0 0 .3rem}.toile tr{background:none}
.toile th,.toile td{padding:.2rem .9rem .2rem 0;text-align:left;border-bottom:1px solid var(--rule);font-weight:400}
.toile thead th{color:var(--muted)}.toile .number{text-align:right}.toile .legend span{margin-right:1rem}
.toile .pictures{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,20rem),1fr));gap:1rem}
.toile .pictures svg{width:100%;height:auto}
"""
# Themes that are said somewhere else than by the system: of JupyterLab and Notebook, and of VS Code.
_LIGHT = '[data-jp-theme-light="true"] .toile,body.vscode-light .toile'
_DARK = '[data-jp-theme-light="false"] .toile,body.vscode-dark .toile'


def plan(made: Plan) -> str:
    """What would be trained, how large it is, what is stored, and about how long the rest takes."""
    found = planned(made)
    rows = []
    for one in found["trials"]:
        about = "" if one["state"] in DONE else duration(one["seconds"])
        rows.append([one["name"], one["fingerprint"][:12], one["state"], size(one), about])
    columns = [*(Column(name, TEXT) for name in ("trial", "fingerprint", "state")), Column("parameters"), Column("about")]
    left = f", about {duration(found['seconds_left'])} with {counted(found['workers'], 'worker')}" if found["to_train"] else ""
    images = ", ".join(f"{images:,} {part}" for part, images in found["dataset"]["images"].items())
    note = f"{found['to_train']} to train{left}"
    return _cell(made.title, f"{made.dataset.name}: {images}", [Table("Trials", columns, rows, note=note)])


def results(found: StudyResults) -> str:
    """The figures of a study's models and committees, and the learning curves of its first comparison."""
    panels = CURVES.data(found)
    panels = [one for one in panels if one["group"] == panels[0]["group"]][:2]
    some = [tables.figures_table(found), tables.committee_table(found.committees, tables.figure_names(found))]
    return _cell(found.title, found.dataset.name, some, panels, said=[found.study.question or ""])


def committees(found: Sequence[CommitteeResult]) -> str:
    """Committees, the means of their members' figures, and who is in them."""
    names = ", ".join(one.name for one in found) or "No committee's members are all stored"
    return _cell(names, "", [tables.committee_table(found), tables.members_table(found)])


def comparison(found: Mapping[str, Any]) -> str:
    """The verdict, and the figures that it rests on."""
    rows = [
        [label, *(figure(value) for value in found[key]), figure(found[difference]), _interval(found[interval])]
        for label, key, difference, interval in (
            ("accuracy", "accuracies", "difference", "interval"),
            ("loss", "losses", "loss_difference", "loss_interval"),
        )
    ]
    a, b = found["names"]
    columns = [Column("", TEXT), Column(a), Column(b), Column("difference"), Column("95 % interval")]
    over = f"{found['trainings']} pairs of trainings" if found["trainings"] > 1 else f"{found['images']:,} images"
    some = [Table(f"Over {over}, {found['split']}", columns, rows, note=f"p {p_value(found['p_value'], relation=True)}")]
    if "only_a" in found:
        both = [Column("", TEXT), Column(f"{b} right"), Column(f"{b} wrong")]
        right = [
            [f"{a} right", count(found["both_right"]), count(found["only_a"])],
            [f"{a} wrong", count(found["only_b"]), count(found["both_wrong"])],
        ]
        some.append(Table("Images by who is right", both, right))
    return _cell(found["verdict"], "", some)


def run(one: Run) -> str:
    """What a run is, its figures by part of the data, and its learning curves."""
    architecture, facts = one.trial["architecture"], one.provenance
    parts = [part for part in ("train", "validation", "test") if one.metrics.get(part)]
    names = [name for name in METRICS if any(one.metrics[part].get(name) is not None for part in parts)]
    rows = [[METRICS[name].title, *(figure(one.metrics[part].get(name)) for part in parts)] for name in names]
    title = options(architecture["name"], architecture.get("options", {}))
    about = [
        f"run {one.fingerprint[:12]}", f"{count(facts.get('parameters'))} parameters",
        f"trained in {duration((facts.get('seconds') or {}).get('train'))}",
    ]  # fmt: skip
    panels = [panel for metric in ("loss", "accuracy") if (panel := _panel(one.history, metric)) is not None]
    return _cell(title, ", ".join(about), [Table("Figures", [Column("", TEXT), *map(Column, parts)], rows)], panels)


def _panel(history: list[dict[str, float]], metric: str) -> dict[str, Any] | None:
    """As a panel of the report's learning curves; None where there are none."""
    lines = [
        {"name": split, "series": index, "split": split, "epochs": np.array([row["epoch"] for row in history]),
         "values": np.array([row[key] for row in history])}
        for index, split in enumerate(SPLITS)
        if history and (key := metric if split == "train" else f"validation_{metric}") in history[0]
    ]  # fmt: skip
    return {"title": metric, "description": f"{metric} by epoch", "lines": lines} if lines else None


def _interval(ends: Sequence[float]) -> str:
    return " to ".join(figure(end) for end in ends)


def _cell(title: str, about: str, some: list[Table], panels: Sequence[dict[str, Any]] = (), said: Sequence[str] = ()) -> str:
    from jinja2 import Environment, StrictUndefined
    from markupsafe import Markup

    source = files("toile.reports.page").joinpath("cell.html.j2").read_text("utf-8")
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, finalize=shown)
    # Pictures of other cells stand on the same page, and ids must not collide.
    own = hashlib.sha256(f"{title} {about}".encode("utf-8", "replace")).hexdigest()[:8]
    return environment.from_string(source).render(
        title=title,
        about=about,
        paragraphs=[text for text in said if text],
        tables=some,
        style=Markup(_style()),
        legend=CURVES.legend(list(panels)) if CURVES.legend and panels else [],
        pictures=[
            Markup(svg(CURVES.draw, panel, f"toile-{own}-{number}", panel["title"], panel["description"]))
            for number, panel in enumerate(panels)
        ],
    )


def _style() -> str:
    """The page's colours for this element alone: by the system's theme, and before that by the notebook's."""

    def block(names: str, colours: dict[str, str]) -> str:
        return f"{names}{{" + "".join(f"--{name}:{value};" for name, value in colours.items()) + "}"

    return (
        block(".toile", palette.LIGHT) + f"@media (prefers-color-scheme:dark){{{block('.toile', palette.DARK)}}}"
        + block(_LIGHT, palette.LIGHT) + block(_DARK, palette.DARK) + " ".join(_CSS.split("\n"))
    )  # fmt: skip
