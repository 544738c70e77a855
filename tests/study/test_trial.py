"""Fingerprints: pinned, and what counts and what does not."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from toile.data.dataset import Dataset, Images
from toile.data.parts.splits import split
from toile.study.data.split import SplitSpec
from toile.study.trial import Trial, TrialTeacher


def content(**changes: Any) -> dict[str, Any]:
    """A trial as its author's words would make it; `a__b` stands for the key `b` in the table `a`."""
    made: dict[str, Any] = {
        "dataset": {"content": "0" * 64, "classes": 10, "image_shape": (28, 28, 1)},
        "split": {"method": "tail"},
        "architecture": {"name": "cnn", "options": {"filters": [32, 64], "dropout": 0.25}, "revision": 1},
        "recipe": {},
        "seed": 0,
    }
    for key, value in changes.items():
        *tables, last = key.split("__")
        place = made
        for table in tables:
            place = place.setdefault(table, {})
        place[last] = value
    return made


def trial(**changes: Any) -> Trial:
    return Trial.model_validate(content(**changes))


RICH: dict[str, Any] = {
    "split": {"method": "stratified", "folds": 5, "seed": 3, "test": 0.1},
    "fold": 2,
    "recipe": {
        "optimizer": {"name": "sgd", "learning_rate": 0.1, "momentum": 0.9, "nesterov": True},
        "schedule": {"name": "cosine", "warmup": 2},
        "epochs": 30,
        "batch_size": 64,
        "label_smoothing": 0.1,
        "early_stopping": {"patience": 3, "restore_best": True},
        "precision": "bfloat16",
    },
    "seed": 7,
    "backend": "jax",
}
HOLDING: dict[str, Any] = {
    "recipe__schedule": {"name": "hold-then-decay"}, "recipe__optimizer": "adagrad", "recipe__early_stopping": {},
}  # fmt: skip

# A change here means that every run that people have stored is trained again: raise FORMAT and say so in the change log.
CANONICAL = (
    '{"architecture":{"name":"cnn","options":{"dropout":0.25,"filters":[32,64]},"revision":1,"weights":null},"backend":"tensorflow",'
    '"dataset":{"classes":10,"content":"0000000000000000000000000000000000000000000000000000000000000000",'
    '"image_shape":[28,28,1]},"fold":null,"format":1,"learner":"keras","recipe":{"augmentation":null,"batch_size":32,"early_stopping":null,'
    '"epochs":20,"label_smoothing":0.0,"optimizer":{"name":"adam","options":{"amsgrad":false,"beta_1":0.9,"beta_2":0.999,'
    '"clipnorm":null,"clipvalue":null,"ema_momentum":0.99,"ema_overwrite_frequency":null,"epsilon":1e-07,'
    '"global_clipnorm":null,"gradient_accumulation_steps":null,"learning_rate":0.001,"loss_scale_factor":null,'
    '"use_ema":false,"weight_decay":null}},"precision":"float32","scaling":"pixels","schedule":{"name":"constant"}},"seed":0,'
    '"split":{"folds":null,"fraction":1.0,"method":"tail","seed":0,"shuffle":true,"test":0.0,"validation":0.2},"warm_start":null}'
)


def test_canonical_json_is_pinned() -> None:
    assert trial().canonical() == CANONICAL


@pytest.mark.parametrize(
    ("changes", "fingerprint"),
    [
        ({}, "39b50d79cc4e9df49a8eff1651a6cfaa3acf1569bce95b5534a5504d06785047"),
        (RICH, "6bd9dabe29c54fcf96d5fc39017ace8047cf81160549d3061f13c50a99592440"),
        (HOLDING, "a271a10e78e5d42fe5fefd7afba57b73933cd5d653ee04f8912c3aed91783f53"),
    ],
)
def test_fingerprints_are_pinned(changes: dict[str, Any], fingerprint: str) -> None:
    assert trial(**changes).fingerprint == fingerprint


def test_a_fingerprint_is_the_sha_256_of_the_canonical_json() -> None:
    assert trial().fingerprint == hashlib.sha256(CANONICAL.encode()).hexdigest()


