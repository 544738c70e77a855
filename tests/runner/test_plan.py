"""Plans: names, states, what is pending, warm starts, estimates; and all that is refused before anything trains."""

from __future__ import annotations

import math

import pytest

from tests.runner.fixture import keep_run, line, make_plan
from tests.training.fixture import make_store
from toile.data.errors import DataError
from toile.errors import Misuse
from toile.models.applications import BACKBONES
from toile.runner import show
from toile.runner.plans import arithmetic
from toile.store.store import Store
from toile.study.data.split import SplitSpec

SMALL, LARGE = {"name": "mlp", "hidden": [8]}, {"name": "mlp", "hidden": [512, 512]}


@pytest.fixture
def store(tmp_path) -> Store:
    """Not written to yet: a plan writes nothing."""
    return Store(tmp_path / "store")


def names(planned) -> list[str]:
    return [one.name for one in planned]


# Names


def test_names_tell_seeds_and_folds_apart_only_where_there_are_several(store):
    plan = make_plan(
        store,
        line("one"),
        line("seeds", seeds=[3, 1]),
        line("folds", split={"folds": 2}),
        line("both", seeds=[0, 1], split={"folds": 2}),
    )
    assert names(plan.trials) == [
        "one", "seeds (seed 3)", "seeds (seed 1)", "folds (fold 1)", "folds (fold 2)",
        "both (seed 0, fold 1)", "both (seed 0, fold 2)", "both (seed 1, fold 1)", "both (seed 1, fold 2)",
    ]  # fmt: skip
    assert [(one.line, one.trial.seed, one.trial.fold) for one in plan.trials[1:5]] == [
        ("seeds", 3, None), ("seeds", 1, None), ("folds", 0, 0), ("folds", 0, 1),
    ]  # fmt: skip
    assert len({one.fingerprint for one in plan.trials}) == 7  # "folds" are those of "both" with seed 0
    assert not store.root.exists()


def test_trials_say_all_of_the_study(store):
    plan = make_plan(
        store,
        line("a", published={"test": {"accuracy": 0.9}}, architecture=SMALL),
        seeds=[7], backend="jax", recipe={"batch_size": 16},
    )  # fmt: skip
    (one,) = plan.trials
    assert one.published.test == {"accuracy": 0.9}
    trial = one.trial
    assert (trial.seed, trial.backend, trial.recipe.batch_size, trial.recipe.epochs) == (7, "jax", 16, 1)
    assert trial.dataset.content == plan.dataset.content and trial.dataset.image_shape == (28, 28, 1)
    assert trial.architecture.options["hidden"] == [8] and trial.architecture.options["activation"] == "relu"


def test_a_trial_has_a_split_of_its_own(store):
    plan = make_plan(store, line("a"), line("b", split={"validation": 0.5}), line("c", split={"folds": 4}), line("d"))
    a, b, c, *_, d = plan.trials
    assert a.trial.split == d.trial.split == SplitSpec() and b.trial.split == SplitSpec(validation=0.5)
    assert plan.counts[a.trial.split] == {"train": 160, "validation": 40, "test": 60}
    assert plan.counts[b.trial.split] == {"train": 100, "validation": 100, "test": 60}
    assert plan.counts[c.trial.split] == {"train": 150, "validation": 50, "test": 60}
    assert len(plan.counts) == 3


# States, and what is pending


def test_states(store):
    plan = make_plan(store, line("a"), line("b", 2), line("c", 3))
    stored, begun, missing = plan.trials
    run = keep_run(store, stored)
    store.work(begun.fingerprint).mkdir()
    assert plan.state(begun) == "missing"  # its worker had only begun to start
    (store.work(begun.fingerprint) / "checkpoint.npz").write_bytes(b"")
    assert [plan.state(one) for one in plan.trials] == ["stored", "begun", "missing"]
    assert plan.run_of(stored) == run and plan.run_of(begun) is plan.run_of(missing) is None
    assert names(plan.pending()) == ["c", "b"]


