"""The tables of an HTML report, as rows of text."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from toile.evaluation.metrics import METRICS
from toile.reports.judged import judged
from toile.reports.results import StudyResults
from toile.reports.text import MEAN_OF_MEMBERS, NOTHING, brief, count, duration, figure, options
from toile.study.optimizers import OPTIMIZERS

FIGURES = ("accuracy", "loss", "precision", "recall")
TEXT, NUMBER, WIDE = "text", "number", "wide"


@dataclass(frozen=True)
class Column:
    """`kind` is `text`, `number` (right-aligned) or `wide` (text that may wrap); `group` stands above several columns."""

    label: str
    kind: str = NUMBER
    group: str = ""


@dataclass(frozen=True)
class Table:
    """A table of text. The name of the data set is added to the caption where it is shown.

    `strong` are the numbers of rows to set apart, `quiet` those to set back; `note` is said below.
    """

    caption: str
    columns: list[Column]
    rows: list[list[str]]
    strong: set[int] = field(default_factory=set)
    quiet: set[int] = field(default_factory=set)
    note: str = ""

    @property
    def groups(self) -> list[tuple[str, int]]:
        """The row above the column labels: `(label, columns)`; empty where no column has a group."""
        spans: list[tuple[str, int]] = []
        for column in self.columns:
            if spans and spans[-1][0] == column.group:
                spans[-1] = (column.group, spans[-1][1] + 1)
            else:
                spans.append((column.group, 1))
        return spans if any(label for label, _ in spans) else []


def figures_table(results: StudyResults) -> Table:
    """Measured and published figures of every model, beside each other; models that have not been run are named."""
    show = any((trial.published or {}).get("test") for trial in results.trials)
    columns = [Column("model", TEXT)]
    for name in FIGURES:
        columns.append(Column("measured" if show else "test", group=name))
        if show:
            columns.append(Column("published", group=name))
    columns.append(Column("accuracy", group="validation"))
    rows, quiet = [], set()
    for trial in results.trials:
        if trial.run is None:
            quiet.add(len(rows))
        row = [trial.name if trial.run else f"{trial.name} (not run yet)"]
        published = (trial.published or {}).get("test", {})
        for name in FIGURES:
            row.append(figure(trial.test.get(name)))
            if show:
                row.append(figure(published.get(name)))
        rows.append([*row, figure(trial.validation.get("accuracy"))])
    return Table(
        "Models on the test images. Precision and recall are Keras’s: micro-averaged over the one-hot labels at threshold 0.5",
        columns,
        rows,
        quiet=quiet,
    )


def measures_table(results: StudyResults) -> Table:
    """The other measures, of models and committees."""
    names = [name for name in METRICS if name not in FIGURES and not name.endswith(("_micro", "_weighted"))]
    rows, strong = [], set()
    for item in judged(results):
        if item.kind == "committee":
            strong.add(len(rows))
        rows.append([item.name, *(figure(item.metrics.get(name)) for name in names)])
    columns = [Column("", TEXT), *(Column(METRICS[name].title) for name in names)]
    return Table("Further measures on the test images", columns, rows, strong)


def training_table(results: StudyResults) -> Table:
    """How large each model is and what it took to train and to evaluate it."""
    columns = [
        Column("model", TEXT),
        Column("architecture", TEXT),
        Column("all", group="parameters"),
        Column("trainable", group="parameters"),
        Column("published", group="parameters"),
        Column("run", group="epochs"),
        Column("published", group="epochs"),
        Column("training", group="time"),
        Column("evaluation", group="time"),
        Column("images\u00a0/\u00a0s"),
        Column("seed"),
        Column("fold"),
    ]
    rows = []
    for trial in results.trials:
        facts, published = (trial.run.provenance if trial.run else {}), trial.published or {}
        seconds = facts.get("seconds", {})
        fold = trial.trial.get("fold")
        rows.append(
            [
                trial.name,
                trial.trial["architecture"]["name"],
                count(facts.get("parameters")),
                count(facts.get("trainable_parameters")),
                count(published.get("parameters")),
                count(facts.get("epochs_run")),
                count(published.get("epochs_run")),
                duration(seconds.get("train")),
                duration(seconds.get("evaluate")),
                count(facts.get("images_per_second")),
                brief(trial.trial.get("seed")),
                NOTHING if fold is None else brief(fold),
            ]
        )
    return _without_empty(Table("Size and time of each model", columns, rows), keep=5)


def recipe_table(results: StudyResults) -> Table:
    """Architecture and recipe of every trial in full."""
    rows = []
    for trial in results.trials:
        architecture, recipe = trial.trial["architecture"], trial.trial["recipe"]
        optimizer, schedule = recipe["optimizer"], dict(recipe["schedule"])
        usual = OPTIMIZERS.get(optimizer["name"], {})
        given = {
            key: value
            for key, value in optimizer.get("options", {}).items()
            if key == "learning_rate" or key not in usual or value != usual[key]
        }
        stopping = recipe.get("early_stopping")
        rows.append(
            [
                trial.name,
                options(architecture["name"], architecture.get("options", {})),
                options(optimizer["name"], given),
                options(schedule.pop("name"), schedule),
                brief(recipe["batch_size"]),
                brief(recipe["epochs"]),
                options("yes", stopping) if stopping else "no",
                brief(recipe.get("label_smoothing", 0)),
                recipe.get("precision", "float32"),
            ]
        )
    labels = {
        "architecture": WIDE,
        "optimizer": WIDE,
        "schedule": WIDE,
        "batch": NUMBER,
        "epochs at most": NUMBER,
        "early stopping": WIDE,
        "label smoothing": NUMBER,
        "precision": TEXT,
    }
    columns = [Column("model", TEXT), *(Column(label, kind) for label, kind in labels.items())]
    # What all have in common is said once, below: the table shows where they differ.
    shared = [i for i in range(2, len(columns)) if len(rows) > 1 and len({row[i] for row in rows}) == 1]
    kept = [i for i in range(len(columns)) if i not in shared]
    note = "The same for all: " + "; ".join(f"{columns[i].label} {rows[0][i]}" for i in shared) + "." if shared else ""
    return Table(
        "Architecture and recipe of each model; optimizer options that are not listed are Keras’s defaults",
        [columns[i] for i in kept],
        [[row[i] for i in kept] for row in rows],
        note=note,
    )


def committee_table(results: StudyResults) -> Table:
    """For each committee its own figures, below them the means of the members' figures, and what was published."""
    columns = [Column("committee", TEXT), Column("what the figures are", WIDE), *(Column(name) for name in FIGURES)]
    rows, strong, quiet = [], set(), set()
    for committee in results.committees:
        strong.add(len(rows))
        rows.append([committee.name, f"the committee (rule {committee.rule})", *_figures(committee.test)])
        quiet.add(len(rows))
        note = f"{MEAN_OF_MEMBERS} (not a committee: no set of probabilities has these)"
        rows.append(["", note, *_figures(committee.mean_of_members)])
        published = committee.published or {}
        for key, what in (("mean_of_members", "published, means of the members’ figures"), ("test", "published")):
            if published.get(key):
                quiet.add(len(rows))
                source = f" ({published['source']})" if published.get("source") else ""
                rows.append(["", what + source, *_figures(published[key])])
    return Table("Committees on the test images", columns, rows, strong, quiet)


