"""The packaged studies against what the documents publish, and against the data that they ask for."""

from __future__ import annotations

import math
import tomllib
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import toile
from toile import studies
from toile.data.dataset import Dataset
from toile.data.reading.load import load as load_dataset
from toile.data.sources import fashion_mnist
from toile.models import architectures
from toile.runner.plans import plan as plans
from toile.runner.plans.planned import Plan
from toile.store.store import Store
from toile.study.data.dataset import DatasetSpec
from toile.study.expand import Variant, variants
from toile.study.fields.published import Published
from toile.study.spec import StudySpec

PUBLISHED = Path(__file__).parents[3] / "shared" / "published.toml"
MEAN_OF_MEMBERS = "combined (mean of the members' figures)"
AVERAGES = {f"{name}_{average}" for name in ("precision", "recall", "f1") for average in ("macro", "weighted")}
FIGURES = {"accuracy", "loss", "f1_micro", "roc_auc_ovo", "precision", "recall", *AVERAGES}


@cache
def documents() -> dict[str, dict[str, dict[str, Any]]]:
    """Document -> trial -> what it publishes."""
    if not PUBLISHED.is_file():
        return {}
    found = tomllib.loads(PUBLISHED.read_text("utf-8"))["document"]
    return {document["id"]: {trial["name"]: trial for trial in document["trial"]} for document in found}


@cache
def spec(study: str) -> StudySpec:
    return studies.load(study).spec


@cache
def lines(study: str) -> dict[str, Variant]:
    return {line.name: line for line in variants(spec(study))}


def figures(published: Published) -> dict[str, dict[str, float]]:
    """Split -> metric -> figure, for the splits with figures."""
    splits = {split: getattr(published, split) for split in ("cross_validation", "train", "validation", "test")}
    return {split: table for split, table in splits.items() if table}


EVERY_PUBLISHED = [pytest.param(study, name, id=f"{study}/{name}") for study, trials in documents().items() for name in trials]


@pytest.mark.skipif(not documents(), reason="the table of published figures is not beside this checkout")
def test_all_published_results_have_a_line():
    assert len(EVERY_PUBLISHED) == 44
    assert set(documents()) <= set(studies.names())


@pytest.mark.parametrize(("study", "name"), EVERY_PUBLISHED)
def test_trial_says_what_the_document_publishes(study, name):
    theirs = documents()[study][name]
    expected = {split: theirs[split] for split in ("cross_validation", "train", "validation", "test") if split in theirs}
    if name == MEAN_OF_MEMBERS:
        committee = next(one for one in spec(study).committee if one.published)
        assert committee.published.mean_of_members == expected["test"]
        return
    published = lines(study)[name].published or Published()
    # The studies have more than the table, as averages and last epochs of logs; `tests/reports/test_published.py` counts it.
    found = figures(published)
    kept = {part: {key: found.get(part, {}).get(key) for key in table} for part, table in expected.items()}
    assert kept == expected
    if "per_class" in theirs:
        assert {name: list(values) for name, values in published.per_class.items()} == theirs["per_class"]
    assert published.parameters == theirs.get("params")
    assert published.trainable_parameters == theirs.get("trainable_params")
    assert published.epochs_run == theirs.get("epochs_run")


@pytest.mark.parametrize("study", studies.names())
def test_published_figures_have_names_that_reports_know(study):
    tables = [table for line in lines(study).values() if line.published for table in figures(line.published).values()]
    assert tables or study not in documents()
    assert {metric for table in tables for metric in table} <= FIGURES


def classes(study: str) -> int:
    dataset = spec(study).dataset
    return len(set(dataset.class_map)) if dataset.class_map else 10


COUNTED = [
    pytest.param(study, name, id=f"{study}/{name}")
    for study in studies.names()
    for name, line in lines(study).items()
    if line.published and line.published.parameters
]


@cache
def counts(architecture: str, options: str, count: int) -> tuple[int, int]:
    """All parameters and the trainable ones, of the model as Keras builds it."""
    model = architectures.build(architecture, (28, 28, 1), count, tomllib.loads(options))
    return model.count_params(), sum(math.prod(variable.shape) for variable in model.trainable_variables)


@pytest.mark.parametrize(("study", "name"), COUNTED)
def test_model_has_exactly_the_published_parameters(study, name):
    line = lines(study)[name]
    options = "\n".join(f"{key} = {_toml(value)}" for key, value in line.architecture.options.items())
    parameters, trainable = counts(line.architecture.name, options, classes(study))
    assert parameters == line.published.parameters
    if line.published.trainable_parameters:
        assert trainable == line.published.trainable_parameters


def _toml(value: Any) -> str:
    """Options as text, so that equal ones are built once."""
    if isinstance(value, bool):
        return str(value).lower()
    return f"[{', '.join(map(_toml, value))}]" if isinstance(value, (list, tuple)) else repr(value)


def without_network(study: StudySpec) -> StudySpec:
    """The same, with backbones that nothing is downloaded for."""
    trials = []
    for trial in study.trial:
        needed = getattr(architectures.load(trial.architecture.name), "WITHOUT_NETWORK", {})
        options = {**trial.architecture.options, **needed}
        trials.append(trial.model_copy(update={"architecture": trial.architecture.model_copy(update={"options": options})}))
    return study.model_copy(update={"trial": tuple(trials)})