def test_pending_is_the_longest_first_and_each_fingerprint_once(store):
    plan = make_plan(
        store, line("first", 2), line("again", 2), line("small", 1, SMALL), line("large", 2, LARGE), line("last", 2)
    )
    assert len({one.fingerprint for one in plan.trials}) == 3
    assert names(plan.pending()) == ["large", "first", "small"]
    assert names(plan.pending(["again", "last"])) == ["again"]
    seconds = [plan.seconds(one) for one in plan.pending()]
    assert seconds == sorted(seconds, reverse=True)
    keep_run(store, plan.trials[0])
    assert names(plan.pending()) == ["large", "small"]
    assert plan.pending(["again"]) == []
    for one in plan.pending():
        keep_run(store, one)
    assert plan.pending() == []


@pytest.mark.parametrize(
    ("only", "found"),
    [
        ([], ["model-1", "model-2 (seed 0)", "model-2 (seed 1)", "grid [a]"]),
        (["model-*"], ["model-1", "model-2 (seed 0)", "model-2 (seed 1)"]),
        (["model-2"], ["model-2 (seed 0)", "model-2 (seed 1)"]),
        (["model-2 (seed 1)"], ["model-2 (seed 1)"]),
        (["* (seed 0)", "model-1"], ["model-1", "model-2 (seed 0)"]),
        (["grid [a]"], ["grid [a]"]),  # as a pattern alone, it would mean "grid a"
    ],
)
def test_only(store, only, found):
    plan = make_plan(store, line("model-1"), line("model-2", 2, seeds=[0, 1]), line("grid [a]", 3))
    assert names(plan.matching(only)) == found
    assert sorted(names(plan.pending(only))) == sorted(found)


@pytest.mark.parametrize("only", [["modle-1"], ["model-1", "modle-1"], ["MODEL-1"]])
def test_only_that_matches_nothing(store, only):
    plan = make_plan(store, line("model-1"), line("grid", seeds=[0, 1]))
    with pytest.raises(Misuse) as error:
        plan.pending(only)
    assert str(error.value).startswith(f"no trial matches '{only[-1]}'")
    assert str(error.value).endswith("there are: model-1, 'grid (seed 0)', 'grid (seed 1)'")
    assert ("did you mean 'model-1'?" in str(error.value)) == (only[-1] == "modle-1")


# Warm starts


def test_warm_start_is_of_the_same_seed_and_fold(store):
    plan = make_plan(
        store,
        line("grandchild", 4, warm_start="child", seeds=[0, 9]),
        line("child", 2, warm_start="parent", seeds=[1, 0]),
        line("parent", 1, seeds=[0, 1]),
        split={"folds": 2},
    )
    assert [one.line for one in plan.trials[::4]] == ["grandchild", "child", "parent"]  # as the study says them
    by = {(one.line, one.trial.seed, one.trial.fold): one for one in plan.trials}
    for fold in (0, 1):
        for seed in (0, 1):
            assert by["child", seed, fold].trial.warm_start == by["parent", seed, fold].fingerprint
            assert by["parent", seed, fold].trial.warm_start is None
        assert by["grandchild", 0, fold].trial.warm_start == by["child", 0, fold].fingerprint
        # No child has the seed 9: it begins with the first.
        assert by["grandchild", 9, fold].trial.warm_start == by["child", 1, fold].fingerprint


def test_what_a_trial_begins_with_is_pending_too(store):
    plan = make_plan(
        store,
        line("other"),
        line("grandchild", 4, warm_start="child"),
        line("child", 2, warm_start="parent"),
        line("parent", 3),
        line("second", 5, warm_start="parent"),
    )
    other, _, child, parent, _ = plan.trials
    assert sorted(names(plan.pending(["grandchild"]))) == ["child", "grandchild", "parent"]
    assert sorted(names(plan.pending(["grandchild", "second"]))) == ["child", "grandchild", "parent", "second"]
    keep_run(store, parent)
    assert sorted(names(plan.pending(["grandchild"]))) == ["child", "grandchild"]
    keep_run(store, child)
    assert names(plan.pending(["grandchild"])) == ["grandchild"]
    assert names(plan.pending(["other"])) == [other.name]


