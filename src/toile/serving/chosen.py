"""What is asked or shipped: one stored run, or a committee of several."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from toile.arrays import ByImage, ImageArray, MemberProbabilities, Probabilities
from toile.committee.rules import Fitted
from toile.data.dataset import Dataset
from toile.evaluation.calibrators import Calibration
from toile.pictures.form import Form
from toile.pictures.learned import form_of
from toile.store.run import Run


@dataclass(frozen=True)
class Chosen:
    """A run, or a committee with its rule.

    Args:
        kind: which of both.
        study: what it was found through, by name; None for a run that was named by its fingerprint.
        name: of the trial or the committee; of a run without a study the first digits of its fingerprint.
        members: the trainings of each member by its name in the study: one, or those of all folds, whose mean the member is.
        dataset: with the names of the classes.
        rule, weights: of a committee.
        test: its own figures on the test images; empty where there are none.
        calibration: what is done to its probabilities last, if anything.
    """

    kind: Literal["run", "committee"]
    study: str | None
    name: str
    members: dict[str, tuple[Run, ...]]
    dataset: Dataset
    rule: str | None
    weights: Fitted | None
    test: dict[str, Any]
    calibration: Calibration | None = None

    @property
    def runs(self) -> list[Run]:
        """All trainings, member after member."""
        return [run for member in self.members.values() for run in member]

    @property
    def counts(self) -> tuple[int, ...]:
        """How many trainings each member is the mean of."""
        return tuple(len(member) for member in self.members.values())

    @property
    def trial(self) -> dict[str, Any]:
        """Of the first training: what all have in common is read there."""
        return self.runs[0].trial

    @property
    def image_shape(self) -> tuple[int, int, int]:
        height, width, channels = self.trial["dataset"]["image_shape"]
        return height, width, channels

    @property
    def form(self) -> Form:
        """How a picture becomes an input of the members."""
        return self.dataset.form or form_of(self.dataset.train.images)

    def ask(self, images: ImageArray) -> tuple[Probabilities, ByImage]:
        """Probabilities `(n, classes)` and each member's `(n, members, classes)`, of uint8 `(n, height, width, channels)`."""
        from toile.workers.infer import infer

        said = self.of_members(np.stack(infer([run.model for run in self.runs], self.trial["backend"], images)))
        return self.joint(said), said.transpose(1, 0, 2)

    def of_members(self, said: MemberProbabilities) -> MemberProbabilities:
        """`(members, n, classes)` of `(trainings, n, classes)`."""
        from toile.committee.rules import RULES

        ends = np.cumsum(self.counts)
        own = [said[end - count : end] for end, count in zip(ends, self.counts, strict=True)]
        return np.stack([one[0] if len(one) == 1 else RULES["mean"](one, None) for one in own])

    def joint(self, members: MemberProbabilities) -> Probabilities:
        """`(n, classes)` of `(members, n, classes)`: the rule applied, and the calibration."""
        from toile.committee.rules import RULES

        said = members[0] if self.rule is None else RULES[self.rule](members, self.weights)
        return said if self.calibration is None else self.calibration(said)

    def about(self) -> dict[str, Any]:
        """What an export says of itself, ready for JSON; see docs/ship.md. Its `provenance` is added by who writes it."""
        rule = None if self.rule is None else {"name": self.rule}
        return {
            "kind": self.kind,
            "study": self.study,
            "name": self.name,
            "classes": list(self.dataset.class_names),
            "image_shape": list(self.image_shape),
            "form": self.form.plain(),
            "first": self.dataset.first,
            **({"numbers": list(self.dataset.numbers)} if self.dataset.numbers else {}),
            "members": [
                {"name": name, "fingerprint": runs[0].fingerprint, "architecture": runs[0].trial["architecture"]["name"]}
                | ({"trainings": [run.fingerprint for run in runs]} if len(runs) > 1 else {})
                for name, runs in self.members.items()
            ],
            "rule": rule if rule is None or self.weights is None else rule | {"weights": list(self.weights)},
            **({} if self.calibration is None else {"calibration": self.calibration.about()}),
            "dataset": {"name": self.dataset.name, "content": self.trial["dataset"]["content"]},
            "metrics": {"test": {"accuracy": self.test["accuracy"]}} if self.test else {},
        }
