"""A head on the kept features of a frozen MobileNet, against Keras's training through the frozen backbone in every epoch.

The rival is written as Keras's guide "Transfer learning & fine-tuning" shows it (https://keras.io/guides/transfer_learning/):
images brought to size by the input pipeline, batches of 64 that are prefetched and cached, the base model called with
`training=False` below a head, `fit` with validation data. Both sides train the same model on the same 54,000 images for the
same ten epochs, watch 6,000 and judge 10,000 at the end, from the start of the process to its end: the features are computed
in toile's time, of all 70,000 images.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from benchmarks.harness.measure import Case, Side
from toile.data import sources
from toile.models import backbones
from toile.runner.executors.local import cores

WEIGHTS = "mobilenet_0.25_imagenet_notop.weights.h5"
ALPHA, BATCH, VALIDATION, LEARNING_RATE = 0.25, 64, 0.1, 0.001


def cases(quick: bool) -> list[Case]:
    """One training at each size; and a study of three seeds, which share one pass through the backbone."""
    work = {"dataset": "digits" if quick else "fashion-mnist", "epochs": 2 if quick else 10}
    sizes = (32,) if quick else (32, 64, 96)

    def case(size: int, seeds: int) -> Case:
        arguments = {**work, "size": size, "seeds": seeds}
        # One trial has all cores to itself; of several, each has one, which is what `toile run` does unless it is told.
        threads = cores() if seeds == 1 else 1
        sides = {
            "kept features": Side(kept_features, {**arguments, "threads": threads}),
            "through the backbone": Side(through_the_backbone, arguments),
        }
        trainings = "one training" if seeds == 1 else f"{seeds} seeds"
        return Case(
            f"{size} pixels, {trainings}, {work['epochs']} epochs of {work['dataset']}", sides, target=None if quick else 20
        )

    return [*(case(size, 1) for size in sizes), case(sizes[len(sizes) // 2], 3)]


def kept_features(dataset: str, epochs: int, size: int, seeds: int, threads: int) -> dict[str, float]:
    """toile: a study of its own in an empty store."""
    import toile

    study = f"""
        title = "Transfer"
        dataset = "{dataset}"
        seeds = {list(range(seeds))}
        split = {{ method = "tail", validation = {VALIDATION} }}
        recipe = {{ epochs = {epochs}, batch_size = {BATCH}, optimizer = {{ name = "adam", learning_rate = {LEARNING_RATE} }} }}
        [[trial]]
        name = "head"
        architecture = {{ name = "transfer", backbone = "mobilenet", alpha = {ALPHA}, size = {size}, weights = "{WEIGHTS}", \
pooling = "average" }}
    """
    with tempfile.TemporaryDirectory(prefix="toile-benchmark-") as folder:
        path = Path(folder, "study.toml")
        path.write_text(study, "utf-8")
        toile.run(path, store=Path(folder, "store"), threads=threads)
        found = toile.results(path, store=Path(folder, "store"))
        return {f"accuracy_{seed}": one.test["accuracy"] for seed, one in enumerate(found.trials)}


def through_the_backbone(dataset: str, epochs: int, size: int, seeds: int) -> dict[str, float]:
    """The guide's way, once for each seed."""
    import keras
    import tensorflow as tf

    data = sources.load(dataset)
    train = len(data.train) - round(len(data.train) * VALIDATION)
    resize = keras.layers.Resizing(size, size)

    def batches(images, labels):
        batched = tf.data.Dataset.from_tensor_slices((images, labels)).map(lambda x, y: (resize(x), y)).batch(BATCH)
        return batched.prefetch(tf.data.AUTOTUNE).cache()

    train_ds = batches(data.train.images[:train], data.train.labels[:train])
    validation_ds = batches(data.train.images[train:], data.train.labels[train:])
    test_ds = batches(data.test.images, data.test.labels)

    accuracies = {}
    for seed in range(seeds):
        keras.utils.set_random_seed(seed)
        base_model = keras.applications.MobileNet(
            input_shape=(size, size, 3), alpha=ALPHA, include_top=False, weights=backbones.located(WEIGHTS, Path.cwd())
        )
        base_model.trainable = False
        inputs = keras.Input(shape=(size, size, 1))
        x = keras.layers.Concatenate()([inputs, inputs, inputs])
        x = keras.layers.Rescaling(scale=1 / 127.5, offset=-1)(x)
        x = base_model(x, training=False)
        x = keras.layers.GlobalAveragePooling2D()(x)
        model = keras.Model(inputs, keras.layers.Dense(data.classes)(x))
        model.compile(
            optimizer=keras.optimizers.Adam(LEARNING_RATE),
            loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
            metrics=[keras.metrics.SparseCategoricalAccuracy()],
        )
        model.fit(train_ds, epochs=epochs, validation_data=validation_ds)
        accuracies[f"accuracy_{seed}"] = model.evaluate(test_ds)[1]
    return accuracies
