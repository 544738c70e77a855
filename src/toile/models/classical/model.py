"""A classical model, from its training to a file: uint8 images in, probabilities out."""

from __future__ import annotations

import warnings
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from toile.arrays import DecisionValues, ImageArray, Probabilities
from toile.data.dataset import Images
from toile.errors import Misuse, ToileError, said
from toile.models import bounded
from toile.models.classical.decisions import Calibration

# Share of the training images that a calibration takes where there is no validation split.
HELD_OUT = 0.2

# skops keeps the names of modules in its files; runs that were stored before a module moved stay readable.
_SCHEMA = "schema.json"
_MOVED = {"toile.learners.classical.": "toile.models.classical."}

# What a file may hold beside arrays and the estimators that skops trusts by itself.
_TRUSTED = {
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
    "sklearn.metrics._dist_metrics.EuclideanDistance64",
    "sklearn.metrics._dist_metrics.ManhattanDistance64",
    "sklearn.neighbors._ball_tree.BallTree",
    "sklearn.neighbors._kd_tree.KDTree",
    "sklearn.tree._tree.Tree",
    "toile.models.classical.features.hog",
    "toile.models.classical.features.pixels",
}


@dataclass
class Classical:
    """A fitted pipeline of `toile.models.classical.pipeline`, and what makes probabilities of its decision values.

    Args:
        pipeline: fitted.
        classes: how many there are; one without training images is given probability 0.
        calibration: where the pipeline has no probabilities of its own.
        details: what else there is to know of the training, ready for JSON.
    """

    pipeline: Any
    classes: int
    calibration: Calibration | None = None
    details: dict[str, Any] = field(default_factory=dict)

    # The calibration images and the model's decisions for them: computing them a second time would be slow.
    _calibrated_on: tuple[ImageArray, DecisionValues] | None = field(default=None, repr=False)

    @classmethod
    def fit(cls, pipeline: Any, train: Images, classes: int, seed: int, validation: Images | None = None) -> Classical:
        """Fit a pipeline to `train`.

        A support vector machine gives decision values, which a `Calibration` turns into probabilities: two numbers, fitted to
        the validation images. Without validation images, a fifth of the training images, drawn stratified, is kept from the
        machine for it. `details["calibration"]` says which.

        Args:
            pipeline: untrained; is changed.
            train: uint8 images with labels; nothing else is learned from but, in calibration, `validation`. Weights go to the
                model and the calibration; principal components take all images alike.
            classes: number of classes.
            seed: of everything random in the pipeline.

        Raises:
            Misuse: the training images are all of one class, or none of the images to calibrate on is of a class that was
                trained on.
        """
        if len(np.unique(train.labels)) < 2:
            raise Misuse("the training images are all of one class; two at least are wanted")
        random = {key: seed for key in pipeline.get_params() if key.endswith("random_state")}
        pipeline.set_params(**random)
        made = cls(pipeline, classes)
        if hasattr(pipeline, "predict_proba"):
            made._fit(train)
            return made
        held, of = (validation, "validation") if validation is not None else (None, "train")
        if held is None:
            train, held = _hold_out(train, seed)
        made._fit(train)
        made._calibrate(held, of)
        return made

    def _fit(self, train: Images) -> None:
        """Fit, and note in `details` what else is worth knowing: above all whether it came to an end."""
        from sklearn.exceptions import ConvergenceWarning

        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always", ConvergenceWarning)
            if train.weights is None:
                self.pipeline.fit(train.images, train.labels)
            else:  # in double precision, so that an image that weighs 2 is two images, to rounding
                seen, weights = self.pipeline[0].transform(train.images).astype(np.float64), train.weights.astype(np.float64)
                self.pipeline[1:].fit(seen, train.labels, model__sample_weight=weights)
        model, components = self.pipeline["model"], self.pipeline.named_steps.get("components")
        if components is not None:
            self.details["explained_variance"] = float(components.explained_variance_ratio_.sum())
        self.details["features"] = (model if components is None else components).n_features_in_
        if hasattr(model, "n_iter_") and not hasattr(model, "learning_rate"):
            self.details["converged"] = not any(issubclass(warning.category, ConvergenceWarning) for warning in caught)
        if hasattr(model, "support_"):
            self.details["support_vectors"] = len(model.support_)
        if hasattr(model, "estimators_"):
            self.details["nodes"] = sum(tree.tree_.node_count for tree in model.estimators_)

    def _calibrate(self, held: Images, of: str) -> None:
        known = np.isin(held.labels, self.pipeline.classes_)
        if not known.any():
            raise Misuse(f"none of the {len(held)} images to calibrate on is of a class that was trained on")
        decisions = self.pipeline.decision_function(held.images)
        self._calibrated_on = held.images, decisions
        self.calibration = Calibration.fit(
            decisions[known],
            np.searchsorted(self.pipeline.classes_, held.labels[known]),
            len(self.pipeline.classes_),
            pairs=getattr(self.pipeline["model"], "decision_function_shape", "") == "ovo",
            weights=None if held.weights is None else held.weights[known],
        )
        numbers = {"slope": self.calibration.slope, "temperature": self.calibration.temperature}
        self.details["calibration"] = {"images": len(held), "of": of, **numbers}

    def predict(self, images: ImageArray) -> Probabilities:
        """Probabilities `(n, classes)` float32, rows sum to 1, of uint8 images `(n, height, width, channels)`."""
        if self.calibration is None:
            known = self.pipeline.predict_proba(images)
        else:
            asked, decisions = self._calibrated_on or (None, None)
            if decisions is None or images is not asked:
                decisions = self.pipeline.decision_function(images)
            known = self.calibration.probabilities(decisions)
        probabilities = np.zeros((len(images), self.classes), np.float32)
        probabilities[:, self.pipeline.classes_] = known
        return probabilities

    def parameters(self) -> int | None:
        """How many numbers were fitted, those of the components included; None for models that have no fixed number of them
        (neighbours, trees, support vectors)."""
        model, components = self.pipeline["model"], self.pipeline.named_steps.get("components")
        # An SVC with an RBF kernel has no coefficients; asking it for them is an error of its own.
        if not isinstance(getattr(model, "coef_", None), np.ndarray):
            return None
        reduction = 0 if components is None else components.components_.size + components.mean_.size
        return model.coef_.size + model.intercept_.size + reduction

    def save(self, path: Path) -> None:
        """Write the model as a `.skops` file, which unlike a pickle runs nothing when it is read."""
        from zipfile import ZIP_DEFLATED

        from skops import io

        calibration = None if self.calibration is None else asdict(self.calibration)
        io.dump(
            {"pipeline": self.pipeline, "classes": self.classes, "calibration": calibration}, path,
            compression=ZIP_DEFLATED, compresslevel=1,
        )  # fmt: skip