def shuffled(value: Any, random: Any) -> Any:
    """The same with the keys of every table in another order."""
    if isinstance(value, dict):
        items = [(key, shuffled(inner, random)) for key, inner in value.items()]
        random.shuffle(items)
        return dict(items)
    return value


@settings(deadline=None)
@given(st.sampled_from([{}, RICH, HOLDING]), st.randoms(use_true_random=False))
def test_the_order_of_keys_does_not_count(changes: dict[str, Any], random: Any) -> None:
    assert Trial.model_validate(shuffled(content(**changes), random)).fingerprint == trial(**changes).fingerprint


SAME = [
    ({"recipe__optimizer": {"name": "sgd", "learning_rate": 1}}, {"recipe__optimizer": {"name": "sgd", "learning_rate": 1.0}}),
    ({"recipe__optimizer": "adam"}, {}),
    ({"recipe__optimizer": {"name": "adam", "learning_rate": 0.001}}, {}),
    ({"recipe__optimizer": {"name": "muon", "adam_lr_ratio": 1}}, {"recipe__optimizer": "muon"}),
    ({"recipe__label_smoothing": 0}, {}),
    ({"recipe__schedule": "constant"}, {}),
    ({"recipe__early_stopping": False}, {}),
    ({"recipe__flip_average": False}, {}),
    ({"recipe__schedule": {"name": "cosine", "warmup": 2}}, {"recipe__schedule": {"name": "cosine", "warmup": 2.0}}),
    ({"recipe__early_stopping": {"patience": 5, "min_delta": 0}}, {"recipe__early_stopping": {}}),
    ({"split__validation": 0.2, "split__test": 0}, {}),
    # What nothing is drawn with:
    ({"split__seed": 9}, {}),
    ({"split__shuffle": False}, {}),
    ({"split__folds": 5, "fold": 1, "split__seed": 9, "split__shuffle": False}, {"split__folds": 5, "fold": 1}),
    ({"split__folds": 5, "fold": 1, "split__validation": 0.5}, {"split__folds": 5, "fold": 1}),
    (
        {"split__method": "random", "split__folds": 5, "fold": 1, "split__shuffle": False, "split__seed": 9},
        {"split__method": "random", "split__folds": 5, "fold": 1, "split__shuffle": False},
    ),
    (
        {"split__method": "random", "split__validation": 0, "split__seed": 9},
        {"split__method": "random", "split__validation": 0},
    ),
    # Own validation images, own test images: nothing is cut.
    ({"split__validation": "given", "split__method": "stratified", "split__seed": 9}, {"split__validation": "given"}),
    # What was trained before the method's default changed:
    ({"split": {"validation": 0}}, {"split__validation": 0}),
]


@pytest.mark.parametrize(("one", "other"), SAME)
def test_spellings_of_one_training(one: dict[str, Any], other: dict[str, Any]) -> None:
    assert trial(**one).fingerprint == trial(**other).fingerprint


TAUGHT: dict[str, Any] = {
    "members": (("1" * 64,), ("2" * 64,)), "rule": "mean", "weights": None, "calibration": None, "temperature": 2.0,
    "hard_labels": 0.1,
}  # fmt: skip
TAUGHT_OTHERWISE: dict[str, Any] = {
    "members": (("1" * 64, "2" * 64),), "rule": "weighted-mean", "weights": (1.0, 2.0), "calibration": "temperature",
    "temperature": 3.0, "hard_labels": 0.2, "tempered": True, "held": True,
}  # fmt: skip

