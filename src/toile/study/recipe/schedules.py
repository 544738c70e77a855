"""Learning-rate schedules: what a study may ask for, and the factor on the optimizer's learning rate that it means."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Annotated, ClassVar, Literal, get_args

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from toile.arrays import AtSteps

Positive = Annotated[float, Field(gt=0)]
Share = Annotated[float, Field(ge=0, le=1)]


class _Schedule(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)
    # Whether the factors depend on how many epochs there will be.
    by_epochs: ClassVar[bool] = False

    def factors(self, position: AtSteps, epochs: int) -> AtSteps:
        """Factor on the learning rate at each position.

        Args:
            position: `(steps,)` float: epochs done before the step; 1.5 is the middle of the second epoch.
            epochs: how many epochs the recipe has at most.

        Returns:
            `(steps,)` float64, each at least 0.
        """
        raise NotImplementedError

    def learned(self, history: Sequence[Mapping[str, float]]) -> float:
        """A further factor on all of an epoch, from the figures of the epochs before it; 1 where a schedule looks at none.

        Args:
            history: a mapping an epoch, with `validation_loss` and `validation_accuracy`.
        """
        return 1.0

    def unreached(self, epochs: int, length: int) -> str:
        """What of it a training never comes to, in words; empty where it comes to all of it.

        Args:
            epochs: of the training, at most.
            length: epochs that the schedule is laid out for.
        """
        return ""


class Constant(_Schedule):
    """The learning rate as it is."""

    name: Literal["constant"] = Field(default="constant", description="which schedule")

    def factors(self, position: AtSteps, epochs: int) -> AtSteps:
        return np.ones_like(position, dtype=np.float64)


class HoldThenDecay(_Schedule):
    """Constant for `hold` epochs, then multiplied by `factor` at the start of each further epoch."""

    name: Literal["hold-then-decay"] = Field(description="which schedule")
    hold: Annotated[int, Field(ge=0)] = Field(default=10, description="epochs at the full learning rate")
    factor: Positive = Field(default=0.9048374180359595, description="of each epoch after them; by default e^-0.1")

    def factors(self, position: AtSteps, epochs: int) -> AtSteps:
        return self.factor ** np.maximum(np.floor(position) - self.hold + 1, 0.0)

    def unreached(self, epochs: int, length: int) -> str:
        return f"schedule.hold = {self.hold}: the learning rate never falls" if self.hold >= epochs else ""


class Exponential(_Schedule):
    """Multiplied by `factor` after each epoch; smoothly, step by step, unless `staircase`."""

    name: Literal["exponential"] = Field(description="which schedule")
    factor: Positive = Field(default=0.95, description="of each epoch")
    staircase: bool = Field(default=False, description="drop at the end of each epoch instead of a little at each step")

    def factors(self, position: AtSteps, epochs: int) -> AtSteps:
        return self.factor ** (np.floor(position) if self.staircase else position)

    def unreached(self, epochs: int, length: int) -> str:
        return "schedule.staircase: the learning rate never falls" if self.staircase and epochs == 1 else ""


class Cosine(_Schedule):
    """Half a cosine from 1 to `minimum` over all epochs, after a linear warm-up (Loshchilov & Hutter 2017)."""

    by_epochs: ClassVar[bool] = True
    name: Literal["cosine"] = Field(description="which schedule")
    minimum: Share = Field(default=0.0, description="factor at the end of the last epoch")
    warmup: Annotated[float, Field(ge=0)] = Field(default=0.0, description="epochs of linear rise from 0, before the cosine")

    def factors(self, position: AtSteps, epochs: int) -> AtSteps:
        rest = max(epochs - self.warmup, 1e-12)
        share = np.clip((position - self.warmup) / rest, 0.0, 1.0)
        down = self.minimum + (1 - self.minimum) * 0.5 * (1 + np.cos(np.pi * share))
        return np.where(position < self.warmup, position / max(self.warmup, 1e-12), down)

    def unreached(self, epochs: int, length: int) -> str:
        return f"schedule.warmup = {self.warmup:g}: the learning rate never falls" if self.warmup >= epochs else ""


class CosineRestarts(_Schedule):
    """Cosine annealing with warm restarts: SGDR (Loshchilov & Hutter, ICLR 2017)."""

    name: Literal["cosine-restarts"] = Field(description="which schedule")
    period: Positive = Field(default=10.0, description="epochs to the first restart")
    multiplier: Annotated[float, Field(ge=1)] = Field(default=1.0, description="each period is this many times the one before")
    minimum: Share = Field(default=0.0, description="factor at the end of each period")

    def factors(self, position: AtSteps, epochs: int) -> AtSteps:
        if self.multiplier == 1:
            share = np.mod(position, self.period) / self.period
        else:
            # The k-th period begins at period * (multiplier^k - 1) / (multiplier - 1).
            k = np.floor(np.log1p(position / self.period * (self.multiplier - 1)) / np.log(self.multiplier) + 1e-12)
            start = self.period * (self.multiplier**k - 1) / (self.multiplier - 1)
            share = np.clip((position - start) / (self.period * self.multiplier**k), 0.0, 1.0)
        return self.minimum + (1 - self.minimum) * 0.5 * (1 + np.cos(np.pi * share))

    def unreached(self, epochs: int, length: int) -> str:
        return f"schedule.period = {self.period:g}: nothing restarts" if self.period >= epochs else ""


class OneCycle(_Schedule):
    """Up from `start` to 1 over the first `rise` of all epochs, then down to `end`; both linear (Smith & Topin 2018)."""

    by_epochs: ClassVar[bool] = True
    name: Literal["one-cycle"] = Field(description="which schedule")
    rise: Share = Field(default=0.3, description="fraction of all epochs; with 0 the first step alone is at `start`")
    start: Share = Field(default=0.04, description="factor at the first step")
    end: Share = Field(default=0.0, description="factor at the end of the last epoch")

    def factors(self, position: AtSteps, epochs: int) -> AtSteps:
        share = np.clip(position / epochs, 0.0, 1.0)
        return np.interp(share, [0.0, max(self.rise, 1e-12), 1.0], [self.start, 1.0, self.end])

    def unreached(self, epochs: int, length: int) -> str:
        of = f"schedule.rise = {self.rise:g} of {length}"
        return f"{of}: the learning rate never falls" if self.rise * length >= epochs else ""


class ReduceOnPlateau(_Schedule):
    """Multiplied by `factor` when the validation images have not got better for a while: Keras's ReduceLROnPlateau."""

    name: Literal["reduce-on-plateau"] = Field(description="which schedule")
    factor: Annotated[float, Field(gt=0, lt=1)] = Field(default=0.1, description="of each reduction")
    patience: Annotated[int, Field(ge=1)] = Field(default=10, description="epochs without improvement before a reduction")
    monitor: Literal["loss", "accuracy"] = Field(
        default="loss", description="figure of the validation split that has to improve"
    )
    min_delta: Annotated[float, Field(ge=0)] = Field(default=1e-4, description="an improvement is more than this")
    cooldown: Annotated[int, Field(ge=0)] = Field(default=0, description="epochs after a reduction in which none is counted")
    minimum: Share = Field(default=0.0, description="smallest factor")

    def factors(self, position: np.ndarray, epochs: int) -> np.ndarray:
        return np.ones_like(position, dtype=np.float64)

    def learned(self, history: Sequence[Mapping[str, float]]) -> float:
        factor, best, waited, resting = 1.0, math.inf, 0, 0
        for figures in history:
            value = figures["validation_loss"] if self.monitor == "loss" else -figures["validation_accuracy"]
            if resting:
                resting, waited = resting - 1, 0
            if value < best - self.min_delta:
                best, waited = value, 0
            elif not resting:
                waited += 1
                if waited >= self.patience:
                    factor, resting, waited = max(factor * self.factor, self.minimum), self.cooldown, 0
        return factor

    def unreached(self, epochs: int, length: int) -> str:
        # The first epoch is better than nothing before it, and the last one that is waited is not reduced itself.
        return f"schedule.patience = {self.patience}: the learning rate never falls" if self.patience + 1 >= epochs else ""


Schedule = Annotated[
    Constant | HoldThenDecay | Exponential | Cosine | CosineRestarts | OneCycle | ReduceOnPlateau, Field(discriminator="name")
]
# Each by its name.
SCHEDULES: dict[str, type[_Schedule]] = {
    get_args(kind.model_fields["name"].annotation)[0]: kind
    for kind in (Constant, HoldThenDecay, Exponential, Cosine, CosineRestarts, OneCycle, ReduceOnPlateau)
}