def load(path: Path) -> Classical:
    """The model that `Classical.save` wrote.

    Raises:
        ToileError: it is no such file, or holds what no such file needs to hold, or would fill the memory.
    """
    from skops import io

    try:
        bounded.check(path)
        content = _with_current_names(path.read_bytes())
        if untrusted := sorted(set(io.get_untrusted_types(data=content)) - _TRUSTED):
            raise ToileError(f"{path} holds what no model of toile has: {', '.join(untrusted)}")
        kept = io.loads(content, trusted=sorted(_TRUSTED))
        calibration = kept["calibration"] and Calibration(**kept["calibration"])
        return Classical(kept["pipeline"], kept["classes"], calibration)
    except ToileError:
        raise
    except Exception as error:  # it fails in as many ways as there are files in it
        raise ToileError(f"{path} is no classical model: {said(error)}") from error


def _with_current_names(content: bytes) -> bytes:
    """A file of skops in which a module that has moved since is called what it is called now."""
    from io import BytesIO
    from zipfile import ZipFile

    with ZipFile(BytesIO(content)) as archive:
        schema = archive.read(_SCHEMA).decode()
        if not any(before in schema for before in _MOVED):
            return content
        for before, now in _MOVED.items():
            schema = schema.replace(before, now)
        made = BytesIO()
        with ZipFile(made, "w") as rewritten:
            for name in archive.namelist():
                rewritten.writestr(name, schema if name == _SCHEMA else archive.read(name))
    return made.getvalue()


def _hold_out(train: Images, seed: int) -> tuple[Images, Images]:
    from sklearn.model_selection import train_test_split

    counts = np.unique(train.labels, return_counts=True)[1]
    # A class with one image cannot be on both sides, nor can all classes be where there are fewer places.
    possible = counts.min() > 1 and HELD_OUT * len(train) >= len(counts)
    rest, held = train_test_split(
        np.arange(len(train)), test_size=HELD_OUT, random_state=seed, stratify=train.labels if possible else None
    )
    return train[np.asarray(rest)], train[np.asarray(held)]
