"""The packaged committee of three as an exported file, beside `model.predict` of three Keras models and their mean.

Untrained weights: they change no time. Both sides get uint8 images and give the committee's probabilities. The last case counts
everything from the command to the printed answer.
"""

from __future__ import annotations

import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
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
    size = {"calls": 30 if quick else 1000}
    batches = {"calls": 2 if quick else 20, "batch": 256}
    return [
        Case(
            "one image",
            {"toile, exported": Side(exported, size, threads=1), "Keras, predict of three": Side(predicted, size),
             "Keras, call of three": Side(called, size)},
            figure="p50_microseconds",
            note="toile's side has one thread, Keras as many as it likes; calling a model is what Keras advises for few images",
        ),
        Case(
            "batches of 256",
            {"toile, exported": Side(exported, batches, threads=1), "Keras, predict of three": Side(predicted, batches)},
            figure="images_per_second",
            more_is_better=True,
            note="toile's side has one thread, Keras as many as it likes",
        ),
        Case(
            "start to end, one image",
            {"toile predict": Side(command), "a script with Keras": Side(script)},
            figure="start_to_end_seconds",
            note="cpu_seconds in the JSON is what it comes to on a machine that does nothing else",
        ),
    ]  # fmt: skip


def exported(calls: int, batch: int = 1) -> dict[str, float]:
    """The ONNX file in onnxruntime, as `toile serve` uses it."""
    from toile.serving.predictor import Predictor

    with _files() as folder:
        return _timed(Predictor.from_file(folder / ONNX).predict, calls, batch)


def predicted(calls: int, batch: int = 1) -> dict[str, float]:
    """`model.predict` of each member, as Keras's documentation shows it."""
    with _files() as folder:
        models = _load(folder)
        ask = lambda images: np.mean([model.predict(images, verbose=0) for model in models], axis=0)  # noqa: E731
        return _timed(ask, calls // 10 + 1 if batch == 1 else calls, batch)


def called(calls: int, batch: int = 1) -> dict[str, float]:
    """`model(images)` of each member, which has less to set up."""
    with _files() as folder:
        models = _load(folder)
        ask = lambda images: np.mean([model(images, training=False).numpy() for model in models], axis=0)  # noqa: E731
        return _timed(ask, calls // 10 + 1, batch)


def command() -> dict[str, float]:
    """`toile predict committee.onnx image.png`."""
    return _start_to_end(lambda folder: ["-m", "toile.cli", "predict", str(folder / ONNX), str(folder / "image.png")])


def script() -> dict[str, float]:
    """The script above."""
    return _start_to_end(lambda folder: ["-c", SCRIPT, *(str(folder / name) for name in MODELS), str(folder / "image.png")])


@contextmanager
def _files() -> Iterator[Path]:
    """A folder with the committee in both forms and an image, made in another process: this one measures and nothing else."""
    with tempfile.TemporaryDirectory(prefix="toile-") as name:
        subprocess.run([sys.executable, "-m", "benchmarks.predict", name], check=True, stdout=sys.stderr)
        yield Path(name)


def _images(count: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (count, *SHAPE), dtype=np.uint8)


def _timed(ask: Callable[[np.ndarray], object], calls: int, batch: int) -> dict[str, float]:
    images, seconds = _images(batch), []
    for _ in range(3):  # the first calls make and plan things
        ask(images)
    for _ in range(calls):
        begun = time.perf_counter()
        ask(images)
        seconds.append(time.perf_counter() - begun)
    median, late = np.quantile(seconds, [0.5, 0.95])
    return {
        "p50_microseconds": median * 1e6, "p95_microseconds": late * 1e6, "images_per_second": batch / median
    }  # fmt: skip


def _start_to_end(arguments: Callable[[Path], list[str]]) -> dict[str, float]:
    with _files() as folder:
        line = [sys.executable, *arguments(folder)]
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
    import json

    from toile import studies
    from toile.learners import architectures
    from toile.learners.combined import combined
    from toile.learners.export import WRITERS

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
    Image.fromarray(_images(1)[0, :, :, 0]).save(folder / "image.png")


if __name__ == "__main__":
    _write(Path(sys.argv[1]))
