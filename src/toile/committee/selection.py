"""Greedy selection: a committee chosen from many candidates, on images that none of them was trained on."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from toile.arrays import Labels, Numbers, OfLabel, PickWeights
from toile.committee.fitting import Unseen
from toile.committee.tempered import Tempered, temper
from toile.errors import Misuse
from toile.evaluation.folds import folds
from toile.evaluation.optimise import one_thread
from toile.evaluation.predictions import Predictions

PICKS = 50
# Of bags: a half of the candidates each, but 10 at least.
BAGS, LEAST_IN_BAG = 20, 10
# The sorted start is so many of the best at most.
START = 5
FOLDS = 5
# Factors whose product is taken before one logarithm of them all: 1e-7 to this power is still a number.
FACTORS = 32


class NoneAffordable(Misuse):
    """No candidate is within the budget."""


@dataclass(frozen=True)
class Selection:
    """What was chosen, and how it came to that.

    Args:
        weights: one a candidate, its share of the picks; 0 for those not chosen.
        exponents: one a candidate: the power that its probabilities are brought to before, one over its temperature.
        path: `(picks, candidates)`: the weights after one pick, two, …
        losses: `(picks,)`: the log loss of each of them on the images of the selection.
        nested: `(picks,)`: the mean log loss of selections on four fifths of the images, each judged on the other fifth. By so
            much is the selection's own loss too low.
    """

    weights: tuple[float, ...]
    exponents: tuple[float, ...]
    path: PickWeights
    losses: Numbers
    nested: Numbers

    def rows(self, pick: int) -> NDArray[np.float64]:
        """`(candidates, 2)`: the committee after so many picks, as `toile.committee.rules.greedy` takes it."""
        return np.stack([self.path[pick - 1], self.exponents], axis=1)

    @property
    def picks(self) -> int:
        """How many picks the chosen committee has."""
        return int(self.losses.argmin()) + 1

    @property
    def optimism(self) -> float:
        """By how much the log loss of the chosen committee is lower on the images of the selection than on others, in nats."""
        return float(self.nested[self.picks - 1] - self.losses[self.picks - 1])


def select(
    candidates: Sequence[Predictions],
    budgets: Mapping[str, float] | None = None,
    costs: Mapping[str, Sequence[float]] | None = None,
) -> Selection:
    """Choose a committee by forward selection (Caruana et al., "Ensemble Selection from Libraries of Models", ICML 2004).

    Each candidate is brought to its own temperature first; see `toile.committee.tempered.temper`.

    A committee begins with the best candidates, as many of the first five as are best together. Then the candidate is added,
    again and again with replacement, which lowers the log loss of the mean most; a candidate's weight is its share of the
    picks. Of 50 picks those up to the lowest log loss are kept.

    Of more than ten candidates it is done in 20 bags too, with half of the candidates each, and the mean of their committees is
    taken (Caruana, Munson & Niculescu-Mizil, "Getting the Most Out of Ensemble Selection", ICDM 2006): it depends less on a
    lucky candidate, which helps where there are few images. They are taken if their nested loss is lower by more than its
    standard error. Bags are drawn with a fixed seed; of equals the same one is always taken, in whatever order they come. Of
    candidates that say the same, as deterministic models with other seeds do, the cheapest is one, and the others none.

    Args:
        candidates: predictions of the same images, of a `validation` or `out-of-fold` split.
        budgets: what those chosen may cost together, by name; `max_members` counts them. If they cost more, those with the
            highest weights are kept as far as they can be paid, and the selection is made again among them.
        costs: what each candidate costs, by the names in `budgets` other than `max_members`.

    Raises:
        TestSetUsed: the predictions are of the test set, which picks nothing.
        Misuse: no candidates, candidates of different images, or predictions of the training set.
        NoneAffordable: budgets that none keeps.
    """
    unseen, limits = Unseen.of(candidates, "select members"), dict(budgets or {})
    labels = unseen.labels
    costing = {name: np.asarray((costs or {})[name], np.float64) for name in limits if name != "max_members"}
    # Of those that say the same one is enough: the cheapest, or the first.
    cheapest = np.lexsort([np.arange(len(candidates)), *reversed(costing.values())])
    different = len(unseen.probabilities)
    kept = [int(cheapest[np.argmax(unseen.places[cheapest] == place)]) for place in range(different)]
    prices = {name: of[kept] for name, of in costing.items()}
    if "max_members" in limits:
        prices["max_members"] = np.ones(different)
    with one_thread():
        # Of the log loss only this matters: what each candidate gives the right class.
        fold = folds(labels, FOLDS)
        given = temper(unseen.probabilities, labels, fold, FOLDS)
        path, losses, held = _nested(_forward, given, fold, limits, prices)
        if different > LEAST_IN_BAG:
            bags = _nested(_bagged, given, fold, limits, prices)
            gain = held[losses.argmin()] - bags[2][bags[1].argmin()]
            if gain.mean() > gain.std() / np.sqrt(len(labels)):
                path, losses, held = bags
    shares = np.zeros((PICKS, len(candidates)))
    shares[:, kept] = path
    exponents = given.exponents[unseen.places]
    return Selection(tuple(shares[losses.argmin()].tolist()), tuple(exponents.tolist()), shares, losses, held.mean(axis=1))


def fit(members: Sequence[Predictions]) -> tuple[tuple[float, ...], ...]:
    """What the rule takes, of the selection without a budget; see `select`."""
    found = select(members)
    return tuple(map(tuple, found.rows(found.picks).tolist()))


def _nested(
    way: Callable[[OfLabel], PickWeights],
    given: Tempered,
    fold: Labels,
    limits: Mapping[str, float],
    prices: Mapping[str, Numbers],
) -> tuple[PickWeights, Numbers, NDArray[np.float64]]:
    """A path, the log loss of each of its committees, and `(picks, images)`: the same by selections on other images."""
    path = _path(way, given.of_label, limits, prices)
    held = np.zeros((PICKS, len(fold)))
    for number, of_label in enumerate(given.held):
        out = fold == number
        # Of fewer images than folds, some are empty; and nothing is left to choose by where there is but one image.
        chosen = path if out.all() else _path(way, of_label[:, ~out], limits, prices)
        held[:, out] = -np.log(chosen @ of_label[:, out])
    return path, _losses(path, given.of_label), held


def _path(
    way: Callable[[OfLabel], PickWeights], of_label: OfLabel, limits: Mapping[str, float], prices: Mapping[str, Numbers]
) -> PickWeights:
    """`(picks, candidates)`: the weights after each pick, of `(candidates, images)`, within the budgets."""
    payable = [i for i in range(len(of_label)) if all(prices[name][i] <= limit for name, limit in limits.items())]
    if not payable:
        least = {name: prices[name].min() for name in limits}
        told = (f"{name} = {limit:,g}, and the least {_of_one(least[name])}" for name, limit in limits.items())
        raise NoneAffordable(f"no candidate is within the budget ({'; '.join(told)})")
    path = np.zeros((PICKS, len(of_label)))
    path[:, payable] = way(of_label[payable])
    weights = path[_losses(path, of_label).argmin()]
    if all(prices[name][weights > 0].sum() <= limit for name, limit in limits.items()):
        return path
    kept: list[int] = []
    for one in np.lexsort((np.arange(len(weights)), -weights)):
        if weights[one] > 0 and all(prices[name][[*kept, one]].sum() <= limit for name, limit in limits.items()):
            kept.append(int(one))
    kept.sort()
    path = np.zeros((PICKS, len(of_label)))
    path[:, kept] = _forward(of_label[kept])
    return path


def _of_one(cost: float) -> str:
    return f"of one is {cost:,.6g}" if np.isfinite(cost) else "is of none known"


def _losses(path: PickWeights, of_label: OfLabel) -> Numbers:
    """The mean log loss of each committee of a path."""
    return -np.log(path @ of_label).mean(axis=1)


def _bagged(of_label: OfLabel) -> PickWeights:
    """`(picks, candidates)`: the mean of the bags' committees after each pick."""
    count = len(of_label)
    in_bag = min(count, max(LEAST_IN_BAG, count // 2))
    generator, path = np.random.default_rng(0), np.zeros((PICKS, count))
    for _ in range(BAGS):
        bag = np.sort(generator.choice(count, in_bag, replace=False))
        path[:, bag] += _forward(of_label[bag])
    return path / BAGS


def _forward(of_label: OfLabel) -> PickWeights:
    """`(picks, candidates)`: the weights after each pick of one selection."""
    count, images = of_label.shape
    # Logarithms are what takes time: one for the product of 32 images. `(32, candidates, images / 32)`; what there are too few
    # images for is 0 in `given` and 1 in `total`, and so adds nothing.
    groups = -(-images // FACTORS)
    given, total = np.zeros((count, groups * FACTORS)), np.zeros((1, groups * FACTORS))
    given[:, :images], total[:, images:] = of_label, 1
    given, total = (np.ascontiguousarray(one.reshape(len(one), groups, FACTORS).transpose(2, 0, 1)) for one in (given, total))
    product, factor = np.empty_like(given[0]), np.empty_like(given[0])

    def gains() -> Numbers:
        """`(candidates,)`: the sum of logarithms if one more is added. Factor by factor, what is in use stays in the cache."""
        product[:] = 1
        for one, so_far in zip(given, total, strict=True):
            np.multiply(product, np.add(one, so_far, out=factor), out=product)
        return np.log(product, out=product).sum(axis=1)

    order = np.argsort(-gains(), kind="stable")[:START]
    together = of_label[order].cumsum(axis=0) / np.arange(1, len(order) + 1)[:, None]
    picks = order[: int(np.log(together).sum(axis=1).argmax()) + 1].tolist()
    total += given[:, picks].sum(axis=1, keepdims=True)
    while len(picks) < PICKS:
        picks.append(int(gains().argmax()))
        total += given[:, picks[-1:]]
    chosen = np.zeros((PICKS, count))
    chosen[np.arange(PICKS), picks] = 1
    return chosen.cumsum(axis=0) / np.arange(1, PICKS + 1)[:, None]
