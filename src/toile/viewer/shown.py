"""The studies of which a store has something, planned without training, and what there is to say about each."""

from __future__ import annotations

import threading
import tomllib
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from toile.data.errors import DataError
from toile.errors import Misuse, ToileError
from toile.models.backbones import WeightsMissing
from toile.reports.checks import checks
from toile.reports.page import search
from toile.reports.page.findings import findings
from toile.reports.results.gather import gather
from toile.reports.results.study import StudyResults
from toile.reports.results.summary import plain
from toile.reports.text import shares
from toile.runner.plans import plan as plans
from toile.runner.plans.options import options
from toile.runner.plans.planned import Plan, PlannedTrial
from toile.search import searched
from toile.search.searched import Searched
from toile.store.store import Store
from toile.studies import load, names
from toile.studies import source as whole_name
from toile.study.reduction import Reduction

LARGEST = 2**20  # bytes of a file that may be a study


@dataclass(frozen=True)
class Asked:
    """What of studies is meant: instead of their own data sets, `dataset`; and so much of images and epochs."""

    dataset: str | None = None
    fraction: float = 1.0
    epochs_scale: float = 1.0


class Studies:
    """The studies that a store is looked at with: the packaged ones, those that were named, and those in a folder.

    What is not of this store (its data set is not kept there) is left out, but for those that were named.

    Args:
        named: names of packaged studies, or paths.
        folder: whose `.toml` files are looked at.
    """

    def __init__(self, store: Store, named: Iterable[str] = (), folder: Path | None = None, asked: Asked | None = None) -> None:
        self.store, self.asked = store, asked or Asked()
        given = [(load(one, self.asked.dataset).reference, str(one)) for one in named]
        found = [] if folder is None else [str(path) for path in sorted(folder.glob("*.toml")) if _is_study(path)]
        packaged = [(name, name) for name in names()]
        self.sources = _by_name([*given, *packaged, *((Path(path).stem, path) for path in found)])
        self.named = set(_by_name(given))
        self._plans: dict[str, tuple[Any, Plan | None]] = {}
        self._results: dict[str, tuple[Plan, frozenset[str], StudyResults]] = {}
        self._lock = threading.RLock()

    def plan(self, reference: str) -> Plan | None:
        """The plan of a study; None where the store has nothing of it, or it cannot be planned here.

        Raises:
            Misuse: there is no such study.
        """
        if reference not in self.sources:
            raise Misuse(f"there is no study {reference!r} here")
        with self._lock:
            source = self.sources[reference]
            stamp = (_stamp(Path(source)), _stamp(self.store.data_folder / "asked.json"))
            if reference in self._plans and isinstance(self._plans[reference][1], Searched):
                # What comes next in a search depends on what is stored.
                stamp += (_stamp(self.store.runs_folder),)
            if reference not in self._plans or self._plans[reference][0] != stamp:
                made = None
                with suppress(ToileError, WeightsMissing, DataError):
                    made = self._made(reference, source)
                self._plans[reference] = (stamp, made)
            return self._plans[reference][1]

    def _made(self, reference: str, source: str) -> Plan | None:
        loaded = load(source, self.asked.dataset)
        if (data := self.store.kept(loaded.dataset)) is None:
            return None
        reduction = Reduction(self.asked.fraction, self.asked.epochs_scale)
        called = loaded.called + options(self.store, reduction)
        made = plans.make(loaded.spec, reference, loaded.dataset, data, self.store, reduction, called)
        return searched.searched(made) if loaded.spec.search else made

    def all(self) -> list[dict[str, Any]]:
        """Every study that something is stored or begun of, or that was named: `reference`, `title`, `question`, `dataset`,
        `states` (how many trials are in which), `committees` (how many it asks for), `names` (fingerprint -> name), and the
        fingerprints `resting` that a search does not go on with now."""
        found = []
        for reference in self.sources:
            if (made := self.plan(reference)) is not None:
                states = self._states(made)
                if reference in self.named or set(states.values()) != {"missing"}:
                    found.append(_about(made, states))
        return found

    def _states(self, made: Plan) -> dict[str, str]:
        return {
            one.fingerprint: "stored"
            if self.store.get(one.fingerprint)
            else "begun"
            if (self.store.work(one.fingerprint) / "trial.json").is_file()
            else "missing"
            for one in made.trials
        }

    def results(self, reference: str) -> StudyResults:
        """All figures of a study, read again when another of its trials is stored.

        Raises:
            ToileError: the store has nothing of it.
        """
        with self._lock:
            if (made := self.plan(reference)) is None:
                raise ToileError(f"the store has nothing of {reference!r}")
            known = frozenset(one.fingerprint for one in made.trials if made.run_of(one))
            kept = self._results.get(reference)
            if kept is None or kept[0] is not made or kept[1] != known:
                self._results[reference] = kept = (made, known, gather(made))
            return kept[2]

    def told(self, reference: str) -> dict[str, Any]:
        """What the page says of a study, ready for JSON.

        Raises:
            ToileError: the store has nothing of it.
        """
        results, made = self.results(reference), self.plan(reference)
        assert made is not None
        states = self._states(made)
        return plain({
            **_about(made, states),
            "findings": findings(results),
            "search": _search(results),
            "checks": [asdict(one) for one in checks(results)],
            "classes": results.dataset.class_names,
            "trials": [
                {
                    "name": one.name, "line": one.line, "fingerprint": one.fingerprint, "state": states[one.fingerprint],
                    "architecture": one.trial["architecture"]["name"], "validation": _figures(one.validation),
                    "test": _figures(one.test),
                }
                for one in results.trials
            ],
            "committees": [
                {
                    "name": one.name, "rule": one.rule, "test": _figures(one.test),
                    "mean_of_members": _figures(one.mean_of_members), "fitted_on": one.fitted_on,
                    "calibration": one.calibration.name if one.calibration else None,
                    "choice": asdict(one.choice) if one.choice else None,
                    "members": [
                        {"name": member.name, "share": share, "test": _figures(member.test),
                         "fingerprints": [run.fingerprint for run in member.trainings.values()]}
                        for member, share in zip(one.joined, shares(one.rule, one.weights, len(one.joined)), strict=True)
                    ],
                }
                for one in results.committees
            ],
        })  # fmt: skip


