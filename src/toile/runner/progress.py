"""Progress as a person sees it: bars on a terminal, one plain line an event elsewhere; always on standard error."""

from __future__ import annotations

import sys
from collections.abc import Collection
from types import TracebackType
from typing import Any, Self

from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TransferSpeedColumn,
)  # fmt: skip

from toile.runner.events import Event
from toile.runner.jobs import Job, jobs
from toile.runner.plans.planned import Plan, PlannedTrial, kind
from toile.terminal import Terminal
from toile.text import cut, printable

_ALL = "all trials"
_BAR = 24  # characters at most
_ELAPSED = 12  # characters of the time, and of what is between the columns
_LEAST = ("speed", "accuracy", "loss", "validation")  # of an epoch, what is left out first where there is no place


def duration(seconds: float) -> str:
    """`75` as "1 min 15 s"."""
    seconds = max(round(seconds), 0)
    minutes, hours = seconds // 60, seconds // 3600
    if hours:
        return f"{hours} h {minutes % 60} min"
    return f"{minutes} min {seconds % 60} s" if minutes else f"{seconds} s"


class TimeLeft:
    """About how long is left: the plan's estimate, corrected by the speed that a trial shows, of its like too.

    What the plan could only guess of others of the architecture is wrong by as much as its guess of this one.
    """

    def __init__(self, plan: Plan, work: list[Job], workers: int) -> None:
        self.workers = max(workers, 1)
        self.plan, self.images, self.seconds, self.kinds, self.not_started = plan, {}, {}, {}, {}
        # By job: the architecture and the seconds that were guessed.
        self.guesses: dict[str, tuple[str, float]] = {}
        self.add(work)

    def add(self, work: list[Job]) -> None:
        """There is more to do."""
        # A beginning that was not read on the way is trained after all, under its own fingerprint.
        counts = self.plan.counts
        self.images |= {one.fingerprint: counts[one.trial.split]["train"] for job in work for one in (job.longest, *job.trials)}
        self.seconds |= {job.fingerprint: self.plan.seconds(job.trials[-1]) for job in work}
        self.kinds |= {job.fingerprint: kind(job.longest.trial.model_dump(mode="json")) for job in work}
        self.not_started |= {job.fingerprint: job.trials[-1].trial.recipe.epochs for job in work}
        self.guesses |= {
            job.fingerprint: (job.longest.trial.architecture.name, self.seconds[job.fingerprint])
            for job in work
            if self.plan.guessed(job.trials[-1])
        }

    def note(self, event: Event) -> None:
        if event.kind == "epoch":
            self.not_started.pop(event.fingerprint, None)
            speed = event.fields["images_per_second"]
            left = {
                one: epochs for one, epochs in self.not_started.items() if self.kinds[one] == self.kinds.get(event.fingerprint)
            }
            left[event.fingerprint] = event.fields["epochs"] - event.fields["epoch"]
            self._correct(event.fingerprint, event.fields["epochs"] * self.images[event.fingerprint] / speed, left)
            self.seconds |= {one: epochs * self.images[one] / speed for one, epochs in left.items()}
        elif event.kind in ("done", "failed"):
            self.not_started.pop(event.fingerprint, None)
            self.seconds.pop(event.fingerprint, None)

    def _correct(self, shown: str, seconds: float, known: Collection[str]) -> None:
        """Correct guesses of jobs that have not begun, and are not `known` better, by what a job turned out to take in all."""
        if shown in self.guesses:
            architecture, guess = self.guesses[shown]
            for one, (name, thought) in self.guesses.items():
                if name == architecture and one in self.not_started and one not in known:
                    self.seconds[one] = thought * seconds / guess

    def estimate(self) -> float:
        """Seconds: no sooner than the longest trial, nor than all of them spread over the workers."""
        return max([sum(self.seconds.values()) / self.workers, *self.seconds.values()], default=0.0)


