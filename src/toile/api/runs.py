"""What is done with single runs: training them, finding them, checking gradients."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

from toile.api.studies import is_study, plan, say_which, within
from toile.api.where import Where
from toile.errors import Misuse, ToileError
from toile.runner import run as runs
from toile.runner.plans.names import trial_named
from toile.store.run import Run
from toile.store.store import Store
from toile.text import listed

if TYPE_CHECKING:
    from toile.runner.events import Event
    from toile.workers.device import Device


def run(
    study: str | Path,
    *,
    only: Iterable[str] = (),
    workers: int | None = None,
    threads: int = 1,
    executor: str = "local",
    scheduler: str | None = None,
    minutes: float | None = None,
    device: Device | None = None,
    tell: Callable[[Event], None] | None = None,
    **where: Unpack[Where],
) -> list[str]:
    """Train what is missing, and go on with the study's search if it has one. See `toile.search.run`.

    Args:
        executor, scheduler, workers, threads, device: see `toile.runner.run.executor_named`.
        minutes: for how long; the same call goes on where this one ended.
        tell: told of every event. Left out: a notebook shows progress below the cell, elsewhere nothing is said.

    Returns:
        The fingerprints of what was trained.
    """
    from toile.runner import cell
    from toile.search.run import run as carry_out
    from toile.search.searched import Searched

    made, only = plan(study, **where), tuple(only)
    with runs.executor_named(
        executor, scheduler=scheduler, workers=workers, threads=threads, device=device, backend=runs.backend_of(made)
    ) as place:
        draw = cell.place() if tell is None else None
        if draw is None:
            return carry_out(made, only=only, executor=place, tell=tell or (lambda _: None), minutes=minutes)
        pending = (made.own if isinstance(made, Searched) and not only else made).pending(only)
        with cell.Cell(made, pending, place.slots, draw) as shown:
            return carry_out(made, only=only, executor=place, tell=shown, told=shown.more, minutes=minutes)


def evaluate(
    study: str | Path, *, only: Iterable[str] = (), tell: Callable[[str], None] = lambda _: None, **where: Unpack[Where]
) -> list[str]:
    """Give stored runs of before the figures on their training images, from their kept models. Trains nothing.

    Returns:
        Fingerprints of the runs that got figures; see `toile.runner.evaluate`.
    """
    from toile.runner.evaluate import evaluate as missing

    return missing(plan(study, fresh=False, **where), only, tell)


def find_run(reference: str, **where: Unpack[Where]) -> Run:
    """A stored run by the first digits of its fingerprint, or as STUDY/TRIAL (`committee/model-1`).

    Raises:
        Misuse: there is none, or several; a study and none of its trials; or digits with what says which trials of a study are
            meant.
        ToileError: the trial is not stored.
    """
    if is_study(reference):
        raise say_which(reference, [one.name for one in plan(reference, fresh=False, **where).trials])
    if "/" not in reference:
        no_options(reference, "a run's fingerprint, of which there is one", **where)
        return Store.at(where.get("store")).find(reference)
    made, name = within(reference, **where)
    planned = trial_named(made, name)
    if error := made.store.damaged(planned.fingerprint):
        raise error
    if (found := made.run_of(planned)) is None:
        raise ToileError(f"{reference} is not stored; `toile run {made.called} --only {shlex.quote(name)}` trains it")
    return found


def no_options(reference: str, what: str, **where: Unpack[Where]) -> None:
    """Refuse what says which trials of a study are meant, where `reference` means none.

    Args:
        what: the reference is, and why there is nothing to be said.
    """
    given = [name for name in ("dataset", "seeds") if where.get(name) is not None]
    if given := [*given, *(name for name in ("fraction", "epochs_scale") if where.get(name, 1.0) != 1)]:
        raise Misuse(
            f"{reference!r} is no STUDY/TRIAL but {what}: leave out {listed('--' + name.replace('_', '-') for name in given)}"
        )


def check_gradients(
    reference: str, *, epsilon: float = 1e-5, samples: int = 100, **where: Unpack[Where]
) -> list[dict[str, Any]]:
    """Backpropagation of a NumPy network against central differences; see `toile.training.scratch.check`.

    Args:
        reference: STUDY/TRIAL. It need not be stored: what is checked is the network before its training.
        epsilon: step of the central differences.
        samples: weights drawn from each array.

    Raises:
        Misuse: another architecture, whose gradients are Keras's.
    """
    from toile.data.parts.splits import split
    from toile.training.scratch.check import check_trial

    made, name = within(reference, **where)
    trial = trial_named(made, name).trial
    if trial.learner != "scratch":
        raise Misuse(f"{reference} is of the architecture {trial.architecture.name!r}; only numpy-mlp has gradients of its own")
    return check_trial(trial, split(made.dataset, trial.split, trial.fold).train, epsilon=epsilon, samples=samples)
