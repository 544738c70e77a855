"""The process that writes stored models as one file: `python -m toile.workers.export job.json images.npy said.npz`."""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from toile.arrays import ByImage, ByMember, ImageArray, MemberProbabilities, Probabilities
from toile.committee.rules import Fitted
from toile.errors import ToileError
from toile.inference import standalone
from toile.inference.combined import combined, in_float32
from toile.inference.export import WRITERS
from toile.inference.rounding import said_and_rounding
from toile.models import stored
from toile.store import atomic
from toile.workers.process import finish, say

BATCH = 500


@dataclass(frozen=True)
class Job:
    """What is to be written.

    Args:
        models: `model.keras` files of the members.
        rule, weights: see `toile.inference.combined.combined`.
        to: a key of `toile.inference.export.WRITERS`.
        output: what is written, which must not be there.
        about: what it says of itself, text by key; one of them is `toile`.
        counts: how many of the models each member is the mean of; one each where left out.
        calibration: name and numbers, as `toile.evaluation.calibrators.Calibration` has them.
    """

    models: tuple[str, ...]
    rule: str | None
    weights: Fitted | None
    to: str
    output: str
    about: dict[str, str] = field(default_factory=dict)
    counts: tuple[int, ...] | None = None
    calibration: tuple[str, dict[str, Any]] | None = None


def write(job: Job, images: ImageArray) -> tuple[MemberProbabilities, ByMember]:
    """Do the job in a fresh process: the calling one never imports Keras.

    Args:
        images: uint8 `(n, height, width, channels)`.

    Returns:
        `(models, n, classes)` float32: what the stored models themselves say of the images, in float32 under TensorFlow; and
        `(models, n)`: by how much a probability may differ from that for want of digits, see `toile.inference.rounding`.

    Raises:
        ToileError: a model cannot be loaded or written; with the last lines of its output.
    """
    with tempfile.TemporaryDirectory(prefix="toile-") as folder:
        job_file, images_file, output_file = (Path(folder, name) for name in ("job.json", "images.npy", "said.npz"))
        with atomic.named(images_file):
            job_file.write_text(json.dumps(asdict(job)), "utf-8")
            np.save(images_file, images, allow_pickle=False)
        # The weights are the same on every backend of Keras; TensorFlow is the one that all formats can be written from.
        finish(
            ["-m", "toile.workers.export", job_file, images_file, output_file], "tensorflow", f"cannot be exported to {job.to}"
        )
        with np.load(output_file, allow_pickle=False) as output:
            return output["probabilities"], output["rounding"]


def without_toile(model: Path, images: ImageArray) -> tuple[Probabilities, ByImage]:
    """What an exported Keras model or SavedModel says in a fresh process that cannot import toile.

    Returns:
        `(n, classes)` and `(n, members, classes)` float32, as `toile.serving.predictor.Predictor.predict` gives them.

    Raises:
        ToileError: it cannot be loaded or used.
    """
    with tempfile.TemporaryDirectory(prefix="toile-") as folder:
        images_file, output_file = Path(folder, "images.npy"), Path(folder, "probabilities.npz")
        with atomic.named(images_file):
            np.save(images_file, images, allow_pickle=False)
        # -P: the folder of the program, which is toile's, is not on the path either.
        finish(["-P", standalone.__file__, model, images_file, output_file], "tensorflow", "cannot be loaded without toile")
        with np.load(output_file, allow_pickle=False) as output:
            return output["probabilities"], output["members"]


def main(arguments: Sequence[str]) -> int:
    """Entry point of the process."""
    job_file, images_file, output_file = map(Path, arguments)
    job, images = json.loads(job_file.read_text("utf-8")), np.load(images_file, allow_pickle=False)
    try:
        models = [in_float32(stored.load(path)) for path in job["models"]]
        said, rounding = zip(*(said_and_rounding(model, images, BATCH) for model in models), strict=True)
        with atomic.named(output_file):
            np.savez(output_file, probabilities=np.stack(said), rounding=np.stack(rounding))
        whole = combined(models, job["rule"], job["weights"], job["counts"], job["calibration"])
        WRITERS[job["to"]](whole, Path(job["output"]), job["about"])
    except (ToileError, OSError) as error:
        return say(error)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
