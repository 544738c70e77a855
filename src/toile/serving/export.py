"""One file out: a run or a whole committee as ONNX, Keras or SavedModel, kept only if it says what the runs said."""

from __future__ import annotations

import base64
import importlib.util
import io
import json
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from toile.data.parts.splits import Parts, split
from toile.errors import Misuse, ToileError, nearest, refused
from toile.inference.export import packages
from toile.serving.chosen import Chosen
from toile.serving.predictor import CHECKSUM, FORMAT, METADATA_KEY, SAMPLES_KEY, Predictor
from toile.store import atomic
from toile.training import provenance
from toile.version import __version__, installing
from toile.workers import export as exporting

SUFFIXES = {"onnx": ".onnx", "keras": ".keras", "savedmodel": ""}
IMAGES = 1000
BATCH = 500
# Of a probability. Sums in another order change the seventh digit; a wrong graph changes the first.
TOLERANCE = 1e-5
# Classes that are closer than four steps of a float32 near 1 are equal but for rounding.
ROUNDING = 5e-7
# Share of the images on which a model computed anew has to find the class that its run stored. Another processor, a GPU or
# bfloat16 move a few; other weights move nearly all.
SAME_CLASS = 0.98
SAMPLES = 10
# How the folder is called, beside the output, in which it is made.
_MAKING = ".toile-"


Joint = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Exported:
    """A file that was written, read again and found to be right.

    Args:
        path: a file, or for a SavedModel a folder.
        images: how many it was compared on.
        difference: largest difference of a probability from what the stored models say, members' and committee's.
        undecided: images that rounding decides: two classes, or for a vote two of a member's, are equal but for that.
        from_stored: the same difference from the probabilities in the store, on those of the images that have some: what
            another backend, processor or precision changed since the training. None where there are none.
    """

    path: Path
    images: int
    difference: float
    undecided: int
    from_stored: float | None


def write(chosen: Chosen, to: str = "onnx", output: Path | None = None, *, samples: bool = True) -> Exported:
    """Export, load what was written where it will be used, compare, and only then put it in its place.

    An ONNX file is asked by onnxruntime, the others in a process that has Keras or TensorFlow and cannot import toile.

    Args:
        to: `onnx`, `keras` or `savedmodel`.
        output: the file, replaced if it is there, or the folder of a SavedModel, which must not be. Left out: a name made of
            the study's and the committee's or trial's, in the current folder.
        samples: whether an ONNX file brings up to ten images of the data set, one a class, for the page of `toile serve`.

    Raises:
        Misuse: an unknown format, or an output that cannot be.
        ToileError: a package is missing, a model cannot be written so, or the export does not say what the runs said. There is
            no file then, and one that was there before is as it was.
    """
    if to not in SUFFIXES:
        raise Misuse(f"unknown format {to!r}{nearest(to, SUFFIXES)}; allowed: {', '.join(SUFFIXES)}")
    _installed(to)
    output = output or Path(_file_name(chosen, SUFFIXES[to]))
    if to == "savedmodel" and output.exists():
        raise Misuse(f"{output} is there already; a SavedModel is a folder that export makes")
    if SUFFIXES[to] and (output.suffix != SUFFIXES[to] or output.is_dir()):
        raise Misuse(f"{output} cannot be written as {to}: a file whose name ends in {SUFFIXES[to]} is wanted")
    if classical := [name for name, runs in chosen.members.items() if any(run.model_path.suffix != ".keras" for run in runs)]:
        raise ToileError(f"{', '.join(classical)}: models of scikit-learn cannot be exported, only those that Keras can load")
    images, stored = _images(chosen)
    about = {METADATA_KEY: json.dumps(_about(chosen, to), ensure_ascii=False)}
    if samples and to == "onnx":
        about[SAMPLES_KEY] = json.dumps(_samples(chosen))
    try:
        atomic.make_folder_of(output)
        with tempfile.TemporaryDirectory(prefix=_MAKING, dir=output.parent) as folder:
            made = Path(folder, f"model{SUFFIXES[to]}")
            models = tuple(str(run.model) for run in chosen.runs)
            calibration = chosen.calibration and (chosen.calibration.name, chosen.calibration.numbers)
            job = exporting.Job(models, chosen.rule, chosen.weights, to, str(made), about, chosen.counts, calibration)
            said, rounding = exporting.write(job, images)
            from_stored = _as_stored(said, stored, chosen)
            of_members = np.maximum.reduceat(rounding, np.cumsum((0, *chosen.counts[:-1])))
            asked = _ask(made, to, images)
            difference, undecided = compare(chosen.of_members(said), *asked, chosen.joint, chosen.rule, of_members)
            _keep(made, output)
    except OSError as error:
        # What is full may be the folder of temporary files, in which the models are asked.
        name = Path(error.filename or output)
        if name == output or any(part.startswith(_MAKING) for part in name.parts):
            raise ToileError(f"cannot write {output}: {error.strerror or error}") from None
        raise ToileError(refused(error)) from None
    return Exported(output, len(images), difference, undecided, from_stored)


