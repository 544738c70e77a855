"""The estimators: scikit-learn's own checks, and that what they train is what `toile run` trains."""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any, ClassVar

import numpy as np
import pytest
from scipy import sparse  # pyright: ignore[reportMissingTypeStubs]: SciPy has none
from sklearn import config_context
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.datasets import load_digits
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import VotingClassifier
from sklearn.exceptions import NotFittedError, UnsetMetadataPassedError
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.model_selection import (
    GridSearchCV,
    GroupKFold,
    KFold,
    RandomizedSearchCV,
    StratifiedKFold,
    cross_val_predict,
    cross_val_score,
)
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MaxAbsScaler
from sklearn.tree import DecisionTreeClassifier
from sklearn.utils.estimator_checks import estimator_checks_generator

import toile
from tests.committee.fixture import UNWEIGHTED
from toile import CommitteeClassifier, ImageClassifier
from toile.committee.assemble import FITS
from toile.committee.rules import RULES, combine
from toile.data.parts.splits import split
from toile.data.sources import digits
from toile.estimators.base import InvalidParameter
from toile.evaluation.calibrators import calibrate
from toile.evaluation.predictions import Predictions
from toile.store.store import Store
from toile.study.recipe.recipe import RecipeSpec
from toile.study.trial import Trial

# One process trains for all of the file.

X, Y = load_digits(return_X_y=True)
X, Y, NEW, NEW_Y = X[:300], Y[:300], X[300:400], Y[300:400]

SMALL = {"options": {"filters": [4], "dense": [8]}, "epochs": 2, "random_state": 0}
# The checks' images are one pixel high, so there is nothing to pool.
NARROW = {"filters": [4], "dense": [8], "padding": "same", "pool": 0}

CHECKED = {
    "image, all defaults": ImageClassifier(),
    "committee, all defaults": CommitteeClassifier(),
    "cnn": ImageClassifier("cnn", options=NARROW, learning_rate=0.05),
    "classical": ImageClassifier("logistic-regression"),
    "committee": CommitteeClassifier([("linear", "logistic-regression"), ("forest", ImageClassifier("random-forest"))]),
    **{
        rule: CommitteeClassifier(
            [LogisticRegression(), DecisionTreeClassifier(max_depth=3)],
            rule=rule,
            calibration=after,
            cv=5,
            random_state=0,
        )
        for rule, after in (("stack", "temperature"), ("greedy", "isotonic"), ("mean", "vector"))
    },
}


# The law that an image of weight 2 is two images, to 1e-7: of what is fitted in single precision or step by step it holds only
# about. With all defaults it is asked of both.
ONLY_ABOUT = set(CHECKED) - {"image, all defaults", "committee, all defaults"}


def checks() -> Iterator[Any]:
    for name, estimator in CHECKED.items():
        for number, (instance, check) in enumerate(estimator_checks_generator(estimator)):
            # These skip themselves unless SCIPY_ARRAY_API is set; toile is for NumPy's arrays.
            only_about = name in ONLY_ABOUT and check.func.__name__.startswith("check_sample_weight_equivalence")
            if not check.func.__name__.startswith("check_array_api") and not only_about:
                slow = [] if name.endswith("all defaults") else [pytest.mark.slow]
                yield pytest.param(instance, check, id=f"{name}-{check.func.__name__}-{number}", marks=slow)


@pytest.mark.parametrize(("estimator", "check"), list(checks()))
def test_scikit_learn_checks(estimator: Any, check: Callable[[Any], None]) -> None:
    check(estimator)


# What is trained


@pytest.mark.slow
def test_it_trains_what_toile_run_trains(tmp_path):
    (tmp_path / "same.toml").write_text("""
        title = "the same"
        dataset = "digits"
        split = { method = "stratified", validation = 0.2, seed = 3 }
        seeds = [3]
        [recipe]
        epochs = 2
        optimizer = { name = "sgd", learning_rate = 0.05 }
        [[trial]]
        name = "small"
        architecture = { name = "cnn", filters = [4], dense = [8], dense_dropout = 0.2 }
    """)
    toile.run(tmp_path / "same.toml", store=tmp_path / "store")
    run = toile.find_run(f"{tmp_path / 'same.toml'}/small", store=tmp_path / "store")
    data = digits.load()
    fitted = ImageClassifier(
        "cnn", options={"filters": [4], "dense": [8], "dense_dropout": 0.2}, epochs=2, optimizer="sgd", learning_rate=0.05,
        validation=0.2, random_state=3,
    ).fit(data.train.images, data.train.labels)  # fmt: skip
    assert fitted.predict_proba(data.test.images).tobytes() == run.probabilities("test").tobytes()
    assert [{**row, "seconds": 0} for row in fitted.history_] == [{**row, "seconds": 0} for row in run.history]
    assert fitted.score(data.test.images, data.test.labels) == run.metrics["test"]["accuracy"]


