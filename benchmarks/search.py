"""The best model in a given time: a search of toile beside KerasTuner's Hyperband and Optuna with a pruner over plain Keras.

Fashion-MNIST: a fifth of its training images for validation, ten thousand of the others to train on, at most nine epochs a
training. All three have the same space, ten parameters of a perceptron and a small convolutional network, build the same
models, and have the same minutes on the same cores. KerasTuner has no budget of time: a callback stops it, and of its trials
those count that ended before. Optuna's objective reports each epoch and is pruned by Hyperband, and proposes by TPE.

`validation_accuracy` is that of each side's pick, by which it was picked. The second case of each seed lays what toile's
committee and the three picks say of the test images side by side: the committee against each, by McNemar's test, corrected for
three tests (Holm).

The last cases set a search beside a grid of the same values: 54 trainings to their end, and searches whose budget is 24 % of
the core seconds that these took, each in a store of its own. These have three times as many epochs and a learning rate that
falls to zero (cosine): with a constant one the last epoch's figure goes up and down by a point, and the best of 54 is the
luckiest of several as good.

It needs the dependency group `benchmarks`: `pip install --constraint constraints.txt --group benchmarks`. Five seeds take about
an hour on two cores, and may be ended at any moment: `python -m benchmarks search --pieces benchmarks/pieces` goes on, and with
`--show` prints what is there.
"""

from __future__ import annotations

import contextlib
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.harness.measure import Case, Side

SEEDS = range(5)
# In all: of three sides, five seeds, three minutes each; six minutes of two cores.
IMAGES, EPOCHS, MINUTES = 10_000, 9, 3.0
QUICK = {"images": 1000, "epochs": 3, "minutes": 1 / 3}
HIDDEN, FILTERS, DENSE = ([64], [128], [256], [256, 128]), ([8], [16], [16, 32]), ([32], [64], [128])
KERNELS, BATCHES = (3, 5), (32, 64, 128)
# Of the grid's core seconds: a little less than a quarter, because what a training will take is an estimate.
BUDGET = 0.24
SIDES = ("toile", "KerasTuner", "Optuna")


def cases(quick: bool) -> list[Case]:
    """A search with each seed, and what its committee is worth on test."""
    size = QUICK if quick else {"images": IMAGES, "epochs": EPOCHS, "minutes": MINUTES}
    place = Path(tempfile.gettempdir(), f"toile-search-{size['images']}-{size['minutes']:.3g}")
    found = []
    for seed in SEEDS:
        work = {**size, "seed": seed, "folder": str(place / str(seed))}
        sides = {"toile": Side(toile_search, work), "KerasTuner": Side(keras_tuner, work), "Optuna": Side(optuna_loops, work)}
        what = f"{size['images']:,} images, {size['minutes']:.3g} minutes, seed {seed}"
        found.append(Case(f"the pick, {what}", sides, "validation_accuracy", more_is_better=True, target=1.0, repeats=1))
        committee = {"the committee": Side(tested, {"folder": work["folder"]})}
        found.append(Case(f"on test, {what}", committee, "test_accuracy", more_is_better=True, repeats=1))
    for seed in SEEDS:
        work = {"images": size["images"], "epochs": 3 * size["epochs"], "folder": str(place / "grid")}
        sides = {"a search of a quarter": Side(quarter, {**work, "seed": seed}), "the grid": Side(grid, work)}
        what = f"{size['images']:,} images, {work['epochs']} epochs, seed {seed}"
        found.append(Case(f"beside the grid, {what}", sides, "validation_accuracy", more_is_better=True, target=1.0, repeats=1))
    return found


