"""Send what the store has of a study to a tracker, each run once."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

from toile.errors import Misuse, ToileError, nearest
from toile.runner.plans.planned import Plan
from toile.trackers import mlflow, tensorboard
from toile.trackers.told import Told, told
from toile.version import installing


class Sent(NamedTuple):
    """How many runs were `sent` now, how many were `there` before, and `where` they are."""

    sent: int
    there: int
    where: str


class Tracker(NamedTuple):
    """A tool that is told of runs.

    `where` is where it is told if nothing else is said. `known(study, where)` gives the fingerprints that it has of the study,
    and `tell(run, where)` tells it of one: a run that was told of half is not known, and told of anew.
    """

    where: Callable[[], str]
    known: Callable[[str, str], Iterable[str]]
    tell: Callable[[Told, str], None]


TRACKERS = {
    "mlflow": Tracker(mlflow.default, mlflow.known, mlflow.tell),
    "tensorboard": Tracker(tensorboard.default, tensorboard.known, tensorboard.tell),
}


def send(plan: Plan, to: str, where: str | None = None) -> Sent:
    """Tell a tracker of every stored run of a study that it does not have yet. The store stays as it is.

    Args:
        to: a name in `TRACKERS`.
        where: an address or a folder, as the tracker has it; its own default where left out.

    Raises:
        Misuse: there is no such tracker.
        ToileError: its extra is not installed, it cannot be reached, or nothing of the study is stored.
    """
    if to not in TRACKERS:
        raise Misuse(f"unknown tracker {to!r}{nearest(to, TRACKERS)}; known: {', '.join(TRACKERS)}")
    tracker, found = TRACKERS[to], list(told(plan))
    if not found:
        raise ToileError(f"nothing of {plan.reference!r} is stored yet; `toile run {plan.called}` trains it")
    where = where or tracker.where()
    try:
        known = set(tracker.known(plan.reference, where))
        new = [one for one in found if one.fingerprint not in known]
        for one in new:
            tracker.tell(one, where)
    except ImportError as error:
        package = (error.name or "").partition(".")[0]
        wanted = f"the extra {to!r}: {installing(to)}" if package == to else f"the package {package!r}: pip install {package}"
        raise ToileError(f"`toile log --to {to}` needs {wanted}") from None
    return Sent(len(new), len(found) - len(new), where)
