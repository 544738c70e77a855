"""Made runs for tests: small files under the names that a run has."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from toile.evaluation.metrics import evaluate
from toile.store import atomic
from toile.store.run import Run
from toile.store.store import Store

FIRST, SECOND, OTHER = "abcdef" + "0" * 58, "abcdef" + "1" * 58, "123456" + "0" * 58
DIGITS = "d" * 64
HISTORY = "epoch,loss,seconds\n1,0.5,2.0\n2,0.25,1.5\n"
SAID = {"validation": np.eye(2, dtype=np.float32), "test": np.full((3, 2), 0.5, np.float32)}
METRICS = {split: evaluate(said, np.arange(len(said)) % 2) for split, said in SAID.items()}


def fill(folder: Path, but: tuple[str, ...] = ()) -> None:
    """The files of a finished run, as its worker leaves them in `work/<fingerprint>/run`; all `but` these."""
    np.savez(folder / "probabilities.npz", **SAID)
    (folder / "history.csv").write_text(HISTORY)
    (folder / "model.keras").write_bytes(b"weights")
    atomic.write_json(folder / "trial.json", {"dataset": {"content": DIGITS}, "architecture": {}})
    atomic.write_json(folder / "metrics.json", METRICS)
    atomic.write_json(folder / "provenance.json", {"threads": 1})
    for name in but:
        (folder / name).unlink()


def made(store: Store, fingerprint: str) -> Run:
    with store.claim(fingerprint) as work:
        fill(work / "run")
        return store.commit(fingerprint)