def toile_search(images: int, epochs: int, minutes: float, seed: int, folder: str) -> dict[str, float]:
    """`toile run STUDY --minutes M`, then its committee."""
    from toile import api

    place = Path(folder)
    place.mkdir(parents=True, exist_ok=True)
    fraction = images / 48_000
    study = place / "study.toml"
    study.write_text(_STUDY.format(epochs=epochs, seed=seed), "utf-8")
    with tempfile.TemporaryDirectory(prefix="toile-benchmark-") as store:
        where = {"store": Path(store), "fraction": fraction}
        api.run(study, minutes=minutes, **where)
        found = api.results(study, **where)
        pick = found.trials[0].stored_run.probabilities("test")
        # Of a single training there is no committee; it ships the pick.
        committee = next((one.probabilities for one in found.committees if one.name == found.search.shipped), pick)
        np.savez(place / "toile.npz", test=pick, committee=committee)
        return {
            "validation_accuracy": found.search.figure,
            "test_accuracy": found.search.test,
            "trainings": found.search.trainings,
            "proposals": len(found.search.rows),
            "trained_core_seconds": found.search.seconds,
        }


def grid(images: int, epochs: int, folder: str) -> dict[str, float]:
    """Every combination of the values, each trained to its end; once for all seeds of the searches."""
    from toile import api

    place = Path(folder)
    place.mkdir(parents=True, exist_ok=True)
    study, where = place / "grid.toml", {"store": place / "runs", "fraction": images / 48_000}
    study.write_text(_GRID.format(epochs=epochs), "utf-8")
    api.run(study, **where)
    found = api.results(study, **where)
    best = max(found.stored, key=lambda one: one.validation["accuracy"])
    runs = [one.stored_run for one in found.stored]
    return {
        "validation_accuracy": best.validation["accuracy"],
        "test_accuracy": best.test["accuracy"],
        "trainings": len(runs),
        # As a search counts them.
        "trained_core_seconds": sum(
            sum(row["seconds"] for row in run.history) + run.provenance["seconds"]["evaluate"] for run in runs
        ),
    }


def quarter(images: int, epochs: int, folder: str, seed: int) -> dict[str, float]:
    """A search of the same values with a quarter of the core seconds that the grid took. It makes the grid, if nobody has."""
    from toile import api

    whole = grid(images, epochs, folder)["trained_core_seconds"]
    budget = BUDGET * whole
    study, fraction = Path(folder, f"search-{seed}.toml"), images / 48_000
    study.write_text(_OF_GRID.format(epochs=epochs, seed=seed, budget=budget), "utf-8")
    with tempfile.TemporaryDirectory(prefix="toile-benchmark-") as store:
        api.run(study, store=Path(store), fraction=fraction)
        found = api.results(study, store=Path(store), fraction=fraction).search
        return {
            "validation_accuracy": found.figure,
            "test_accuracy": found.test,
            "trainings": found.trainings,
            "trained_core_seconds": found.seconds,
            "share_of_the_grid": found.seconds / whole,
        }


