"""Every metric against scikit-learn, Keras or its own definition written out."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sklearn_metrics

from tests.training.fixture import elsewhere
from toile.evaluation.calibration import ece, ece_classwise, ece_equal_mass, reliability
from toile.evaluation.metrics import METRICS, confusion_matrix, evaluate, per_class, progress_metrics, with_balanced_accuracy
from toile.evaluation.predictions import NotProbabilities


def made(seed: int, images: int = 400, classes: int = 10) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities of a middling model, some of them 0, 1 or tied, and labels of uneven frequency, all present."""
    generator = np.random.default_rng(seed)
    labels = np.concatenate([np.arange(classes), np.minimum(generator.integers(0, classes + 4, images), classes - 1)])
    logits = generator.normal(size=(len(labels), classes)) * 2
    logits[np.arange(len(labels)), labels] += 2
    probabilities = np.exp(logits)
    probabilities = np.round(probabilities / probabilities.sum(axis=1, keepdims=True), 2)
    sure = len(labels) // 10
    probabilities[:sure] = np.eye(classes)[generator.integers(0, classes, sure)]
    return (probabilities / probabilities.sum(axis=1, keepdims=True)).astype(np.float32), labels


def sklearn_figures(probabilities: np.ndarray, labels: np.ndarray) -> dict[str, float]:
    predicted, classes = probabilities.argmax(axis=1), range(probabilities.shape[1])
    double = probabilities.astype(np.float64)
    double /= double.sum(axis=1, keepdims=True)
    figures = {
        "accuracy": sklearn_metrics.accuracy_score(labels, predicted),
        "balanced_accuracy": sklearn_metrics.balanced_accuracy_score(labels, predicted),
        # scikit-learn bounds the loss of an image at 36 nats; Keras is the oracle, below.
        "loss": float(-np.log(np.maximum(double[np.arange(len(labels)), labels], np.finfo(np.float32).tiny)).mean()),
        "brier": sklearn_metrics.brier_score_loss(labels, double, labels=classes, scale_by_half=False),
        "roc_auc_ovo": sklearn_metrics.roc_auc_score(labels, probabilities, multi_class="ovo", average="macro"),
        "roc_auc_ovr": sklearn_metrics.roc_auc_score(labels, probabilities, multi_class="ovr", average="macro"),
    }
    for average in ("macro", "micro", "weighted"):
        scores = sklearn_metrics.precision_recall_fscore_support(labels, predicted, average=average, zero_division=0)
        for name, score in zip(("precision", "recall", "f1"), scores, strict=False):
            figures[f"{name}_{average}"] = score
    return figures


@pytest.mark.filterwarnings("ignore:The y_prob values do not sum to one")
@pytest.mark.parametrize(("seed", "images", "classes"), [(0, 400, 10), (1, 50, 3), (2, 5, 10), (3, 300, 5)])
def test_as_scikit_learn(seed, images, classes):
    probabilities, labels = made(seed, images, classes)
    ours = evaluate(probabilities, labels)
    for name, figure in sklearn_figures(probabilities, labels).items():
        assert ours[name] == pytest.approx(figure, abs=1e-6), name
    predicted = probabilities.argmax(axis=1)
    assert ours["confusion_matrix"] == sklearn_metrics.confusion_matrix(labels, predicted).tolist()
    report = sklearn_metrics.classification_report(labels, predicted, output_dict=True, zero_division=0)
    for row in ours["per_class"]:
        theirs = report[str(row["class"])]
        assert row["precision"] == pytest.approx(theirs["precision"])
        assert row["recall"] == pytest.approx(theirs["recall"])
        assert row["f1"] == pytest.approx(theirs["f1-score"])
        assert row["support"] == theirs["support"]


@pytest.mark.filterwarnings("ignore:y_pred contains classes not in y_true")
@given(seed=st.integers(0, 2**32 - 1), images=st.integers(1, 40), classes=st.integers(2, 6))
def test_balanced_accuracy_leaves_out_classes_without_images_as_scikit_learn(seed, images, classes):
    generator = np.random.default_rng(seed)
    labels = generator.integers(0, classes, images)
    probabilities = generator.dirichlet(np.ones(classes), images).astype(np.float32)
    theirs = sklearn_metrics.balanced_accuracy_score(labels, probabilities.argmax(axis=1))
    figures = evaluate(probabilities, labels)
    assert figures["balanced_accuracy"] == pytest.approx(theirs, abs=1e-12)
    # Figures that were stored before there was one.
    earlier = {name: value for name, value in figures.items() if name != "balanced_accuracy"}
    assert with_balanced_accuracy(earlier) == figures and "balanced_accuracy" not in earlier
    assert with_balanced_accuracy({"accuracy": 0.5}) == {"accuracy": 0.5}


