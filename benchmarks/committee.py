"""Committees fitted and chosen from stored probabilities, beside scikit-learn's stacking and the loop of the papers.

Made probabilities of ten classes; nothing is trained. Both sides of a case get the same arrays, on one thread. What counts is
the fit itself, with the choice of its penalty by five folds, without the start of the process.
"""

from __future__ import annotations

import time

import numpy as np

from benchmarks.harness.measure import Case, Side

CLASSES, IMAGES = 10, 12_000


def cases(quick: bool) -> list[Case]:
    """A stack of twelve members, and a selection among a hundred."""
    images = 1000 if quick else IMAGES
    twelve, hundred = ({"members": count, "images": images} for count in ((3, 10) if quick else (12, 100)))
    return [
        Case(
            f"stack, {twelve['members']} members and {images:,} images",
            {
                "toile": Side(stacked, twelve, threads=1),
                "scikit-learn": Side(stacked_by_sklearn, twelve, threads=1),
            },
            figure="fit_seconds",
            note="to be under 2 s; seven penalties and five folds on both sides; loss is on other images",
        ),
        Case(
            f"greedy, {hundred['members']} candidates and {images:,} images",
            {"toile": Side(chosen, hundred, threads=1), "the papers' loop": Side(chosen_by_the_loop, hundred, threads=1)},
            figure="fit_seconds",
            note="to be under 5 s; 50 picks; the loop once, toile in 20 bags too, and all that five times more by folds",
        ),
    ]


def stacked(members: int, images: int) -> dict[str, float]:
    """toile's stack."""
    from toile.committee import stacking
    from toile.committee.rules import RULES
    from toile.evaluation.metrics import loss
    from toile.evaluation.predictions import Predictions

    labels, said = made(members, images, 0)
    unseen = [Predictions("validation", one, labels) for one in said]
    stacking.fit(unseen[:1])  # imports
    begun = time.perf_counter()
    weights = stacking.fit(unseen)
    seconds = time.perf_counter() - begun
    new_labels, new = made(members, images, 1)
    return {"fit_seconds": seconds, "loss": loss(RULES["stack"](new, weights), new_labels)}


def stacked_by_sklearn(members: int, images: int) -> dict[str, float]:
    """The last step of its StackingClassifier: a logistic regression on log-probabilities, its strength by folds."""
    from sklearn.linear_model import LogisticRegressionCV
    from sklearn.metrics import log_loss

    labels, said = made(members, images, 0)
    new_labels, new = made(members, images, 1)
    features, new_features = (np.log(np.maximum(one, 1e-7)).transpose(1, 0, 2).reshape(images, -1) for one in (said, new))
    model = LogisticRegressionCV(
        Cs=np.logspace(-5, 1, 7), cv=5, scoring="neg_log_loss", max_iter=1000, l1_ratios=(0,), use_legacy_attributes=False
    )
    begun = time.perf_counter()
    model.fit(features, labels)
    seconds = time.perf_counter() - begun
    return {"fit_seconds": seconds, "loss": float(log_loss(new_labels, model.predict_proba(new_features)))}


def chosen(members: int, images: int) -> dict[str, float]:
    """toile's greedy."""
    from toile.committee.rules import RULES
    from toile.committee.selection import select
    from toile.evaluation.metrics import loss
    from toile.evaluation.predictions import Predictions

    labels, said = made(members, images, 0)
    unseen = [Predictions("validation", one, labels) for one in said]
    begun = time.perf_counter()
    found = select(unseen)
    seconds = time.perf_counter() - begun
    new_labels, new = made(members, images, 1)
    return {"fit_seconds": seconds, "loss": loss(RULES["greedy"](new, found.rows(found.picks)), new_labels)}


def chosen_by_the_loop(members: int, images: int) -> dict[str, float]:
    """Every candidate tried at every pick, as in Caruana et al. 2004 and in AutoGluon's EnsembleSelection."""
    labels, said = made(members, images, 0)
    begun = time.perf_counter()
    total, picks, losses = np.zeros((images, CLASSES)), [], []
    for _ in range(50):
        tried = []
        for candidate in said:
            mean = (total + candidate) / (len(picks) + 1)
            tried.append(-np.log(np.maximum(mean[np.arange(images), labels], 1e-7)).mean())
        picks.append(int(np.argmin(tried)))
        losses.append(min(tried))
        total += said[picks[-1]]
    best = int(np.argmin(losses)) + 1
    seconds = time.perf_counter() - begun
    return {"fit_seconds": seconds, "loss": _loss_of_mean(np.bincount(picks[:best], minlength=members) / best, members, images)}


def _loss_of_mean(weights: np.ndarray, members: int, images: int) -> float:
    labels, said = made(members, images, 1)
    return float(-np.log(np.tensordot(weights, said[:, np.arange(images), labels].astype(np.float64), axes=1)).mean())


def made(members: int, images: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Labels `(images,)`, and probabilities `(members, images, classes)` float32 of models that see the same, in noise."""
    models, generator = np.random.default_rng(7), np.random.default_rng(seed)
    labels = generator.integers(0, CLASSES, images)
    seen = generator.normal(size=(images, CLASSES))
    seen[np.arange(images), labels] += 3
    said = np.empty((members, images, CLASSES), np.float32)
    for member in range(members):
        noise, scale = models.uniform(0.5, 1.2), models.uniform(0.8, 2.5)
        scores = (seen + generator.normal(size=seen.shape) * noise) * scale
        exponentials = np.exp(scores - scores.max(axis=1, keepdims=True))
        said[member] = exponentials / exponentials.sum(axis=1, keepdims=True)
    return labels, said
