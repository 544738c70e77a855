"""Training: images a second of a study by `toile run`, beside plain Keras `fit` and a hand-written PyTorch loop.

Five models of the packaged studies. toile's side is `toile run` of as many seeds as there are cores, so that as many
processes of one thread train at once, and its figure is the sum over them: what counts to whoever compares models. The rivals
train one model with all cores and their own default threads. On all sides the first epoch does not count: it compiles.
`first_seconds` are those from the call to that epoch's end, with the imports, the data and, of toile, the planning and the
start of the workers. None has validation images, and what toile does between epochs (a checkpoint) is `benchmarks.study`'s.

float32 is compared with float32, and bfloat16 (`precision = "bfloat16"` in a recipe) with PyTorch's autocast.
`gflops` is the arithmetic of the layers alone, 6 operations for every multiplication of a forward pass; beside the peak of
the machine it says how much is left.
"""

from __future__ import annotations

import tempfile
import time
from collections import defaultdict
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from benchmarks.harness.measure import Case, Side
from toile import studies
from toile.data import sources
from toile.models import architectures
from toile.runner.executors.local import cores
from toile.runner.plans.planned import Plan
from toile.studies import LoadedStudy
from toile.study.data.split import SplitSpec
from toile.study.reduction import Reduction
from toile.study.spec import TrialSpec

FLOAT32, BFLOAT16 = "float32", "bfloat16"


class Reference(NamedTuple):
    """A trial of a packaged study; `images` are so many that an epoch takes about a second on two cores.

    `target`: how many times faster than Keras's `fit` on TensorFlow toile is to be.
    """

    study: str
    trial: str
    classes: int
    batch_size: int
    images: int
    target: float


REFERENCES = {
    "ANN": Reference("ann-cnn-study", "ann, 25 epochs", 10, 32, 30_000, 3),
    "strided CNN": Reference("committee", "model-1", 10, 32, 16_000, 3),
    "1 convolution": Reference("ann-cnn-study", "1 convolution layer, 50 epochs", 10, 32, 4_800, 2),
    "deeper": Reference("augmentation", "deeper, 80 epochs", 5, 128, 2_560, 2),
    "model-4": Reference("five-classes", "model-4", 5, 128, 1_280, 1.4),
}
KERAS = "Keras fit, TensorFlow"


def cases(quick: bool) -> list[Case]:
    """Each model in float32 and in bfloat16."""
    found = []
    for name, reference in REFERENCES.items():
        images = 2 * reference.batch_size if quick else reference.images
        work = {"name": name, "images": images, "epochs": 1 if quick else 3}
        rivals = {
            KERAS: Side(keras_fit, work),
            "Keras fit, JAX": Side(keras_fit, work, backend="jax"),
            "Keras fit, torch": Side(keras_fit, work, backend="torch"),
            "PyTorch": Side(torch_loop, work),
            "PyTorch, compiled": Side(torch_loop, work | {"compiled": True}),
        }
        # A study may choose it; its convolutions are so much slower that the large ones are not asked again.
        other = {"toile, JAX": Side(toile_run, work | {"backend": "jax"})} if reference.batch_size == 32 else {}
        target = dict.fromkeys(rivals, 1.0) | {KERAS: reference.target}
        found.append(_case(f"{name}, {FLOAT32}", {"toile": Side(toile_run, work), **other, **rivals}, target))
        less = work | {"precision": BFLOAT16}
        rivals = {
            "PyTorch": Side(torch_loop, less),
            "PyTorch, compiled": Side(torch_loop, less | {"compiled": True}),
        }
        found.append(_case(f"{name}, {BFLOAT16}", {"toile": Side(toile_run, less), **rivals}, dict.fromkeys(rivals, 1.0)))
    return found


def _case(name: str, sides: dict[str, Side], target: dict[str, float]) -> Case:
    return Case(name, sides, figure="images_per_second", more_is_better=True, target=target)


def toile_run(
    name: str,
    images: int,
    epochs: int,
    precision: str = FLOAT32,
    backend: str = "tensorflow",
    seeds: int | None = None,
) -> dict[str, float]:
    """`toile run` of the trial with as many seeds as cores, or as are given, in an empty store."""
    from toile.runner import run as runs

    begun, first, seconds = time.perf_counter(), [], defaultdict(list)

    def tell(event: Any) -> None:
        if event.kind == "epoch":
            seconds[event.fingerprint].append(event.fields["seconds"])
            if event.fields["epoch"] == 1:
                first.append(time.perf_counter() - begun)

    with tempfile.TemporaryDirectory(prefix="toile-benchmark-") as folder:
        plan = planned(name, images, 1 + epochs, precision, backend, folder, seeds)
        runs.run(plan, tell=tell)
        parameters = plan.run_of(plan.trials[0]).provenance["parameters"]
        count = plan.counts[plan.trials[0].trial.split]["train"]
    speed = sum(count * epochs / sum(times[1:]) for times in seconds.values())
    return _figures(name, speed, max(first), parameters)


