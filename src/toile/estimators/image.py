"""A classifier of images that toile trains."""

from __future__ import annotations

import math
import tempfile
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import Tags, check_consistent_length, check_random_state, column_or_1d
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data

from toile import studies
from toile.arrays import ImageArray, ImageWeights, Probabilities
from toile.data.dataset import Dataset, Images
from toile.data.errors import DataError
from toile.data.images import as_names
from toile.data.reading.checks import full_light
from toile.errors import Misuse
from toile.estimators.base import InvalidParameter, ProbabilisticClassifier
from toile.runner.executors.resident import Resident
from toile.runner.plans import plan as plans
from toile.runner.plans.planned import Plan
from toile.runner.progress import Show
from toile.runner.run import run
from toile.store.store import Store
from toile.study.file.checks import mistakes
from toile.study.file.lines import Location
from toile.study.file.mistakes import spell
from toile.study.recipe.recipe import RecipeSpec
from toile.study.spec import StudySpec
from toile.workers.resident.client import StoredModel, session

_GROUPS = "groups"  # what a study's split would call them
_SMALLEST = 8  # pixels of a side, for a network that looks at neighbours
_FOR_SMALL = "logistic-regression"


class ImageClassifier(ProbabilisticClassifier):
    """One of toile's architectures, trained as a trial of a study is: the same trial of `toile run` has the same result.

    `X` are images: `(n, height, width)`, `(n, height, width, channels)` with 1 or 3 channels, or rows of pixels
    `(n, pixels)`. uint8 is taken as it is. Other numbers are brought to 0..255 in 256 steps: by the range 0..1 or 0..255 that a
    file of them would be taken for, if they fill more than half of it, and else by the smallest and the largest of the
    training images. Later images are clipped to that range.

    Args:
        architecture: a name that `toile list` shows; None for "cnn", and for images with a side of fewer than 8 pixels, which
            have no neighbourhoods to be convolved, "logistic-regression".
        options: the architecture's, as a study file has them; None for its defaults.
        epochs, batch_size, schedule, schedule_epochs, label_smoothing, early_stopping, augmentation, scaling, precision,
            flip_average: as in a study's `[recipe]`, tables as dictionaries. Classical architectures look at none of these.
        class_weight, sampling: likewise; "balanced", or weights by label. Classical architectures take the first too.
        optimizer: likewise: a name, or a dictionary with `name` and options.
        learning_rate: the optimizer's; None for Keras's default.
        validation: share of the images, drawn stratified, that early stopping and a support vector machine's calibration look
            at, and that nothing else is learned from.
        image_shape: (height, width, channels) of rows of pixels. None takes a square number of pixels for a square image, and
            any other for an image one pixel high.
        backend: Keras's: "tensorflow", "jax" or "torch".
        threads: of the training process. They change the last bits of a result.
        store: a folder of runs, in which what was trained before is found again; None to keep none.
        random_state: an integer, a study's seed; a RandomState; or None for another seed each time.
        verbose: whether to show the progress of the training on standard error.

    Attributes:
        classes_: labels `(classes,)`, sorted.
        n_features_in_: height * width * channels.
        feature_names_in_: column names, if `X` was a data frame.
        image_shape_: (height, width, channels) of the images.
        pixel_range_: the numbers that became 0 and 255; None where the images were uint8.
        fingerprint_: of the trial.
        history_: one dictionary an epoch, as `toile.store.run.Run.history`.
        model_: the trained model, as the run has it.
    """

    def __init__(
        self,
        architecture: str | None = None,
        *,
        options: dict[str, Any] | None = None,
        epochs: int = 20,
        batch_size: int = 32,
        optimizer: str | dict[str, Any] = "adam",
        learning_rate: float | None = None,
        schedule: str | dict[str, Any] = "constant",
        schedule_epochs: int | None = None,
        label_smoothing: float = 0.0,
        early_stopping: dict[str, Any] | None = None,
        augmentation: dict[str, Any] | None = None,
        scaling: str = "pixels",
        precision: str = "float32",
        flip_average: bool = False,
        class_weight: str | dict[Any, float] | None = None,
        sampling: str | None = None,
        validation: float = 0.0,
        image_shape: tuple[int, int, int] | None = None,
        backend: str = "tensorflow",
        threads: int = 1,
        store: str | Path | None = None,
        random_state: int | np.random.RandomState | None = None,
        verbose: bool = False,
    ) -> None:
        self.architecture, self.options = architecture, options
        self.epochs, self.batch_size, self.optimizer, self.learning_rate = epochs, batch_size, optimizer, learning_rate
        self.schedule, self.schedule_epochs = schedule, schedule_epochs
        self.label_smoothing, self.early_stopping = label_smoothing, early_stopping
        self.augmentation, self.scaling, self.precision, self.flip_average = augmentation, scaling, precision, flip_average
        self.class_weight, self.sampling = class_weight, sampling
        self.validation, self.image_shape, self.backend, self.threads = validation, image_shape, backend, threads
        self.store, self.random_state, self.verbose = store, random_state, verbose

    def fit(self, X: Any, y: Any, sample_weight: Any = None, groups: Any = None) -> Self:
        """Train on images `X` with labels `y` `(n,)`, numbers or strings.

        Args:
            sample_weight: `(n,)`, what each image counts in the loss, from 0 up; None where all count 1. One of weight 0
                is left out. As with `class_weight`, the loss of a step is divided by its number of images.
            groups: `(n,)`, numbers or strings: images of one group go into one part where `validation` is cut.

        Raises:
            InvalidParameter: an architecture, options or a recipe that cannot be; which says what is allowed.
            ValueError: images of another shape, NaN, fewer than two classes.
            ToileError: the training failed.
        """
        given, rows = _flat(X)
        checked: Any = validate_data(self, rows, y)
        rows, y = checked
        check_classification_targets(y)
        rows, y, weights, groups = _weighed(rows, y, sample_weight, groups)
        self.classes_, labels = np.unique(y, return_inverse=True)
        if len(self.classes_) < 2:
            raise ValueError(f"classes to tell apart are two at least; all labels are of 1 class, {self.classes_[0]!r}")
        self.image_shape_ = self._shape(given or rows.shape[1:])
        self.pixel_range_ = None if rows.dtype == np.uint8 else _pixel_range(rows)
        columns = None if groups is None else {_GROUPS: as_names([str(group) for group in groups])}
        train = Images(self._images(rows), labels.astype(np.int64), columns=columns, weights=weights)
        if weights is None and self.architecture is None and self._architecture(self.image_shape_) == _FOR_SMALL:
            # With weights it is fitted in double precision; so that these two fits are one, without any too.
            train = replace(train, weights=np.ones(len(train), np.float32))
        # No test images: nothing is judged here. That is `score`'s, on other images.
        dataset = Dataset("images", train, train[:0], tuple(map(str, self.classes_)))
        with nullcontext(self.store) if self.store else tempfile.TemporaryDirectory(prefix="toile-") as folder:
            try:
                self._train(self._plan(dataset, Store(folder)))
            except (Misuse, DataError) as error:
                raise InvalidParameter(str(error)) from None
        return self

    def predict_proba(self, X: Any) -> Probabilities:
        """Probabilities `(n, classes)` float32; rows sum to 1. Images are of the shape that was trained on, or rows of it."""
        check_is_fitted(self, "model_")
        given, rows = _flat(X)
        checked: Any = validate_data(self, rows, reset=False)
        if given and (shape := self._shape(given)) != self.image_shape_:
            raise ValueError(f"images of shape {shape}; the model was trained on {self.image_shape_}")
        return session(self.backend, self.threads).predict(self.model_, self._images(checked))

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        return tags

    def _plan(self, dataset: Dataset, store: Store) -> Plan:
        """A study of the one trial, checked as any other."""
        seed = self.random_state
        if not isinstance(seed, int | np.integer):
            seed = check_random_state(seed).randint(np.iinfo(np.int32).max)
        # It has not all of them: a teacher is a committee of a study, and no search goes on with what it trained.
        recipe = {key: value for key in RecipeSpec.model_fields if (value := getattr(self, key, None)) is not None}
        if self.learning_rate is not None:
            optimizer = self.optimizer if isinstance(self.optimizer, dict) else {"name": self.optimizer}
            recipe["optimizer"] = {**optimizer, "learning_rate": self.learning_rate}
        if isinstance(self.class_weight, dict):
            called = dict(zip(self.classes_.tolist(), map(str, self.classes_), strict=True))  # 1, too, where labels are 1.0
            recipe["class_weight"] = {called.get(label, str(label)): weight for label, weight in self.class_weight.items()}
        architecture = {"name": self._architecture(dataset.image_shape), "options": self.options or {}}
        content = _plain({
            "title": "ImageClassifier",
            "dataset": {"path": "images"},
            "split": {
                "method": "stratified" if self.validation else "tail",
                "validation": self.validation,
                "seed": seed,
                **({"groups": _GROUPS} if self.validation and dataset.train.columns else {}),
            },
            "seeds": [seed],
            "backend": self.backend,
            "recipe": recipe,
            "trial": [{"name": "fit", "architecture": architecture}],
        })  # fmt: skip
        wrong = [f"{_parameter(place)}: {what}" for place, what in mistakes(content, studies.catalogue())]
        if not isinstance(self.threads, int) or self.threads < 1:
            wrong.append(f"threads: a whole number from 1 up is wanted, got {self.threads!r}")
        if wrong:
            raise InvalidParameter("; ".join(wrong))
        spec = studies.with_weights(StudySpec.model_validate(content), Path())
        return plans.make(spec, "ImageClassifier", spec.dataset, dataset, store).checked()

    def _architecture(self, shape: tuple[int, int, int]) -> str:
        if self.architecture is not None:
            return self.architecture
        return "cnn" if min(shape[:2]) >= _SMALLEST else _FOR_SMALL

    def _train(self, plan: Plan) -> None:
        show = Show(plan, plan.pending(), 1) if self.verbose else nullcontext(lambda event: None)
        with show as tell:
            run(plan, executor=Resident(self.threads), tell=tell)
        made = plan.stored_run(plan.trials[0])
        self.fingerprint_, self.history_, self.model_ = made.fingerprint, made.history, StoredModel.of(made)

    def _shape(self, given: tuple[int, ...]) -> tuple[int, int, int]:
        """(height, width, channels) of images whose arrays are of the shape `given`."""
        pixels = math.prod(given)
        if len(given) > 1:
            shape = (*given, 1)[:3]
        elif self.image_shape is not None:
            shape = tuple(self.image_shape)
        else:
            side = math.isqrt(pixels)
            shape = (side, side, 1) if side * side == pixels else (1, pixels, 1)
        if len(given) > 3 or len(shape) != 3 or math.prod(shape) != pixels or shape[2] not in (1, 3):
            raise InvalidParameter(f"images of shape {given} are not (height, width, 1 or 3 channels), as {shape} would be")
        return shape

    def _images(self, rows: NDArray[Any]) -> ImageArray:
        """uint8 `(n, height, width, channels)` of `(n, pixels)`."""
        if self.pixel_range_ is not None:
            low, high = self.pixel_range_
            if rows.dtype.kind in "iu" and type(high) is float and high == 1 < rows.max():
                raise InvalidParameter(f"images of {rows.dtype} up to {rows.max()}; the model was trained on fractions 0..1")
            scale = 255 / (high - low) if high > low else 0
            rows = np.clip(np.round((rows.astype(np.float64) - low) * scale), 0, 255).astype(np.uint8)
        elif rows.dtype != np.uint8:
            # Fractions might be meant to run to 1; whole numbers outside of 0..255 are no pixels that were seen either.
            if rows.dtype.kind not in "iu" or rows.min() < 0 or rows.max() > 255:
                raise InvalidParameter(f"images of {rows.dtype}; the model was trained on uint8, and takes 0..255")
            rows = rows.astype(np.uint8)
        return rows.reshape(-1, *self.image_shape_)