def test_every_key_of_a_recipe_is_a_parameter_with_its_default():
    params = ImageClassifier().get_params()
    of_studies = {"schedule_epochs", "teacher"}  # of searches and of committees that are in a study
    for key, field in ((key, field) for key, field in RecipeSpec.model_fields.items() if key not in of_studies):
        default = RecipeSpec().model_dump()[key] if key in ("optimizer", "schedule") else field.default
        assert params[key] == (default["name"] if isinstance(default, dict) else default), key


def test_images_and_rows_are_the_same():
    linear, forms = ImageClassifier("logistic-regression"), [
        np.asarray, lambda x: x.reshape(-1, 8, 8), lambda x: x.reshape(-1, 8, 8, 1), np.ndarray.tolist,
        lambda x: x.reshape(-1, 8, 8).tolist(),
    ]  # fmt: skip
    said = clone(linear).fit(X, Y).predict_proba(NEW)
    for form in forms:
        fitted = clone(linear).fit(form(X), Y)
        assert (fitted.image_shape_, fitted.n_features_in_) == ((8, 8, 1), 64)
        assert np.array_equal(fitted.predict_proba(NEW), said)
        assert np.array_equal(fitted.predict_proba(form(NEW)), said)


def test_numbers_are_brought_to_the_range_of_the_training_images():
    linear = ImageClassifier("logistic-regression")
    pixels = np.round(X * (255 / 16)).astype(np.uint8)
    said = clone(linear).fit(pixels, Y).predict_proba(pixels)
    for images in (X, X / 16, X - 20, X.astype(np.float32) * 1000):
        fitted = clone(linear).fit(images, Y)
        assert fitted.pixel_range_ == (images.min(), images.max())
        assert np.array_equal(fitted.predict_proba(images), said)
        white = np.full((1, 64), images.max())
        assert np.array_equal(fitted.predict_proba(white + 9), fitted.predict_proba(white))


def test_colour_and_rows_that_are_no_squares():
    images = np.random.default_rng(0).integers(0, 256, (40, 4, 6, 3), dtype=np.uint8)
    labels = np.array(["dark", "light"])[np.arange(40) % 2]
    fitted = ImageClassifier("mlp", epochs=1, random_state=0).fit(images, labels)
    rows = ImageClassifier("mlp", epochs=1, random_state=0, image_shape=(4, 6, 3)).fit(images.reshape(40, -1), labels)
    assert fitted.image_shape_ == rows.image_shape_ == (4, 6, 3)
    assert np.array_equal(fitted.predict_proba(images), rows.predict_proba(images.reshape(40, -1)))
    assert set(fitted.predict(images)) <= {"dark", "light"}


def test_a_seed_is_a_result():
    one, same, other = (ImageClassifier("mlp", epochs=1, random_state=seed).fit(X, Y) for seed in (1, 1, 2))
    assert np.array_equal(one.predict_proba(NEW), same.predict_proba(NEW))
    assert one.fingerprint_ == same.fingerprint_ != other.fingerprint_
    drawn = {ImageClassifier("mlp", epochs=1).fit(X, Y).fingerprint_ for _ in range(2)}
    assert len(drawn) == 2


def test_a_store_remembers(tmp_path):
    fitted = ImageClassifier("mlp", epochs=1, random_state=0, store=tmp_path).fit(X, Y)
    run = Store(tmp_path).get(fitted.fingerprint_)
    again = clone(fitted).fit(X, Y)
    assert [run.fingerprint for run in Store(tmp_path).runs()] == [again.fingerprint_]
    assert again.history_ == fitted.history_ == run.history


