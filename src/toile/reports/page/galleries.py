"""Sheets of images: a sample of each class, and the images on which the models disagree most."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass

import numpy as np

from toile.committee.diversity import most_disputed
from toile.reports.results.compared import Evaluated, close_up, evaluated_committees, evaluated_models
from toile.reports.results.study import StudyResults

SAMPLES = 10
CLASSES = 30
GAP = 2


@dataclass(frozen=True)
class Strip:
    """Some images of one class beside each other, as one PNG."""

    class_name: str
    shown: int
    uri: str
    width: int
    height: int


@dataclass(frozen=True)
class Vote:
    """What a member, or the committee, says of one image."""

    name: str
    choice: str
    probability: float
    of_truth: float
    right: bool
    committee: bool


@dataclass(frozen=True)
class DisputedImage:
    """An image of the test split with what was said of it. `index` is its place in the test split, from 0, and `name` that of
    its file, if it has one."""

    index: int
    name: str
    truth: str
    uri: str
    votes: tuple[Vote, ...]


def png(pixels: np.ndarray) -> str:
    """A `data:` URI of a PNG.

    Args:
        pixels: uint8 `(height, width, channels)` with 1 (grey), 3 (RGB) or 4 (RGBA) channels; of any other number the
            first is shown.
    """
    from PIL import Image

    if pixels.shape[-1] not in (1, 3, 4):
        pixels = pixels[..., :1]
    image = Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels)
    content = io.BytesIO()
    image.save(content, format="PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(content.getvalue()).decode("ascii")


def strips(results: StudyResults, samples: int = SAMPLES) -> list[Strip]:
    """The first images of each class in the order of the training images: nobody chose them.

    At most 30 classes are shown.
    """
    made, train = [], results.dataset.train
    for label, name in enumerate(results.dataset.class_names[:CLASSES]):
        images = train.images[np.flatnonzero(train.labels == label)[:samples]]
        if len(images):
            row = row_of_images(images, samples)
            made.append(Strip(name, len(images), png(row), row.shape[1], row.shape[0]))
    return made


def random_strips(results: StudyResults, samples: int = SAMPLES) -> list[Strip]:
    """Training images drawn at random, the same ones in every report (seed 0), in rows; no name: their classes are mixed."""
    train = results.dataset.train
    drawn = np.random.default_rng(0).permutation(len(train.labels))[: 3 * samples]
    rows = [train.images[np.sort(drawn[at : at + samples])] for at in range(0, len(drawn), samples)]
    made = [(row_of_images(images, samples), len(images)) for images in rows]
    return [Strip("", count, png(row), row.shape[1], row.shape[0]) for row, count in made]


def augmented(results: StudyResults) -> list[tuple[str, list[Strip]]]:
    """For each augmentation of the study: the lines that have it, and rows of images, first as they are, then changed."""
    found = []
    for name, images, changed in results.previews:
        rows = [("as they are", images), *(("changed", some) for some in changed)]
        made = [(label, len(some), row_of_images(some, len(some))) for label, some in rows if len(some)]
        found.append((name, [Strip(label, count, png(row), row.shape[1], row.shape[0]) for label, count, row in made]))
    return found


def row_of_images(images: np.ndarray, places: int) -> np.ndarray:
    """RGBA `(height, width, 4)`: the images from left to right, with clear gaps and clear empty places."""
    _, height, width, channels = images.shape
    row = np.zeros((height, places * (width + GAP) - GAP, 4), np.uint8)
    for place, image in enumerate(images):
        colour = image[..., :3] if channels >= 3 else np.repeat(image[..., :1], 3, axis=-1)
        left = place * (width + GAP)
        row[:, left : left + width, :3] = colour
        row[:, left : left + width, 3] = image[..., 3] if channels == 4 else 255
    return row


def voters(results: StudyResults) -> tuple[list[Evaluated], Evaluated | None]:
    """Whose votes are shown: the members of the first committee that has several, and it; else the models looked at singly."""
    for committee, evaluated in zip(results.committees, evaluated_committees(results), strict=False):
        if committee.elsewhere is not None:
            continue
        members = evaluated_models(results, committee.members)
        if len(members) > 1:
            return members, evaluated
    return [one for one in close_up(results) if one.kind == "model"], None


def disputed(results: StudyResults, count: int = 12) -> list[DisputedImage]:
    """The test images on which the members disagree most, with each member's choice and its probability.

    Returns:
        At most `count`; none where fewer than two members are stored or where they always agree.
    """
    members, committee = voters(results)
    if len(members) < 2:
        return []
    indices = most_disputed(np.stack([member.probabilities for member in members]), results.test_images.labels, count)
    return _judged(results, [*members, *([committee] if committee else [])], np.asarray(indices, dtype=int).tolist())


def predicted(results: StudyResults, count: int = 12) -> list[DisputedImage]:
    """The first test images, in the order of the data set, with what the models that are looked at closely say of each."""
    models = [one for one in close_up(results) if one.kind == "model"]
    return _judged(results, models, list(range(min(count, len(results.test_images))))) if models else []


def _judged(results: StudyResults, voters: list[Evaluated], indices: list[int]) -> list[DisputedImage]:
    labels, names = results.test_images.labels, results.dataset.class_names
    said = [(voter, voter.probabilities) for voter in voters]
    shown = []
    for index in indices:
        truth = int(labels[index])
        votes = []
        for voter, probabilities in said:
            row = probabilities[index]
            choice = int(row.argmax())
            votes.append(
                Vote(
                    voter.name,
                    names[choice],
                    float(row[choice]),
                    float(row[truth]),
                    choice == truth,
                    voter.kind == "committee",
                )
            )
        name = "" if results.test_images.names is None else str(results.test_images.names[index])
        shown.append(DisputedImage(index, name, names[truth], png(results.test_images.images[index]), tuple(votes)))
    return shown