def keras_fit(name: str, images: int, epochs: int, precision: str = FLOAT32) -> dict[str, float]:
    """Keras's `fit` with the defaults of everything but what it prints."""
    begun = time.perf_counter()
    import keras

    from benchmarks.rivals.keras_models import MODELS

    class Clock(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
            times.append(-time.perf_counter())

        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            times[-1] += time.perf_counter()

    times: list[float] = []
    if precision == BFLOAT16:
        keras.config.set_dtype_policy("mixed_bfloat16")
    x, y = _pixels(name, images)
    model = MODELS[name]()
    before = time.perf_counter() - begun
    model.fit(x, y, batch_size=REFERENCES[name].batch_size, epochs=1 + epochs, callbacks=[Clock()], verbose=0)
    return _figures(name, images * epochs / sum(times[1:]), before + times[0], model.count_params())


def torch_loop(
    name: str, images: int, epochs: int, precision: str = FLOAT32, compiled: bool = False
) -> dict[str, float]:  # fmt: skip
    """The loop of `benchmarks.rivals.torch_models`."""
    begun = time.perf_counter()
    import torch

    from benchmarks.rivals import torch_models

    x, y = _pixels(name, images)
    before = time.perf_counter() - begun
    model, times = torch_models.train(
        name, torch.from_numpy(x.transpose(0, 3, 1, 2)), torch.from_numpy(y), REFERENCES[name].batch_size, 1 + epochs,
        bfloat16=precision == BFLOAT16, compiled=compiled,
    )  # fmt: skip
    # Keras counts the moving averages of batch normalisation as parameters too, which PyTorch calls buffers.
    averages = [buffer for buffer in model.buffers() if buffer.is_floating_point()]
    parameters = sum(tensor.numel() for tensor in (*model.parameters(), *averages))
    return _figures(name, images * epochs / sum(times[1:]), before + times[0], parameters)


def planned(name: str, images: int, epochs: int, precision: str, backend: str, folder: str, seeds: int | None = None) -> Plan:
    """The reference's trial alone: so many seeds, or one a core; no validation, the first images of each class."""
    loaded, line = _trial(name)
    recipe = {"epochs": epochs, "precision": precision, "early_stopping": None}
    return alone(loaded, line, recipe, backend=backend, folder=folder, seeds=tuple(range(seeds or cores())), images=images)


def alone(
    loaded: LoadedStudy,
    line: TrialSpec,
    recipe: dict[str, Any],
    *,
    backend: str,
    folder: str,
    seeds: tuple[int, ...],
    images: int | None = None,
    validation: float = 0.0,
) -> Plan:
    """One line of a study as a study of its own, in an empty store.

    Args:
        recipe: what is changed of the line's.
        images: how many of the training images; all where left out.
    """
    from toile.data.reading.load import load
    from toile.runner.plans.plan import make
    from toile.store.store import Store

    # The five-class studies pool and draw; all that matters here is how many classes there are.
    asked = loaded.dataset.model_copy(update={"pool": False, "draw": None})
    data = load(asked)
    study = loaded.spec.model_copy(update={
        "trial": (line.model_copy(update={"recipe": {**line.recipe, **recipe}}),), "sweep": (), "committee": (),
        "comparison": (), "seeds": seeds, "split": SplitSpec(validation=validation), "backend": backend, "baselines": False,
    })  # fmt: skip
    fraction = 1.0 if images is None else images / len(data.train)
    return make(study, "benchmark", asked, data, Store(Path(folder)), Reduction(fraction=fraction))


def _trial(name: str) -> tuple[LoadedStudy, TrialSpec]:
    loaded = studies.load(REFERENCES[name].study)
    [line] = (one for one in loaded.spec.trial if one.name == REFERENCES[name].trial)
    return loaded, line


def _pixels(name: str, images: int) -> tuple[np.ndarray, np.ndarray]:
    """What the documents give to Keras: float32 `(n, 28, 28, 1)`, 0..1, and labels int64."""
    train, classes = sources.load("fashion-mnist").train, REFERENCES[name].classes
    return train.images[:images].astype(np.float32) / 255, train.labels[:images].astype(np.int64) % classes


def _figures(name: str, speed: float, first_seconds: float, parameters: int) -> dict[str, float]:
    reference = REFERENCES[name]
    _, line = _trial(name)
    multiplications = architectures.multiply_adds(
        line.architecture.name, (28, 28, 1), reference.classes,
        architectures.complete(line.architecture.name, line.architecture.options),
    )  # fmt: skip
    return {
        "images_per_second": speed, "first_seconds": first_seconds, "gflops": speed * multiplications * 6 / 1e9,
        "parameters": parameters,
    }  # fmt: skip