def test_without_a_store_nothing_is_left(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    ImageClassifier("logistic-regression").fit(X, Y)
    assert list(tmp_path.iterdir()) == []


def test_a_pickle_predicts_without_what_trained_it():
    fitted = ImageClassifier("cnn", **SMALL).fit(X, Y)
    expected = fitted.predict_proba(NEW)
    script = (
        "import pickle, sys; fitted, new = pickle.load(sys.stdin.buffer);"
        "sys.stdout.buffer.write(fitted.predict_proba(new).tobytes());"
        "assert not {'keras', 'tensorflow'} & set(sys.modules)"
    )
    given = pickle.dumps((fitted, NEW))
    done = subprocess.run([sys.executable, "-c", script], input=given, capture_output=True, check=True)
    assert done.stdout == expected.tobytes()


def test_progress_is_shown_if_asked_for(capfd):
    ImageClassifier("mlp", epochs=2, verbose=True).fit(X, Y)
    assert "epoch 2/2" in capfd.readouterr().err
    ImageClassifier("mlp", epochs=2).fit(X, Y)
    assert capfd.readouterr() == ("", "")


# What cannot be


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ({"architecture": "cn"}, r"architecture: unknown architecture 'cn' \(did you mean 'cnn'\?\)"),
        ({"options": {"filter": [3]}}, r"options.filter: cnn: unknown key \(did you mean 'filters'\?\)"),
        ({"options": {"filters": [8] * 9}}, "nothing is left of the image"),
        ({"epochs": 0, "batch_size": "32"}, "epochs: at least 1 is wanted, got 0; batch_size: a whole number is wanted"),
        ({"learning_rate": -1}, "option 'learning_rate' of 'adam' is above 0"),
        ({"optimizer": "adm"}, r"optimizer: unknown optimizer 'adm' \(did you mean 'adam'\?\)"),
        ({"early_stopping": {"patience": 3}}, "has none"),
        ({"validation": 1.5}, "validation: below 1 is wanted"),
        ({"validation": 0.01}, "cannot be split"),
        ({"backend": "theano"}, "backend: unknown backend 'theano'"),
        ({"image_shape": (8, 9, 1)}, r"\(8, 9, 1\)"),
        ({"image_shape": (4, 8, 2)}, "1 or 3 channels"),
        ({"random_state": -1}, "random_state: at least 0"),
        ({"threads": 0}, "threads: a whole number from 1 up"),
        ({"architecture": "numpy-mlp"}, "learns by sgd"),
        (
            {"architecture": "transfer", "options": {"weights": "nowhere.weights.h5"}},
            r"no weights file nowhere.weights.h5.*; looked",  # what is near depends on what is there
        ),
    ],
)
def test_what_cannot_be_is_a_value_error_that_says_what_can(params, said):
    with pytest.raises(ValueError, match=said) as caught:
        ImageClassifier(**params).fit(X, Y)
    assert isinstance(caught.value, toile.errors.ToileError)


def test_other_images_than_were_trained_on():
    fitted = ImageClassifier("logistic-regression").fit(X.astype(np.uint8), Y)
    assert fitted.pixel_range_ is None
    assert np.array_equal(fitted.predict(NEW.astype(int)), fitted.predict(NEW.astype(np.uint8)))
    for images, said in (
        (NEW / 16, "float64"),
        (NEW.astype(int) + 250, "0..255"),
        (NEW.reshape(-1, 4, 16), r"\(4, 16, 1\)"),
        (NEW[:, :32], "32 features"),
    ):
        with pytest.raises(ValueError, match=said):
            fitted.predict(images)


def test_whole_numbers_are_not_taken_for_the_fractions_that_were_learned():
    fitted = ImageClassifier("logistic-regression").fit(X / 16, Y)
    with pytest.raises(ValueError, match=r"images of uint8 up to 16; the model was trained on fractions 0\.\.1"):
        fitted.predict(NEW.astype(np.uint8))
    fitted.predict((NEW > 8).astype(np.uint8))


def test_a_training_that_fails_is_an_error_and_the_next_goes_on():
    with pytest.raises(toile.errors.ToileError, match="the loss is not a number"):
        ImageClassifier("mlp", optimizer="sgd", learning_rate=1e9).fit(X, Y)
    assert ImageClassifier("mlp", epochs=1).fit(X, Y).score(NEW, NEW_Y) > 0.1


def test_nothing_is_known_before_fit():
    for estimator in (ImageClassifier(), CommitteeClassifier()):
        with pytest.raises(NotFittedError):
            estimator.predict(X)


# In scikit-learn's hands


@pytest.mark.slow
def test_in_a_pipeline_and_in_searches():
    linear = ImageClassifier("logistic-regression")
    assert cross_val_score(linear, X, Y, cv=3).mean() > 0.8
    pipeline = make_pipeline(MaxAbsScaler(), linear)
    grid = {"imageclassifier__options": [{"c": c} for c in (0.1, 1.0)]}
    search = GridSearchCV(pipeline, grid, cv=2, error_score="raise", n_jobs=2).fit(X, Y)
    assert search.score(NEW, NEW_Y) > 0.8
    # A search draws NumPy's numbers.
    drawn = {"epochs": np.arange(1, 3), "learning_rate": np.array([0.001, 0.01], np.float32), "flip_average": [np.False_]}
    search = RandomizedSearchCV(ImageClassifier("mlp"), drawn, n_iter=1, cv=2, error_score="raise", random_state=0).fit(X, Y)
    assert len(search.best_estimator_.history_) == search.best_params_["epochs"]


# Committees