def test_stored_child_asks_for_no_parent(store):
    plan = make_plan(store, line("parent"), line("child", warm_start="parent"))
    keep_run(store, plan.trials[1])
    assert plan.pending(["child"]) == []


def test_warm_start_may_change_what_has_no_shape(store):
    plain = {"name": "mlp", "hidden": [8]}
    changed = {**plain, "dropout": 0.3, "l2": 0.01, "activation": "tanh"}
    parent, child = make_plan(store, line("parent", 1, plain), line("child", 1, changed, warm_start="parent")).trials
    assert child.trial.warm_start == parent.fingerprint


def test_what_is_fine_tuned_may_begin_with_the_head_of_the_frozen(store):
    frozen = {"name": "transfer", "backbone": "mobilenet", "alpha": 0.25, "weights": "none"}
    tuned = {**frozen, "unfreeze": "all", "backbone_learning_rate_multiplier": 0.5}
    parent, child = make_plan(store, line("parent", 1, frozen), line("child", 1, tuned, warm_start="parent")).trials
    assert child.trial.warm_start == parent.fingerprint


@pytest.mark.parametrize(
    ("architecture", "says"),
    [
        ({"name": "mlp", "hidden": [9], "norm": True, "dropout": 0.5}, "that architecture differs in hidden, norm; only"),
        ({"name": "cnn"}, "that architecture "),
    ],
)
def test_warm_start_from_another_shape(store, architecture, says):
    with pytest.raises(Misuse, match=f"'child' cannot begin with the weights of 'parent': {says}"):
        make_plan(store, line("parent", 1, SMALL), line("child", 1, architecture, warm_start="parent"))


@pytest.mark.parametrize(("theirs", "ours"), [({}, {"folds": 2}), ({"folds": 2}, {}), ({"folds": 2}, {"folds": 3})])
def test_warm_start_from_a_fold_that_is_not_there(store, theirs, ours):
    with pytest.raises(Misuse, match="'child' begins with 'parent', which is split otherwise"):
        make_plan(store, line("parent", split=theirs), line("child", split=ours, warm_start="parent"))


# Estimates


@pytest.mark.parametrize("architecture", [SMALL, LARGE, "cnn", {"name": "cnn", "filters": [8, 16], "pool": 2}])
def test_estimates_without_a_stored_run(store, architecture):
    plan = make_plan(store, *(line(str(epochs), epochs, architecture) for epochs in (1, 50, 100_000)))
    seconds = [plan.seconds(one) for one in plan.trials]
    assert all(math.isfinite(value) and value > 0 for value in seconds)
    assert seconds == sorted(seconds) and len(set(seconds)) == 3


def test_larger_models_take_longer(store):
    small, large = make_plan(store, line("small", 9, SMALL), line("large", 9, LARGE)).trials
    plan = make_plan(store, line("small", 9, SMALL), line("large", 9, LARGE))
    assert plan.seconds(small) < plan.seconds(large)


def test_more_of_a_backbone_that_learns_takes_longer_and_what_is_frozen_is_passed_once_or_in_every_epoch(store):
    backbone = {"name": "transfer", "backbone": "vgg16", "weights": "none", "size": 64}
    ways = [backbone, *({**backbone, "unfreeze": what} for what in (1, "last-stage", "all"))]
    lines = [line(str(number), 10, way) for number, way in enumerate(ways)]
    varied = [line(f"{number} varied", 10, way, {"augmentation": {}}) for number, way in enumerate(ways)]
    plan = make_plan(store, *lines, *varied)
    same, other = ([plan.seconds(one) for one in plan.trials][at:][:4] for at in (0, 4))
    assert same == sorted(set(same)) and other == sorted(set(other))
    # Of all 260 images once, or of the 160 that train ten times.
    once = BACKBONES["vgg16"].work(1.0, 64) * 2 / arithmetic.OPERATIONS_FORWARD
    assert other[0] - same[0] == pytest.approx((10 * 160 - 260) * once)
    assert other[3] == pytest.approx(same[3]), "nothing of it is frozen"


