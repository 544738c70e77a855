"""The models of a study, and what its lines come to: recipes merged, grids multiplied out."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

from toile.errors import Misuse
from toile.study import spec, trial
from toile.study.data.dataset import DatasetSpec
from toile.study.data.split import SplitSpec
from toile.study.expand import combinations, leaves, merge, variants, with_seeds
from toile.study.fields.strict import Spec
from toile.study.recipe import recipe
from toile.study.recipe.recipe import EarlyStopping, RecipeSpec
from toile.study.spec import StudySpec, SweepSpec

MODELS = [
    kind
    for room in (spec, recipe, trial)
    for kind in vars(room).values()
    if isinstance(kind, type) and issubclass(kind, Spec) and kind.__module__ == room.__name__ and kind is not Spec
]


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_every_model_and_every_field_is_described(model: type[BaseModel]) -> None:
    assert model.__doc__
    assert not [name for name, field in model.model_fields.items() if not field.description]


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_every_model_is_strict(model: type[BaseModel]) -> None:
    config = model.model_config
    assert (config["extra"], config["strict"], config["frozen"], config["allow_inf_nan"]) == ("forbid", True, True, False)


def study(**changes) -> StudySpec:
    content = {"title": "t", "dataset": "digits", "trial": [{"name": "a", "architecture": "cnn"}]}
    return StudySpec.model_validate({**content, **changes})


def test_names_are_short_for_tables() -> None:
    short = study(recipe={"optimizer": "sgd", "schedule": "cosine"})
    long = study(
        dataset={"name": "digits"},
        recipe={"optimizer": {"name": "sgd"}, "schedule": {"name": "cosine"}},
        trial=[{"name": "a", "architecture": {"name": "cnn"}}],
    )
    assert short == long


def test_a_study_cannot_change() -> None:
    with pytest.raises(ValidationError):
        study().title = "other"


@pytest.mark.parametrize("wrong", [{"epochs": "20"}, {"epochs": 20.0}, {"epochs": True}, {"batch_size": 0}, {"epoch": 3}])
def test_no_silent_conversion(wrong: dict) -> None:
    with pytest.raises(ValidationError):
        RecipeSpec.model_validate(wrong)


@pytest.mark.parametrize(
    "wrong",
    [
        {"validation": 1.0},
        {"validation": -0.1},
        {"validation": 0.6, "test": 0.4},
        {"folds": 1},
        {"folds": 101},
        {"seed": -1},
        {"seed": 2**32},
        {"method": "head"},
    ],
)
def test_impossible_splits(wrong: dict) -> None:
    with pytest.raises(ValidationError):
        SplitSpec.model_validate(wrong)


def test_folds_take_the_place_of_the_validation_share() -> None:
    assert SplitSpec(folds=5, test=0.85).validation == 0.2  # the default, which plays no part


def test_a_data_set_has_one_source() -> None:
    assert DatasetSpec(path="a.csv", test_path="b.csv", format="csv").name is None
    for wrong in ({}, {"name": "digits", "path": "x"}, {"name": "digits", "test_path": "x"}):
        with pytest.raises(ValidationError):
            DatasetSpec.model_validate(wrong)


# Recipes


BASE = RecipeSpec.model_validate({
    "optimizer": {"name": "sgd", "momentum": 0.9}, "epochs": 7, "early_stopping": {"patience": 3, "restore_best": True},
})  # fmt: skip


def test_nothing_changed_is_the_studys_recipe() -> None:
    assert merge(BASE, {}) == BASE


def test_keys_are_replaced_one_by_one_and_tables_whole() -> None:
    merged = merge(BASE, {"batch_size": 8, "optimizer": "sgd", "early_stopping": {"patience": 1}})
    assert (merged.epochs, merged.batch_size) == (7, 8)
    assert merged.optimizer.options["momentum"] == 0.0
    assert merged.early_stopping == EarlyStopping(patience=1)


def test_false_takes_early_stopping_away() -> None:
    assert merge(BASE, {"early_stopping": False}).early_stopping is None
    assert merge(merge(BASE, {"early_stopping": False}), {"early_stopping": {}}).early_stopping == EarlyStopping()


def test_a_merge_is_checked() -> None:
    with pytest.raises(ValidationError):
        merge(BASE, {"epoch": 3})


def test_a_trial_has_the_studys_seeds_unless_it_has_its_own() -> None:
    trials = [{"name": "a", "architecture": "cnn"}, {"name": "b", "architecture": "cnn", "seeds": [7]}]
    assert [line.seeds for line in variants(study(seeds=[1, 2], trial=trials))] == [(1, 2), (7,)]


# Grids


def sweep(grid: dict, **more) -> SweepSpec:
    return SweepSpec.model_validate({"name": "s", "architecture": "cnn", "grid": grid, **more})


def test_a_grid_may_be_written_three_ways() -> None:
    wanted = [(("recipe", "batch_size"), [1]), (("architecture", "kernel"), [2])]
    assert list(leaves({"recipe": {"batch_size": [1]}, "architecture": {"kernel": [2]}})) == wanted
    assert list(leaves({"recipe.batch_size": [1], "architecture.kernel": [2]})) == wanted


def test_every_combination_the_last_key_fastest() -> None:
    lines = list(combinations(sweep({"recipe": {"batch_size": [16, 32]}, "architecture": {"kernel": [3, 5]}})))
    assert [line.name for line in lines] == [
        "s: batch_size=16, kernel=3",
        "s: batch_size=16, kernel=5",
        "s: batch_size=32, kernel=3",
        "s: batch_size=32, kernel=5",
    ]
    assert [line.recipe["batch_size"] for line in lines] == [16, 16, 32, 32]
    assert [line.architecture.options for line in lines] == [{"kernel": 3}, {"kernel": 5}] * 2


def test_a_sweep_of_tables_lists_and_false_has_readable_names() -> None:
    grid = {
        "recipe": {"optimizer": ["adam", {"name": "sgd", "momentum": 0.9}], "early_stopping": [False]},
        "architecture": {"filters": [[32, 64]]},
    }
    names = [line.name for line in combinations(sweep(grid))]
    assert names == [
        "s: optimizer=adam, early_stopping=False, filters=32-64",
        "s: optimizer=sgd momentum=0.9, early_stopping=False, filters=32-64",
    ]


def test_a_sweeps_own_recipe_and_options_hold_in_every_combination() -> None:
    made = sweep(
        {"recipe": {"batch_size": [1, 2]}},
        recipe={"epochs": 3},
        architecture={"name": "cnn", "filters": [8]},
        seeds=[4, 5],
    )
    lines = variants(study(trial=[], sweep=[made]))
    assert [(v.recipe.epochs, v.architecture.options, v.seeds, v.published) for v in lines] == [
        (3, {"filters": [8]}, (4, 5), None)
    ] * 2


@settings(deadline=None)
@given(
    st.dictionaries(
        st.sampled_from(["batch_size", "epochs"]), st.lists(st.integers(1, 99), min_size=1, max_size=4, unique=True), min_size=1
    )
)
def test_as_many_lines_as_the_grid_has_cells_all_different(grid: dict[str, list[int]]) -> None:
    lines = list(combinations(sweep({"recipe": grid})))
    assert [tuple(line.recipe[key] for key in grid) for line in lines] == list(itertools.product(*grid.values()))
    assert len({line.name for line in lines}) == len(lines)


def test_other_seeds_are_those_of_every_line() -> None:
    trials = [{"name": "a", "architecture": "cnn", "seeds": [7]}, {"name": "b", "architecture": "cnn"}]
    sweep = {"name": "c", "architecture": "cnn", "grid": {"recipe.epochs": [1, 2]}, "seeds": [8, 9]}
    asked = study(trial=trials, sweep=[sweep], seeds=[1])
    assert {line.seeds for line in variants(with_seeds(asked, [3, 5]))} == {(3, 5)}
    assert (
        with_seeds(asked, [3, 5]).model_copy(update={"seeds": asked.seeds, "trial": asked.trial, "sweep": asked.sweep}) == asked
    )


@pytest.mark.parametrize(
    ("seeds", "why"),
    [([], "at least 1 item"), ([1, 1], "every seed once"), ([-1], "greater than or equal to 0"), ([2**40], "")],
)
def test_seeds_that_are_none(seeds: list[int], why: str) -> None:
    with pytest.raises(Misuse, match=rf"seeds \[.*{why}.*--seeds 0 1 2"):
        with_seeds(study(), seeds)


def test_the_length_of_a_studys_schedule_holds_for_its_trials() -> None:
    """It plays no part in the study's own recipe, and one in those of trials that are shorter, or have another schedule."""
    short = {"name": "short", "architecture": "mlp", "recipe": {"epochs": 10}}
    recipe = {"epochs": 30, "schedule": "cosine", "schedule_epochs": 30}
    study = StudySpec.model_validate({"title": "t", "dataset": "digits", "recipe": recipe, "trial": [short]})
    assert variants(study)[0].recipe.settled().schedule_epochs == 30
    annealed = {"name": "annealed", "architecture": "mlp", "recipe": {"schedule": "cosine"}}
    study = StudySpec.model_validate(
        {"title": "t", "dataset": "digits", "recipe": {"schedule_epochs": 90}, "trial": [annealed]}
    )
    assert variants(study)[0].recipe.settled().schedule_epochs == 90
    assert study.recipe.settled() == RecipeSpec()