@pytest.mark.parametrize("rule", RULES)
def test_a_committee_is_its_rule(rule):
    weights = [3, 1, 2] if rule == "weighted-mean" else None
    members = [LogisticRegression(max_iter=1000), DecisionTreeClassifier(max_depth=4), "logistic-regression"]
    fitted = CommitteeClassifier(members, rule=rule, weights=weights, cv=3, random_state=0).fit(X, Y)
    said = np.stack([member.predict_proba(NEW) for member in fitted.members_])
    assert (fitted.weights_ is None) == (rule in UNWEIGHTED)
    expected = RULES[rule](said, fitted.weights_)
    assert np.array_equal(fitted.predict_proba(NEW), expected)
    assert fitted.score(NEW, NEW_Y) == np.mean(expected.argmax(axis=1) == NEW_Y)


def test_the_mean_is_soft_voting():
    members = [("linear", LogisticRegression(max_iter=1000)), ("bayes", GaussianNB())]
    ours, theirs = CommitteeClassifier(members).fit(X, Y), VotingClassifier(members, voting="soft").fit(X, Y)
    np.testing.assert_allclose(ours.predict_proba(NEW), theirs.predict_proba(NEW), atol=1e-6)


def test_weights_are_fitted_to_what_members_say_of_images_they_have_not_seen():
    members = [("deep", DecisionTreeClassifier(random_state=0)), ("linear", LogisticRegression(max_iter=1000))]
    fitted = CommitteeClassifier(members, rule="weighted-mean", weights="fit", cv=3).fit(X, Y)
    out = [cross_val_predict(member, X, Y, cv=3, method="predict_proba") for _, member in members]

    def loss(share: float) -> float:
        mixed = np.clip(share * out[0] + (1 - share) * out[1], 1e-7, 1)
        return -np.log(mixed[np.arange(len(Y)), Y]).mean()

    shares = np.linspace(0, 1, 201)
    assert sum(fitted.weights_) == pytest.approx(1)
    assert fitted.weights_[0] == pytest.approx(shares[np.argmin([loss(share) for share in shares])], abs=0.01)


def out_of_fold(members: list[tuple[str, Any]], cv: int = 3) -> list[Predictions]:
    said = [cross_val_predict(member, X, Y, cv=cv, method="predict_proba") for _, member in members]
    return [Predictions("out-of-fold", probabilities, Y) for probabilities in said]


TREES = [(f"tree {depth}", DecisionTreeClassifier(max_depth=depth, random_state=0)) for depth in (2, 4, 8)]


def test_a_member_that_is_left_out_still_refuses_what_it_refused() -> None:
    knows, guesses, missing = DecisionTreeClassifier(), LogisticRegression(C=1e-9), np.full_like(NEW, np.nan)
    committee = CommitteeClassifier([knows, guesses], rule="greedy", cv=3, random_state=0).fit(X, Y)
    assert [type(member) for member in committee.members_] == [DecisionTreeClassifier]
    assert committee.members_[0].predict(missing).shape == NEW_Y.shape
    with pytest.raises(ValueError, match="X contains NaN"):
        committee.predict(missing)
    # None refuses them, whatever its tags say: a search has no word of what is in it.
    unsure = DecisionTreeClassifier(min_samples_leaf=len(X))
    for other in (unsure, DummyClassifier(), GridSearchCV(unsure, {"max_depth": [1]}, cv=2)):
        committee.set_params(members=[knows, other]).fit(X, Y)
        assert len(committee.members_) == 1
        np.testing.assert_array_equal(committee.predict(missing), committee.members_[0].predict(missing))


@pytest.mark.parametrize("kind", [sparse.csr_matrix, sparse.lil_matrix, sparse.dok_matrix, np.ndarray.tolist])
def test_images_of_any_kind_are_looked_through_for_missing_numbers(kind: Callable[[Any], Any]) -> None:
    committee = CommitteeClassifier([DecisionTreeClassifier(), LogisticRegression(C=1e-9)], rule="greedy", cv=3, random_state=0)
    assert committee.fit(kind(X), Y).score(kind(X), Y) == 1
    with pytest.raises(ValueError, match="X contains NaN"):
        committee.predict(kind(np.full_like(NEW, np.nan)))


@pytest.mark.parametrize("rule", ["log-pool", "stack", "greedy"])
def test_a_rule_is_fitted_to_out_of_fold_probabilities(rule: str) -> None:
    fitted = CommitteeClassifier(TREES, rule=rule, cv=3).fit(X, Y)
    found = np.array(FITS[rule](out_of_fold(TREES)))
    if rule == "greedy":
        assert list(fitted.named_members_) == [name for (name, _), weight in zip(TREES, found[:, 0], strict=True) if weight]
        found = found[found[:, 0] > 0]
    np.testing.assert_allclose(np.array(fitted.weights_), found)