@cache
def digits(pool: bool) -> Dataset:
    return load_dataset(DatasetSpec(name="digits", pool=pool))


def planned(study: str, store: Path) -> Plan:
    """The study over digits: pooled where the study pools its own data, without its class map, which speaks of clothes."""
    asked = DatasetSpec(name="digits", pool=spec(study).dataset.pool)
    return plans.make(without_network(spec(study)), study, asked, digits(asked.pool), Store(store))


@pytest.mark.parametrize("study", studies.names())
def test_study_plans_over_digits(study, tmp_path):
    made = planned(study, tmp_path / "store")
    assert {one.line for one in made.trials} == set(lines(study))
    assert made.pending()
    # Every published trial is one training, or k where it is cross-validated.
    for name, line in lines(study).items():
        assert sum(one.line == name for one in made.trials) == len(line.seeds) * (line.split.folds or 1)


@pytest.mark.parametrize("study", [name for name in studies.names() if not spec(name).dataset.pool])
def test_study_plans_on_the_stand_in_by_name(study, tmp_path):
    made = toile.plan(study, store=tmp_path / "store", dataset="digits")
    assert {one.line for one in made.trials} == set(lines(study))
    assert all(one.published is None for one in made.trials)


@cache
def real(dataset: DatasetSpec) -> Dataset:
    return load_dataset(dataset)


@pytest.mark.skipif(
    not any((place / "train-images-idx3-ubyte.gz").is_file() for place in fashion_mnist.places()),
    reason="Fashion-MNIST is not on this machine",
)
@pytest.mark.parametrize(
    ("study", "parts"),
    [
        ("committee", {"train": 48_000, "validation": 12_000, "test": 10_000}),
        ("five-classes", {"train": 48_000, "validation": 6_000, "test": 6_000}),
        ("ann-cnn-study", {"train": 60_000, "test": 10_000}),
        ("from-scratch", {"train": 48_000, "validation": 12_000, "test": 10_000}),
        ("augmentation", {"train": 48_000, "validation": 6_000, "test": 6_000}),
    ],
)
def test_study_plans_over_its_own_data(study, parts, tmp_path):
    own = spec(study).dataset
    made = plans.make(without_network(spec(study)), study, own, real(own), Store(tmp_path / "store"))
    assert made.counts[spec(study).split] == parts
    assert made.dataset.classes == classes(study)
    if own.pool:
        # The document's are within 20 of 12,000 too.
        assert np.all(np.abs(np.bincount(made.dataset.train.labels) - 12_000) < 200)


def test_five_class_studies_share_images_and_split():
    a, b = spec("five-classes"), spec("augmentation")
    assert (a.dataset, a.split) == (b.dataset, b.split)


def test_best_point_of_the_grid_is_trained_once(tmp_path):
    trials = planned("ann-cnn-study", tmp_path / "store").trials
    best = {one.fingerprint for one in trials if one.line.startswith("grid search, best")}
    grid = [one for one in trials if one.line.startswith("grid search: ")]
    assert len(best) == 5 and len(grid) == 4 * 5
    assert best == {one.fingerprint for one in grid if one.line == "grid search: batch_size=32, optimizer=adam"}


def test_augmented_trainings_go_on_from_the_deeper_model(tmp_path):
    trials = {one.name: one for one in planned("augmentation", tmp_path / "store").trials}
    parent = trials["deeper, 80 epochs"].fingerprint
    children = [one for one in trials.values() if one.trial.warm_start]
    assert [one.trial.warm_start for one in children] == [parent] * 3
    assert all(one.trial.recipe.augmentation for one in children)


def test_restarts_go_between_the_documents_learning_rates():
    recipe = lines("augmentation")["deeper, elastic augmentation, Adamax, cosine restarts, 100 more epochs"].recipe
    rates = recipe.optimizer.options["learning_rate"] * recipe.schedule.factors(np.array([0.0, 5.0, 10 - 1e-9, 10.0]), 100)
    np.testing.assert_allclose(rates, [0.006, 0.0035, 0.001, 0.006], rtol=1e-6)


def test_tables_of_model_4_differ_in_one_thing_each():
    trials = {name: line for name, line in lines("five-classes").items() if name.startswith("model-4")}
    base = trials.pop("model-4")
    assert len(trials) == 10
    for name, line in trials.items():
        assert (line.architecture, line.split, line.seeds) == (base.architecture, base.split, base.seeds), name
        ours, theirs = line.recipe.model_dump(), base.recipe.model_dump()
        (changed,) = [key for key in ours if ours[key] != theirs[key]]
        assert changed in ("optimizer", "batch_size", "epochs"), name


def test_cross_validations_cut_the_folds_that_their_names_say_in_the_order_of_the_images():
    for name, folds in (("5 folds", 5), ("10 folds", 10)):
        split = lines("ann-cnn-study")[f"ann, 25 epochs, {name}"].split
        assert split.folds == folds
        assert split.method == "tail" or not split.shuffle
