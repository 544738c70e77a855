"""A run: the stored record of one executed trial, read from its folder, and checked where it is read.

Beside the run's files lies `manifest.json` with the SHA-256 of each, written before the run came to be one. Runs of before
manifests have none: they are read, and called unchecked; of those the trial alone is known, by the name of the folder.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Collection
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from toile.arrays import Probabilities
from toile.errors import said
from toile.store import checked, shape
from toile.store.checked import Damaged
from toile.study.fields.strict import is_table
from toile.study.trial import Trial

FILES = ("trial.json", "history.csv", "metrics.json", "probabilities.npz", "provenance.json")
SMALL = ("trial.json", "history.csv", "metrics.json", "provenance.json")
# The model is Keras's or, of classical models, skops's: scikit-learn without a pickle. A run has one of the two.
MODELS = ("model.keras", "model.skops")
MANIFEST = "manifest.json"
# Figures that were computed from the model after it became a run. The file carries its own hash; the manifest stays as it was.
LATER = "later.json"


def lacking(names: Collection[str]) -> list[str]:
    """What of a run's files is not among `names`."""
    model = [] if any(name in names for name in MODELS) else [" or ".join(MODELS)]
    return [name for name in FILES if name not in names] + model


def write_manifest(folder: Path) -> None:
    """Write down what the files of a run are now. To be called before it becomes one."""
    names = [*FILES, *(name for name in MODELS if (folder / name).is_file())]
    checked.write_json(folder / MANIFEST, {"files": {name: checked.sha256(folder / name) for name in names}})