def test_an_estimate_is_that_of_what_was_measured(store, monkeypatch):
    """A core with AVX-512 takes 1.4 ms for an image of 66 million multiplications in bfloat16 where the processor has it."""
    monkeypatch.setattr(arithmetic, "multiplies_bfloat16", lambda: True)
    large = {"name": "resnet", "stem": 32, "widths": [32, 64, 128], "blocks": [1, 2, 2]}
    lines = [line(f"{epochs} {precision}", epochs, large, {"batch_size": 128, "precision": precision})
             for precision in ("bfloat16", "float32") for epochs in (101, 201)]  # fmt: skip
    plan = make_plan(store, *lines)
    half, half_longer, full, full_longer = map(plan.seconds, plan.trials)
    assert (half_longer - half) / (100 * 160) == pytest.approx(1.43e-3, rel=0.2)
    assert 2.5 < (full_longer - full) / (half_longer - half) < 4
    monkeypatch.setattr(arithmetic, "multiplies_bfloat16", lambda: False)
    assert plan.seconds(plan.trials[0]) == full
    # What an augmentation moves takes its time too, and so do more trees.
    moved = line("moved", 101, large, {"batch_size": 128, "augmentation": {"rotation": 10.0}})
    assert make_plan(store, moved).seconds(make_plan(store, moved).trials[0]) > full
    forest = [{"name": str(trees), "architecture": {"name": "random-forest", "trees": trees}} for trees in (10, 500)]
    plan = make_plan(store, *forest)
    assert plan.seconds(plan.trials[0]) < plan.seconds(plan.trials[1])


def test_estimates_use_the_speed_of_stored_runs_of_their_like(store):
    lines = [
        line("stored", 1, SMALL), line("like it", 10, SMALL), line("batches", 10, SMALL, {"batch_size": 64}),
        line("augmented", 10, SMALL, {"augmentation": {"rotation": 10.0}}),
        line("precise", 10, SMALL, {"precision": "bfloat16"}), line("model", 10, LARGE),
    ]  # fmt: skip
    before = make_plan(store, *lines)
    unknown = [before.seconds(one) for one in before.trials]
    keep_run(store, before.trials[0], images_per_second=100.0)
    after = make_plan(store, *lines)
    known = [after.seconds(one) for one in after.trials]
    assert known[1] - known[0] == pytest.approx(9 * 160 / 100.0)  # nine more epochs of 160 images
    assert known[1] > unknown[1]
    assert known[2:] == unknown[2:]


def test_estimates_are_of_the_median_of_their_like(store):
    """One that was trained beside others took longer, and may be the last that is read."""
    before = make_plan(store, line("like it", 10, SMALL, seeds=[0, 1, 2, 3]))
    for one, speed in zip(before.trials[:3], (200.0, 2.0, 100.0), strict=True):
        keep_run(store, one, images_per_second=speed)
    after = make_plan(store, line("like it", 10, SMALL, seeds=[0, 1, 2, 3]), line("more", 20, SMALL))
    assert after.seconds(after.trials[4]) - after.seconds(after.trials[3]) == pytest.approx(10 * 160 / 100.0)


def test_estimates_know_their_like_with_augmentation_too(store):
    """Keys of the tables that a run was stored with come back in another order."""
    moved = line("moved", 3, recipe={"augmentation": {"shift": [0.1, 0.1], "flip": "horizontal"}}, seeds=[0, 1])
    before = make_plan(store, moved)
    unknown = before.seconds(before.trials[1])
    keep_run(store, before.trials[0], images_per_second=1.0)
    after = make_plan(store, moved)
    assert after.seconds(after.trials[1]) > 3 * 160 > unknown


# What is refused before anything trains


STOPPING = {"early_stopping": {"patience": 2}}


