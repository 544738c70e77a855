"""A trial: the frozen intent of one training, and its fingerprint."""

from __future__ import annotations

import hashlib
import json
from functools import cached_property
from typing import Any, Literal

from toile.study.spec import RecipeSpec, Spec, SplitSpec

# Raised when the meaning of a field changes, so that old runs are not taken for new ones.
FORMAT = 1


class TrialDataset(Spec):
    """The images, by what they are and not by where they lie or what they are called."""

    content: str
    classes: int
    image_shape: tuple[int, int, int]


class TrialArchitecture(Spec):
    """An architecture with all its options, and the revision of the code that builds it."""

    name: str
    options: dict[str, Any]
    revision: int


class Trial(Spec):
    """Everything that decides a training's result, and nothing else. Names, paths and worker counts are not in it."""

    dataset: TrialDataset
    split: SplitSpec
    fold: int | None = None
    learner: Literal["keras"] = "keras"
    architecture: TrialArchitecture
    recipe: RecipeSpec
    seed: int
    backend: Literal["tensorflow", "jax", "torch"] = "tensorflow"

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of the canonical JSON, 64 hexadecimal digits."""
        return hashlib.sha256(self.canonical().encode()).hexdigest()

    def canonical(self) -> str:
        """The trial as JSON: keys sorted, no spaces, every default written out, nothing that plays no part.

        A seed that a tail split never draws from, or a validation share that folds replace, would make two names for
        one training; they are set to a fixed value here.
        """
        content = self.model_dump(mode="json")
        split = content["split"]
        if split["folds"] is None:
            split["shuffle"] = True
        else:
            split["validation"] = 0.0
        draws = split["method"] != "tail" and (split["folds"] is None or split["shuffle"])
        if not draws:
            split["seed"] = 0
        if split["method"] == "tail":
            split["shuffle"] = True
        return json.dumps({"format": FORMAT, **content}, sort_keys=True, separators=(",", ":"), allow_nan=False)

    @classmethod
    def parse(cls, text: str) -> Trial:
        """The trial that `canonical` wrote. (Lists become tuples again.)"""
        content = json.loads(text)
        if content.pop("format") != FORMAT:
            raise ValueError(f"a trial of another format than {FORMAT}; it was written by another version of toile")
        content["dataset"]["image_shape"] = tuple(content["dataset"]["image_shape"])
        return cls.model_validate(content)
