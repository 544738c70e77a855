"""The trials of a study over a data set: what would train, what is stored already, how long the rest is likely to take."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from statistics import median
from typing import Any

from toile.data.dataset import Dataset
from toile.data.errors import DataError
from toile.data.parts.absent import absent
from toile.data.parts.splits import Parts, split
from toile.errors import Misuse, ToileError, nearest
from toile.models import architectures
from toile.runner.plans import arithmetic
from toile.store import checked
from toile.store.checked import Damaged
from toile.store.run import Run
from toile.store.store import Store
from toile.study.committee import Calibration
from toile.study.data.dataset import DatasetSpec
from toile.study.data.split import SplitSpec
from toile.study.fields.patterns import matching
from toile.study.fields.published import Published
from toile.study.reduction import Reduction
from toile.study.spec import StudySpec
from toile.study.trial import Trial
from toile.text import listed


@dataclass(frozen=True)
class PlannedTrial:
    """A trial of a study, by the name that it has there.

    `line` is the name in the study file; `name` adds seed and fold where there are several. `weights` is the file whose
    content the trial's architecture begins with, if it names one. `calibration` is done after the training, to what it says.
    `proposed` says that a search did.
    """

    name: str
    line: str
    trial: Trial
    published: Published | None
    weights: Path | None = None
    calibration: Calibration = None
    proposed: bool = False

    @cached_property
    def fingerprint(self) -> str:
        return self.trial.fingerprint


@dataclass(frozen=True)
class Plan:
    """All trials of a study over a data set, and what the store has of them.

    `requested` is how `dataset` was asked for: by the study itself, or as a stand-in. Two names may mean one trial; it is
    trained once. `called` is what commands in messages call the study: a path, where `reference` is a short name, and the
    options that mean this plan of it.
    """

    study: StudySpec
    reference: str
    requested: DatasetSpec
    reduction: Reduction
    dataset: Dataset
    trials: tuple[PlannedTrial, ...]
    store: Store
    called: str

    @cached_property
    def counts(self) -> dict[SplitSpec, dict[str, int]]:
        """The images of each part of each split (of its first fold), after `reduction`.

        Raises:
            DataError: the data set cannot be split so.
        """
        splits = dict.fromkeys(one.trial.split for one in self.trials)
        return {spec: counts_of(self.dataset, spec) for spec in splits}

    def checked(self) -> Plan:
        """The plan itself, if every split can be cut. (Reports of what is stored already need not cut any.)

        Raises:
            DataError: the data set cannot be split so; or what would train lacks a class in one of its parts.
        """
        _ = self.counts
        for spec in dict.fromkeys(one.trial.split for one in self.trials if not self.run_of(one)):
            if lacking := absent(self.dataset, spec):
                raise DataError(lacking)
        return self

    def parts(self, planned: PlannedTrial) -> Parts:
        """The images of a trial's split, each split cut once."""
        key = (planned.trial.split, planned.trial.fold)
        if key not in self._cut:
            self._cut[key] = split(self.dataset, *key)
        return self._cut[key]

    def judged(self, planned: PlannedTrial) -> dict[str, int]:
        """How many images a trial's run has probabilities of, by split."""
        parts = self.parts(planned)
        return {split: len(part) for split in ("validation", "test") if (part := getattr(parts, split))}

    @cached_property
    def _cut(self) -> dict[tuple[SplitSpec, int | None], Parts]:
        return {}

    @property
    def title(self) -> str:
        """The study's title, with how it is reduced if it is."""
        return f"{self.study.title}, {self.reduction}" if self.reduction else self.study.title

    def run_of(self, planned: PlannedTrial) -> Run | None:
        """The trial's run, if it is stored and not damaged; see `toile.store.store.Store.sound`."""
        return self.store.sound(planned.fingerprint)

    def stored_run(self, planned: PlannedTrial) -> Run:
        """The trial's run.

        Raises:
            ToileError: it is not stored.
        """
        if (run := self.run_of(planned)) is None:
            raise ToileError(
                f"{planned.name} is not stored; `toile run {self.called} --only {shlex.quote(planned.name)}` trains it"
            )
        return run

    def state(self, planned: PlannedTrial) -> str:
        """`stored`, `damaged` (it is stored, and not what was written), `begun` (there is a checkpoint) or `missing`."""
        if self.store.get(planned.fingerprint):
            return "stored" if self.run_of(planned) else "damaged"
        return "begun" if (self.store.work(planned.fingerprint) / "checkpoint.npz").is_file() else "missing"

    def pending(self, only: Iterable[str] = ()) -> list[PlannedTrial]:
        """What is to train, each fingerprint once, the longest first: so the last core is not left alone with it.

        A run that is damaged is in the way of another until it is set aside.

        Args:
            only: patterns (`model-*`); a trial counts if its name or its line matches one. Empty: all trials.

        Raises:
            Misuse: a pattern matches nothing.
        """
        by_fingerprint = {p.fingerprint: p for p in reversed(self.trials)}
        chosen = {p.fingerprint: p for p in reversed(self.matching(only)) if not self.store.get(p.fingerprint)}
        # What a trial begins with or learns from is trained too, whether it was asked for or not.
        needed = [parent for planned in chosen.values() for parent in planned.trial.parents]
        while needed:
            parent = by_fingerprint[needed.pop()]
            if parent.fingerprint not in chosen and not self.store.get(parent.fingerprint):
                chosen[parent.fingerprint] = parent
                needed += parent.trial.parents
        return sorted(chosen.values(), key=lambda planned: -self.seconds(planned))

    def matching(self, only: Iterable[str] = ()) -> list[PlannedTrial]:
        """The trials whose name or line matches one of the patterns, in the study's order."""
        patterns = list(only)
        meant: set[str] = set()
        for pattern in patterns:
            found = set(matching((name for one in self.trials for name in (one.name, one.line)), pattern))
            meant |= found
            if not found:
                names = [planned.name for planned in self.trials]
                raise Misuse(
                    f"no trial matches {pattern!r}{nearest(pattern, names)}; there are: {listed(map(shlex.quote, names))}"
                )
        return [one for one in self.trials if not patterns or meant & {one.name, one.line}]

    def seconds(self, planned: PlannedTrial, after: int = 0) -> float:
        """About how long the trial takes, in seconds on one core: by stored runs of its like, else by its arithmetic.

        Args:
            after: epochs of it that are trained already.
        """
        trial, counts = planned.trial, self.counts[planned.trial.split]
        epochs = trial.recipe.epochs - after
        if speed := self._speeds.get(kind(trial.model_dump(mode="json"))):
            # Of a backbone the features are kept too, most likely: its pass is not done again.
            return arithmetic.SECONDS_TO_START[trial.learner] + counts["train"] * epochs / speed
        return arithmetic.seconds(trial, counts, epochs)

    def parameters(self, planned: PlannedTrial) -> int | None:
        """How many its model has, or None where its architecture does not say before it is built."""
        of, dataset = planned.trial.architecture, planned.trial.dataset
        return architectures.parameters(of.name, dataset.image_shape, dataset.classes, of.options)

    def guessed(self, planned: PlannedTrial) -> bool:
        """Whether `seconds` goes by arithmetic alone, because no run of its like is stored."""
        return kind(planned.trial.model_dump(mode="json")) not in self._speeds

    @cached_property
    def _speeds(self) -> dict[str, float]:
        """Images a second of stored runs, by what decides speed: the median, as some had others beside them."""
        found: dict[str, list[float]] = {}
        for run in self.store.runs():
            try:
                if speed := run.provenance.get("images_per_second"):
                    found.setdefault(kind(run.trial), []).append(speed)
            except Damaged as error:
                checked.say_left_out(run.fingerprint, error)
        return {one: median(speeds) for one, speeds in found.items()}


def counts_of(dataset: Dataset, spec: SplitSpec) -> dict[str, int]:
    return split(dataset, spec, 0 if spec.folds else None).counts()


def kind(trial: dict[str, Any]) -> str:
    """What decides how fast a trial trains: the same for trials of the same speed."""
    architecture, recipe = trial["architecture"], trial["recipe"]
    deciding = (
        architecture["name"], architecture["options"], trial["dataset"]["image_shape"],
        recipe["batch_size"], recipe["precision"], recipe.get("augmentation"), trial["backend"],
    )  # fmt: skip
    return json.dumps(deciding, sort_keys=True)