def members_table(results: StudyResults) -> Table:
    """Who is in which committee, and with what weight."""
    rows = []
    for committee in results.committees:
        weights = committee.weights or [None] * len(committee.members)
        for number, (member, weight) in enumerate(zip(committee.members, weights, strict=True)):
            accuracy = next((trial.test.get("accuracy") for trial in results.trials if trial.name == member), None)
            share = f"1/{len(committee.members)}" if weight is None else figure(weight)
            if weight is None and committee.rule != "mean":
                share = "equal"
            first = number == 0
            rows.append([committee.name if first else "", committee.rule if first else "", member, share, figure(accuracy)])
    columns = [
        Column("committee", TEXT),
        Column("rule", TEXT),
        Column("member", TEXT),
        Column("weight"),
        Column("own accuracy"),
    ]
    return Table("Members of the committees", columns, rows)


def _figures(figures: dict[str, Any]) -> list[str]:
    return [figure(figures.get(name)) for name in FIGURES]


def _without_empty(table: Table, keep: int) -> Table:
    """The table without those columns behind the first `keep` (and published ones anywhere) that say nothing."""
    full = [
        index
        for index, column in enumerate(table.columns)
        if (index < keep and column.label != "published") or any(row[index] != NOTHING for row in table.rows)
    ]
    return Table(table.caption, [table.columns[i] for i in full], [[row[i] for i in full] for row in table.rows])