@dataclass(frozen=True)
class Run:
    """One folder of the store, named by its trial's fingerprint. Files are read when first asked for.

    Each is compared with the manifest as it is read, and has to look like what it is: what is asked of a run raises
    `toile.store.checked.Damaged` where a file is missing or is not what was written.
    """

    folder: Path

    @property
    def fingerprint(self) -> str:
        return self.folder.name

    @property
    def place(self) -> tuple[str, int, int]:
        """The fingerprint, and what tells one folder from another of that name: a run that was set aside and trained anew."""
        try:
            of = self.folder.stat()
            return self.fingerprint, of.st_ino, of.st_mtime_ns
        except OSError:
            return self.fingerprint, 0, 0

    @cached_property
    def manifest(self) -> dict[str, str] | None:
        """The SHA-256 of each file by name; None where the run is of before manifests."""
        path = self.folder / MANIFEST
        if not checked.is_there(path):
            return None
        found, own = checked.read_json(path)
        files = found.get("files")
        if not (own and is_table(files) and not lacking(files) and all(isinstance(one, str) for one in files.values())):
            raise Damaged(path, "it is no manifest of a run")
        return files

    @property
    def model_path(self) -> Path:
        """Where the model is, `model.keras` or `model.skops`. Who loads it takes `model`."""
        try:
            names = [name for name in MODELS if (self.folder / name).is_file()]
        except OSError as error:
            raise checked.lost(self.folder, error) from None
        if not names:
            raise Damaged(self.folder / MODELS[0], "it is missing")
        return self.folder / names[0]

    @cached_property
    def model(self) -> Path:
        """The stored model, after it was compared with the manifest."""
        path = self.model_path
        if self.manifest is not None:
            checked.compare(path, checked.sha256(path), self.manifest.get(path.name, ""))
        return path

    def files(self) -> list[Path]:
        """All files of the run, but for the manifest."""
        return [*(self.folder / name for name in FILES), self.model_path]

    @cached_property
    def trial(self) -> dict[str, Any]:
        content = self._read("trial.json")
        if self.manifest is None and hashlib.sha256(content.strip()).hexdigest() != self.fingerprint:
            raise Damaged(self.folder / "trial.json", "it is not the trial whose fingerprint the run is named by")
        return self._json("trial.json", shape.trial, content)

    def intent(self) -> Trial:
        """The trial, as what it is."""
        try:
            return Trial.parse(json.dumps(self.trial))
        except (ValueError, KeyError, TypeError) as error:
            raise Damaged(self.folder / "trial.json", f"it is no trial that this toile reads: {said(error)}") from None

    @cached_property
    def metrics(self) -> dict[str, dict[str, Any]]:
        """Split -> metric -> value, as `toile.evaluation.metrics.evaluate` gives them.

        `train` is of the training images, after the training, without dropout; its `penalty`, where there is one, is what the
        model's regularisers add to a loss. A run may have got both later; what was stored with it goes before.
        """
        own = self._json("metrics.json", shape.metrics)
        return {split: self.later.get(split, {}) | own.get(split, {}) for split in dict.fromkeys((*self.later, *own))}

    @cached_property
    def later(self) -> dict[str, dict[str, Any]]:
        """Figures that were computed after the run was stored. Those that are not what was written are named, and not used:
        `toile evaluate` computes them again."""
        try:
            return self.check_later()
        except Damaged as error:
            checked.say(f"{error}; `toile evaluate` computes it again")
            return {}

    def check_later(self) -> dict[str, dict[str, Any]]:
        """The same.

        Raises:
            Damaged: they are not what was written.
        """
        path = self.folder / LATER
        if not checked.is_there(path):
            return {}
        found, own = checked.read_json(path)
        if not own or found.get("fingerprint") != self.fingerprint:
            raise Damaged(path, "it is not of this run")
        return self._shaped(LATER, shape.metrics, found.get("metrics"))

    def add_later(self, metrics: dict[str, dict[str, Any]]) -> None:
        """Keep figures beside the run, in one step. Its own files and its manifest stay as they are."""
        checked.write_json(self.folder / LATER, {"fingerprint": self.fingerprint, "metrics": metrics})
        for name in ("later", "metrics"):
            self.__dict__.pop(name, None)

    @cached_property
    def provenance(self) -> dict[str, Any]:
        """Facts that do not decide the result: versions, machine, threads, times, parameter counts."""
        return self._json("provenance.json", shape.provenance)

    @cached_property
    def history(self) -> list[dict[str, float]]:
        """One dictionary an epoch: `epoch` (from 1), `learning_rate`, `loss`, `accuracy`, `precision`, `recall`,
        the same with `validation_` in front where there is a validation split, and `seconds`. A classical model is fitted
        in one piece: it has one row, with `epoch` and `seconds`."""
        return self._shaped("history.csv", shape.history, self._read("history.csv"))

    def check_figures(self) -> None:
        """Compare the small files with the manifest: what a plan, a table or a report is made of.

        Raises:
            Damaged: the first that is not what was written.
        """
        if self.manifest is None:
            _ = self.trial, self.metrics, self.provenance, self.history
        else:
            for name in SMALL:
                self._read(name)

    def damages(self) -> list[Damaged]:
        """Everything that is wrong with the run, every file read whole; none if it is as it was written."""
        found: list[Damaged] = []
        for look in (
            lambda: self.manifest,
            lambda: self.trial,
            lambda: self.metrics,
            lambda: self.provenance,
            lambda: self.history,
            self._probabilities,
            lambda: self.model,
        ):
            try:
                look()
            except Damaged as error:
                if str(error) not in map(str, found):
                    found.append(error)
        return found

    def splits(self) -> tuple[str, ...]:
        return tuple(self._probabilities())

    def probabilities(self, split: str, images: int | None = None) -> Probabilities:
        """`(images, classes)` float32 of `split` (`validation` or `test`), in the split's order.

        Args:
            images: how many images the split has, where that is known.

        Raises:
            KeyError: the run has no such split.
            Damaged: it has not, or of another number of images, and it is known that there are some.
        """
        stored = self._probabilities()
        if images is not None and len(stored.get(split, ())) != images:
            found = f"of {len(stored[split]):,}" if split in stored else "none"
            raise Damaged(
                self.folder / "probabilities.npz", f"probabilities of {images:,} {split} images are wanted, got {found}"
            )
        if split not in stored:
            raise KeyError(f"run {self.fingerprint[:12]} has no split {split!r}; it has {', '.join(stored)}")
        return stored[split]

    def _probabilities(self) -> dict[str, np.ndarray]:
        found = self._shaped("probabilities.npz", shape.probabilities, self._read("probabilities.npz"))
        shapes = {split: array.shape for split, array in found.items()}
        self._shaped("probabilities.npz", lambda _: shape.together(self.trial, self.metrics, shapes), None)
        return found

    def _read(self, name: str) -> bytes:
        return checked.read(self.folder / name, None if self.manifest is None else self.manifest[name])

    def _json(self, name: str, look: Callable[[Any], Any], content: bytes | None = None) -> Any:
        content = self._read(name) if content is None else content
        found = checked.parse_json(self.folder / name, content)
        # What has a manifest was written by toile, or looked at when it was unpacked, if it was not too long for that.
        return found if self.manifest and len(content) <= shape.LONG else self._shaped(name, look, found)

    def _shaped(self, name: str, look: Callable[[Any], Any], found: Any) -> Any:
        try:
            return look(found)
        except ValueError as error:
            raise Damaged(self.folder / name, str(error)) from None
