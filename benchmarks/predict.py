"""The packaged committee of three as an exported file, beside `model.predict` of three Keras models and their mean.

Untrained weights: they change no time. Both sides get uint8 images and give the committee's probabilities. The last case counts
everything from the command to the printed answer.
"""

from __future__ import annotations

import atexit
import json
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks.harness.measure import Case, Side

SHAPE, CLASSES = (28, 28, 1), 10
ONNX, MODELS = "committee.onnx", ("model-1.keras", "model-2.keras", "model-3.keras")
# The script that somebody with three saved models would write; three files and an image.
SCRIPT = """
import sys
import keras, numpy as np
from PIL import Image
*models, image = sys.argv[1:]
image = np.asarray(Image.open(image).convert("L"))[None, :, :, None]
said = np.mean([keras.models.load_model(path, compile=False).predict(image, verbose=0) for path in models], axis=0)
print(said.argmax(), said.max())
"""


def cases(quick: bool) -> list[Case]:
    """One image, batches of 256, and start to end."""
    files = {"folder": temporary_folder()}
    size = files | {"calls": 30 if quick else 1000}
    batches = files | {"calls": 2 if quick else 20, "batch": 256}
    return [
        Case(
            "one image",
            {"toile, exported": Side(exported, size, threads=1), "Keras, predict of three": Side(predicted, size, threads=1),
             "Keras, call of three": Side(called, size, threads=1)},
            figure="p50_microseconds",
            note="one thread each; calling a model is what Keras advises for few images",
        ),
        Case(
            "batches of 256",
            {"toile, exported": Side(exported, batches, threads=1), "Keras, predict of three": Side(predicted, batches),
             "the same, one thread": Side(predicted, batches, threads=1)},
            figure="images_per_second",
            more_is_better=True,
            note="toile's side has one thread; on a machine that others use, Keras with as many as it likes waits for them",
        ),
        Case(
            "start to end, one image",
            {"toile predict": Side(command, files), "a script with Keras": Side(script, files)},
            figure="start_to_end_seconds",
            note="cpu_seconds in the JSON is what it comes to on a machine that does nothing else",
        ),
    ]  # fmt: skip


def exported(folder: str, calls: int, batch: int = 1) -> dict[str, float]:
    """The ONNX file in onnxruntime, as `toile serve` uses it."""
    from toile.serving.predictor import Predictor

    return _timed(Predictor.from_file(committee(folder) / ONNX).predict, calls, batch)


def predicted(folder: str, calls: int, batch: int = 1) -> dict[str, float]:
    """`model.predict` of each member, as Keras's documentation shows it."""
    models = _load(committee(folder))

    def ask(images: np.ndarray) -> np.ndarray:
        return np.mean([model.predict(images, verbose=0) for model in models], axis=0)

    return _timed(ask, calls // 10 + 1 if batch == 1 else calls, batch)


def called(folder: str, calls: int) -> dict[str, float]:
    """`model(images)` of each member, which has less to set up."""
    models = _load(committee(folder))

    def ask(images: np.ndarray) -> np.ndarray:
        return np.mean([model(images, training=False).numpy() for model in models], axis=0)

    return _timed(ask, calls // 10 + 1, 1)


def command(folder: str) -> dict[str, float]:
    """`toile predict committee.onnx image.png`."""
    files = committee(folder)
    return _start_to_end(["-m", "toile.cli", "predict", files / ONNX, files / "image.png"])


def script(folder: str) -> dict[str, float]:
    """The script above."""
    files = committee(folder)
    return _start_to_end(["-c", SCRIPT, *(files / name for name in MODELS), files / "image.png"])


def temporary_folder() -> str:
    """Gone when this process ends."""
    folder = tempfile.mkdtemp(prefix="toile-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def committee(folder: str) -> Path:
    """The folder with the committee in both forms and an image. Who comes first has it made, in another process: this one
    measures and nothing else."""
    if not Path(folder, "image.png").exists():
        subprocess.run([sys.executable, "-m", "benchmarks.predict", folder], check=True, stdout=sys.stderr)
    return Path(folder)


def images(count: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (count, *SHAPE), dtype=np.uint8)


def _timed(ask: Callable[[np.ndarray], object], calls: int, batch: int) -> dict[str, float]:
    pixels, seconds = images(batch), []
    for _ in range(3):  # the first calls make and plan things
        ask(pixels)
    for _ in range(calls):
        begun = time.perf_counter()
        ask(pixels)
        seconds.append(time.perf_counter() - begun)
    median, late = np.quantile(seconds, [0.5, 0.95])
    return {
        "p50_microseconds": median * 1e6, "p95_microseconds": late * 1e6, "images_per_second": batch / median
    }  # fmt: skip


def _start_to_end(arguments: Sequence[str | Path]) -> dict[str, float]:
    line = [sys.executable, *map(str, arguments)]
    subprocess.run(line, check=True, stdout=sys.stderr)  # so that both sides find their files read
    before, begun = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run(line, check=True, stdout=sys.stderr)
    seconds, after = time.perf_counter() - begun, resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {"start_to_end_seconds": seconds, "cpu_seconds": cpu}


def _load(folder: Path) -> list:
    import keras

    return [keras.models.load_model(folder / name, compile=False) for name in MODELS]


def _write(folder: Path) -> None:
    """The members of the packaged study, three Keras files, and their committee as `toile export` writes it."""
    from toile import studies
    from toile.inference.combined import combined
    from toile.inference.export import WRITERS
    from toile.models import architectures

    study = studies.load("committee").spec
    models = []
    for name, trial in zip(MODELS, study.trial, strict=True):
        model = architectures.build(trial.architecture.name, SHAPE, CLASSES, trial.architecture.options)
        model.save(folder / name)
        models.append(model)
    about = {
        "format": 1, "kind": "committee", "study": "committee", "name": "untrained", "image_shape": SHAPE,
        "classes": [str(label) for label in range(CLASSES)], "members": [{"name": Path(name).stem} for name in MODELS],
        "rule": {"name": "mean"},
    }  # fmt: skip
    WRITERS["onnx"](combined(models, "mean"), folder / ONNX, {"toile": json.dumps(about)})
    Image.fromarray(images(1)[0, :, :, 0]).save(folder / "image.png")


if __name__ == "__main__":
    _write(Path(sys.argv[1]))