def test_as_keras():
    elsewhere(assert_as_keras)


def assert_as_keras() -> None:
    """Precision and recall are those that Keras prints; the loss is the one that it computes from logits."""
    import keras

    probabilities, labels = made(0)
    one_hot = np.eye(10, dtype=np.float32)[labels]
    ours = progress_metrics(probabilities, labels)
    assert list(ours) == ["loss", "accuracy", "precision", "recall"]
    for name, metric in {
        "accuracy": keras.metrics.CategoricalAccuracy(),
        "precision": keras.metrics.Precision(),
        "recall": keras.metrics.Recall(),
    }.items():
        assert ours[name] == pytest.approx(float(metric(one_hot, probabilities)), rel=1e-5), name
    logits = np.random.default_rng(0).normal(scale=15, size=(500, 10)).astype(np.float32)
    labels = np.random.default_rng(1).integers(0, 10, 500)
    theirs = keras.losses.SparseCategoricalCrossentropy(from_logits=True)(labels, logits)
    probabilities = np.asarray(keras.ops.softmax(logits))
    assert METRICS["loss"].function(probabilities, labels) == pytest.approx(float(theirs), rel=1e-4)
    assert float(theirs) > 16.2  # more than a bound of 1e-7 would let through


def test_loss_has_no_bound_but_float32s_own():
    wrong = np.array([[1.0, 0.0], [1 - 1e-20, 1e-20]], np.float32)
    ours = [METRICS["loss"].function(wrong[i : i + 1], np.array([1])) for i in (0, 1)]
    assert ours == pytest.approx([87.3365, 46.0517], abs=1e-3)


def test_precision_of_a_model_that_is_sure_of_nothing_is_0():
    probabilities, labels = np.full((4, 4), 0.25, np.float32), np.arange(4)
    assert METRICS["precision"].function(probabilities, labels) == 0.0
    assert METRICS["recall"].function(probabilities, labels) == 0.0


def test_exactly_a_half_is_not_above_the_threshold():
    assert METRICS["recall"].function(np.array([[0.5, 0.5]], np.float32), np.array([0])) == 0.0


def test_ece_by_its_definition():
    probabilities, labels = made(4)
    # float64, because NumPy compares float32 with a Python number in float32.
    confidence, right = probabilities.max(axis=1).astype(float), probabilities.argmax(axis=1) == labels
    expected = 0.0
    for m in range(15):
        inside = (confidence > m / 15) & (confidence <= (m + 1) / 15)
        if inside.any():
            expected += inside.mean() * abs(right[inside].mean() - confidence[inside].mean())
    assert ece(probabilities, labels) == pytest.approx(expected, abs=1e-6)


def test_ece_of_the_surely_wrong_is_1_and_of_the_surely_right_0():
    sure = np.eye(3, dtype=np.float32)
    assert ece(sure, np.array([0, 1, 2])) == 0
    assert ece(sure, np.array([1, 2, 0])) == 1


def test_ece_of_equal_bins_by_its_definition():
    probabilities, labels = made(2, 1490)
    confidence, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == labels
    # Without ties the bins are a hundred images each, in order.
    confidence = confidence + np.linspace(0, 1e-6, len(confidence))
    spread = probabilities * (confidence / probabilities.max(axis=1))[:, None]
    spread[np.arange(len(labels)), (probabilities.argmax(axis=1) + 1) % 10] += 1 - spread.sum(axis=1)
    order = np.argsort(spread.max(axis=1), kind="stable")
    bins = order.reshape(15, 100)
    expected = sum(abs(right[bin].sum() - spread.max(axis=1)[bin].sum()) for bin in bins) / len(labels)
    assert ece_equal_mass(spread.astype(np.float32), labels) == pytest.approx(expected, abs=2e-3)
    order = np.random.default_rng(0).permutation(len(labels))
    assert ece_equal_mass(probabilities[order], labels[order]) == pytest.approx(ece_equal_mass(probabilities, labels))