class Show:
    """Call it with events; use it as a context."""

    def __init__(self, plan: Plan, pending: list[PlannedTrial], workers: int) -> None:
        self.console = Terminal(stderr=True)
        work = jobs(pending)
        self.left, self.total, self.done = TimeLeft(plan, work, workers), len(work), 0
        self.width = max((len(job.name) for job in work), default=0)
        self.tasks: dict[str, TaskID] = {}
        self.bars = None
        if self.console.is_terminal and (pending or plan.study.search):
            self.bars = Progress(
                TextColumn("{task.description}", markup=False), BarColumn(bar_width=min(self.console.width // 5, _BAR)),
                TextColumn("{task.fields[status]}", markup=False), TimeElapsedColumn(), console=self.console,
            )  # fmt: skip
            self.all = self.bars.add_task(_ALL, total=self.total, status="")

    def more(self, work: list[Job]) -> None:
        """There is more to do, as in a search."""
        self.left.add(work)
        self.total += len(work)
        self.width = max([self.width, *(len(job.name) for job in work)])
        if self.bars:
            self.bars.update(self.all, total=self.total)

    def __enter__(self) -> Self:
        if self.bars:
            self.bars.start()
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self.bars:
            self.bars.stop()

    def __call__(self, event: Event) -> None:
        self.left.note(event)
        self.done += event.kind in ("done", "failed")
        said = status(event)
        if event.kind in ("done", "epoch"):
            said += f"; {duration(self.left.estimate())} left in all" if self.left.seconds else ""
        if self.bars:
            self._bar(self.bars, event, status(event))
        else:
            print(printable(f"{event.name:<{self.width}}  {said}"), file=sys.stderr, flush=True)
        if event.kind == "failed":
            for line in event.fields.get("output", []):
                self.console.print(f"  | {line.expandtabs()}")

    def _bar(self, bars: Progress, event: Event, said: str) -> None:
        # rich would cut names and figures to give a wide line its place, and leave out bars and times.
        name, width = cut(printable(event.name), self.console.width // 3), self.console.width
        names = min(max(self.width, len(_ALL)), width // 3)
        status = shortened(event, max(width - names - min(width // 5, _BAR) - _ELAPSED, 0))
        if event.kind != "epoch" and status.endswith("…"):
            self.console.print(f"{event.name}: {said}")  # whole, above the bars
        if event.fingerprint not in self.tasks:  # what it begins with may fail before it is started
            self.tasks[event.fingerprint] = bars.add_task(name, total=None, status=status)
        task = self.tasks[event.fingerprint]
        if event.kind == "epoch":
            bars.update(task, total=event.fields["epochs"], completed=event.fields["epoch"], status=status)
        elif event.kind == "done":
            bars.update(task, total=1, completed=1, status=status)
        else:
            bars.update(task, status=status)
        bars.update(self.all, completed=self.done, status=f"{duration(self.left.estimate())} left")


def shortened(event: Event, room: int) -> str:
    """The same in so many characters: of an epoch, figures that have no place are left out."""
    if event.kind != "epoch":
        return cut(printable(status(event)), max(room, 1))
    said = _epoch(event.fields)
    for least in _LEAST:
        if len("  ".join(said.values())) > room:
            said.pop(least, None)
    return "  ".join(said.values())


def _epoch(fields: dict[str, Any]) -> dict[str, str]:
    validation = fields.get("validation_accuracy")
    return {
        "epoch": f"epoch {fields['epoch']}/{fields['epochs']}",
        "loss": f"loss {fields['loss']:.4f}",
        "accuracy": f"accuracy {fields['accuracy']:.4f}",
        **({"validation": f"validation {validation:.4f}"} if validation is not None else {}),
        "speed": f"{fields['images_per_second']:,.0f} images/s",
    }


def status(event: Event) -> str:
    """What has happened to a trial, in a few words."""
    fields = event.fields
    if event.kind == "epoch":
        return "  ".join(_epoch(fields).values())
    worker = fields.get("worker")
    return {
        "queued": "waits for a worker of the cluster",
        "moved": f"goes to another worker: {worker} {fields.get('why')}",
        "again": f"is tried again: {fields.get('error')} on {worker}",
        "started": f"started on {worker}" if worker else "started",
        "waiting": "another process trains this trial; waiting for it",
        "done": "done",
        "failed": f"failed: {fields.get('error')}",
        "stopped": "stopped; the next run goes on from its last checkpoint",
    }[event.kind]


class Downloads:
    """Context that shows a download's progress on standard error, once there is one."""

    def __enter__(self) -> Any:
        self.bars, self.tasks = None, {}
        return self.tell

    def tell(self, name: str, done: int, total: int | None) -> None:
        if self.bars is None:
            columns = (TextColumn("{task.description}", markup=False), DownloadColumn(), TransferSpeedColumn())
            self.bars = Progress(*columns, console=Terminal(stderr=True))
            self.bars.start()
        if name not in self.tasks:
            self.tasks[name] = self.bars.add_task(f"downloading {name}", total=total)
        self.bars.update(self.tasks[name], completed=done, total=total)

    def __exit__(self, *error: object) -> None:
        if self.bars is not None:
            self.bars.stop()