def test_early_stopping_needs_a_validation_split(store):
    with pytest.raises(Misuse, match=r"trial 'a' stops early on the validation split, and it has none"):
        make_plan(store, line("a", recipe=STOPPING), split={"validation": 0.0})
    with pytest.raises(Misuse, match="trial 'b' stops early"):
        make_plan(store, line("a"), line("b", recipe=STOPPING, split={"validation": 0.0}))
    assert len(make_plan(store, line("a", recipe=STOPPING, split={"validation": 0.0, "folds": 2})).trials) == 2
    off = line("a", recipe={"early_stopping": False})
    assert len(make_plan(store, off, split={"validation": 0.0}, recipe=STOPPING).trials) == 1


@pytest.mark.parametrize(
    "architecture",
    [{"name": "cnn", "filters": [4] * 6, "pool": 2}, {"name": "cnn", "filters": [4, 4], "dropout": [0.1, 0.2, 0.3]}],
)
def test_architecture_that_cannot_be_built(store, architecture):
    with pytest.raises(Misuse, match=rf"{architecture['name']} cannot be built for \(28, 28, 1\) images"):
        make_plan(store, line("good"), line("bad", architecture=architecture))


def classical(name, architecture, **more):
    return {"name": name, "architecture": architecture, **more}


def test_a_classical_model_has_options_and_no_recipe(store):
    svm = {"name": "svm", "components": 20}
    (one,) = make_plan(store, classical("a", svm), recipe={"epochs": 7, "optimizer": "sgd"}, backend="jax").trials
    (same,) = make_plan(store, classical("b", svm), recipe=STOPPING, split={"validation": 0.2}).trials
    assert one.trial.learner == "classical" and one.fingerprint == same.fingerprint
    with pytest.raises(Misuse, match=r"trial 'a': svm has options and no recipe but class_weight, got recipe\.epochs"):
        make_plan(store, classical("a", svm, recipe={"epochs": 3}))
    with pytest.raises(Misuse, match="cannot begin with the weights"):
        make_plan(store, classical("a", svm), classical("b", svm, warm_start="a"))
    with pytest.raises(Misuse, match=r"components = 700, and 160 training images of 784 features have at most 160"):
        make_plan(store, classical("a", {"name": "svm", "components": 700}))


def test_weights_of_classes_are_by_label_in_a_trial_and_by_name_in_a_study(store):
    def recipe_of(given, architecture="mlp"):
        return (
            make_plan(store, classical("a", architecture), recipe={"class_weight": given}).trials[0].trial.recipe.class_weight
        )

    for architecture in ("mlp", "svm", "hog-svm", "logistic-regression", "random-forest", "gradient-boosting"):
        assert recipe_of({"3": 2.5, "9": 4}, architecture) == (1, 1, 1, 2.5, 1, 1, 1, 1, 1, 4)
        assert recipe_of("balanced", architecture) == "balanced"
        assert recipe_of({"3": 1}, architecture) is recipe_of([1] * 10, architecture) is recipe_of(False, architecture) is None
    with pytest.raises(
        Misuse, match=r"trial 'a': class_weight names the class '33' \(did you mean '3'\?\); there are: 0, 1, 2"
    ):
        recipe_of({"33": 2.0})
    with pytest.raises(Misuse, match=r"trial 'a': class_weight has 2 weights for 10 classes: 0, 1, 2"):
        recipe_of([1, 2])
    with pytest.raises(Misuse, match=r"nearest-neighbours cannot weigh classes; .*recipe = \{ class_weight = false \}"):
        recipe_of("balanced", "nearest-neighbours")
    make_plan(store, classical("a", "nearest-neighbours", recipe={"class_weight": False}), recipe={"class_weight": "balanced"})
    with pytest.raises(Misuse, match="numpy-mlp knows no class_weight"):
        make_plan(store, line("a", architecture="numpy-mlp", recipe={"optimizer": "sgd", "class_weight": "balanced"}))
    with pytest.raises(Misuse, match='class_weight and sampling are both "balanced"'):
        make_plan(store, line("a", recipe={"sampling": "balanced"}), recipe={"class_weight": "balanced"})


