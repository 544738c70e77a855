"""A search worked out anew from its runs: every step that was taken, what came of it, and those that come next.

Nothing of a search is kept but its runs. What it did is found by doing it again: the first proposals depend on the seed alone,
their runs are in the store or not, and so on. Step n is decided when all steps but the last `width` - 1 before it are known,
and by what is known of those alone, whatever else is done already. So the same steps come in the same order with any number of
workers, and after a kill at any moment.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from statistics import fmean
from typing import Any

from toile.runner.plans.planned import Plan, PlannedTrial
from toile.search import diverged, possible
from toile.search.likely import Likely
from toile.search.pruning import FAILED, NEW, Step, Values, decide, rungs
from toile.search.samplers import Asked, Known, ask
from toile.search.space import Space

# After so many proposals in a row that were made before, or cannot be trained, the space is taken to have no others.
_SAME = 50


@dataclass(frozen=True)
class Proposal:
    """A point of the space.

    Args:
        number: from 0.
        values: by path of the parameter.
        asked: what Optuna is told of it.
        whole: its trainings to their end, one for each seed and fold; none where it cannot be trained.
        rungs: numbers of epochs, the fewest first.
    """

    number: int
    values: dict[tuple[str, ...], Any]
    asked: Asked
    whole: tuple[PlannedTrial, ...]
    rungs: tuple[int, ...]

    @cached_property
    def said(self) -> str:
        """Its values as text, the same for the same."""
        return json.dumps([[".".join(path), value] for path, value in self.values.items()], sort_keys=True)

    def at(self, epochs: int) -> tuple[PlannedTrial, ...]:
        """Its trainings for so many epochs."""
        return tuple(one if epochs == self.rungs[-1] else _first(one, epochs) for one in self.whole)


@dataclass(frozen=True)
class Outcome:
    """What is known of a step: its figure on the validation images, of which more is better, or `FAILED`; and what it cost."""

    value: float
    seconds: float


class Walk:
    """The steps of a plan's search, as far as the store knows what came of them.

    Args:
        plan: of a study with a search; its own trials, without those of the search.
    """

    def __init__(self, plan: Plan) -> None:
        assert plan.study.search is not None
        self.plan, self.spec = plan, plan.study.search
        self.space = Space(plan.study, self.spec)
        self.proposals: list[Proposal] = []
        self.steps: list[Step] = []
        self.outcomes: list[Outcome | None] = []
        self.ended = False
        # Whether all of the space is proposed, and there is a budget left to be spent on what was.
        self.exhausted = False
        self._same = 0
        # Of each training, the first step that it is of: what is proposed again is not trained again.
        self._first: dict[str, int] = {}

    @cached_property
    def levels(self) -> int:
        """How many rungs a trial of the study's own recipe has."""
        return len(rungs(self.epochs_of_study, self.spec))

    @property
    def epochs_of_study(self) -> int:
        """How many epochs the study's own recipe has."""
        return self.plan.reduction.epochs(self.plan.study.recipe.epochs)

    def advance(self) -> list[int]:
        """Look what became of open steps, and decide all that can be decided. The indices of steps that are open."""
        for i, outcome in enumerate(self.outcomes):
            if outcome is None:
                self.outcomes[i] = self._outcome(i)
        while not self.ended:
            known = max(0, len(self.steps) - self.spec.width + 1)
            if None in self.outcomes[:known]:
                break
            values: list[float | None] = [one.value if one else None for one in self.outcomes[:known]]
            values += [None] * (len(self.steps) - known)
            step = decide(self.spec, self.levels, self.steps, values, exhausted=self.exhausted)
            if step == "wait" or (isinstance(step, Step) and not self._affords(step, known)):
                if None in self.outcomes:
                    break
                values, known = [one.value if one else None for one in self.outcomes], len(self.steps)
                step = decide(self.spec, self.levels, self.steps, values, exhausted=self.exhausted)
            if isinstance(step, str) or not self._affords(step, known):
                self.ended = True
                break
            if step.proposal == NEW:
                step = self._propose(step, values)
                if step is None:
                    continue
            self.steps.append(step)
            for one in self.trials(len(self.steps) - 1):
                self._first.setdefault(one.fingerprint, len(self.steps) - 1)
            self.outcomes.append(self._outcome(len(self.steps) - 1))
        return [i for i, outcome in enumerate(self.outcomes) if outcome is None]

    def trials(self, i: int) -> tuple[PlannedTrial, ...]:
        """The trainings of a step."""
        return self.proposals[self.steps[i].proposal].at(self.epochs(i))

    def epochs(self, i: int) -> int:
        """How many epochs a step has."""
        found = self.proposals[self.steps[i].proposal].rungs
        return found[len(found) - self.levels + self.steps[i].rung]

    def before(self, i: int) -> int:
        """After how many epochs it goes on."""
        step = self.steps[i]
        return max((self.epochs(j) for j in range(i) if self.steps[j].proposal == step.proposal), default=0)

    def _propose(self, step: Step, values: Values) -> Step | None:
        told = [(one.asked, known) for one, known in zip(self.proposals, self._known(values), strict=True)]
        asked, chosen = ask(self.spec, told, self.space.propose)
        number, epochs = len(self.proposals), self.epochs_of_study
        try:
            made = possible.trials(self.plan, self.space.line(f"search {number + 1}", chosen))
            epochs = made[0].trial.recipe.epochs
        except possible.Impossible:
            made = ()
        whole = tuple(replace(one, proposed=True) for one in made)
        proposal = Proposal(number, chosen, asked, whole, rungs(epochs, self.spec))
        new = whole and proposal.said not in {one.said for one in self.proposals}
        self._same = 0 if new else self._same + 1
        if self._same > _SAME:
            self.exhausted = self.spec.trials is None and self.spec.pruning == "asha"
            self.ended = not self.exhausted
            return None
        self.proposals.append(proposal)
        # What has no epochs, as classical models, is trained to its end at once.
        return Step(number, step.rung if len(proposal.rungs) == self.levels else self.levels - 1)

    def _known(self, values: Values) -> Iterator[Known]:
        """What is known of each proposal: of its last step that is known."""
        found: dict[int, Known] = defaultdict(Known)
        for i, value in enumerate(values):
            if value is not None:
                step = self.steps[i]
                found[step.proposal] = Known(value, self.epochs(i), step.rung == self.levels - 1)
        return (found[i] for i in range(len(self.proposals)))

    def _outcome(self, i: int) -> Outcome | None:
        store, figures, seconds = self.plan.store, [], 0.0
        if not self.trials(i):
            return Outcome(FAILED, 0.0)
        for one, whole in zip(self.trials(i), self.proposals[self.steps[i].proposal].whole, strict=True):
            first = self._first[one.fingerprint] == i
            if diverged.epoch(store, whole.fingerprint) <= self.epochs(i):
                return Outcome(FAILED, seconds + (diverged.seconds(store, whole.fingerprint) if first else 0.0))
            if (run := store.sound(one.fingerprint)) is None:
                return None
            figure = run.metrics["validation"][self.spec.metric]
            figures.append(figure if self.spec.metric == "accuracy" else -figure)
            if first:
                seconds += sum(row["seconds"] for row in run.history[self.before(i) :]) + run.provenance["seconds"]["evaluate"]
        return Outcome(fmean(figures), seconds)

    def _affords(self, step: Step, known: int) -> bool:
        """Whether the budget of core seconds is likely to be enough for a step beside those that are open.

        What these will cost is worked out from the steps that are known, or it would be another answer after a kill.
        """
        if self.spec.core_seconds is None:
            return True
        took = {(one.proposal, one.rung): of.seconds for one, of in zip(self.steps[:known], self.outcomes, strict=False) if of}
        likely = Likely(took, rungs(self.epochs_of_study, self.spec))
        return sum(took.values()) + sum(map(likely, (*self.steps[known:], step))) <= self.spec.core_seconds


def _first(one: PlannedTrial, epochs: int) -> PlannedTrial:
    said = f"{epochs} epoch{'s' if epochs > 1 else ''}"
    line = f"{one.line}, {said}"
    return replace(one, name=line + one.name.removeprefix(one.line), line=line, trial=one.trial.first(epochs))
