"""What is asked of a store as a whole."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Unpack

from toile.api.studies import plan
from toile.api.where import Folder, Where
from toile.store.store import Store

if TYPE_CHECKING:
    from toile.store.check import Checked
    from toile.trackers.send import Sent


def check(*, store: Folder = None, repair: bool = False) -> list[Checked]:
    """Read everything that a store has, and compare it with what was written.

    Runs, data sets, weights, features and checkpoints have hashes. A run of before manifests has none: its trial is compared
    with its name, its metrics with what its probabilities say, its model with the checksums of zip files.

    Args:
        store: folder of runs; else `$TOILE_STORE`, else `./toile-runs`.
        repair: whether to move what is damaged to `damaged/` in the store, where nothing looks, so that `run` makes it anew;
            and to write manifests for runs that have none and are not contradicted: what they are now is believed from then on.

    Returns:
        Everything that was looked at, sound or not.
    """
    from toile.evaluation.contradictions import contradictions
    from toile.store import check as checks

    place = Store.at(store)
    return list(checks.check(place, lambda run: contradictions(run, place), repair=repair))


def log(study: str | Path, *, to: str, place: str | None = None, **where: Unpack[Where]) -> Sent:
    """Tell a tracker of the stored runs of a study, each once: the same call again sends only what is new. Trains nothing.

    Args:
        to: `mlflow`, an experiment a study; or `tensorboard`, a folder a study.
        place: MLflow's address or folder, else `$MLFLOW_TRACKING_URI`, else `./mlruns`; TensorBoard's folder, else `./logs`.

    Raises:
        Misuse: there is no such tracker.
        ToileError: its extra is not installed, it does not answer, or nothing of the study is stored.
    """
    from toile.trackers.send import send

    return send(plan(study, fresh=False, **where), to, place)
