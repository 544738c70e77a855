"""What any model should beat: the commonest class, and a logistic regression that is trained in seconds.

Both are made by themselves when a study is run, once for each split, and kept beside the images, as the audit is. They are no
trials: no plan, no fingerprint and no committee knows them.
"""

from __future__ import annotations

import hashlib
import math
import time
import warnings
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from toile.arrays import ImageArray
from toile.data.parts.splits import Parts
from toile.runner.plans.planned import Plan, PlannedTrial
from toile.store import checked
from toile.store.checked import Damaged

REVISION = 1  # raised when the same images come to have other baselines
IMAGES = 5000  # that the logistic regression learns from, at most
SIDE = 32  # pixels of a side that it sees, at most: means of squares of them
ITERATIONS = 200


def kept(plan: Plan, planned: PlannedTrial) -> dict[str, Any] | None:
    """The baselines of a trial's split: `majority` and `logistic`, each part -> accuracy; `images` that the second learned
    from, and `seconds`. None where they were not made, or are damaged."""
    try:
        found, own = checked.read_json(_path(plan, planned))
    except Damaged:
        return None
    return found if own and found.get("revision") == REVISION else None


def make(plan: Plan) -> None:
    """Make and keep those that are missing, of every split of the plan (of folds, the first).

    To be called when the data set is kept. A store that cannot be written to has none.
    """
    for planned in {one.trial.split: one for one in reversed(plan.trials)}.values():
        if kept(plan, planned) is None:
            with suppress(OSError):
                checked.write_json(
                    _path(plan, planned), {"revision": REVISION, **made(plan.parts(planned), plan.dataset.classes)}
                )


def made(parts: Parts, classes: int) -> dict[str, Any]:
    """The baselines of some parts."""
    begun = time.perf_counter()
    commonest = int(np.bincount(parts.train.labels, minlength=classes).argmax())
    judged = {name: part for name in ("validation", "test") if (part := getattr(parts, name)) is not None and len(part)}
    shown = np.sort(np.random.default_rng(0).permutation(len(parts.train))[:IMAGES])
    learned = _fit(parts.train.images[shown], parts.train.labels[shown])
    return {
        "majority": {name: float((part.labels == commonest).mean()) for name, part in judged.items()},
        "logistic": {name: float((learned.predict(_seen(part.images)) == part.labels).mean()) for name, part in judged.items()},
        "images": len(shown),
        "seconds": round(time.perf_counter() - begun, 2),
    }


def _fit(images: ImageArray, labels: np.ndarray) -> Any:
    """scikit-learn's multinomial logistic regression on standardised pixels, on one thread: the same on every machine."""
    from sklearn.dummy import DummyClassifier
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from threadpoolctl import threadpool_limits

    if len(np.unique(labels)) < 2:
        return DummyClassifier().fit(_seen(images), labels)
    with threadpool_limits(1), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that it has not converged: it is a baseline, and has its seconds
        return make_pipeline(StandardScaler(), LogisticRegression(C=0.01, max_iter=ITERATIONS)).fit(_seen(images), labels)


def _seen(images: ImageArray) -> np.ndarray:
    """`(images, features)` float32: pixels, or means of squares of them where there are more than 32 on a side."""
    count, height, width, channels = images.shape
    step = math.ceil(max(height, width) / SIDE)
    rows, columns = max(1, height // step), max(1, width // step)
    cut = images[:, : rows * min(step, height), : columns * min(step, width)].astype(np.float32)
    return cut.reshape(count, rows, -1, columns, cut.shape[2] // columns, channels).mean(axis=(2, 4)).reshape(count, -1)


def _path(plan: Plan, planned: PlannedTrial) -> Path:
    words = hashlib.sha256(planned.trial.split.model_dump_json().encode()).hexdigest()[:12]
    return plan.store.data_folder / plan.dataset.content / f"baselines-{words}.json"