def keras_tuner(images: int, epochs: int, minutes: float, seed: int, folder: str) -> dict[str, float]:
    """https://keras.io/keras_tuner/api/tuners/hyperband/"""
    import keras
    import keras_tuner as kt

    train, validation, test = _data(images)
    end = time.monotonic() + 60 * minutes

    class Deadline(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
            if time.monotonic() > end:
                raise kt.errors.FatalError("the time is over")

    class Model(kt.HyperModel):
        def build(self, hp: Any) -> Any:
            name = hp.Choice("architecture", ["mlp", "cnn"])
            options: dict[str, Any] = {"dropout": hp.Float("dropout", 0.0, 0.5)}
            with hp.conditional_scope("architecture", ["mlp"]):
                if name == "mlp":
                    options["hidden"] = HIDDEN[hp.Choice("hidden", list(range(len(HIDDEN))))]
            with hp.conditional_scope("architecture", ["cnn"]):
                if name == "cnn":
                    options["filters"] = FILTERS[hp.Choice("filters", list(range(len(FILTERS))))]
                    options["kernel"] = hp.Choice("kernel", list(KERNELS))
                    options["dense"] = DENSE[hp.Choice("dense", list(range(len(DENSE))))]
            optimizer = hp.Choice("optimizer", ["adam", "sgd"])
            rate = hp.Float("learning_rate", 1e-4, 1e-1, sampling="log")
            momentum = 0.0
            with hp.conditional_scope("optimizer", ["sgd"]):
                if optimizer == "sgd":
                    momentum = hp.Choice("momentum", [0.0, 0.9])
            return _compiled(name, options, optimizer, rate, momentum)

        def fit(self, hp: Any, model: Any, *args: Any, **kwargs: Any) -> Any:
            return model.fit(*args, batch_size=hp.Choice("batch_size", list(BATCHES)), **kwargs)

    keras.utils.set_random_seed(seed)
    with tempfile.TemporaryDirectory(prefix="toile-benchmark-") as place:
        tuner = kt.Hyperband(
            Model(), objective="val_accuracy", max_epochs=epochs, factor=3, hyperband_iterations=1000, seed=seed,
            directory=place, project_name="search",
        )  # fmt: skip
        with contextlib.suppress(kt.errors.FatalError):
            tuner.search(*train, validation_data=validation, callbacks=[Deadline()], verbose=0)
        best = tuner.oracle.get_best_trials(1)[0]
        model = tuner.get_best_models(1)[0]
        ended = sum(trial.status == "COMPLETED" for trial in tuner.oracle.trials.values())
        return _told("KerasTuner", folder, best.score, model, test, ended)


def optuna_loops(images: int, epochs: int, minutes: float, seed: int, folder: str) -> dict[str, float]:
    """https://optuna.readthedocs.io/en/stable/tutorial/10_key_features/003_efficient_optimization_algorithms.html"""
    import keras
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    train, validation, test = _data(images)
    best: dict[str, Any] = {"score": -1.0, "model": None}

    def objective(trial: Any) -> float:
        name = trial.suggest_categorical("architecture", ["mlp", "cnn"])
        options: dict[str, Any] = {"dropout": trial.suggest_float("dropout", 0.0, 0.5)}
        if name == "mlp":
            options["hidden"] = HIDDEN[trial.suggest_categorical("hidden", list(range(len(HIDDEN))))]
        else:
            options["filters"] = FILTERS[trial.suggest_categorical("filters", list(range(len(FILTERS))))]
            options["kernel"] = trial.suggest_categorical("kernel", list(KERNELS))
            options["dense"] = DENSE[trial.suggest_categorical("dense", list(range(len(DENSE))))]
        optimizer = trial.suggest_categorical("optimizer", ["adam", "sgd"])
        rate = trial.suggest_float("learning_rate", 1e-4, 1e-1, log=True)
        momentum = trial.suggest_categorical("momentum", [0.0, 0.9]) if optimizer == "sgd" else 0.0
        model = _compiled(name, options, optimizer, rate, momentum)
        batch_size = trial.suggest_categorical("batch_size", list(BATCHES))
        score = 0.0
        for epoch in range(epochs):
            history = model.fit(
                *train, batch_size=batch_size, initial_epoch=epoch, epochs=epoch + 1, validation_data=validation, verbose=0
            )
            score = history.history["val_accuracy"][-1]
            if score > best["score"]:
                best.update(score=score, model=keras.models.clone_model(model))
                best["model"].set_weights(model.get_weights())
            trial.report(score, epoch)
            if trial.should_prune():
                raise optuna.TrialPruned
        return score

    keras.utils.set_random_seed(seed)
    study = optuna.create_study(
        direction="maximize", sampler=optuna.samplers.TPESampler(seed=seed),
        pruner=optuna.pruners.HyperbandPruner(min_resource=1, max_resource=epochs, reduction_factor=3),
    )  # fmt: skip
    study.optimize(objective, timeout=60 * minutes)
    return _told("Optuna", folder, best["score"], best["model"], test, len(study.trials))


def tested(folder: str) -> dict[str, float]:
    """The committee against each side's pick on the test images."""
    from toile.data import sources
    from toile.evaluation.multiplicity import holm
    from toile.evaluation.predictions import Predictions
    from toile.evaluation.significance import mcnemar

    labels = sources.load("fashion-mnist").test.labels
    with np.load(Path(folder, "toile.npz")) as ours:
        committee = Predictions("test", ours["committee"], labels)
        said = {"toile": ours["test"]}
    for name in SIDES[1:]:
        with np.load(Path(folder, f"{name}.npz")) as theirs:
            said[name] = theirs["test"]
    picks = {name: Predictions("test", one, labels) for name, one in said.items()}
    p_values = dict(zip(picks, holm([mcnemar(committee, one).p_value for one in picks.values()]), strict=True))
    right = {name: float((one.predicted == labels).mean()) for name, one in picks.items()}
    return {
        "test_accuracy": float((committee.predicted == labels).mean()),
        **{f"pick_of_{name}": value for name, value in right.items()},
        **{f"p_against_{name}": float(value) for name, value in p_values.items()},
    }


def _data(images: int) -> tuple[tuple[Any, Any], tuple[Any, Any], tuple[Any, Any]]:
    """Train, validation and test, as toile's study has them."""
    from toile.data import sources
    from toile.data.parts.splits import split
    from toile.study.data.split import SplitSpec

    data = sources.load("fashion-mnist")
    parts = split(data, SplitSpec(fraction=images / 48_000), None)
    assert parts.validation is not None and parts.test is not None
    return tuple((part.images, part.labels) for part in (parts.train, parts.validation, parts.test))  # type: ignore


def _compiled(name: str, options: dict[str, Any], optimizer: str, rate: float, momentum: float) -> Any:
    """The model that toile builds of the same options, compiled as Keras's documentation does."""
    import keras

    from toile.models import architectures

    model = architectures.build(name, (28, 28, 1), 10, architectures.complete(name, options))
    made = keras.optimizers.Adam(rate) if optimizer == "adam" else keras.optimizers.SGD(rate, momentum=momentum)
    model.compile(made, loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def _told(side: str, folder: str, score: float, model: Any, test: tuple[Any, Any], trainings: int) -> dict[str, float]:
    said = model.predict(test[0], batch_size=1000, verbose=0)
    np.savez(Path(folder, f"{side}.npz"), test=said)
    right = float((said.argmax(axis=1) == test[1]).mean())
    return {"validation_accuracy": float(score), "test_accuracy": right, "trainings": trainings}


_STUDY = """
title   = "The best model in a given time"
dataset = "fashion-mnist"

[recipe]
epochs = {epochs}

[search]
seed    = {seed}
minutes = 1440.0

[search.space]
architecture.name    = ["mlp", "cnn"]
architecture.hidden  = [[64], [128], [256], [256, 128]]
architecture.filters = [[8], [16], [16, 32]]
architecture.kernel  = [3, 5]
architecture.dense   = [[32], [64], [128]]
architecture.dropout = {{ low = 0.0, high = 0.5 }}
recipe.batch_size    = [32, 64, 128]
recipe.optimizer.name          = ["adam", "sgd"]
recipe.optimizer.learning_rate = {{ low = 1e-4, high = 1e-1, log = true }}
recipe.optimizer.momentum      = [0.0, 0.9]
"""
_GRID = """
title   = "All combinations"
dataset = "fashion-mnist"

[recipe]
epochs = {epochs}
schedule = "cosine"

[[sweep]]
name = "mlp"
architecture = {{ name = "mlp", dropout = 0.1 }}
grid.architecture.hidden  = [[64], [128], [256]]
grid.recipe.batch_size    = [32, 64, 128]
grid.recipe.optimizer     = [{{ name = "adam", learning_rate = 3e-4 }}, {{ name = "adam", learning_rate = 1e-3 }},
                             {{ name = "adam", learning_rate = 3e-3 }}]

[[sweep]]
name = "cnn"
architecture = {{ name = "cnn", dropout = 0.1 }}
grid.architecture.filters = [[8], [16], [16, 32]]
grid.recipe.batch_size    = [32, 64, 128]
grid.recipe.optimizer     = [{{ name = "adam", learning_rate = 3e-4 }}, {{ name = "adam", learning_rate = 1e-3 }},
                             {{ name = "adam", learning_rate = 3e-3 }}]
"""
_OF_GRID = """
title   = "A quarter of the grid"
dataset = "fashion-mnist"

[recipe]
epochs = {epochs}
schedule = "cosine"

[search]
seed = {seed}
core_seconds = {budget}

[search.space]
architecture.name    = ["mlp", "cnn"]
architecture.hidden  = [[64], [128], [256]]
architecture.filters = [[8], [16], [16, 32]]
architecture.dropout = [0.1]
recipe.batch_size    = [32, 64, 128]
recipe.optimizer.learning_rate = [3e-4, 1e-3, 3e-3]
"""