def compare(
    said: np.ndarray,
    probabilities: np.ndarray,
    members: np.ndarray,
    joint: Joint,
    rule: str | None = None,
    rounding: np.ndarray | None = None,
) -> tuple[float, int]:
    """Hold what an export says against what its models say.

    Args:
        said: `(members, n, classes)` float32 of the models.
        probabilities, members: `(n, classes)` and `(n, members, classes)` of the export.
        joint: makes one of the models', as everywhere else, in NumPy.
        rule: by which it does.
        rounding: `(members, n)`: by how much a member's probability may differ for want of digits. Large logits of a deep model
            have few digits behind the point, and then this is more than `TOLERANCE`.

    Returns:
        The largest difference, and how many images only rounding decides. Where that is so the class may be another; and a
        vote's probabilities too, as a whole vote moves with it.

    Raises:
        ToileError: the shapes differ; a member's probability differs by more than `TOLERANCE` and `rounding`; the joint ones
            are others than those of the export's own members by more than `TOLERANCE`; or a class differs.
    """
    expected = joint(said)
    of_members = said.transpose(1, 0, 2)
    if (probabilities.shape, members.shape) != (expected.shape, of_members.shape):
        raise ToileError(
            f"the export gives {probabilities.shape} and {members.shape} for what are {expected.shape} and {of_members.shape}"
        )
    moved = np.zeros(len(expected)) if rounding is None else np.where(rounding > TOLERANCE, rounding, 0).max(axis=0)
    own = joint(np.ascontiguousarray(members.transpose(1, 0, 2)))  # what the rule makes of the export's members
    # A probability moves up as another moves down.
    ties = np.maximum(ROUNDING, 2 * (moved if rule is None else np.where(moved > 0, np.abs(own - expected).max(axis=1), 0)))
    undecided = _lead(expected) <= ties
    hung = (_lead(of_members) <= ties[:, None]).any(axis=1) if rule == "vote" else np.zeros(len(expected), bool)
    by_member = np.abs(members - of_members).max(axis=(1, 2))
    by_rule = np.abs(probabilities - own)[~hung].max(initial=0)
    # NaN is larger than nothing: neither Python's max() nor `>` would see it.
    if not (by_member <= np.maximum(TOLERANCE, moved)).all() or not by_rule <= TOLERANCE:
        difference = float(np.max((by_member.max(), np.abs(probabilities - expected).max())))
        most = max(TOLERANCE, moved.max(initial=0))
        raise ToileError(
            f"the export does not say what its models say: probabilities differ by up to {difference:.2g}, allowed is "
            f"{most:.2g}; nothing was kept"
        )
    other = (probabilities.argmax(axis=1) != expected.argmax(axis=1)) & ~(undecided | hung)
    if other.any():
        raise ToileError(f"the export finds another class on {other.sum()} of {len(other)} images; nothing was kept")
    difference = float(max(by_member.max(), np.abs(probabilities - expected)[~hung].max(initial=0)))
    return difference, int((undecided | hung).sum())


def _lead(probabilities: np.ndarray) -> np.ndarray:
    """By how much the most probable class is ahead of the next."""
    ordered = np.sort(probabilities, axis=-1)
    return ordered[..., -1] - ordered[..., -2]


