"""Classical models on pixels, on HOG features, or on principal components of either, through scikit-learn.

A model is a function of a seed and of its options that returns an untrained estimator, and a line in the table at the foot. Its
annotated keyword arguments *are* the options: their types and defaults are what a study is checked against. All models take
those of `Components` as well.
"""

from __future__ import annotations

import inspect
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from typing import Annotated, Any, Literal, NamedTuple

import numpy as np
from pydantic import Field

from toile.data.dataset import Images
from toile.errors import Misuse, nearest
from toile.learners.classical.decisions import Calibration
from toile.learners.classical.features import hog, pixels, principal_components
from toile.learners.option_types import Options, options_of

Count = Annotated[int, Field(ge=1)]
Size = Annotated[int, Field(ge=0)]
Positive = Annotated[float, Field(gt=0)]
Strength = Annotated[float, Field(ge=0)]
# Share of the training images that a calibration takes where there is no validation split.
HELD_OUT = 0.2


class Components(Options):
    """Options of every model: principal components in the place of the features.

    The components are those of the training images alone. `whiten` gives each of them variance 1.
    """

    components: Size = 0
    whiten: bool = False


@dataclass(frozen=True)
class Fitted:
    """What came of a training.

    Args:
        probabilities: by part, `(images, classes)` float32, rows sum to 1.
        seconds: `train` (features, components, model, calibration) and `evaluate` (of the test part where there is one, else of
            all parts together).
        parameters: how many numbers were fitted, those of the components included; None for models that have no fixed number
            of them (neighbours, trees, support vectors).
        details: what else there is to know, ready for JSON.
    """

    probabilities: dict[str, np.ndarray]
    seconds: dict[str, float]
    parameters: int | None
    details: dict[str, Any] = field(default_factory=dict)


class Model(NamedTuple):
    """A row of `MODELS`: the function, what it is for a list, and the features that it sees.

    `features` is a function of `toile.learners.classical.features`; it takes those options that have its arguments' names.
    """

    function: Callable[..., Any]
    title: str
    features: Callable[..., np.ndarray]


def logistic_regression(seed: int, *, c: Positive = 1.0, max_iterations: Count = 1000) -> Any:
    """Softmax regression by L-BFGS with an L2 penalty of 1 / (2 c); starts from 0, so the seed decides nothing."""
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression(C=c, max_iter=max_iterations, random_state=seed)


def nearest_neighbours(
    seed: int, *, neighbours: Count = 5, weights: Literal["uniform", "distance"] = "uniform",
    metric: Literal["euclidean", "manhattan", "cosine"] = "euclidean",
) -> Any:  # fmt: skip
    """The votes of the nearest training images; the seed decides nothing."""
    from sklearn.neighbors import KNeighborsClassifier

    return KNeighborsClassifier(neighbours, weights=weights, metric=metric, n_jobs=1)


def random_forest(
    seed: int, *, trees: Count = 200, max_depth: Size = 0, min_leaf: Count = 1,
    max_features: Literal["sqrt", "log2", "all"] = "sqrt",
) -> Any:  # fmt: skip
    """Trees grown on bootstrap samples (Breiman 2001). A `max_depth` of 0 is none."""
    from sklearn.ensemble import RandomForestClassifier

    return RandomForestClassifier(
        trees, max_depth=max_depth or None, min_samples_leaf=min_leaf,
        max_features=None if max_features == "all" else max_features, n_jobs=1, random_state=seed,
    )  # fmt: skip


def gradient_boosting(
    seed: int, *, iterations: Count = 100, learning_rate: Positive = 0.1, max_leaves: Annotated[int, Field(ge=2)] = 31,
    min_leaf: Count = 20, l2: Strength = 0.0,
) -> Any:  # fmt: skip
    """Histogram gradient boosting, one tree a class and iteration, no early stopping. As many threads as OpenMP has here."""
    from sklearn.ensemble import HistGradientBoostingClassifier

    return HistGradientBoostingClassifier(
        max_iter=iterations, learning_rate=learning_rate, max_leaf_nodes=max_leaves, min_samples_leaf=min_leaf,
        l2_regularization=l2, early_stopping=False, random_state=seed,
    )  # fmt: skip


