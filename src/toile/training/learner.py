"""What the one training path trains: a Keras model on an engine, the NumPy network, or a classical model."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any, Protocol

from numpy.typing import NDArray

from toile.data.parts.splits import Parts, split
from toile.errors import ToileError
from toile.models import architectures, stored
from toile.models.protocols import KerasModel, Remembering, Weighted
from toile.store.store import Store
from toile.study.trial import Trial
from toile.training import features, recipe, scaling
from toile.training.division import cut
from toile.training.engines import Asked, Engine, engine
from toile.training.teacher import Load, taught


class Learner(Protocol):
    """What every learner has; `parts` are the images, as the trial splits them."""

    @property
    def parts(self) -> Parts: ...

    @property
    def engine(self) -> Asked: ...

    def penalty(self) -> float:
        """What the model's regularisers add to a loss; 0 where there are none."""
        ...

    @property
    def backbone_seconds(self) -> float:
        """What the frozen layers of a backbone took for an image before the training began; 0 where there are none."""
        ...

    def save(self, folder: Path) -> dict[str, Any]:
        """Write the model there, and say what is to be known of it: its numbers of parameters at least."""
        ...


class EpochLearner(Learner, Protocol):
    """A learner that learns in epochs, as all but the classical ones do."""

    @property
    def engine(self) -> Engine: ...

    @property
    def model(self) -> Weighted:
        """What learns."""
        ...

    @property
    def optimizer(self) -> Remembering: ...

    def begin(self, epoch: int) -> None:
        """Seed everything random from (seed, epoch)."""
        ...

    def finalize(self) -> None:
        """Make the weights what was trained, where the optimizer averages them."""
        ...


def make_learner(trial: Trial, store: Store, load: Load) -> EpochLearner | ClassicalLearner:
    """The learner of a trial, untrained.

    Args:
        load: makes a stored model of a trial's teacher answer.

    Raises:
        ToileError: the store has not the data set, or not a run that the trial begins with or learns from.
    """
    if trial.learner == "keras":
        return KerasLearner(trial, store, load)
    return ScratchLearner(trial, store) if trial.learner == "scratch" else ClassicalLearner(trial, store)


class KerasLearner:
    """A Keras model. If a backbone in it is frozen, all or in part, `model` is what learns, and the images are its features."""

    def __init__(self, trial: Trial, store: Store, load: Load) -> None:
        import keras

        from toile.training.augment import augmenting
        from toile.training.optimizers.multipliers import multiply_learning_rates

        self.seed = trial.seed
        if (learned := taught(trial, store, load)) is not None:
            keras.backend.clear_session()  # of the teacher's models, whose names would be in the way of this one's
        data = store.dataset(trial.dataset.content)
        keras.utils.set_random_seed(trial.seed)
        if trial.recipe.precision == "bfloat16":
            keras.config.set_dtype_policy("mixed_bfloat16")
        self.model = self.whole = _build(trial, store)
        if trial.warm_start:
            self.whole.set_weights(_weights(store, trial.warm_start))
        self.backbone_seconds = 0.0
        at = None if trial.recipe.varies_images else cut(self.whole, sum(map(len, data.parts.values())))
        if at is not None:
            # What does not learn of a backbone sees the images once; the layers behind it train on what it made of them.
            folders: list[Path] = []

            def place(key: str) -> Path:
                folders.append(store.features(key, trial.fingerprint))
                return folders[-1]

            self.model, data = features.dataset_of_features(
                self.whole,
                at,
                data,
                place,
                options=trial.architecture.options,
                backend=trial.backend,
                precision=trial.recipe.precision,
            )
            self.backbone_seconds = sum(map(features.seconds, folders)) / sum(map(len, data.parts.values()))
        self.parts = split(data, trial.split, trial.fold)
        scaling.fit(self.model, trial.recipe.scaling, self.parts.train.images)
        if trial.recipe.flip_average:
            self.whole = _flip_averaged(self.whole)
        self.optimizer = recipe.optimizer(trial.recipe)
        self.engine = engine(
            trial.backend,
            self.model,
            self.optimizer,
            self.parts.train.images,
            self.parts.train.labels,
            batch_size=trial.recipe.batch_size,
            label_smoothing=trial.recipe.label_smoothing,
            weights=recipe.weights(trial.recipe, self.parts.train, trial.dataset.classes),
            before=augmenting(trial.recipe.augmentation),
            prediction_model=self.whole if trial.recipe.flip_average else None,
            taught=learned,
        )
        multiply_learning_rates(self.optimizer, self.model.trainable_variables)

    def begin(self, epoch: int) -> None:
        recipe.reseed(self.engine.training_model, self.seed, epoch)

    def finalize(self) -> None:
        self.optimizer.finalize_variable_values(self.model.trainable_variables)

    def penalty(self) -> float:
        return float(sum(float(loss) for loss in self.whole.losses))

    def save(self, folder: Path) -> dict[str, Any]:
        return _save_keras(self.whole, folder)