DIFFERENT = [
    {"dataset__content": "1" * 64},
    {"dataset__classes": 5},
    {"dataset__image_shape": (28, 28, 3)},
    {"split__method": "random", "split__groups": "sha256:00"},
    {"split__method": "random"},
    {"split__validation": 0.1},
    {"split__validation": "given"},
    {"split__validation": "given", "split__test": 0.2},
    {"split__validation": "given", "split__test": 0.2, "split__method": "random"},
    {"split__validation": "given", "split__test": 0.2, "split__method": "random", "split__seed": 1},
    {"split__test": 0.1},
    {"split__folds": 5, "fold": 0},
    {"split__folds": 5, "fold": 1},
    {"split__folds": 4, "fold": 1},
    {"split__method": "random", "split__seed": 1},
    {"split__method": "random", "split__folds": 5, "fold": 0, "split__seed": 0},
    {"split__method": "random", "split__folds": 5, "fold": 0, "split__seed": 1},
    {"split__method": "random", "split__folds": 5, "fold": 0, "split__shuffle": False},
    # The folds are cut in order, but the test images before them are drawn.
    {"split__method": "random", "split__folds": 5, "fold": 0, "split__shuffle": False, "split__test": 0.1, "split__seed": 0},
    {"split__method": "random", "split__folds": 5, "fold": 0, "split__shuffle": False, "split__test": 0.1, "split__seed": 1},
    {"architecture__name": "mlp"},
    {"architecture__options": {"filters": [32, 64], "dropout": 0.5}},
    {"architecture__options": {"filters": [64, 32], "dropout": 0.25}},
    {"architecture__revision": 2},
    {"recipe__optimizer": "adamw"},
    {"recipe__optimizer": {"name": "adam", "amsgrad": True}},
    {"recipe__schedule": "exponential"},
    {"recipe__schedule": {"name": "exponential", "factor": 0.9}},
    {"recipe__schedule": "cosine"},
    {"recipe__schedule": "cosine", "recipe__schedule_epochs": 40},
    {"recipe__epochs": 21},
    {"recipe__batch_size": 33},
    {"recipe__label_smoothing": 0.1},
    {"recipe__early_stopping": {}},
    {"recipe__early_stopping": {"patience": 6}},
    {"recipe__early_stopping": {"monitor": "accuracy"}},
    {"recipe__early_stopping": {"min_delta": 0.1}},
    {"recipe__early_stopping": {"restore_best": True}},
    {"recipe__precision": "bfloat16"},
    {"recipe__scaling": "min-max"},
    {"recipe__flip_average": True},
    {"recipe__augmentation": {}},
    {"recipe__augmentation": {"flip": "horizontal"}},
    {"recipe__augmentation": {"elastic": {}}},
    {"recipe__augmentation": {"elastic": {"sigma": 4.0}}},
    {"recipe__augmentation": {"crop": 2}},
    {"recipe__augmentation": {"erasing": {}}},
    {"recipe__augmentation": {"erasing": {"probability": 1.0}}},
    {"split__fraction": 0.5},
    {"architecture__weights": "1" * 64},
    {"warm_start": "1" * 64},
    {"teacher": TrialTeacher(**TAUGHT)},
    *({"teacher": TrialTeacher(**{**TAUGHT, key: value})} for key, value in TAUGHT_OTHERWISE.items()),
    {"recipe__class_weight": "balanced"},
    {"recipe__class_weight": (1.0,) * 9 + (2.0,)},
    {"recipe__sampling": "balanced"},
    {"learner": "scratch"},
    {"seed": 1},
    {"backend": "torch"},
    {"backend": "jax"},
]


def test_every_change_makes_another_trial() -> None:
    fingerprints = [trial(**changes).fingerprint for changes in [{}, *DIFFERENT]]
    assert len(set(fingerprints)) == len(fingerprints)


def test_the_length_of_a_schedule_counts_where_it_is_another_and_the_schedule_looks_at_it() -> None:
    whole = trial(recipe__epochs=30, recipe__schedule="cosine")
    first = trial(recipe__epochs=10, recipe__schedule="cosine", recipe__schedule_epochs=30)
    assert whole.first(10).fingerprint == first.fingerprint != trial(recipe__epochs=10, recipe__schedule="cosine").fingerprint
    assert whole.first(30).fingerprint == first.first(10).first(30).fingerprint == whole.fingerprint
    for schedule in ("constant", "exponential", "cosine-restarts"):
        short = trial(recipe__epochs=10, recipe__schedule=schedule, recipe__schedule_epochs=30)
        assert short.fingerprint == trial(recipe__epochs=10, recipe__schedule=schedule).fingerprint
        assert short == trial(recipe__epochs=30, recipe__schedule=schedule).first(10)
    with pytest.raises(ValidationError, match="is at least `epochs`, got 5 and 10"):
        trial(recipe__epochs=10, recipe__schedule="cosine", recipe__schedule_epochs=5)


