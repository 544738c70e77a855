"""The tables of an HTML report, as rows of text."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean
from typing import Any

from toile.evaluation.metrics import METRICS
from toile.reports.results.compared import close_up
from toile.reports.results.lines import OF_PART, study_lines
from toile.reports.results.result import CommitteeResult, TrialResult
from toile.reports.results.study import StudyResults
from toile.reports.table import NUMBER, TEXT, WIDE, Column, Table, without_empty
from toile.reports.text import MEAN_OF_MEMBERS, NOTHING, brief, count, duration, figure, options, shares
from toile.study.recipe.augmentation import Augmentation
from toile.study.recipe.optimizers import OPTIMIZERS

FIGURES = ("accuracy", "loss", "precision", "recall")
# First where classes differ much: a model that always says the commonest has a good accuracy.
BALANCED = "balanced_accuracy"
CLASS_MEASURES = {"precision": "precision", "recall": "recall", "f1": "F1", "support": "images"}


def figures_table(results: StudyResults) -> Table:
    """Measured and published figures of every model, beside each other; models that have not been run are named."""
    show = any((trial.published or {}).get("test") for trial in results.trials)
    columns = [Column("model", TEXT)]
    shown = figure_names(results)
    for name in shown:
        columns.append(Column("measured" if show else "test", group=name.replace("_", " ")))
        if show:
            columns.append(Column("published", group=name.replace("_", " ")))
    parts = [
        (part, name, published)
        for part in ("train", "validation")
        for name in FIGURES[:2]
        for published in (False, True)
        if any(_figure_of(trial, part, name, published) is not None for trial in results.trials)
    ]
    columns += [Column(f"{name}, published" if published else name, group=part) for part, name, published in parts]
    rows, quiet = [], set()
    for trial in results.trials:
        if trial.run is None:
            quiet.add(len(rows))
        row = [trial.name if trial.run else f"{trial.name} ({trial.absent})"]
        published = (trial.published or {}).get("test", {})
        for name in shown:
            row.append(figure(trial.test.get(name)))
            if show:
                row.append(figure(published.get(name)))
        rows.append([*row, *(figure(_figure_of(trial, *part)) for part in parts)])
    micro = "Precision and recall are Keras’s: micro-averaged over the one-hot labels at threshold 0.5"
    table = Table(f"Models on the test images. {micro}", columns, rows, quiet=quiet, note=_about_losses(results))
    return without_empty(table, keep=len(columns))  # but for published figures that no document has


def figure_names(results: StudyResults) -> tuple[str, ...]:
    """The figures of the first tables, the one to look at first."""
    return (BALANCED, *FIGURES) if results.uneven else FIGURES


def _figure_of(trial: TrialResult, part: str, name: str, published: bool) -> float | None:
    if published:
        return (trial.published or {}).get(part, {}).get(name)
    return getattr(trial, part).get(name)


def _about_losses(results: StudyResults) -> str:
    """What is to be known of the figures on training images, and of losses that are published with an L2 penalty."""
    words = []
    if any(trial.train for trial in results.trials):
        words.append("Figures on the training images are of after the training, without dropout.")
    penalties = [
        f"{trial.name} {figure(trial.train['penalty'])}"
        for trial in results.trials
        if (trial.published or {}).get("penalty") and trial.train.get("penalty") is not None
    ]
    if any((trial.published or {}).get("penalty") for trial in results.trials):
        words.append("Published losses hold the L2 penalty of the model, and those measured here do not.")
    if penalties:
        words.append(f"With it, these are to be added: {'; '.join(penalties)}.")
    return " ".join(words)


def measures_table(results: StudyResults) -> Table:
    """The other measures, of each line (means over its trainings) and committee; of cross-validations on the held-out folds."""
    names = [name for name in METRICS if name not in figure_names(results) and not name.endswith(("_micro", "_weighted"))]
    rows, strong = [], set()
    for line in study_lines(results):
        rows.append([line.name + OF_PART[line.part], *(figure(line.mean(name)) for name in names)])
    for committee in results.committees:
        strong.add(len(rows))
        rows.append([committee.name, *(figure(committee.test.get(name)) for name in names)])
    columns = [Column("", TEXT), *(Column(METRICS[name].title) for name in names)]
    return Table("Further measures on the test images", columns, rows, strong)


def class_table(results: StudyResults) -> Table:
    """F1 of each class, of every line (a mean over its trainings) and committee on the test images."""
    rows, strong = [], set()
    for line in study_lines(results):
        found = [trial.test["per_class"] for trial in line.trials if trial.test.get("per_class")]
        if found:
            means = [fmean(row["f1"] for row in of_class) for of_class in zip(*found, strict=True)]
            rows.append([line.name, *(figure(mean, 3) for mean in means)])
    for committee in results.committees:
        strong.add(len(rows))
        rows.append([committee.name, *(figure(row["f1"], 3) for row in committee.test["per_class"])])
    columns = [Column("F1 of", TEXT), *(Column(name) for name in results.dataset.class_names)]
    return Table("F1 of each class on the test images, by the most probable class", columns, rows, strong)


def class_report(results: StudyResults) -> Table:
    """Precision, recall, F1 and images of each class for the models looked at one by one, published ones beside them."""
    shown = [one for one in close_up(results) if one.metrics.get("per_class")]
    columns, cells = [Column("class", TEXT)], []
    classes = len(results.dataset.class_names)
    for one in shown:
        for figures, whose in ((_by_measure(one.metrics["per_class"]), ""), (one.published_classes, ", published")):
            # A document's classes are not those of a data set that stands in for its own.
            measures = [name for name in CLASS_MEASURES if len(figures.get(name, ())) == classes]
            columns += [Column(CLASS_MEASURES[name], group=one.name + whose) for name in measures]
            cells += [(figures[name], 0 if name == "support" else 2 if whose else 4) for name in measures]
    names = results.dataset.class_names if shown else ()
    rows = [[name, *(figure(values[c], digits) for values, digits in cells)] for c, name in enumerate(names)]
    return Table("Per-class report on the test images, by the most probable class", columns, rows)


def _by_measure(per_class: list[dict[str, Any]]) -> dict[str, list[float]]:
    return {name: [row[name] for row in per_class] for name in CLASS_MEASURES}


def training_table(results: StudyResults) -> Table:
    """How large the model of each line is and what it took to train and to evaluate it, as means over its trainings."""
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
        Column("trainings"),
    ]
    rows = []
    for line in study_lines(results):
        published = line.trials[0].published or {}
        rows.append(
            [
                line.name,
                line.trials[0].trial["architecture"]["name"],
                count(line.fact("parameters")),
                count(line.fact("trainable_parameters")),
                count(published.get("parameters")),
                count(line.fact("epochs_run")),
                count(published.get("epochs_run")),
                duration(line.fact("seconds", "train")),
                duration(line.fact("seconds", "evaluate")),
                count(line.fact("images_per_second")),
                str(len(line.trials)),
            ]
        )
    return without_empty(Table("Size and time of each model", columns, rows), keep=5)


def recipe_table(results: StudyResults) -> Table:
    """Architecture and recipe of every line in full; seeds and folds share them."""
    rows = []
    first_of_line = {trial.line or trial.name: trial for trial in reversed(results.trials)}
    for trial in reversed(first_of_line.values()):
        architecture, recipe = trial.trial["architecture"], trial.trial["recipe"]
        optimizer, schedule = recipe["optimizer"], dict(recipe["schedule"])
        defaults = OPTIMIZERS.get(optimizer["name"], {})
        changed = {
            key: value
            for key, value in optimizer.get("options", {}).items()
            if key == "learning_rate" or key not in defaults or value != defaults[key]
        }
        stopping = recipe.get("early_stopping")
        named = [trial.line or trial.name, options(architecture["name"], architecture.get("options", {}))]
        if trial.trial.get("learner") == "classical":  # of its recipe it takes the weights of classes alone
            rows.append([*named, *[NOTHING] * 10, _weights(recipe.get("class_weight")), "no"])
            continue
        rows.append(
            [
                *named,
                options(optimizer["name"], changed),
                options(schedule.pop("name"), schedule),
                brief(recipe["batch_size"]),
                brief(recipe["epochs"]),
                options("yes", stopping) if stopping else "no",
                brief(recipe.get("label_smoothing", 0)),
                _augmentation(recipe.get("augmentation")),
                recipe.get("scaling", "pixels"),
                brief(recipe.get("flip_average", False)),
                recipe.get("precision", "float32"),
                _weights(recipe.get("class_weight")),
                recipe.get("sampling") or "no",
            ]
        )
    labels = {
        "architecture": WIDE, "optimizer": WIDE, "schedule": WIDE, "batch": NUMBER, "epochs at most": NUMBER,
        "early stopping": WIDE, "label smoothing": NUMBER, "augmentation": WIDE, "scaling": TEXT, "flip-averaged": TEXT,
        "precision": TEXT, "class weights": WIDE, "sampling": TEXT,
    }  # fmt: skip
    columns = [Column("model", TEXT), *(Column(label, kind) for label, kind in labels.items())]
    if all(row[-2:] == ["no", "no"] for row in rows):  # not of interest where classes are as they are
        columns, rows = columns[:-2], [row[:-2] for row in rows]
    # What all have in common is said once, below: the table shows where they differ.
    said = [{row[i] for row in rows} - {NOTHING} for i in range(len(columns))]
    shared = [i for i in range(2, len(columns)) if len(rows) > 1 and len(said[i]) <= 1]
    kept = [i for i in range(len(columns)) if i not in shared]
    common = [f"{columns[i].label} {one}" for i in shared for one in said[i]]
    lacking = " that have it" if any(row[i] == NOTHING for row in rows for i in shared if said[i]) else ""
    note = f"The same for all{lacking}: {'; '.join(common)}." if common else ""
    return Table(
        "Architecture and recipe of each model; optimizer options that are not listed are Keras’s defaults",
        [columns[i] for i in kept],
        [[row[i] for i in kept] for row in rows],
        note=note,
    )


def _weights(given: str | list[float] | None) -> str:
    if given is None or isinstance(given, str):
        return given or "no"
    return ", ".join(f"{weight:g}" for weight in given)


def notes(results: StudyResults) -> Table:
    """What the study says of its trials, sweeps and committees."""
    of = [(one.name, one.note) for one in (*results.study.trial, *results.study.sweep, *results.study.committee)]
    rows = [[name, " ".join(note.split())] for name, note in of if note and note.strip()]
    return Table("Notes of the study", [Column("on", TEXT), Column("note", WIDE)], rows)


def _augmentation(spec: dict[str, Any] | None) -> str:
    """What is done to the images, and nothing of what is not."""
    defaults = Augmentation().model_dump(mode="json")
    done = {key: value for key, value in (spec or {}).items() if key != "revision" and value and value != defaults.get(key)}
    return (
        "; ".join(options(key, value) if isinstance(value, dict) else f"{key} {brief(value)}" for key, value in done.items())
        or "no"
    )


def committee_table(committees: Sequence[CommitteeResult], names: Sequence[str] = FIGURES) -> Table:
    """For each committee its own figures, below them the means of the members' figures, and what was published."""
    columns = [Column("committee", TEXT), Column("what the figures are", WIDE)]
    columns += [Column(name.replace("_", " ")) for name in names]
    rows, strong, quiet = [], set(), set()
    for committee in committees:
        strong.add(len(rows))
        after = f", then {committee.calibration.name}" if committee.calibration else ""
        rows.append([committee.name, f"the committee (rule {committee.rule}{after})", *_figures(committee.test, names)])
        quiet.add(len(rows))
        note = f"{MEAN_OF_MEMBERS} (not a committee: no set of probabilities has these)"
        rows.append(["", note, *_figures(committee.mean_of_members, names)])
        published = committee.published or {}
        for key, what in (("mean_of_members", "published, means of the members’ figures"), ("test", "published")):
            if published.get(key):
                quiet.add(len(rows))
                source = f" ({published['source']})" if published.get("source") else ""
                rows.append(["", what + source, *_figures(published[key], names)])
    return Table("Committees on the test images", columns, rows, strong, quiet)


def members_table(committees: Sequence[CommitteeResult]) -> Table:
    """Who is in which committee, and with what weight."""
    rows = []
    for committee in committees:
        counted = shares(committee.rule, committee.weights, len(committee.members))
        for number, (member, share) in enumerate(zip(committee.joined, counted, strict=True)):
            first = number == 0
            whose = [committee.name, committee.rule] if first else ["", ""]
            rows.append([*whose, member.name, share, figure(member.test.get("accuracy"))])
    columns = [
        Column("committee", TEXT),
        Column("rule", TEXT),
        Column("member", TEXT),
        Column("counts"),
        Column("own accuracy"),
    ]
    return Table("Members of the committees", columns, rows)


def _figures(figures: dict[str, Any], names: Sequence[str]) -> list[str]:
    return [figure(figures.get(name)) for name in names]