def test_split_that_the_data_set_cannot_have(store):
    with pytest.raises(DataError, match="brings 60 test images of its own"):
        make_plan(store, line("a"), line("b", split={"test": 0.2})).checked()


# As shown


def test_plan_and_status_as_data(tmp_path):
    store = make_store(tmp_path)
    plan = make_plan(store, line("short", 1), line("long", 3), line("done", 2), line("again", 3))
    keep_run(store, plan.trials[2], accuracy=0.75)
    found = show.planned(plan, workers=2)
    assert [one["state"] for one in found["trials"]] == ["missing", "missing", "stored", "missing"]
    assert [one["seconds"] > 0 for one in found["trials"]] == [True, True, False, True]
    assert {one["parameters"] for one in found["trials"]} == {plan.parameters(plan.trials[0])}
    counts = {name: found[name] for name in ("distinct", "to_train", "trainings", "workers")}
    assert counts == {"distinct": 3, "to_train": 2, "trainings": 1, "workers": 2}
    short, long = (plan.seconds(one) for one in plan.trials[:2])
    assert found["seconds_left"] == pytest.approx(long, abs=0.06) and found["seconds_saved"] == pytest.approx(short, abs=0.06)
    assert found["dataset"]["images"] == {"train": 160, "validation": 40, "test": 60}
    assert {part: sum(counts) for part, counts in found["dataset"]["counts"].items()} == found["dataset"]["images"]
    status = show.status(plan)
    assert (status["stored"], status["begun"], status["missing"]) == (1, 0, 3)
    assert [one["test"] for one in status["trials"]] == [{}, {}, {"accuracy": 0.75, "loss": 1.0}, {}]


def test_plan_and_status_as_tables(tmp_path, capsys):
    store = make_store(tmp_path)
    plan = make_plan(store, line("short", 1), line("long", 3), line("done", 2), line("again", 3))
    keep_run(store, plan.trials[2], accuracy=0.75)
    show.print_plan(show.planned(plan, workers=2))
    said = capsys.readouterr().out
    assert "160 train, 40 validation, 60 test" in " ".join(said.split())
    assert "2 to train, about " in said and "with 2 workers" in said
    assert "1 of 4 trials is another under another name" in said
    assert "1 is the first epochs of a longer one and is read on its way" in said
    show.print_status(show.status(plan))
    said = capsys.readouterr().out
    assert "0.7500" in said and "1 stored, 0 begun, 3 missing" in said
    for one in plan.trials:
        assert one.fingerprint[:12] in said


@pytest.mark.parametrize("theirs", [{"validation": 0.3}, {"method": "random"}, {"method": "random", "seed": 1}])
def test_warm_start_from_another_split_might_have_seen_the_validation_images(store, theirs):
    with pytest.raises(Misuse, match="their splits must agree"):
        make_plan(store, line("parent", split=theirs), line("child", warm_start="parent"))


def test_warm_start_from_fewer_images_of_the_same_split(store):
    plan = make_plan(store, line("parent", split={"fraction": 0.5}), line("child", warm_start="parent"))
    assert plan.trials[1].trial.warm_start == plan.trials[0].fingerprint


def test_warm_starts_in_a_circle_end_in_an_error(store):
    with pytest.raises(Misuse, match="in a circle: 'a', 'b'"):
        make_plan(store, line("a", warm_start="b"), line("b", warm_start="a"))


def test_a_trial_says_by_which_revision_its_images_are_changed(store):
    """What moves pixels is done in another way than it was; what only crops, flips or erases is as before."""
    moved, cropped = (
        make_plan(store, line("a", recipe={"augmentation": asked})).trials[0].trial.recipe.augmentation
        for asked in ({"rotation": 5}, {"crop": 2, "flip": "horizontal"})
    )
    assert moved.revision == 2 and moved.model_dump()["revision"] == 2
    assert cropped.revision == 1 and "revision" not in cropped.model_dump()