def _as_stored(said: np.ndarray, stored: list[np.ndarray], chosen: Chosen) -> float | None:
    """Whether these are the models whose probabilities the store has: the largest difference.

    Raises:
        ToileError: a member finds other classes than its run did.
    """
    if not stored:
        return None
    difference, names = 0.0, [name for name, runs in chosen.members.items() for _ in runs]
    for name, now, then in zip(names, said, stored, strict=True):
        now = now[: len(then)]
        same = float((now.argmax(axis=1) == then.argmax(axis=1)).mean())
        if same < SAME_CLASS:
            raise ToileError(
                f"the stored model of {name!r} finds the classes that its run stored on {same:.1%} of the images only; "
                f"at least {SAME_CLASS:.0%} is expected. Nothing was kept"
            )
        difference = max(difference, float(np.abs(now - then).max()))
    return difference


def _images(chosen: Chosen) -> tuple[np.ndarray, list[np.ndarray]]:
    """Images to compare on, test images first, `(n, height, width, channels)`, and what each run stored of the first ones."""
    parts, trial = _parts(chosen), chosen.trial
    judged = [part for part in (parts.test, parts.validation) if part is not None]
    images = np.concatenate([part.images[:IMAGES] for part in (*judged, parts.train)])[:IMAGES]
    which = "test" if parts.test is not None else "validation"
    # Members of another split have stored other images' probabilities. All folds of one have the same test images.
    folds = {run.trial["fold"] for run in chosen.runs}
    alike = all(run.trial["split"] == trial["split"] for run in chosen.runs) and (which == "test" or len(folds) == 1)
    if not judged or not alike:
        return images, []
    return images, [run.probabilities(which)[:IMAGES] for run in chosen.runs]


def _parts(chosen: Chosen) -> Parts:
    run = chosen.runs[0]
    trial = run.intent()
    return split(chosen.dataset, trial.split, trial.fold)


def _samples(chosen: Chosen) -> list[dict[str, str]]:
    """Up to ten images, one of each of the first classes: `class` and `png` (base64)."""
    parts, found = _parts(chosen), []
    part = parts.test if parts.test is not None else parts.train
    for label, name in enumerate(chosen.dataset.class_names[:SAMPLES]):
        if chosen.image_shape[2] in (1, 3) and (of_class := np.flatnonzero(part.labels == label)).size:
            file = io.BytesIO()
            pixels = part.images[of_class[0]]
            Image.fromarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels).save(file, "PNG")
            found.append({"class": name, "png": base64.b64encode(file.getvalue()).decode()})
    return found


def _about(chosen: Chosen, to: str) -> dict[str, Any]:
    trained = [
        {
            "backend": run.trial["backend"],
            "precision": run.trial["recipe"]["precision"],
            **{key: run.provenance[key] for key in ("versions", "commit") if key in run.provenance},
        }
        for run in chosen.runs
    ]
    made = {"versions": provenance.versions(*packages(to)), "members": trained}
    sealed = {CHECKSUM: "sha256"} if to == "onnx" else {}
    return {"format": FORMAT, **chosen.about(), "provenance": made, "toile": __version__, **sealed}


def _ask(made: Path, to: str, images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    if to != "onnx":
        return exporting.without_toile(made, images)
    predictor = Predictor.from_file(made)
    said = [predictor.predict(images[at : at + BATCH]) for at in range(0, len(images), BATCH)]
    probabilities, members = (np.concatenate(parts) for parts in zip(*said, strict=True))
    return probabilities, members


def _keep(made: Path, output: Path) -> None:
    for path in [made] if made.is_file() else [path for path in made.rglob("*") if path.is_file()]:
        atomic.sync_file(path)
    shutil.move(made, output) if made.is_dir() else made.replace(output)
    atomic.sync_folder(output.parent)


def _installed(to: str) -> None:
    wanted = ("tf2onnx", "onnx", "onnxruntime") if to == "onnx" else ()
    if missing := [package for package in wanted if importlib.util.find_spec(package) is None]:
        raise ToileError(f"not installed: {', '.join(missing)}; `{installing('export')}` brings it")


def _file_name(chosen: Chosen, suffix: str) -> str:
    words = f"{chosen.study or 'run'} {chosen.name}".lower()
    kept = "".join(letter if letter.isalnum() else " " for letter in words)
    return "-".join(kept.split()) + (suffix or "-savedmodel")
