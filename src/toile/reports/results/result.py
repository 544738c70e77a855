"""What a report is made of: everything about a study that the store knows, read once, before anything is drawn."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from toile.arrays import ImageArray, Probabilities
from toile.committee.rules import RULES, Fitted
from toile.data.audits.balance import uneven
from toile.data.dataset import Dataset, Images
from toile.errors import ToileError
from toile.evaluation.calibrators import Calibration
from toile.evaluation.metrics import with_balanced_accuracy
from toile.reports.results.cost import milliseconds
from toile.reports.results.search import SearchResult
from toile.runner.label_errors import Suspects
from toile.store.run import Run
from toile.study.spec import StudySpec


@dataclass(frozen=True)
class CalibratedResult:
    """What a stored run says after its calibration: `probabilities` of the test images, their metrics `test`, and on which
    images it was fitted, in words."""

    calibration: Calibration
    probabilities: Probabilities
    test: dict[str, Any]
    fitted_on: str


@dataclass(frozen=True)
class TrialResult:
    """A trial of the study and, if it has been run, its run.

    `name` is unique in the study: the trial's name, with " (seed 1)" or " (fold 2)" behind it where there are several;
    `line` is the name without that. `calibrated` is there where the study asks for it: the other figures are the run's own.
    `state` is what a plan says of it. `beside`: its split draws the same test images as that of the study's first trial.
    """

    name: str
    fingerprint: str
    trial: dict[str, Any]
    published: dict[str, Any]
    run: Run | None
    line: str = ""
    calibrated: CalibratedResult | None = None
    state: str = "missing"
    beside: bool = False

    @property
    def absent(self) -> str:
        """Why there are no figures, of a trial that has no run."""
        return "damaged" if self.state == "damaged" else "not run yet"

    @property
    def stored_run(self) -> Run:
        """Its run, where it has one: that of a trial in `StoredStudy.stored`.

        Raises:
            ToileError: it is not stored.
        """
        if self.run is None:
            raise ToileError(f"{self.name} is not stored")
        return self.run

    @property
    def test(self) -> dict[str, Any]:
        return with_balanced_accuracy(self.run.metrics.get("test", {})) if self.run else {}

    @property
    def train(self) -> dict[str, Any]:
        """Of the training images, after the training; none where the run has got no such figures yet."""
        return with_balanced_accuracy(self.run.metrics.get("train", {})) if self.run else {}

    @property
    def validation(self) -> dict[str, Any]:
        return with_balanced_accuracy(self.run.metrics.get("validation", {})) if self.run else {}


@dataclass(frozen=True)
class MemberResult:
    """A member of a committee: a stored training, or the trainings of all folds of a line, whose mean it is.

    `trainings` are runs by their names in the study, `test` its own figures on the test images.
    """

    name: str
    line: str
    trainings: dict[str, Run]
    test: dict[str, Any]

    @cached_property
    def probabilities(self) -> Probabilities:
        """`(images, classes)` of the test images."""
        said = [run.probabilities("test") for run in self.trainings.values()]
        return said[0] if len(said) == 1 else RULES["mean"](np.stack(said), None)

    @property
    def costs(self) -> dict[str, float]:
        """`parameters`, and `milliseconds` for an image as its runs were evaluated; infinite where a run does not say."""
        facts = [run.provenance for run in self.trainings.values()]
        return {
            "parameters": sum(math.inf if one.get("parameters") is None else one["parameters"] for one in facts),
            "milliseconds": sum(milliseconds(one) for one in facts),
        }


@dataclass(frozen=True)
class ChoiceResult:
    """How the members of a committee were chosen among `candidates`.

    `path` has one dictionary a pick: `members` (different ones so far); the log loss on the images of the selection, `loss`, on
    such as were held out of it, by folds, `nested`, and on the test images, which chose nothing, `test`; and `accuracy` there.
    The committee is that of the first `picks` of them. Its log loss on the images of the selection is too low by `optimism`.
    """

    candidates: int
    path: tuple[dict[str, float], ...]
    picks: int
    optimism: float


@dataclass(frozen=True)
class CommitteeResult:
    """A committee whose members are all stored.

    `test` are the metrics of the joint probabilities, after the calibration if there is one; `uncalibrated` are they before.
    `mean_of_members` are the means of the members' own figures, which is another thing: no set of probabilities has them.
    `fitted_on` says on which images it was fitted, in words, if anything was. `line` is its name in the study file, `key` the
    seed and fold of all its members, where they have the same. `elsewhere` are the test images that it was judged on, where
    they are not the study's: its members are split otherwise than the study's first trial.
    """

    name: str
    joined: tuple[MemberResult, ...]
    rule: str
    weights: Fitted | None
    probabilities: Probabilities
    test: dict[str, Any]
    mean_of_members: dict[str, float]
    published: dict[str, Any]
    calibration: Calibration | None = None
    uncalibrated: Probabilities | None = None
    fitted_on: str = ""
    choice: ChoiceResult | None = None
    line: str = ""
    key: tuple[int, int | None] | None = None
    elsewhere: Images | None = None

    @property
    def members(self) -> tuple[str, ...]:
        """The members' names."""
        return tuple(one.name for one in self.joined)


@dataclass(frozen=True)
class StoredStudy:
    """All of a study.

    `reference` is its short name (`committee`), `called` what commands call it, perhaps a path, `dataset` has the class
    map applied, `audit` is what `toile.data.audits.audit.audit` found (a dictionary), `reduced` how it was made smaller,
    in words, `test` are the images that `probabilities` of the runs speak of; None in cross-validation of a data set
    without test images; `baselines` what `toile.runner.baselines` made of a trial's split, by its name, where it was
    made. Of a `search`, `trials` has what was picked, and nothing else. `previews` are some training images as
    augmentations change them: names of the lines, the images, and each of them several times. `unmade` says which committees
    could not be chosen, and why.
    """

    study: StudySpec
    reference: str
    dataset: Dataset
    audit: dict[str, Any]
    test: Images | None
    trials: tuple[TrialResult, ...]
    committees: tuple[CommitteeResult, ...]
    reduced: str = ""
    baselines: Mapping[str, dict[str, Any]] = field(default_factory=dict)
    search: SearchResult | None = None
    previews: tuple[tuple[str, ImageArray, np.ndarray], ...] = ()
    called: str = ""
    suspects: Suspects | None = None
    unmade: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        """The study's title, with how it is reduced if it is."""
        return f"{self.study.title}, {self.reduced}" if self.reduced else self.study.title

    @property
    def uneven(self) -> bool:
        """Whether the classes of the training images differ so much that balanced accuracy says more than accuracy."""
        return uneven(self.audit["train"]["counts"])

    @property
    def test_images(self) -> Images:
        """`test`, where something was judged on it.

        Raises:
            ToileError: there are none.
        """
        if self.test is None:
            raise ToileError(f"{self.reference} has no test images: nothing was judged on any")
        return self.test

    def judged(self, trial: TrialResult) -> bool:
        """Whether a training was judged on `test`, and not on what another split draws."""
        if self.test is None or trial.test.get("images") != len(self.test):
            return False
        return self.dataset.test is not None or trial.beside or trial.trial["split"] == self.trials[0].trial["split"]

    @property
    def stored(self) -> tuple[TrialResult, ...]:
        return tuple(trial for trial in self.trials if trial.run)
