"""A plan and its state, as data for programs and as tables for people."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.table import Table

from toile.runner import local
from toile.runner.jobs import jobs, seconds_left
from toile.runner.plan import Plan
from toile.runner.progress import duration


def planned(plan: Plan, workers: int | None = None) -> dict[str, Any]:
    """The plan as JSON: each trial with its state and estimate, and what is left in all."""
    workers = workers or local.cores()
    pending = plan.pending()
    work = jobs(pending)
    trials = []
    for one in plan.trials:
        state = plan.state(one)
        seconds = 0.0 if state == "stored" else round(plan.seconds(one), 1)
        trials.append({"name": one.name, "fingerprint": one.fingerprint, "state": state, "seconds": seconds})
    return {
        "study": plan.reference,
        "title": plan.title,
        "dataset": {"name": plan.dataset.name, "content": plan.dataset.content, "images": next(iter(plan.counts.values()))},
        "store": str(plan.store.root),
        "trials": trials,
        "distinct": len({one.fingerprint for one in plan.trials}),
        "to_train": len(pending),
        "trainings": len(work),
        "seconds_saved": round(sum(map(plan.seconds, pending)) - sum(plan.seconds(job.longest) for job in work), 1),
        "workers": workers,
        "seconds_left": round(seconds_left(plan, pending, workers), 1),
    }


def status(plan: Plan) -> dict[str, Any]:
    """What is stored, begun or missing, as JSON."""
    trials = []
    for one in plan.trials:
        run = plan.run_of(one)
        test = {name: run.metrics["test"][name] for name in ("accuracy", "loss")} if run and "test" in run.metrics else {}
        trials.append({"name": one.name, "fingerprint": one.fingerprint, "state": plan.state(one), "test": test})
    count = {state: sum(t["state"] == state for t in trials) for state in ("stored", "begun", "missing")}
    return {
        "study": plan.reference, "title": plan.title, "dataset": plan.dataset.name, "trials": trials, **count,
    }  # fmt: skip


def print_plan(found: dict[str, Any]) -> None:
    """The plan as a table on standard output."""
    images = ", ".join(f"{count:,} {part}" for part, count in found["dataset"]["images"].items())
    table = Table(title=f"{found['title']} ({found['dataset']['name']}: {images})", title_justify="left")
    for column in ("trial", "fingerprint", "state"):
        table.add_column(column)
    table.add_column("about", justify="right")
    for one in found["trials"]:
        about = "" if one["state"] == "stored" else duration(one["seconds"])
        table.add_row(one["name"], one["fingerprint"][:12], one["state"], about)
    console = Console()
    console.print(table)
    left = f", about {duration(found['seconds_left'])} with {found['workers']} workers" if found["to_train"] else ""
    console.print(f"{found['to_train']} to train{left}", highlight=False)
    if same := len(found["trials"]) - found["distinct"]:
        console.print(f"{same} of {len(found['trials'])} trials are others under another name", highlight=False)
    if read := found["to_train"] - found["trainings"]:
        saved = duration(found["seconds_saved"])
        console.print(f"{read} are the first epochs of longer ones and are read on their way; saves {saved}", highlight=False)


def print_status(found: dict[str, Any]) -> None:
    """The state as a table on standard output."""
    table = Table(title=f"{found['title']} ({found['dataset']})", title_justify="left")
    for column in ("trial", "fingerprint", "state"):
        table.add_column(column)
    table.add_column("test accuracy", justify="right")
    for one in found["trials"]:
        accuracy = one["test"].get("accuracy")
        table.add_row(one["name"], one["fingerprint"][:12], one["state"], "" if accuracy is None else f"{accuracy:.4f}")
    console = Console()
    console.print(table)
    console.print(", ".join(f"{found[state]} {state}" for state in ("stored", "begun", "missing")), highlight=False)