def test_an_image_whose_class_no_member_was_shown_fits_no_exponents() -> None:
    """The only one of its class is held out, and those that learned without it say that it cannot be."""
    X, y = np.random.default_rng(0).normal(size=(61, 3)), np.arange(61) % 3
    X[np.arange(61), y] += 2
    y[-1] = 3
    halves, said = list(KFold(2).split(X)), np.zeros((61, 4))
    for train, held in halves:
        member = GaussianNB().fit(X[train], y[train])
        said[np.ix_(held, member.classes_)] = member.predict_proba(X[held])
    fitted = CommitteeClassifier([GaussianNB()], rule="log-pool", cv=halves).fit(X, y)
    assert fitted.weights_ == FITS["log-pool"]([Predictions("out-of-fold", said[:-1], y[:-1])])
    assert fitted.predict_proba(X[-1:]).argmax() == 3
    with pytest.raises(ValueError, match="each fold of cv holds out whole classes"):
        CommitteeClassifier([GaussianNB()], rule="log-pool").fit(X, y, groups=y)


def test_folds_that_hold_out_whole_classes_fit_nothing_of_a_class() -> None:
    """They did, silently, to images of which all members say that they cannot be; a class with a single image has no others."""
    halves = [(Y != 0, Y == 0), (Y == 0, Y != 0)]
    halves = [(np.flatnonzero(train), np.flatnonzero(held)) for train, held in halves]
    for params in ({"rule": "stack"}, {"calibration": "vector"}, {"rule": "greedy", "calibration": "auto"}):
        with pytest.raises(ValueError, match=r"holds out all images of \d or none.* take log-pool or temp"):
            CommitteeClassifier(TREES, cv=halves, **params).fit(X, Y)
    frozen = [FrozenEstimator(GaussianNB().fit(X[at::2], Y[at::2])) for at in (0, 1)]  # they know all classes all the same
    assert CommitteeClassifier(frozen, rule="stack", cv=halves).fit(X, Y).predict_proba(NEW).shape == (100, 10)
    some = np.flatnonzero((Y != 0) | (np.cumsum(Y == 0) == 1))
    assert CommitteeClassifier(TREES, rule="stack", cv=3).fit(X[some], Y[some]).predict_proba(NEW).shape == (100, 10)


def test_members_that_know_more_classes_than_the_images_have_are_not_misplaced() -> None:
    """They were: the third class of the images was taken for the third that a member knows."""
    frozen = [FrozenEstimator(GaussianNB().fit(X[at::2], Y[at::2])) for at in (0, 1)]
    even = np.flatnonzero(Y % 2 == 0)
    for params in ({}, {"rule": "log-pool"}, {"calibration": "temperature"}, {"rule": "greedy"}):
        fitted = CommitteeClassifier(frozen, **params).fit(X[even], Y[even])
        assert fitted.classes_.tolist() == list(range(10))
        assert (fitted.predict(X[even]) == Y[even]).mean() > 0.6
    for params in ({"rule": "stack"}, {"calibration": "auto"}):
        with pytest.raises(ValueError, match=r"know the class 1, of which there is no image to fit to; .*take log-pool"):
            CommitteeClassifier(frozen, **params).fit(X[even], Y[even])
    few = FrozenEstimator(GaussianNB().fit(X[even], Y[even]))
    both = CommitteeClassifier([few, frozen[0]]).fit(X, Y)
    expected = np.zeros((100, 10))
    expected[:, ::2] = few.predict_proba(NEW)
    np.testing.assert_allclose(both.predict_proba(NEW), (expected + frozen[0].predict_proba(NEW)) / 2, atol=1e-6)


def test_classes_of_a_member_in_another_order_are_not_misplaced() -> None:
    class Reversed(ClassifierMixin, BaseEstimator):
        def fit(self, X, y):
            self.of_ = GaussianNB().fit(X, y)
            self.classes_ = self.of_.classes_[::-1]
            return self

        def predict_proba(self, X):
            return self.of_.predict_proba(X)[:, ::-1]

    letters = np.array(list("abcdefghij"))[Y]
    for params in ({}, {"rule": "log-pool"}):
        plain, other = (CommitteeClassifier([of(), TREES[0][1]], **params).fit(X, letters) for of in (GaussianNB, Reversed))
        np.testing.assert_allclose(other.predict_proba(NEW), plain.predict_proba(NEW), atol=1e-6)