def _search(results: StudyResults) -> dict[str, Any] | None:
    """What the search of a study came to so far: `paragraphs`, `metric`, and the `rows` of its leaderboard."""
    if results.search is None:
        return None
    rows = [
        {key: row[key] for key in ("name", "epochs", "whole", "figure", "apart", "fingerprints")}
        | {"values": search.values(row["values"])}
        for row in results.search.rows
    ]
    return {"paragraphs": search.paragraphs(results), "metric": results.search.metric, "rows": rows}


def _by_name(found: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Sources by short names, each file once; of several of one name, the later ones with their folders' names."""
    named: dict[str, str] = {}
    seen: set[str] = set()
    for name, typed in found:
        if (place := whole_name(typed)) in seen:
            continue
        seen.add(place)
        other = f"{name} ({Path(place).parent.name or 'packaged'})"
        called = (name, other, *(f"{other} {number}" for number in range(2, len(named) + 3)))
        named[next(one for one in called if one not in named)] = typed
    return named


def _about(made: Plan, states: dict[str, str]) -> dict[str, Any]:
    counts = {state: sum(one == state for one in states.values()) for state in ("stored", "begun", "missing")}
    return {
        "reference": made.reference,
        "title": made.title,
        "question": made.study.question,
        "dataset": made.dataset.name,
        "states": counts,
        "committees": len(made.study.committee),
        "names": {one.fingerprint: one.name for one in reversed((*made.trials, *_wholes(made)))},
        "resting": [one.fingerprint for one in _wholes(made, resting=True)],
    }


def _wholes(made: Plan, resting: bool = False) -> list[PlannedTrial]:
    """The trainings of a search's proposals to their end; if `resting`, those that nobody goes on with now."""
    if not isinstance(made, Searched):
        return []
    walk = made.walk
    at_work = {step.proposal for step, known in zip(walk.steps, walk.outcomes, strict=True) if known is None}
    return [one for found in walk.proposals if not (resting and found.number in at_work) for one in found.whole]


def _figures(found: dict[str, Any]) -> dict[str, float]:
    return {name: found[name] for name in ("accuracy", "loss", "ece", "images") if found.get(name) is not None}


def _is_study(path: Path) -> bool:
    """Whether a file looks like a study: it has a title, a data set and something to train."""
    try:
        if not path.is_file() or path.stat().st_size > LARGEST:
            return False
        content = tomllib.loads(path.read_text("utf-8"))
    except (OSError, ValueError, RecursionError):
        return False
    return "title" in content and "dataset" in content and bool({"trial", "sweep", "search"} & content.keys())


def _stamp(path: Path) -> tuple[int, int] | None:
    try:
        of = path.stat()
    except OSError:
        return None
    return of.st_mtime_ns, of.st_size
