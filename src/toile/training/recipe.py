"""A recipe put to work: the optimizer, the learning rate of every step, the order of the images, when to stop."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from toile.arrays import ImageWeights, Labels, LearningRates, Order, PerClass, Seeds
from toile.data.images import Images
from toile.models.protocols import KerasModel, KerasOptimizer, KerasVariable
from toile.study.recipe.recipe import EarlyStopping, RecipeSpec

_CLASS_NAMES = {"adadelta": "Adadelta", "adamw": "AdamW", "rmsprop": "RMSprop", "schedulefreeadamw": "ScheduleFreeAdamW"}


def optimizer(recipe: RecipeSpec) -> KerasOptimizer:
    """The recipe's Keras optimizer, its learning rate as the schedule begins with it."""
    import keras

    spec = recipe.optimizer
    if spec.name == "muon-conv":
        from toile.training.optimizers.muon import ConvolutionMuon

        return ConvolutionMuon(**spec.options)
    classes = {name.lower(): getattr(keras.optimizers, name) for name in dir(keras.optimizers)}
    return classes[spec.name](**spec.options)


def learning_rates(recipe: RecipeSpec, epoch: int, steps: int, history: Sequence[Mapping[str, float]] = ()) -> LearningRates:
    """The learning rate of each step of an epoch.

    Args:
        epoch: from 0.
        steps: per epoch.
        history: figures of the epochs before it, for a schedule that looks at them.

    Returns:
        `(steps,)` float32.
    """
    position = epoch + np.arange(steps) / steps
    factors = recipe.schedule.factors(position, recipe.schedule_epochs or recipe.epochs) * recipe.schedule.learned(history)
    return (recipe.optimizer.options["learning_rate"] * factors).astype(np.float32)


def steps_per_epoch(images: int, batch_size: int) -> int:
    """Steps of an epoch; the last batch may be smaller, as in Keras's `fit`."""
    return math.ceil(images / batch_size)


def order(seed: int, epoch: int, images: int) -> Order:
    """The order in which an epoch sees the images: a permutation that depends on seed and epoch alone.

    Being no state of a generator, it is the same after a resume as it would have been without.
    """
    return np.random.default_rng([seed, epoch]).permutation(images).astype(np.int32)


def balanced_order(seed: int, epoch: int, labels: Labels) -> Order:
    """As `order`, with the same number of images of every class that there is, and as many in all.

    Each class gives its images in drawn order, from the beginning again when they are used up: of one class no image comes
    twice more often than another.

    Args:
        labels: `(images,)` of the training images.
    """
    generator = np.random.default_rng([seed, epoch, 0xBA1A])
    classes = generator.permutation(
        np.unique(labels)
    )  # where the images cannot be divided evenly, chance says who has one more
    share, more = divmod(len(labels), len(classes))
    chosen = [
        np.resize(generator.permutation(np.flatnonzero(labels == label)), share + (place < more))
        for place, label in enumerate(classes)
    ]
    return generator.permutation(np.concatenate(chosen)).astype(np.int32)


def epoch_order(recipe: RecipeSpec, seed: int, epoch: int, labels: Labels) -> Order:
    """The order of an epoch, as the recipe samples images with these labels."""
    return order(seed, epoch, len(labels)) if recipe.sampling is None else balanced_order(seed, epoch, labels)


def weights(recipe: RecipeSpec, train: Images, classes: int) -> ImageWeights | None:
    """What each training image counts in the loss: its own weight times that of its class; None where all count 1.

    Balanced weights of classes are scikit-learn's: images / (classes there are x images of the class), where an image that
    weighs 2 is two images.

    Args:
        recipe: its weights, if it lists them, one a class: names of classes are the plan's business.
        train: the training images.
    """
    given, own = recipe.class_weight, train.weights
    if given is None:
        return own
    of_class = (np.array(given) if isinstance(given, tuple) else balanced(train, classes)).astype(np.float32)
    return of_class[train.labels] if own is None else of_class[train.labels] * own


def balanced(train: Images, classes: int) -> PerClass:
    """The balanced weight of each class, `(classes,)`, as `weights` has it; of a class without images it is of no account."""
    counts = np.bincount(train.labels, train.weights, minlength=classes)
    there = counts > 0
    return counts.sum() / (there.sum() * np.where(there, counts, 1))


def epoch_seeds(seed: int, epoch: int, count: int) -> Seeds:
    """`(count, 2)` uint32: what each of a model's random generators (dropout) starts the epoch from."""
    return (
        np.random.SeedSequence([seed, epoch, 0x70117E])
        .generate_state(2 * count)
        .astype(np.uint32, copy=False)
        .reshape(count, 2)
    )


def reseed(model: KerasModel, seed: int, epoch: int) -> None:
    """Start everything random in a model from (seed, epoch): an epoch draws the same after a resume as without one.

    Args:
        epoch: from 0.
    """
    from keras import backend

    states = generators(model)
    *seeds, own = epoch_seeds(seed, epoch, 1 + len(states))
    for variable, state in zip(states, seeds, strict=True):
        variable.assign(state)
    if backend.backend() == "torch":
        import torch  # pyright: ignore[reportMissingImports]: there with the extra

        # Keras's Dropout ignores its own generator on PyTorch, and draws from PyTorch's global one.
        torch.manual_seed(int(own[0]) << 32 | int(own[1]))


def generators(model: KerasModel) -> list[KerasVariable]:
    """The states of a model's random generators, one Keras variable each, in the order of its layers.

    They are among `model.variables` and not among `model.weights`: Keras saves no generator with a model.
    """
    return [variable for variable in model.variables if variable.path.endswith("seed_generator_state")]


@dataclass
class Patience:
    """Early stopping's memory. Ties and improvements of at most `min_delta` count as none, as in Keras."""

    spec: EarlyStopping | None
    best: float = math.inf
    best_epoch: int = 0
    waited: int = 0

    def improved(self, epoch: int, figures: dict[str, float]) -> bool:
        """Take in an epoch's figures (from the validation split); whether it is the best so far.

        Args:
            epoch: from 1.
            figures: `validation_loss` and `validation_accuracy`, both finite, so that the first epoch is always an
                improvement.
        """
        if self.spec is None:
            return False
        value = figures[f"validation_{self.spec.monitor}"]
        value = -value if self.spec.monitor == "accuracy" else value
        if value < self.best - self.spec.min_delta:
            self.best, self.best_epoch, self.waited = value, epoch, 0
            return True
        self.waited += 1
        return False

    @property
    def exhausted(self) -> bool:
        """Whether to stop. A patience of 0 and of 1 both mean: at the first epoch without improvement."""
        return self.spec is not None and self.waited >= max(self.spec.patience, 1)