def test_no_field_is_forgotten_above() -> None:
    changed = {part for changes in DIFFERENT for key in changes for part in key.split("__")}
    tables = [Trial.model_fields[name].annotation for name in ("dataset", "split", "architecture", "recipe")]
    fields = {*Trial.model_fields, *(name for table in tables for name in table.model_fields)}
    assert fields == changed | {"name", "options"} & fields


def test_what_balances_nothing_is_in_no_fingerprint() -> None:
    plain = trial(recipe__class_weight=False, recipe__sampling=False)
    assert plain.fingerprint == trial().fingerprint
    assert "class_weight" not in plain.canonical() and "sampling" not in plain.canonical()
    weighed = trial(recipe__class_weight=[1, 2.5])
    assert weighed.recipe.class_weight == (1.0, 2.5) and Trial.parse(weighed.canonical()) == weighed


SPLITS = st.builds(
    dict,
    method=st.sampled_from(["tail", "random", "stratified"]),
    validation=st.sampled_from([0.0, 0.25]),
    test=st.sampled_from([0.0, 0.25]),
    seed=st.integers(0, 3),
    folds=st.sampled_from([None, 2, 3]),
    shuffle=st.booleans(),
)
IMAGES = Images(np.arange(24, dtype=np.uint8).reshape(24, 1, 1, 1), np.arange(24) % 2)


@settings(deadline=None)
@given(SPLITS, SPLITS)
def test_splits_of_one_fingerprint_are_one_split(one: dict[str, Any], other: dict[str, Any]) -> None:
    """What is dropped from the canonical JSON decides nothing: the images fall the same."""
    other = {**one, "seed": other["seed"], "validation": other["validation"], "shuffle": other["shuffle"]}
    fold = None if one["folds"] is None else 1
    trials = [trial(split=content, fold=fold) for content in (one, other)]
    if trials[0].fingerprint != trials[1].fingerprint:
        return
    dataset = Dataset("made", IMAGES, None if one["test"] else IMAGES, ("even", "odd"))
    parts = [split(dataset, SplitSpec.model_validate(content), fold).indices for content in (one, other)]
    assert {name: list(part) for name, part in parts[0].items()} == {name: list(part) for name, part in parts[1].items()}


@settings(deadline=None)
@given(SPLITS, st.sampled_from([RICH["recipe"], {}, HOLDING]), st.integers(0, 2**32 - 1))
def test_what_is_written_is_read_again(split: dict[str, Any], recipe: dict[str, Any], seed: int) -> None:
    changes = {"recipe": recipe} if "recipe__schedule" not in recipe else recipe
    made = trial(split=split, fold=None if split["folds"] is None else 1, seed=seed, **changes)
    read = Trial.parse(made.canonical())
    assert read.canonical() == made.canonical()
    assert read.fingerprint == made.fingerprint
    # Equal but for what plays no part in the split.
    assert read.model_dump(exclude={"split"}) == made.model_dump(exclude={"split"})
    assert Trial.parse(read.canonical()) == read


def test_a_plain_trial_is_read_as_it_was() -> None:
    assert Trial.parse(trial().canonical()) == trial()
    assert Trial.parse(json.dumps(json.loads(CANONICAL), indent=2)) == trial()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (CANONICAL.replace('"format":1', '"format":2'), "a trial of format 2, where 1 is read"),
        ("{}", "not a trial"),
        ("[]", "not a trial"),
        ("{", "Expecting property name"),
        ("[" * 100_000, "nested too deep"),
        ('{"format":1}', "no data set"),
        ('{"format":1,"dataset":{"image_shape":28}}', "no data set"),
        (CANONICAL.replace('"seed":0,"split"', '"seeds":0,"split"'), "seed"),
    ],
)
def test_what_is_no_trial(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Trial.parse(text)


@pytest.mark.parametrize(
    "wrong", [{"seed": "0"}, {"fold": 1.0}, {"backend": "keras"}, {"name": "a"}, {"dataset__name": "digits"}]
)
def test_a_trial_has_no_name_and_no_other_kinds_of_value(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        trial(**wrong)
