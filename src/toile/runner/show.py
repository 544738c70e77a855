"""A plan and its state, as data for programs and as tables for people."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from rich.table import Table

from toile.data.dataset import PARTS
from toile.runner.executors.local import Local
from toile.runner.jobs import jobs, seconds_left
from toile.runner.plans.planned import Plan
from toile.runner.progress import duration
from toile.runner.run import backend_of
from toile.terminal import Terminal
from toile.text import counted

STATES = ("stored", "damaged", "begun", "missing")
_CLASSES = 30  # that are shown one by one
# Nothing is trained for these.
DONE = ("stored", "damaged")


def planned(plan: Plan, workers: int | None = None, only: Iterable[str] = ()) -> dict[str, Any]:
    """The plan as JSON: each trial with its state and estimate, and what is left in all.

    Args:
        only: patterns of trials, as a run takes them; with those that match come those that must be trained for them.
    """
    workers = workers or Local(backend=backend_of(plan)).workers
    pending = plan.pending(only)
    work = jobs(pending)
    shown = {one.name for one in (*plan.matching(only), *pending)}
    trials = []
    for one in (one for one in plan.trials if one.name in shown):
        state = plan.state(one)
        seconds = 0.0 if state in DONE else round(plan.seconds(one), 1)
        told = {"state": state, "parameters": plan.parameters(one), "seconds": seconds}
        trials.append({"name": one.name, "fingerprint": one.fingerprint, **told})
    dataset = {"name": plan.dataset.name, "content": plan.dataset.content, "images": next(iter(plan.counts.values()))}
    return {
        "study": plan.reference,
        "title": plan.title,
        "dataset": dataset | {"classes": list(plan.dataset.class_names), "counts": _counts(plan)},
        "store": str(plan.store.root),
        "trials": trials,
        "distinct": len({one["fingerprint"] for one in trials}),
        "to_train": len(pending),
        "trainings": len(work),
        "seconds_saved": round(sum(map(plan.seconds, pending)) - sum(plan.seconds(job.longest) for job in work), 1),
        "workers": workers,
        "seconds_left": round(seconds_left(plan, pending, workers), 1),
    }


def _counts(plan: Plan) -> dict[str, list[int]]:
    """Part -> images of each class, of the first split."""
    audit = plan.store.audit(plan.dataset, next(iter(plan.counts)))
    return {part: audit[part]["counts"] for part in PARTS if audit[part] is not None}


def status(plan: Plan, only: Iterable[str] = ()) -> dict[str, Any]:
    """What is stored, damaged, begun or missing, as JSON; of the trials that match a pattern of `only`, if there are any."""
    trials = []
    for one in plan.matching(only):
        run = plan.run_of(one)
        # Test figures of what a search proposed are none to choose by: its report has them of what was picked.
        figures = run.metrics.get("test", {}) if run and not one.proposed else {}
        test = {name: figures[name] for name in ("accuracy", "loss") if name in figures}
        trials.append({"name": one.name, "fingerprint": one.fingerprint, "state": plan.state(one), "test": test})
    count = {state: sum(t["state"] == state for t in trials) for state in STATES}
    return {
        "study": plan.reference, "title": plan.title, "dataset": plan.dataset.name, "trials": trials, **count,
    }  # fmt: skip


def print_plan(found: dict[str, Any]) -> None:
    """The plan as a table on standard output."""
    images = ", ".join(f"{count:,} {part}" for part, count in found["dataset"]["images"].items())
    table = Table(title=f"{found['title']} ({found['dataset']['name']}: {images})", title_justify="left")
    for column in ("trial", "fingerprint", "state"):
        table.add_column(column)
    for column in ("parameters", "about"):
        table.add_column(column, justify="right")
    for one in found["trials"]:
        about = "" if one["state"] in DONE else duration(one["seconds"])
        table.add_row(one["name"], one["fingerprint"][:12], one["state"], size(one), about)
    console = Terminal()
    console.print(_classes(found["dataset"]))
    console.print(table)
    left = f", about {duration(found['seconds_left'])} with {counted(found['workers'], 'worker')}" if found["to_train"] else ""
    console.print(f"{found['to_train']} to train{left}")
    if same := len(found["trials"]) - found["distinct"]:
        are = "is another" if same == 1 else "are others"
        console.print(f"{same} of {len(found['trials'])} trials {are} under another name")
    if read := found["to_train"] - found["trainings"]:
        saved = duration(found["seconds_saved"])
        what = (
            "is the first epochs of a longer one and is read on its"
            if read == 1
            else ("are the first epochs of longer ones and are read on their")
        )
        console.print(f"{read} {what} way; saves {saved}")


def size(one: dict[str, Any]) -> str:
    """How many parameters a planned trial's model has, as tables have it; empty where that is not known before it is built."""
    return "" if one["parameters"] is None else f"{one['parameters']:,}"


def _classes(dataset: dict[str, Any]) -> Table | str:
    """Images of each class and part; of many classes the fewest and the most."""
    names, counts = dataset["classes"], dataset["counts"]
    if len(names) > _CLASSES:
        spans = (f"{min(of):,} to {max(of):,} {part}" for part, of in counts.items())
        return f"images of each of {len(names):,} classes: {', '.join(spans)}"
    table = Table()
    table.add_column("class", overflow="fold")
    for part in counts:
        table.add_column(part, justify="right")
    for name, row in zip(names, zip(*counts.values(), strict=True), strict=True):
        table.add_row(name, *(f"{count:,}" for count in row))
    return table


def print_status(found: dict[str, Any]) -> None:
    """The state as a table on standard output."""
    table = Table(title=f"{found['title']} ({found['dataset']})", title_justify="left")
    for column in ("trial", "fingerprint", "state"):
        table.add_column(column)
    table.add_column("test accuracy", justify="right")
    for one in found["trials"]:
        accuracy = one["test"].get("accuracy")
        table.add_row(one["name"], one["fingerprint"][:12], one["state"], "" if accuracy is None else f"{accuracy:.4f}")
    console = Terminal()
    console.print(table)
    counts = [f"{found[state]} {state}" for state in STATES if found[state] or state != "damaged"]
    console.print(", ".join(counts))