def test_that_a_frozen_member_never_knows_a_class_counts_against_it() -> None:
    most = Y < 8
    frozen = FrozenEstimator(LogisticRegression(max_iter=1000).fit(X[most], Y[most]))
    fitted = CommitteeClassifier([frozen, GaussianNB()], rule="log-pool").fit(X, Y)
    alone = CommitteeClassifier([GaussianNB()], rule="log-pool").fit(X, Y)
    labels = np.arange(len(Y))
    losses = [-np.log(np.maximum(one.predict_proba(X)[labels, Y], 1e-7)).mean() for one in (fitted, alone)]
    assert losses[0] < losses[1] + 0.05
    with pytest.raises(ValueError, match=r"no member knows the class 8; leave its images out, or add"):
        CommitteeClassifier([frozen], rule="stack").fit(X, Y)
    some = np.flatnonzero(most | (np.cumsum(Y == 8) == 1) & (Y == 8))  # one image of a class that none knows
    for params in ({"rule": "stack"}, {"calibration": "vector"}, {"rule": "greedy", "calibration": "isotonic"}):
        fitted = CommitteeClassifier([frozen], **params).fit(X[some], Y[some])
        assert fitted.predict_proba(NEW).shape == (100, 9) and fitted.classes_.tolist() == list(range(9))
    with pytest.raises(ValueError, match=r"classes of another kind than the labels have: 0, 1, .*; the labels are 'a', "):
        CommitteeClassifier([frozen, GaussianNB()]).fit(X, np.array(list("abcdefghij"))[Y])


def test_of_a_class_images_that_no_member_was_shown_are_left_out() -> None:
    (first, of_first), *others = StratifiedKFold(3).split(X, Y)
    folds, said = [(first[Y[first] != 0], of_first), *others], np.zeros((len(Y), 10))
    for train, held in folds:
        member = GaussianNB().fit(X[train], Y[train])
        said[np.ix_(held, member.classes_)] = member.predict_proba(X[held])
    shown = ~np.isin(np.arange(len(Y)), of_first[Y[of_first] == 0])
    fitted = CommitteeClassifier([GaussianNB()], rule="stack", cv=folds).fit(X, Y)
    expected = FITS["stack"]([Predictions("out-of-fold", said[shown].astype(np.float32), Y[shown])])
    np.testing.assert_allclose(np.array(fitted.weights_), np.array(expected))


def test_there_are_no_more_folds_than_groups() -> None:
    groups = np.arange(len(Y)) // 120
    fitted, other = (CommitteeClassifier(TREES, rule="log-pool", cv=cv).fit(X, Y, groups=groups) for cv in (None, 3))
    assert fitted.weights_ == other.weights_
    with pytest.raises(ValueError, match="all images are of one group"):
        CommitteeClassifier(TREES, rule="log-pool").fit(X, Y, groups=0 * groups)


def test_a_calibration_comes_after_the_rule_and_is_off_where_the_rule_needs_none() -> None:
    plain, calibrated = (CommitteeClassifier(TREES, cv=3, calibration=one).fit(X, Y) for one in (None, "temperature"))
    temperature = calibrate("temperature", combine(out_of_fold(TREES), "mean"))
    assert calibrated.calibration_.numbers["temperature"] == pytest.approx(temperature.numbers["temperature"])
    np.testing.assert_allclose(calibrated.predict_proba(NEW), temperature(plain.predict_proba(NEW)), atol=1e-6)
    stacks = [CommitteeClassifier(TREES, rule="stack", cv=3, calibration=one).fit(X, Y) for one in (None, "temperature")]
    assert [one.calibration_ for one in stacks] == [None, None]
    np.testing.assert_array_equal(*(one.predict_proba(NEW) for one in stacks))


def test_as_scikit_learns_calibrated_classifier() -> None:
    """Of one member with the same folds, whose model is fitted on all images in the end."""
    member = LogisticRegression(max_iter=1000)
    ours = CommitteeClassifier([member], calibration="temperature", cv=3).fit(X, Y)
    theirs = CalibratedClassifierCV(member, method="temperature", cv=3, ensemble=False).fit(X, Y)
    np.testing.assert_allclose(ours.predict_proba(NEW), theirs.predict_proba(NEW), atol=1e-3)


def test_members_differ_in_their_seeds_and_a_committee_repeats_itself():
    committee = CommitteeClassifier([ImageClassifier("mlp", epochs=1)] * 2, random_state=5)
    first, second = committee.fit(X, Y).members_
    assert first.random_state != second.random_state
    said = committee.predict_proba(NEW)
    assert np.array_equal(clone(committee).fit(X, Y).predict_proba(NEW), said)
    kept = CommitteeClassifier([ImageClassifier("logistic-regression", random_state=7)], random_state=5).fit(X, Y)
    assert kept.members_[0].random_state == 7


def test_the_default_is_three_convolutional_networks():
    members = CommitteeClassifier()._untrained()
    assert [name for name, _ in members] == ["member-1", "member-2", "member-3"]
    assert {member._architecture((28, 28, 1)) for _, member in members} == {"cnn"}
    assert len({member.random_state for _, member in members}) == 3