class ScratchLearner:
    """The NumPy network. It has no generator, so an epoch depends on the order of the images alone."""

    backbone_seconds = 0.0

    def __init__(self, trial: Trial, store: Store) -> None:
        from toile.training.scratch.training import Training

        self.parts = split(store.dataset(trial.dataset.content), trial.split, trial.fold)
        options, optimizer = trial.architecture.options, trial.recipe.optimizer.options
        self.model = self.engine = Training(
            self.parts.train.images,
            self.parts.train.labels,
            trial.dataset.classes,
            momentum=optimizer["momentum"],
            learning_rate=optimizer["learning_rate"],
            batch_size=trial.recipe.batch_size,
            seed=trial.seed,
            **options,
        )
        self.optimizer = self.engine.optimizer

    def begin(self, epoch: int) -> None:
        pass

    def finalize(self) -> None:
        pass

    def penalty(self) -> float:
        return 0.0  # its penalty is in the loss of its own training alone, and no document publishes such a figure

    def save(self, folder: Path) -> dict[str, Any]:
        return _save_keras(self.engine.to_keras(), folder)


class ClassicalLearner:
    """A classical model: it is fitted in one piece, so there are no epochs, and nothing to go on from if that is cut off."""

    backbone_seconds = 0.0

    def __init__(self, trial: Trial, store: Store) -> None:
        self.parts = split(store.dataset(trial.dataset.content), trial.split, trial.fold)
        self.pipeline = _build(trial, store)
        if (given := trial.recipe.class_weight) is not None:
            if given == "balanced" and self.parts.train.weights is not None:
                # By itself, scikit-learn counts images and not their weights in some of its models.
                given = tuple(recipe.balanced(self.parts.train, trial.dataset.classes).tolist())
            self.pipeline.set_params(model__class_weight=dict(enumerate(given)) if isinstance(given, tuple) else given)
        self.classes, self.seed = trial.dataset.classes, trial.seed

    def fit(self) -> None:
        from toile.models.classical.model import Classical

        parts = self.parts
        self.engine = Classical.fit(self.pipeline, parts.train, self.classes, self.seed, parts.validation)

    def penalty(self) -> float:
        return 0.0

    def save(self, folder: Path) -> dict[str, Any]:
        self.engine.save(folder / "model.skops")
        count = self.engine.parameters()
        return {"parameters": count, "trainable_parameters": count, "details": self.engine.details}


def _save_keras(model: KerasModel, folder: Path) -> dict[str, Any]:
    model.save(folder / "model.keras")
    trainable = sum(math.prod(variable.shape) for variable in model.trainable_variables)
    return {"parameters": model.count_params(), "trainable_parameters": trainable}


def _build(trial: Trial, store: Store) -> Any:
    """The trial's untrained model; a file of weights is the one that the store keeps under its hash."""
    architecture, options = trial.architecture, trial.architecture.options
    if architecture.weights:
        options = {**options, "weights": str(store.weights(architecture.weights))}
    return architectures.build(architecture.name, trial.dataset.image_shape, trial.dataset.classes, options)


def _flip_averaged(model: KerasModel) -> KerasModel:
    """A model over the same weights that says of an image the mean of what `model` says of it and of its mirror image."""
    import keras
    from keras import layers, ops

    images = keras.Input(model.input_shape[1:], dtype="uint8", name="images")
    both = [model(images), model(ops.flip(images, axis=2))]
    return keras.Model(images, layers.Average(dtype="float32")(both))


def _weights(store: Store, fingerprint: str) -> list[NDArray[Any]]:
    """The weights that a stored run ended with.

    Raises:
        ToileError: it is not in the store, or its model is damaged.
    """
    if (parent := store.get(fingerprint)) is None:
        raise ToileError(f"the run {fingerprint[:12]}, which the trial begins with, is not in the store")
    return stored.load(parent.model).get_weights()
