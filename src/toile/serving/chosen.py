"""What is asked or shipped: one stored run, or a committee of several."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from toile.arrays import ByImage, ImageArray, Probabilities
from toile.data.dataset import Dataset
from toile.pictures.form import Form
from toile.store.run import Run


@dataclass(frozen=True)
class Chosen:
    """A run, or a committee with its rule.

    Args:
        kind: which of both.
        study: what it was found through, by name; None for a run that was named by its fingerprint.
        name: of the trial or the committee; of a run without a study the first digits of its fingerprint.
        members: runs by their names in the study; the one run.
        dataset: with the names of the classes.
        rule, weights: of a committee.
        test: its own figures on the test images; empty where there are none.
    """

    kind: Literal["run", "committee"]
    study: str | None
    name: str
    members: dict[str, Run]
    dataset: Dataset
    rule: str | None
    weights: tuple[float, ...] | None
    test: dict[str, Any]

    @property
    def trial(self) -> dict[str, Any]:
        """Of the first member: what all have in common is read there."""
        return next(iter(self.members.values())).trial

    @property
    def image_shape(self) -> tuple[int, int, int]:
        height, width, channels = self.trial["dataset"]["image_shape"]
        return height, width, channels

    @property
    def form(self) -> Form:
        """How a picture becomes an input of the members."""
        return self.dataset.form or Form.of(self.dataset.train.images)

    def ask(self, images: ImageArray) -> tuple[Probabilities, ByImage]:
        """Probabilities `(n, classes)` and each member's `(n, members, classes)`, of uint8 `(n, height, width, channels)`."""
        from toile.committee.rules import RULES
        from toile.workers.infer import infer

        said = np.stack(infer([run.model_path for run in self.members.values()], self.trial["backend"], images))
        return (said[0] if self.rule is None else RULES[self.rule](said, self.weights)), said.transpose(1, 0, 2)

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
            "members": [
                {"name": name, "fingerprint": run.fingerprint, "architecture": run.trial["architecture"]["name"]}
                for name, run in self.members.items()
            ],
            "rule": rule if rule is None or self.weights is None else rule | {"weights": list(self.weights)},
            "dataset": {"name": self.dataset.name, "content": self.trial["dataset"]["content"]},
            "metrics": {"test": {"accuracy": self.test["accuracy"]}} if self.test else {},
        }