def test_named_members_are_parameters():
    committee = CommitteeClassifier([("a", ImageClassifier("mlp", epochs=1)), ("b", "logistic-regression")])
    assert committee.get_params()["a__epochs"] == 1 and committee.get_params()["b"] == "logistic-regression"
    search = GridSearchCV(committee, {"a__epochs": [1, 2], "b": [GaussianNB()], "rule": ["vote"]}, cv=2, error_score="raise")
    best = search.fit(X, Y).best_estimator_
    assert len(best.named_members_.a.history_) == search.best_params_["a__epochs"]
    assert isinstance(best.named_members_["b"], GaussianNB)
    assert "member-1" not in CommitteeClassifier(["mlp"]).set_params(rule="vote", members=["mlp", "svm"]).get_params()


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ({"members": []}, "a list of one at least"),
        ({"members": 3}, "a list of one at least"),
        ({"members": [RidgeClassifier()]}, "no probabilities"),
        ({"members": ["mpl"]}, "did you mean 'mlp'"),
        ({"members": ["mlp", ("bayes", GaussianNB())]}, "all members have names, or none has"),
        ({"members": [("a", "mlp"), ("a", "svm")]}, "not unique"),
        ({"rule": "maen"}, "did you mean 'mean'"),
        ({"rule": "weighted-mean"}, "needs weights"),
        ({"rule": "weighted-mean", "weights": [1]}, "one weight a member"),
        ({"rule": "mean", "weights": "fit"}, "takes no weights"),
        ({"rule": "weighted-mean", "weights": "best"}, '"fit"'),
        ({"rule": "stack", "cv": 1}, "cv is a number of folds from 2 up, a splitter or splits; got 1"),
        ({"rule": "stack", "weights": [1, 2]}, "the weights of the rule 'stack' are fitted; leave them out"),
        ({"calibration": "temprature"}, r"unknown calibration 'temprature' \(did you mean 'temperature'\?\); allowed: temp"),
    ],
)
def test_a_committee_that_cannot_be_says_why(params, said):
    with pytest.raises(ValueError, match=said):
        CommitteeClassifier(**{"members": ["logistic-regression"] * 2, **params}).fit(X, Y)


# Weights and groups

WEIGHTS = np.random.default_rng(1).integers(0, 4, len(Y)).astype(float)
GROUPS = np.arange(len(Y)) // 6


@pytest.mark.parametrize(
    "model",
    [
        ImageClassifier("mlp", epochs=2, random_state=0),
        ImageClassifier("hog-svm", random_state=0),
        CommitteeClassifier([("trees", DecisionTreeClassifier(random_state=0)), ("linear", "logistic-regression")], cv=3),
    ],
    ids=["network", "machine", "committee"],
)
def test_an_image_of_weight_0_is_not_there_and_weights_of_1_are_none(model):
    there = WEIGHTS > 0
    fitted = clone(model).fit(X, Y, sample_weight=there)
    assert np.array_equal(fitted.predict_proba(NEW), clone(model).fit(X[there], Y[there]).predict_proba(NEW))
    weighed = clone(model).fit(X, Y, sample_weight=np.maximum(WEIGHTS, 0.5))
    assert not np.array_equal(weighed.predict_proba(NEW), clone(model).fit(X, Y).predict_proba(NEW))


def test_an_image_that_weighs_3_is_three_images():
    linear = ImageClassifier("logistic-regression")
    times = np.repeat(np.arange(len(Y)), WEIGHTS.astype(int))
    weighed, repeated = linear.fit(X, Y, WEIGHTS).predict_proba(NEW), clone(linear).fit(X[times], Y[times]).predict_proba(NEW)
    np.testing.assert_allclose(weighed, repeated, atol=1e-3)


def test_weights_of_classes_are_by_label_whatever_number_it_is():
    linear = ImageClassifier("logistic-regression", class_weight={3: 2.0, np.int64(5): 0.5})
    whole = clone(linear).fit(X, Y).predict_proba(NEW)
    np.testing.assert_array_equal(clone(linear).fit(X, Y.astype(float)).predict_proba(NEW), whole)
    with pytest.raises(InvalidParameter, match=r"class_weight names the class '3.5' \(did you mean '3.0'\?\)"):
        clone(linear).set_params(class_weight={3.5: 2.0}).fit(X, Y.astype(float))


def test_balanced_weights_of_classes_count_an_image_as_it_weighs():
    """scikit-learn's own `balanced` counts images alone in a support vector machine, for one."""
    few = (Y == 3) | (Y == 5)
    images, labels, weights = X[few], Y[few], np.where(Y[few] == 3, 3.0, 1.0)
    counts = {label: weights[labels == label].sum() for label in (3, 5)}
    machine = ImageClassifier("hog-svm", options={"kernel": "rbf", "c": 0.01, "cell": 2}, image_shape=(8, 8, 1), random_state=0)
    given = {label: sum(counts.values()) / (2 * count) for label, count in counts.items()}
    said = [
        clone(machine).set_params(class_weight=how).fit(images, labels, weights).predict_proba(NEW)
        for how in ("balanced", given)
    ]
    np.testing.assert_array_equal(*said)


