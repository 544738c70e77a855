"""Trainings whose loss became no number. They leave no run, and would fail again: a note beside the checkpoint says so.

Who deletes the note, as `toile gc` does, has the last epoch trained once more.
"""

from __future__ import annotations

import json
import math
from typing import Any

from toile.store import atomic
from toile.store.store import Store

_NOTE = "diverged.json"


def note(store: Store, fingerprint: str, epoch: int, seconds: float = 0.0) -> None:
    """Note that the trial's loss is no number in this epoch, from 1, and how long it took to find that out."""
    folder = store.work(fingerprint)
    folder.mkdir(parents=True, exist_ok=True)
    atomic.write_json(folder / _NOTE, {"epoch": epoch, "seconds": seconds})


def epoch(store: Store, fingerprint: str) -> float:
    """In which epoch it was none for the first time; infinite where that is not known."""
    try:
        return int(_noted(store, fingerprint)["epoch"])
    except (OSError, ValueError, KeyError, TypeError):
        return math.inf


def seconds(store: Store, fingerprint: str) -> float:
    """How long that took; 0 where it is not said."""
    try:
        return float(_noted(store, fingerprint)["seconds"])
    except (OSError, ValueError, KeyError, TypeError):
        return 0.0


def _noted(store: Store, fingerprint: str) -> dict[str, Any]:
    return json.loads((store.work(fingerprint) / _NOTE).read_text("utf-8"))
