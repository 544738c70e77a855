"""MLflow: an experiment a study, a run a training, known by the tag `toile_fingerprint`."""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar

from toile.errors import ToileError, said
from toile.trackers.told import Told

if TYPE_CHECKING:
    from mlflow.tracking import MlflowClient

T = TypeVar("T")

TAG = "toile_fingerprint"
LONGEST = 500  # characters of a parameter, which every MLflow takes
AT_ONCE = {"metrics": 1000, "params": 100}  # as its API allows


def default() -> str:
    return os.environ.get("MLFLOW_TRACKING_URI") or "mlruns"


def known(study: str, where: str) -> list[str]:
    """Fingerprints of the runs of an experiment that were sent whole. What was sent half is removed.

    Raises:
        ToileError: MLflow does not answer there.
    """
    client = _client(where)
    with _Asked(where):
        return [run.data.tags[TAG] for run in _runs(client, study) if not _half(client, run)]


def tell(run: Told, where: str) -> None:
    """See `toile.trackers.send.Tracker`."""
    from mlflow.entities import Metric, Param

    client, began, ended = _client(where), int(1000 * run.began), int(1000 * run.ended)
    with _Asked(where):
        tags = {TAG: run.fingerprint, "toile_study": run.study}
        experiment = _experiment(client, run.study) or client.create_experiment(run.study)
        made = client.create_run(experiment, start_time=began, tags=tags, run_name=run.name).info.run_id
        metrics = [Metric(key, value, ended, step) for step, row in enumerate(run.epochs, 1) for key, value in row.items()]
        metrics += [Metric(key, value, ended, len(run.epochs)) for key, value in (run.figures | run.facts).items()]
        params = [Param(key, str(value)[:LONGEST]) for key, value in run.parameters.items()]
        for some in _batches(metrics, AT_ONCE["metrics"]):
            client.log_batch(made, metrics=some)
        for some in _batches(params, AT_ONCE["params"]):
            client.log_batch(made, params=some)
        client.set_terminated(made, "FINISHED", end_time=ended)


def _batches(entries: list[T], most: int) -> Iterator[list[T]]:
    for at in range(0, len(entries), most):
        yield entries[at : at + most]


def _runs(client: MlflowClient, study: str) -> Iterator[Any]:
    token, experiment = None, _experiment(client, study)
    while experiment is not None:
        page = client.search_runs([experiment], page_token=token)
        yield from (run for run in page if TAG in run.data.tags)
        token = page.token
        if not token:
            return


def _half(client: MlflowClient, run: Any) -> bool:
    """Whether a run of ours was not sent to its end; it is removed, so that it can be sent again."""
    if run.info.status == "FINISHED":
        return False
    client.delete_run(run.info.run_id)
    return True


def _experiment(client: MlflowClient, study: str) -> str | None:
    found = client.get_experiment_by_name(study)
    return None if found is None else found.experiment_id


@cache
def _client(where: str) -> MlflowClient:
    # It would tell its makers of its use; and of a folder, which somebody asked for, it would say that it prefers a database.
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    os.environ.setdefault("MLFLOW_ALLOW_FILE_STORE", "true")
    from mlflow.tracking import MlflowClient

    with _Asked(where):
        return MlflowClient(tracking_uri=where)


class _Asked:
    """Context in which what MLflow raises is an error for a person."""

    def __init__(self, where: str) -> None:
        self.where = where

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type | None, error: BaseException | None, trace: Any) -> None:
        if error is None or isinstance(error, ImportError):
            return
        from mlflow.exceptions import MlflowException

        if isinstance(error, MlflowException):
            raise ToileError(f"MLflow at {self.where}: {said(error)}") from None
