"""A store in which a small study is stored without having been trained: made probabilities, with their true metrics."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from toile import api
from toile.data.parts.splits import split
from toile.evaluation.metrics import evaluate
from toile.runner.plans.planned import Plan
from toile.store import atomic
from toile.store.run import MANIFEST

TINY = Path(__file__).parents[1] / "studies" / "tiny.toml"


def stored_tiny(root: Path, *, manifests: bool = True, skill: float = 1.0) -> Plan:
    """The plan of the tiny study, all of whose trials are in the store at `root`.

    Args:
        manifests: whether runs have them; those that toile wrote before they were invented have none.
        skill: from 1 on every image is right; of 0.5 some are wrong.
    """
    plan = api.plan(TINY, store=root)
    plan.store.prepare()
    plan.store.keep(plan.dataset, plan.requested)
    for planned in {one.fingerprint: one for one in plan.trials}.values():
        parts = split(plan.dataset, planned.trial.split)
        random, said, metrics = np.random.default_rng(len(planned.name)), {}, {}
        for name, part in (("validation", parts.validation), ("test", parts.test)):
            scores = random.random((len(part), 10)) + skill * np.eye(10)[part.labels]
            said[name] = (scores / scores.sum(axis=1, keepdims=True)).astype(np.float32)
            metrics[name] = evaluate(said[name], part.labels)
        with plan.store.claim(planned.fingerprint) as work:
            folder = work / "run"
            np.savez(folder / "probabilities.npz", **said)
            (folder / "trial.json").write_text(planned.trial.canonical() + "\n")
            (folder / "history.csv").write_text("epoch,loss,accuracy,seconds\n1,2.0,0.25,1.5\n2,1.0,0.5,1.5\n")
            (folder / "model.keras").write_bytes(random.bytes(5000))
            atomic.write_json(folder / "metrics.json", metrics)
            atomic.write_json(folder / "provenance.json", {
                "parameters": 1000, "trainable_parameters": 1000, "epochs_run": 2, "best_epoch": None, "threads": 1,
                "images_per_second": 5000.0, "seconds": {"train": 3.0, "evaluate": 0.1}, "versions": {"keras": "3.15.1"},
                "machine": {"cores": 2}, "sessions": [], "started": "2024-05-06T07:08:09+00:00",
                "finished": "2024-05-06T07:09:09+00:00",
            })  # fmt: skip
            run = plan.store.commit(planned.fingerprint)
        if not manifests:
            (run.folder / MANIFEST).unlink()
    return api.plan(TINY, store=root)
