"""The table of all runs: a row each, read once and remembered.

A run never changes once it is there, so its row is read from its small files, checked by their hashes, a single time. All rows
are kept in one file of the user's cache, by the store's path. It is derived: a row whose run has gone or was touched since is
read again, and the whole file may be thrown away. The store itself is never written to.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import platformdirs

from toile.store import checked
from toile.store.checked import Damaged
from toile.store.run import Run
from toile.store.store import Store
from toile.study.fields.strict import is_array, is_table

# Raised when a row comes to hold something else.
REVISION = 1
COLUMNS = (
    "fingerprint", "state", "architecture", "options", "dataset", "validation_accuracy", "validation_loss", "test_accuracy",
    "test_loss", "test_ece", "parameters", "epochs", "batch_size", "optimizer", "learning_rate", "seed", "fold", "seconds",
    "finished",
)  # fmt: skip
_PLACE = {name: place for place, name in enumerate(COLUMNS)}
# Seconds of processor time that one look may take: a page shows what is known, and asks again for the rest.
SLICE = 0.3
OFTEN = 2000  # rows read after which they are kept, while there are more to read

Row = list[Any]


class Index:
    """The rows of a store.

    Args:
        store: the store.
        cache: the file of rows; None for the user's cache.
    """

    def __init__(self, store: Store, cache: Path | None = None) -> None:
        self.store = store
        name = hashlib.sha256(str(store.root.resolve()).encode()).hexdigest()[:24]
        self.path = cache or Path(platformdirs.user_cache_dir("toile")) / "rows" / f"{name}.json"
        self._rows: dict[str, tuple[list[int], Row]] | None = None
        self._unkept = 0

    def look(self, seconds: float = SLICE) -> tuple[list[Row], int]:
        """All rows that are known, the latest first; and how many runs are not read yet.

        Args:
            seconds: of processor time after which no further run is read.
        """
        known = self._rows if self._rows is not None else self._kept()
        found = dict(sorted(_stamps(self.store.runs_folder), key=lambda entry: (-entry[1][0], entry[0])))
        rows: dict[str, tuple[list[int], Row]] = {}
        until, left, read = time.thread_time() + seconds, 0, 0
        for fingerprint, stamp in found.items():
            row = known.get(fingerprint)
            if row is not None and row[0] == stamp:
                rows[fingerprint] = row
            elif read == 0 or time.thread_time() < until:
                rows[fingerprint] = (stamp, row_of(Run(self.store.runs_folder / fingerprint)))
                read += 1
            else:
                left += 1
        self._rows = rows
        self._unkept += read + max(0, len(known) - len(rows) - left)
        if self._unkept and (left == 0 or self._unkept >= OFTEN):
            self._keep(rows)
            self._unkept = 0
        return [row for _, row in rows.values()], left

    def row(self, fingerprint: str) -> Row | None:
        """The row of one run, if it has been read."""
        found = (self._rows or {}).get(fingerprint)
        return found and found[1]

    def _kept(self) -> dict[str, tuple[list[int], Row]]:
        try:
            kept, own = checked.read_json(self.path)
            if own and kept["revision"] == REVISION and kept["columns"] == list(COLUMNS):
                return {row[0]: (stamp, row) for stamp, row in kept["rows"] if is_array(row) and len(row) == len(COLUMNS)}
        except (Damaged, KeyError, TypeError, ValueError):
            pass  # derived: it is read anew
        return {}

    def _keep(self, rows: dict[str, tuple[list[int], Row]]) -> None:
        with suppress(OSError):  # no cache to write to: it is only slower
            self.path.parent.mkdir(parents=True, exist_ok=True)
            checked.write_json(self.path, {"revision": REVISION, "columns": list(COLUMNS), "rows": list(rows.values())})


def _stamps(folder: Path) -> Iterator[tuple[str, list[int]]]:
    """Each run's fingerprint, and what tells that it is as it was: when its folder and its metrics were written, and how long
    these are."""
    try:
        entries = list(os.scandir(folder))
    except OSError:
        return
    for entry in entries:
        if len(entry.name) == 64:
            with suppress(OSError):
                of, metrics = entry.stat(), os.stat(f"{entry.path}/metrics.json")  # noqa: PTH116 (ten thousand paths are slow)
                yield entry.name, [of.st_mtime_ns, metrics.st_mtime_ns, metrics.st_size]


def row_of(run: Run) -> Row:
    """One row, in the order of `COLUMNS`; of a damaged run the fingerprint, `damaged` and nothing."""
    try:
        run.check_figures()
        trial, metrics, facts = run.trial, run.metrics, run.provenance
        return [_figures(run.fingerprint, trial, metrics, facts)[name] for name in COLUMNS]
    except (Damaged, KeyError, TypeError, AttributeError):
        return [run.fingerprint, "damaged", *[None] * (len(COLUMNS) - 2)]


def _figures(fingerprint: str, trial: dict[str, Any], metrics: dict[str, Any], facts: dict[str, Any]) -> dict[str, Any]:
    test, validation = metrics.get("test", {}), metrics.get("validation", {})
    recipe, classical = trial["recipe"], trial["learner"] == "classical"
    optimizer = recipe["optimizer"]
    return {
        "fingerprint": fingerprint,
        "state": "stored",
        "architecture": trial["architecture"]["name"],
        "options": words(trial["architecture"]["options"]),
        "dataset": trial["dataset"]["content"],
        "validation_accuracy": validation.get("accuracy"),
        "validation_loss": validation.get("loss"),
        "test_accuracy": test.get("accuracy"),
        "test_loss": test.get("loss"),
        "test_ece": test.get("ece"),
        "parameters": facts.get("parameters"),
        "epochs": None if classical else facts.get("epochs_run"),
        "batch_size": None if classical else recipe["batch_size"],
        "optimizer": None if classical else optimizer["name"],
        "learning_rate": None if classical else optimizer.get("options", {}).get("learning_rate"),
        "seed": trial["seed"],
        "fold": None if trial.get("fold") is None else trial["fold"] + 1,
        "seconds": (facts.get("seconds") or {}).get("train"),
        "finished": facts.get("finished"),
    }


def words(options: dict[str, Any]) -> str:
    """Options in a line, to be searched and told apart by: `filters 32-64, dense 256`."""
    return ", ".join(f"{key.replace('_', ' ')} {_word(value)}" for key, value in options.items() if not _empty(value))[:300]


def _empty(value: Any) -> bool:
    return value is None or value is False or value == 0 or value == [] or value == {}


def _word(value: Any) -> str:
    if is_array(value):
        return "-".join(map(str, value))
    return json.dumps(value) if is_table(value) else str(value)
