"""Runs of before figures on training images get them from their kept models, and nothing that was stored changes."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from tests.runner.fixture import keep_run, line, make_plan
from tests.training.fixture import STATEFUL, make_store, train_elsewhere
from toile.evaluation.contradictions import contradictions
from toile.runner.evaluate import evaluate, lacking
from toile.runner.plans.planned import Plan
from toile.store import atomic
from toile.store import check as checks
from toile.store.run import LATER, MANIFEST, Run, write_manifest
from toile.store.store import Store
from toile.workers.evaluate import Judged


def of_before(run: Run) -> dict[str, float]:
    """Take the figures on the training images from a run, as if it had been stored before there were any; those figures."""
    figures = json.loads((run.folder / "metrics.json").read_text())
    train = figures.pop("train")
    atomic.write_json(run.folder / "metrics.json", figures)
    write_manifest(run.folder)
    return train


def again(plan: Plan) -> Plan:
    """The same plan over a store that has read nothing yet."""
    return make_plan(Store(plan.store.root), *LINES)


LINES = (
    line("with l2", architecture={"name": "cnn", **STATEFUL, "l2": 0.01}, recipe={"batch_size": 32}),
    line("numpy", architecture={"name": "numpy-mlp", "hidden": [8]}, recipe={"optimizer": "sgd"}),
)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Plan, list[dict[str, float]]]:
    store = make_store(tmp_path_factory.mktemp("store"))
    plan = make_plan(store, *LINES)
    for one in plan.trials:
        train_elsewhere(one.trial, store)
    return plan, [of_before(Run(store.runs_folder / one.fingerprint)) for one in plan.trials]


def test_they_are_those_that_the_training_would_have_stored(trained: tuple[Plan, list[dict[str, float]]]) -> None:
    plan, stored = again(trained[0]), trained[1]
    before = {path: path.read_bytes() for path in plan.store.runs_folder.rglob("*") if path.is_file()}
    assert [one.name for one, _ in lacking(plan)] == ["with l2", "numpy"]
    said: list[str] = []
    assert evaluate(plan, tell=said.append) == [one.fingerprint for one in plan.trials]
    assert said[0].startswith("with l2: 0.") and said[0].endswith("on 160 training images")
    for run, figures in zip((plan.run_of(one) for one in again(plan).trials), stored, strict=True):
        assert run is not None and list(run.metrics) == ["train", "validation", "test"]
        assert run.metrics["train"].keys() == figures.keys()
        for name in ("accuracy", "loss", "roc_auc_ovo"):
            assert run.metrics["train"][name] == pytest.approx(figures[name], abs=1e-5)
        assert run.damages() == []
    # A penalty where the model has one: its kernels squared, times 0.01.
    assert stored[0]["penalty"] > 0.01 and "penalty" not in stored[1]
    assert plan.stored_run(plan.trials[0]).metrics["train"]["penalty"] == pytest.approx(stored[0]["penalty"], rel=1e-5)
    assert {path: path.read_bytes() for path in before} == before
    assert evaluate(again(plan)) == []


def test_what_is_damaged_of_them_is_made_again_and_the_run_stays(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    plan = make_plan(make_store(tmp_path), line("a"))
    run = keep_run(plan.store, plan.trials[0])
    run.add_later({"train": {"accuracy": 0.75, "loss": 0.5}})
    assert Run(run.folder).metrics["train"]["accuracy"] == 0.75
    (run.folder / LATER).write_text((run.folder / LATER).read_text().replace("0.75", "0.99"))
    assert "train" not in Run(run.folder).metrics
    assert "`toile evaluate` computes it again" in capsys.readouterr().err
    (found,) = [one for one in checks.check(plan.store, lambda _: ([], ""), repair=True) if one.state == "damaged"]
    assert (found.kind, found.path.name) == ("later figures", LATER)
    assert not (run.folder / LATER).exists() and Run(run.folder).damages() == []
    # Those of another run are not believed either.
    Run(run.folder).add_later({"train": {"accuracy": 0.5}})
    content = json.loads((run.folder / LATER).read_text())
    assert content["fingerprint"] == run.fingerprint
    other = Run(run.folder.with_name("0" * 64))
    run.folder.rename(other.folder)
    assert other.later == {}


def test_a_damaged_model_is_named_and_stops_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    plan = make_plan(make_store(tmp_path), line("a"), line("b", 2))
    runs = [keep_run(plan.store, one) for one in plan.trials]
    (runs[0].folder / "model.keras").write_bytes(b"x")

    def judge(models: list[Path], _: str, images: np.ndarray) -> list[Judged]:
        return [Judged(np.full((len(images), 10), 0.1, np.float32), 0.0) for _ in models]

    monkeypatch.setattr("toile.runner.evaluate.judge", judge)
    assert evaluate(plan) == [runs[1].fingerprint]
    assert f"run {runs[0].fingerprint[:12]} is left out" in capsys.readouterr().err


def test_what_was_stored_with_a_run_is_never_replaced(tmp_path: Path) -> None:
    plan = make_plan(make_store(tmp_path), line("a"))
    run = keep_run(plan.store, plan.trials[0])
    run.add_later({"test": {"accuracy": 1.0, "penalty": 0.25}})
    assert run.metrics["test"] == {"accuracy": 0.5, "loss": 1.0, "penalty": 0.25}


def test_a_run_of_before_manifests_has_no_probabilities_of_training_images_to_be_compared(tmp_path: Path) -> None:
    plan = make_plan(make_store(tmp_path), line("a"))
    run = keep_run(plan.store, plan.trials[0], probabilities={"test": np.full((60, 10), 0.1, np.float32)})
    (run.folder / MANIFEST).unlink()
    run = Run(run.folder)
    run.add_later({"train": {"accuracy": 0.75}})
    damages, left = contradictions(run, plan.store)
    assert (left, [error for error in damages if "train" in str(error)]) == ("", [])
