"""What a model says of picture files, by the names of its classes. With an export, numpy, pillow and onnxruntime do it all."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from toile.serving.image import prepare
from toile.serving.predictor import NO_CHECKSUM, Predictor


@dataclass(frozen=True)
class Answer:
    """What a run or a committee says of one image.

    `probabilities` is by class; `members` has each member's by name, empty for a single run; `steps` say what was done to the
    image before a model saw it.
    """

    image: str
    class_name: str
    probabilities: dict[str, float]
    members: dict[str, dict[str, float]]
    steps: tuple[str, ...]


def answers(
    images: Sequence[Path | str],
    image_shape: tuple[int, int, int],
    classes: Sequence[str],
    members: Sequence[str],
    ask: Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]],
) -> list[Answer]:
    """One answer an image file.

    Args:
        image_shape: (height, width, channels) that the model takes.
        classes: names in the order of the probabilities.
        members: names of a committee's; none for a single run.
        ask: from uint8 `(n, height, width, channels)` to probabilities `(n, classes)` and `(n, members, classes)`.

    Raises:
        ImageError: a file is no image, or too large.
    """
    prepared = [prepare(Path(image), image_shape) for image in images]
    probabilities, of_members = ask(np.stack([one.pixels for one in prepared]))

    def named(row: np.ndarray) -> dict[str, float]:
        return {name: float(p) for name, p in zip(classes, row, strict=True)}

    return [
        Answer(
            image=str(image),
            class_name=classes[int(probabilities[i].argmax())],
            probabilities=named(probabilities[i]),
            members={name: named(of_members[i, m]) for m, name in enumerate(members)},
            steps=prepared[i].steps,
        )
        for i, image in enumerate(images)
    ]


def from_export(path: Path | str, images: Sequence[Path | str]) -> list[Answer]:
    """The same from an exported ONNX file. One without a checksum is warned of.

    Raises:
        ToileError: it is no export, or damaged, or a file is no image.
    """
    predictor = loaded(path)
    members = [one["name"] for one in predictor.members] if predictor.metadata["kind"] == "committee" else []
    return answers(images, predictor.image_shape, predictor.classes, members, predictor.predict)


def loaded(path: Path | str) -> Predictor:
    """An export to be asked once. One without a checksum is warned of.

    Raises:
        NotAnExport: it is none, or damaged.
    """
    predictor = Predictor.from_file(path)
    if not predictor.sealed:
        warnings.warn(f"{path} {NO_CHECKSUM}", stacklevel=2)
    return predictor
