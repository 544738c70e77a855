"""Where the runs come from: what they share is said once, what differs is said run by run."""

from __future__ import annotations

from typing import Any

from toile.reports.results.study import StudyResults
from toile.reports.table import TEXT, Column, Table
from toile.reports.text import NOTHING, brief

# Each run has its own; these are never said once for all.
OWN = ("started", "finished")
# Said elsewhere in the report.
SHOWN_ELSEWHERE = {"parameters", "trainable_parameters", "epochs_run", "seconds", "images_per_second"}


def facts_of(provenance: dict[str, Any]) -> dict[str, str]:
    """The provenance as flat text: `versions: keras` -> `3.15.1`."""
    flat: dict[str, str] = {}
    for key, value in provenance.items():
        if key in SHOWN_ELSEWHERE:
            continue
        for name, item in ((f"{key}: {k}", v) for k, v in value.items()) if isinstance(value, dict) else ((key, value),):
            if key == "sessions":  # how often it was begun or resumed
                item = len(item)
            text = NOTHING if item is None else _moment(item) if key in OWN else brief(item)
            flat[name.replace("_", " ")] = text
    return flat


def shared_table(results: StudyResults) -> Table:
    """What is the same in the provenance of all runs."""
    shared, _ = _divided(results)
    rows = [[name, value] for name, value in shared.items()]
    return Table("What all runs share", [Column("fact", TEXT), Column("value", "wide")], rows)


def runs_table(results: StudyResults) -> Table:
    """Fingerprint, dates, and what is not the same for all."""
    _, names = _divided(results)
    rows = []
    for trial in results.trials:
        facts = facts_of(trial.run.provenance) if trial.run else {}
        dates = [facts.get(name, NOTHING if trial.run else trial.absent) for name in OWN]
        rows.append([trial.name, trial.fingerprint[:12], *dates, *(facts.get(name, NOTHING) for name in names)])
    columns = [Column("model", TEXT), Column("fingerprint", "code"), *(Column(name, TEXT) for name in (*OWN, *names))]
    return Table("Runs (the first twelve digits of each fingerprint are enough to name a run)", columns, rows)


def _divided(results: StudyResults) -> tuple[dict[str, str], list[str]]:
    """`(shared facts, names of the facts that differ)`."""
    runs = [facts_of(trial.stored_run.provenance) for trial in results.stored]
    names = [name for name in dict.fromkeys(name for run in runs for name in run) if name not in OWN]
    shared = {name: runs[0][name] for name in names if len({run.get(name) for run in runs}) == 1}
    return shared, [name for name in names if name not in shared]


def _moment(value: Any) -> str:
    """`2024-05-06T07:08:09.123+00:00` -> `2024-05-06 07:08:09+00:00`."""
    text = str(value).replace("T", " ")
    date, dot, rest = text.partition(".")
    return date + rest.lstrip("0123456789") if dot else text
