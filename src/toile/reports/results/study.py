"""What a report is made of: everything about a study that the store knows, read once, before anything is drawn."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from toile.arrays import Probabilities
from toile.data.dataset import Dataset, Images
from toile.errors import ToileError
from toile.store.run import Run
from toile.study.spec import StudySpec


@dataclass(frozen=True)
class TrialResult:
    """A trial of the study and, if it has been run, its run.

    `name` is unique in the study: the trial's name, with " (seed 1)" or " (fold 2)" behind it where there are several;
    `line` is the name without that.
    """

    name: str
    fingerprint: str
    trial: dict[str, Any]
    published: dict[str, Any]
    run: Run | None
    line: str = ""

    @property
    def stored_run(self) -> Run:
        """Its run, where it has one: that of a trial in `StudyResults.stored`.

        Raises:
            ToileError: it is not stored.
        """
        if self.run is None:
            raise ToileError(f"{self.name} is not stored")
        return self.run

    @property
    def test(self) -> dict[str, Any]:
        return self.run.metrics.get("test", {}) if self.run else {}

    @property
    def validation(self) -> dict[str, Any]:
        return self.run.metrics.get("validation", {}) if self.run else {}


@dataclass(frozen=True)
class CommitteeResult:
    """A committee whose members are all stored.

    `test` are the metrics of the combined probabilities. `mean_of_members` are the means of the members' own figures,
    which is another thing: no set of probabilities has them.
    """

    name: str
    members: tuple[str, ...]
    rule: str
    weights: tuple[float, ...] | None
    probabilities: Probabilities
    test: dict[str, Any]
    mean_of_members: dict[str, float]
    published: dict[str, Any]


@dataclass(frozen=True)
class StudyResults:
    """All of a study.

    `reference` is what the user called it (`committee`), `dataset` has the class map applied, `audit` is what
    `toile.data.audit.audit` found (a dictionary), `reduced` how it was made smaller, in words, `test` are the images that
    `probabilities` of the runs speak of; None in cross-validation of a data set without test images.
    """

    study: StudySpec
    reference: str
    dataset: Dataset
    audit: dict[str, Any]
    test: Images | None
    trials: tuple[TrialResult, ...]
    committees: tuple[CommitteeResult, ...]
    reduced: str = ""

    @property
    def title(self) -> str:
        """The study's title, with how it is reduced if it is."""
        return f"{self.study.title}, {self.reduced}" if self.reduced else self.study.title

    @property
    def test_images(self) -> Images:
        """`test`, where something was judged on it.

        Raises:
            ToileError: there are none.
        """
        if self.test is None:
            raise ToileError(f"{self.reference} has no test images: nothing was judged on any")
        return self.test

    @property
    def stored(self) -> tuple[TrialResult, ...]:
        return tuple(trial for trial in self.trials if trial.run)
