"""Weights that a rule takes, and members whose labels are known."""

from __future__ import annotations

import numpy as np

from toile.committee.assemble import FITS
from toile.committee.rules import RULES
from toile.evaluation.predictions import Predictions

UNWEIGHTED = tuple(name for name in RULES if name not in FITS)


def weights_for(rule: str, members: int, classes: int) -> np.ndarray | None:
    """Weights with which members that say the same are one member, or None for a rule that takes none."""
    if rule in UNWEIGHTED:
        return None
    if rule == "stack":
        return np.vstack([np.eye(classes)] * members + [np.zeros((1, classes))]) / members
    if rule == "greedy":
        return np.stack([np.full(members, 1 / members), np.ones(members)], axis=1)
    return np.full(members, 1 / members)


def member(labels: np.ndarray, seed: int, strength: float, split: str = "validation", classes: int = 4) -> Predictions:
    """A member that gives the label's score `strength` more than noise does."""
    logits = np.random.default_rng(seed).normal(size=(len(labels), classes))
    logits[np.arange(len(labels)), labels] += strength
    probabilities = np.exp(logits)
    return Predictions(split, probabilities / probabilities.sum(axis=1, keepdims=True), labels)