def svm(seed: int, *, c: Positive = 10.0, gamma: Literal["scale", "auto"] | Positive = "scale") -> Any:
    """Support vector machine with an RBF kernel, one against one. The seed decides nothing."""
    from sklearn.svm import SVC

    return SVC(C=c, gamma=gamma, decision_function_shape="ovo", cache_size=500)


def hog_svm(
    seed: int, *, kernel: Literal["linear", "rbf"] = "linear", c: Positive = 1.0,
    gamma: Literal["scale", "auto"] | Positive = "scale", orientations: Count = 9, cell: Count = 4, block: Count = 2,
) -> Any:  # fmt: skip
    """Support vector machine on HOG features: linear, one against the rest (`gamma` unused), or RBF as `svm`."""
    from sklearn.svm import LinearSVC

    return LinearSVC(C=c, dual=False, random_state=seed) if kernel == "linear" else svm(seed, c=c, gamma=gamma)


def load(name: str) -> Model:
    """The row of a model.

    Raises:
        Misuse: there is none of that name.
    """
    if name not in MODELS:
        raise Misuse(f"unknown classical model {name!r}{nearest(name, MODELS)}; known: {', '.join(sorted(MODELS))}")
    return MODELS[name]


@cache
def options_model(name: str) -> type[Components]:
    """A strict model of a classical model's options, made from the signature of its function, with those of `Components`."""
    return options_of(name, load(name).function, Components)


def complete(name: str, options: dict[str, Any]) -> dict[str, Any]:
    """All options of a model: those given, the rest by default, as JSON would hold them."""
    return options_model(name).model_validate(options).model_dump(mode="json")


def fit_predict(
    name: str, options: dict[str, Any], train: Images, parts: dict[str, Images], seed: int,
    validation: Images | None = None, classes: int | None = None,
) -> Fitted:  # fmt: skip
    """Train a model on `train`, and what it gives the images of each of `parts`.

    A support vector machine gives decision values, which a `Calibration` turns into probabilities: two numbers, fitted to the
    validation images. Without validation images, a fifth of the training images, drawn stratified, is kept from the machine for
    it. `details["calibration"]` says which.

    Args:
        name: a key of `MODELS`.
        options: as a study file has them; what is left out is as by default.
        train: uint8 images with labels; nothing else is learned from but, in calibration, `validation`.
        parts: what to predict: `{"validation": …, "test": …}`.
        seed: of what is random in the model and in the components.
        validation: of which only a calibration makes use.
        classes: number of classes; by default, the largest label of `train` + 1. A class without training images is given
            probability 0.

    Raises:
        Misuse: an unknown model, an impossible option, more components than features or images, or fewer than two classes.
        ToileError: an optional dependency is missing.
    """
    from pydantic import ValidationError

    row = load(name)
    try:
        checked = dict(options_model(name).model_validate(options))
    except ValidationError as error:
        wrong = (f"{e['loc'][0]} = {e['input']!r}: {e['msg']}" for e in error.errors())
        known = ", ".join(options_model(name).model_fields)
        raise Misuse(f"{name}: {'; '.join(wrong)}; its options: {known}") from error
    classes = int(train.labels.max()) + 1 if classes is None else classes
    if len(np.unique(train.labels)) < 2:
        raise Misuse(f"{name}: the training images are all of one class; two at least are wanted")
    components, whiten = checked.pop("components"), checked.pop("whiten")
    described = inspect.signature(row.features).parameters
    features_options = {key: checked[key] for key in described if key in checked}
    estimator = row.function(seed, **checked)

    begun = time.perf_counter()
    details: dict[str, Any] = {}
    if calibrated := not hasattr(estimator, "predict_proba"):
        train, held = (train, validation) if validation is not None else _hold_out(train, seed)
        details["calibration"] = {"images": len(held), "of": "train" if validation is None else "validation"}
    features = row.features(train.images, **features_options)
    details["features"] = features.shape[1]
    reduction = principal_components(features, components, whiten, seed) if components else None
    if reduction is not None:
        details |= {"components": components, "explained_variance": float(reduction.explained_variance_ratio_.sum())}
        features = reduction.transform(features)
    _fit(estimator, features, train.labels, details)
    del features

    def outputs(images: np.ndarray) -> np.ndarray:
        seen = row.features(images, **features_options)
        seen = reduction.transform(seen) if reduction is not None else seen
        return estimator.decision_function(seen) if calibrated else estimator.predict_proba(seen)

    # What a machine said of the images that it is calibrated on need not be asked for again: asking is slow.
    heard: dict[int, np.ndarray] = {}
    if calibrated:
        said = heard[id(held)] = outputs(held.images)
        known = np.isin(held.labels, estimator.classes_)
        if not known.any():
            raise Misuse(f"{name}: none of the {len(held)} images to calibrate on is of a class that it was trained on")
        calibration = Calibration(
            said[known],
            np.searchsorted(estimator.classes_, held.labels[known]),
            len(estimator.classes_),
            pairs=getattr(estimator, "decision_function_shape", "") == "ovo",
        )
        details["calibration"] |= {"slope": calibration.slope, "temperature": calibration.temperature}
    train_seconds = time.perf_counter() - begun

    probabilities, evaluate_seconds = {}, {}
    for part, images in parts.items():
        begun = time.perf_counter()
        said = heard[id(images)] if id(images) in heard else outputs(images.images)
        probabilities[part] = np.zeros((len(images), classes), np.float32)
        probabilities[part][:, estimator.classes_] = calibration.probabilities(said) if calibrated else said
        evaluate_seconds[part] = time.perf_counter() - begun
    details["evaluate_seconds"] = evaluate_seconds
    return Fitted(
        probabilities,
        {"train": train_seconds, "evaluate": evaluate_seconds.get("test", sum(evaluate_seconds.values()))},
        _parameters(estimator, reduction),
        details,
    )


