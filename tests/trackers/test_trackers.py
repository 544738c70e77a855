"""Trackers are told of every stored run, once, and of what it says."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
from mlflow.entities import ViewType
from mlflow.tracking import MlflowClient
from tensorboard.plugins.hparams import plugin_data_pb2

from tests.runner.fixture import keep_run, line, make_plan
from tests.store import fixture
from toile import api, cli
from toile.errors import Misuse, ToileError
from toile.runner.plans.planned import Plan
from toile.store.store import Store
from toile.trackers import mlflow
from toile.trackers.send import TRACKERS, Sent, send
from toile.trackers.told import told


@pytest.fixture
def plan(tmp_path: Path) -> Plan:
    """Three trials of a study with an odd name, two of them stored."""
    store = Store(tmp_path / "store")
    store.prepare()
    made = make_plan(store, line("a: x\\..\\y?", seeds=[0, 1]), line("b", recipe={"batch_size": 16}))
    for one in made.trials[:2]:
        keep_run(store, one, accuracy=0.5 + one.trial.seed / 4)
    return made


def experiment(where: Path) -> list:
    client = MlflowClient(tracking_uri=str(where))
    found = client.get_experiment_by_name("made")
    return client.search_runs([found.experiment_id]) if found else []


def events(where: Path) -> dict[str, list]:
    # With a module of this name TensorBoard reads by itself; without, TensorFlow is imported for it.
    sys.modules.setdefault("tensorboard.compat.notf", ModuleType("notf"))
    from tensorboard.backend.event_processing.event_file_loader import EventFileLoader

    return {path.suffix[1:]: list(EventFileLoader(str(path)).Load()) for path in where.rglob("*tfevents*")}


@pytest.mark.parametrize("to", TRACKERS)
def test_a_run_is_sent_once(to: str, plan: Plan, tmp_path: Path) -> None:
    where = str(tmp_path / "there")
    assert send(plan, to, where) == Sent(2, 0, where)
    assert send(plan, to, where) == Sent(0, 2, where)
    keep_run(plan.store, plan.trials[2])
    assert send(plan, to, where) == Sent(1, 2, where)
    assert sorted(TRACKERS[to].known("made", where)) == sorted(one.fingerprint for one in plan.trials)
    # Of another study nothing is known there.
    assert not list(TRACKERS[to].known("another", where))


def test_mlflow_has_what_the_run_says(plan: Plan, tmp_path: Path) -> None:
    send(plan, "mlflow", str(tmp_path / "there"))
    found = {run.data.tags[mlflow.TAG]: run for run in experiment(tmp_path / "there")}
    for one in plan.trials[:2]:
        run = found[one.fingerprint]
        assert run.info.run_name == one.name and run.info.status == "FINISHED"
        assert run.data.params["recipe.batch_size"] == "32" and run.data.params["seed"] == str(one.trial.seed)
        assert run.data.metrics["test/accuracy"] == 0.5 + one.trial.seed / 4
        client = MlflowClient(tracking_uri=str(tmp_path / "there"))
        curve = client.get_metric_history(run.info.run_id, "epoch/train/loss")
        assert [(point.step, point.value) for point in curve] == [(1, 0.5), (2, 0.25)]


def test_what_was_sent_half_to_mlflow_is_sent_again(plan: Plan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    where = str(tmp_path / "there")
    with monkeypatch.context() as patch:
        patch.setattr(MlflowClient, "set_terminated", lambda *_, **__: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            send(plan, "mlflow", where)
    assert [run.info.status for run in experiment(tmp_path / "there")] == ["RUNNING"]
    assert send(plan, "mlflow", where) == Sent(2, 0, where)
    assert [run.info.status for run in experiment(tmp_path / "there")] == ["FINISHED"] * 2
    client = MlflowClient(tracking_uri=where)
    gone = client.search_runs([client.get_experiment_by_name("made").experiment_id], run_view_type=ViewType.DELETED_ONLY)
    assert len(gone) == 1


def test_tensorboard_has_what_the_run_says(plan: Plan, tmp_path: Path) -> None:
    send(plan, "tensorboard", str(tmp_path / "there"))
    found = events(tmp_path / "there")
    assert set(found) == {one.fingerprint for one in plan.trials[:2]}
    for one in plan.trials[:2]:
        values = [(event.step, value) for event in found[one.fingerprint] for value in event.summary.value]
        scalars = {(value.tag, step): value.tensor.float_val[0] for step, value in values if value.tensor.float_val}
        assert [scalars["epoch/train/loss", step] for step in (1, 2)] == [0.5, 0.25]
        assert scalars["test/accuracy", 2] == 0.5 + one.trial.seed / 4
        (given,) = [value.metadata.plugin_data.content for _, value in values if value.tag.startswith("_hparams_")]
        start = plugin_data_pb2.HParamsPluginData.FromString(given).session_start_info
        assert start.hparams["recipe.batch_size"].number_value == 32 and start.group_name == one.fingerprint
    # A name of a trial leads nowhere else.
    assert {path.parent.parent for path in (tmp_path / "there").rglob("*tfevents*")} == {tmp_path / "there" / "made"}


def test_tensorboard_is_told_without_tensorflow(plan: Plan) -> None:
    script = (
        "import sys; from toile.trackers.tensorboard import events; from toile.trackers.told import Told; "
        "assert events(Told('s', 'n', 'f' * 64, {'a': 1}, [{'x': 1.0}], {'y': 2.0})); "
        "assert not {'tensorflow', 'keras'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", script], check=True)


def test_what_is_not_finite_is_not_sent(plan: Plan, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fixture, "HISTORY", "epoch,loss,accuracy\n1,nan,0.5\n2,inf,0.25\n")
    keep_run(plan.store, plan.trials[2])
    *_, last = told(plan)
    assert last.name == "b" and last.epochs == [{"epoch/train/accuracy": 0.5}, {"epoch/train/accuracy": 0.25}]


@pytest.mark.parametrize("to", TRACKERS)
def test_a_missing_extra_is_said(to: str, plan: Plan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mlflow._client.cache_clear()
    for name in [name for name in sys.modules if name.partition(".")[0] == to]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, to, None)
    with pytest.raises(ToileError, match=rf"needs the extra '{to}': pip install 'toile-workbench\[{to}\]'"):
        send(plan, to, str(tmp_path / "there"))
    assert not (tmp_path / "there").exists()


def test_misuse_is_said(plan: Plan, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(Misuse, match=r"unknown tracker 'mlfow' \(did you mean 'mlflow'\?\); known: mlflow, tensorboard"):
        send(plan, "mlfow")
    empty = make_plan(Store(tmp_path / "empty"), line("a"))
    with pytest.raises(ToileError, match="nothing of 'made' is stored yet; `toile run made` trains it"):
        send(empty, "tensorboard", str(tmp_path / "there"))


def test_the_verb(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    study = tmp_path / "made.toml"
    study.write_text('title = "made"\ndataset = "digits"\n[[trial]]\nname = "a"\narchitecture = "mlp"\n', "utf-8")
    store, there = str(tmp_path / "store"), str(tmp_path / "there")
    plan = api.plan(study, store=store)
    plan.store.prepare()
    plan.store.keep(plan.dataset, plan.requested)
    keep_run(plan.store, plan.trials[0])
    for said in ("1 run sent to", "0 runs sent to"):
        cli.main(["log", str(study), "--to", "tensorboard", "--where", there, "--store", store])
        assert capsys.readouterr().out.startswith(f"{said} {there}")
    assert set(events(tmp_path / "there")) == {plan.trials[0].fingerprint}