def test_weights_are_in_the_fingerprint_and_stay_with_what_the_store_keeps(tmp_path):
    mlp = ImageClassifier("mlp", epochs=1, random_state=0, store=tmp_path)
    plain, ones, weighed = (clone(mlp).fit(X, Y, weight) for weight in (None, np.ones(len(Y)), WEIGHTS + 1))
    assert plain.fingerprint_ == ones.fingerprint_ != weighed.fingerprint_
    trial = json.loads((tmp_path / "runs" / weighed.fingerprint_ / "trial.json").read_text())
    kept = Store(tmp_path).dataset(trial["dataset"]["content"])
    assert np.array_equal(kept.train.weights, WEIGHTS + 1) and kept.content == trial["dataset"]["content"]


@pytest.mark.parametrize(
    ("name", "said"), [("nearest-neighbours", "cannot weigh images"), ("numpy-mlp", "cannot weigh images")]
)
def test_what_cannot_weigh_says_so(name, said):
    with pytest.raises(InvalidParameter, match=said):
        ImageClassifier(name, optimizer="sgd").fit(X, Y, WEIGHTS)
    with pytest.raises(InvalidParameter, match="near takes no sample_weight"):
        CommitteeClassifier([("near", KNeighborsClassifier())]).fit(X, Y, WEIGHTS)


def test_groups_stay_in_one_part(tmp_path):
    groups = np.array([f"writer {number}" for number in GROUPS])
    fitted = ImageClassifier("mlp", epochs=1, validation=0.2, random_state=0, store=tmp_path).fit(X, Y, groups=groups)
    store = Store(tmp_path)
    trial = Trial.parse((tmp_path / "runs" / fitted.fingerprint_ / "trial.json").read_text())
    parts = split(store.dataset(trial.dataset.content), trial.split)
    train, held = (set(groups[parts.indices[part]]) for part in ("train", "validation"))
    assert held and not train & held


class Said(BaseEstimator, ClassifierMixin):
    """A classifier that remembers what it was given."""

    seen: ClassVar[list] = []

    def fit(self, X, y, sample_weight=None, groups=None):
        self.classes_ = np.unique(y)
        self.seen.append((sample_weight, groups))
        return self

    def predict_proba(self, X):
        return np.full((len(X), len(self.classes_)), 1 / len(self.classes_), np.float32)


@pytest.mark.parametrize("cv", [3, np.int64(3), GroupKFold(3)], ids=["number", "of NumPy", "splitter"])
def test_folds_of_a_committee_keep_groups_together(cv):
    Said.seen.clear()
    CommitteeClassifier([Said()], rule="weighted-mean", weights="fit", cv=cv).fit(X, Y, WEIGHTS, GROUPS)
    *folds, whole = Said.seen
    assert np.array_equal(whole[0], WEIGHTS) and np.array_equal(whole[1], GROUPS)
    held = [set(GROUPS) - set(learned) for _, learned in folds]
    assert len(held) == 3 and sum(map(len, held)) == len(set(GROUPS)) == len(set.union(*held))


def test_metadata_is_routed():
    params = {"sample_weight": WEIGHTS, "groups": GROUPS}
    with config_context(enable_metadata_routing=True):
        Said.seen.clear()
        committee = CommitteeClassifier([Said().set_fit_request(sample_weight=True, groups=False), "logistic-regression"])
        committee = committee.set_fit_request(sample_weight=True, groups=True).set_score_request(sample_weight=False)
        assert len(cross_val_score(committee, X, Y, cv=GroupKFold(2), params=params, error_score="raise")) == 2
        assert [(len(weights), taken) for weights, taken in Said.seen] == [(150, None)] * 2
        linear = (
            ImageClassifier("logistic-regression")
            .set_fit_request(sample_weight=True, groups=False)
            .set_score_request(sample_weight=True)
        )
        pipeline, weights = make_pipeline(MaxAbsScaler(), linear), {"sample_weight": WEIGHTS}
        assert cross_val_score(pipeline, X, Y, cv=2, params=weights, error_score="raise").min() > 0
        with pytest.raises(UnsetMetadataPassedError, match="sample_weight"):
            CommitteeClassifier([Said()]).fit(X, Y, WEIGHTS)


# Lightness


def test_importing_toile_loads_nothing_and_an_estimator_no_trainer():
    script = (
        "import sys, toile; assert not {'numpy', 'sklearn', 'keras'} & set(sys.modules);"
        "toile.CommitteeClassifier; assert not {'keras', 'tensorflow', 'jax', 'torch'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", script], check=True, env={**os.environ, "PYTHONWARNINGS": "error"})


def test_an_error_of_a_parameter_is_an_error_of_toile_and_of_scikit_learn():
    assert issubclass(InvalidParameter, ValueError) and issubclass(InvalidParameter, toile.errors.Misuse)