def _flat(X: Any) -> tuple[tuple[int, ...] | None, Any]:
    """The shape of each image, if `X` has images and not rows; and rows."""
    array = X if hasattr(X, "shape") else np.asarray(X)
    if len(array.shape) < 3:
        return None, X
    images = np.asarray(array)
    return images.shape[1:], images.reshape(len(images), math.prod(images.shape[1:]))


def _pixel_range(rows: NDArray[Any]) -> tuple[float, float]:
    """What becomes 0 and 255: as of a data set's file, where the numbers look like pixels; else the least and the greatest."""
    least, most = rows.min().item(), rows.max().item()
    try:
        full = full_light([rows.astype(np.float64)] if rows.dtype.kind == "f" else [], "X", [])
    except DataError:
        return least, most
    pixels = full / 2 < most and (rows.dtype.kind == "f" or (least >= 0 and most <= full))
    return (0.0, full) if pixels else (least, most)


def _weighed(rows: Any, y: Any, sample_weight: Any, groups: Any) -> tuple[Any, Any, ImageWeights | None, Any]:
    """The images that count, their labels, their weights (None where all are 1) and their groups (None without any)."""
    if groups is not None:
        groups = column_or_1d(groups)
        check_consistent_length(y, groups)
    if sample_weight is None:
        return rows, y, None, groups
    weights = _check_sample_weight(sample_weight, rows, ensure_non_negative=True).astype(np.float32)
    there = weights > 0
    if not there.all():
        rows, y, weights, groups = rows[there], y[there], weights[there], None if groups is None else groups[there]
    return rows, y, None if (weights == 1).all() else weights, groups


def _plain(value: Any) -> Any:
    """Without NumPy's numbers, which a search over parameters draws and a strict study does not take."""
    if isinstance(value, dict):
        return {key: _plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    return value.item() if isinstance(value, np.generic) else value


def _parameter(place: Location) -> str:
    """What an estimator's user calls a place in a study."""
    match place:
        case ("recipe" | "split", *rest):
            return spell(tuple(rest))
        case ("trial", 0, "architecture", *rest):
            return spell(("options", *rest)) if rest else "architecture"
        case ("seeds", *_):
            return "random_state"
    return spell(place)