def _hold_out(train: Images, seed: int) -> tuple[Images, Images]:
    from sklearn.model_selection import train_test_split

    counts = np.unique(train.labels, return_counts=True)[1]
    # A class with one image cannot be on both sides, nor can all classes be where there are fewer places.
    possible = counts.min() > 1 and HELD_OUT * len(train) >= len(counts)
    rest, held = train_test_split(
        np.arange(len(train)), test_size=HELD_OUT, random_state=seed, stratify=train.labels if possible else None
    )
    return train[rest], train[held]


def _fit(estimator: Any, features: np.ndarray, labels: np.ndarray, details: dict[str, Any]) -> None:
    """Fit, and note in `details` what else is worth knowing: above all whether it came to an end."""
    import warnings

    from sklearn.exceptions import ConvergenceWarning

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", ConvergenceWarning)
        estimator.fit(features, labels)
    if hasattr(estimator, "max_iter") and not hasattr(estimator, "learning_rate"):
        details["converged"] = not any(issubclass(warning.category, ConvergenceWarning) for warning in caught)
    if hasattr(estimator, "support_"):
        details["support_vectors"] = len(estimator.support_)
    if hasattr(estimator, "estimators_"):
        details["nodes"] = sum(tree.tree_.node_count for tree in estimator.estimators_)


def _parameters(estimator: Any, reduction: Any) -> int | None:
    # An SVC with an RBF kernel has no coefficients; asking it for them is an error of its own.
    if not isinstance(getattr(estimator, "coef_", None), np.ndarray):
        return None
    fitted = estimator.coef_.size + estimator.intercept_.size
    return fitted + (reduction.components_.size + reduction.mean_.size if reduction is not None else 0)


MODELS = {
    "logistic-regression": Model(logistic_regression, "Logistic regression", pixels),
    "nearest-neighbours": Model(nearest_neighbours, "k nearest neighbours", pixels),
    "random-forest": Model(random_forest, "Random forest", pixels),
    "gradient-boosting": Model(gradient_boosting, "Histogram gradient boosting", pixels),
    "svm": Model(svm, "SVM with an RBF kernel", pixels),
    "hog-svm": Model(hog_svm, "SVM on HOG features", hog),
}