def test_ece_of_classes_by_its_definition():
    probabilities, labels = made(3, 500, 4)
    gaps = []
    for c, one in enumerate(probabilities.T.astype(np.float64)):
        gap = 0.0
        for m in range(15):
            inside = (one > m / 15) & (one <= (m + 1) / 15) | (m == 0) & (one == 0)
            gap += abs((labels[inside] == c).sum() - one[inside].sum()) / len(labels)
        gaps.append(gap)
    assert ece_classwise(probabilities, labels) == pytest.approx(np.mean(gaps), abs=1e-6)
    sure = np.eye(3, dtype=np.float32)
    assert ece_classwise(sure, np.array([0, 1, 2])) == ece_equal_mass(sure, np.array([0, 1, 2])) == 0
    assert ece_equal_mass(sure, np.array([1, 2, 0])) == 1


def test_reliability_counts_every_image_once():
    probabilities, labels = made(5)
    bins = reliability(probabilities, labels)
    assert sum(bin["images"] for bin in bins) == len(labels)
    assert [bin["lower"] for bin in bins[1:]] == [bin["upper"] for bin in bins[:-1]]
    assert all((bin["accuracy"] is None) == (bin["images"] == 0) for bin in bins)
    assert all(bin["lower"] - 1e-6 <= bin["confidence"] <= bin["upper"] + 1e-6 for bin in bins if bin["images"])


def test_what_is_undefined_is_null_and_the_rest_stands():
    probabilities, labels = made(6, classes=4)
    keep = labels != 2
    result = evaluate(probabilities[keep], labels[keep])
    assert result["roc_auc_ovo"] is None
    assert result["roc_auc_ovr"] is None
    assert [name for name in METRICS if result[name] is None] == ["roc_auc_ovo", "roc_auc_ovr"]
    assert len(result["confusion_matrix"]) == len(result["per_class"]) == 4
    expected = sklearn_metrics.f1_score(labels[keep], probabilities[keep].argmax(axis=1), average="macro")
    assert result["f1_macro"] == pytest.approx(expected)


@pytest.mark.parametrize("images", [1, 2])
def test_a_handful_of_images_is_enough(images):
    result = evaluate(np.full((images, 3), 1 / 3, np.float32), np.zeros(images, int))
    assert result["images"] == images
    assert result["accuracy"] == 1.0
    assert json.loads(json.dumps(result, allow_nan=False)) == result


def test_confusion_matrix_can_have_room_for_more_classes():
    confusion = confusion_matrix(np.array([[0.9, 0.1]], np.float32), np.array([1]), classes=3)
    assert confusion.tolist() == [[0, 0, 0], [1, 0, 0], [0, 0, 0]]
    assert [row["support"] for row in per_class(np.array([[0.9, 0.1]], np.float32), np.array([1]), 3)] == [0, 1, 0]


def test_evaluate_refuses_what_are_no_probabilities():
    with pytest.raises(NotProbabilities, match="logits"):
        evaluate(np.array([[4.0, -3.0]]), np.array([0]))


@given(st.integers(0, 2**32 - 1), st.integers(2, 6), st.integers(1, 40))
@settings(max_examples=50, deadline=None)
def test_laws_of_every_metric(seed, classes, images):
    """JSON without NaN; everything in range; the order of the images means nothing; a perfect model is as good as can be."""
    generator = np.random.default_rng(seed)
    probabilities = generator.dirichlet(np.full(classes, 0.3), images)
    labels = generator.integers(0, classes, images)
    result = evaluate(probabilities, labels)
    json.dumps(result, allow_nan=False)
    order = generator.permutation(images)
    shuffled, perfect = evaluate(probabilities[order], labels[order]), evaluate(np.eye(classes)[labels], labels)
    for name, metric in METRICS.items():
        assert result[name] is None or 0 <= result[name] <= {"loss": 87.4, "brier": 2}.get(name, 1)
        assert result[name] == pytest.approx(shuffled[name])
        if perfect[name] is not None:
            assert perfect[name] == pytest.approx(1.0 if metric.greater_is_better else 0.0, abs=2e-7)
    assert np.sum(result["confusion_matrix"]) == images


def test_workers_need_no_scikit_learn_to_evaluate():
    code = (
        "import sys, numpy; from toile.evaluation.metrics import evaluate;"
        "evaluate(numpy.full((2, 2), .5), numpy.array([0, 1]));"
        "print([m for m in ('sklearn', 'scipy', 'keras', 'matplotlib') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
