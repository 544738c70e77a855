"""Which trainings are together in a committee: by their lines, seeds and folds."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from toile.errors import Misuse
from toile.runner.plans.planned import PlannedTrial
from toile.study.committee import CommitteeSpec
from toile.study.fields.patterns import matching


@dataclass(frozen=True)
class Member:
    """A training; or the trainings of all folds of a line, which are one member together."""

    name: str
    trainings: tuple[PlannedTrial, ...]


@dataclass(frozen=True)
class Group:
    """One committee, or for `greedy` those among whom it is chosen. `name` is the committee's with seed and fold.

    A trial that is calibrated is a committee of one. `key` are the seed and fold of all members, where they have the same.
    """

    spec: CommitteeSpec
    name: str
    members: tuple[Member, ...]
    kind: Literal["committee", "trial"] = "committee"
    key: tuple[int, int | None] | None = None


def of_members(trials: Sequence[PlannedTrial], spec: CommitteeSpec) -> Iterator[Group]:
    """A committee that is given by its members, once for each seed and fold that all of them have, or as `across` says.

    Args:
        trials: where the members are looked for.

    Raises:
        Misuse: a member has no folds where the committee is across them; or nothing says which trainings belong together.
    """
    trainings_of = _lines(trials, spec)
    if spec.across == "seeds":
        for fold in dict.fromkeys(fold for _, fold in next(iter(trainings_of.values()))):
            trainings = [one for line in trainings_of.values() for (_, of), one in line.items() if of == fold]
            yield Group(spec, spec.name + ("" if fold is None else f" (fold {fold + 1})"), tuple(map(only, trainings)))
        return
    lines: dict[str, dict[tuple[int, int | None], Member]] = {}
    for line, found in trainings_of.items():
        if spec.across is None:
            lines[line] = {key: only(one) for key, one in found.items()}
        elif any(fold is None for _, fold in found):
            raise Misuse(f"committee {spec.name!r} is across folds, and {line!r} has none (split.folds)")
        else:
            lines[line] = {(seed, None): one for seed, one in whole(found)}
    first = next(iter(lines.values()))
    shared = [key for key in first if all(key in line for line in lines.values())]
    if not shared:  # members with different single seeds still make one committee
        if several := next((name for name, line in lines.items() if len(line) > 1), None):
            raise Misuse(
                f"committee {spec.name!r}: its members have no seed and fold in common, and {several!r} has "
                f"{len(lines[several])} trainings, of which none is said to be meant; give all the same seeds and folds, or "
                'say `across = "seeds"`'
            )
        yield Group(spec, spec.name, tuple(next(iter(line.values())) for line in lines.values()))
        return
    several = len({seed for seed, _ in shared}) > 1
    for seed, fold in shared:
        said = ([f"seed {seed}"] if several else []) + ([f"fold {fold + 1}"] if fold is not None else [])
        suffix = f" ({', '.join(said)})" if said else ""
        yield Group(spec, spec.name + suffix, tuple(line[seed, fold] for line in lines.values()), key=(seed, fold))


def only(planned: PlannedTrial) -> Member:
    """A training alone."""
    return Member(planned.name, (planned,))


def whole(trainings: dict[tuple[int, int | None], PlannedTrial]) -> Iterator[tuple[int, Member]]:
    """The folds of each seed as one member."""
    seeds = dict.fromkeys(seed for seed, _ in trainings)
    for seed in seeds:
        folds = tuple(one for (of, _), one in trainings.items() if of == seed)
        yield seed, Member(folds[0].line + (f" (seed {seed})" if len(seeds) > 1 else ""), folds)


def _lines(trials: Sequence[PlannedTrial], spec: CommitteeSpec) -> dict[str, dict[tuple[int, int | None], PlannedTrial]]:
    """The trainings of each member's line, by seed and fold. A member is named in the study; what a search proposes is not."""
    trials = [one for one in trials if not one.proposed]
    names = list(dict.fromkeys(one.line for one in trials))
    chosen = dict.fromkeys(name for pattern in spec.members for name in matching(names, pattern))
    return {name: {(one.trial.seed, one.trial.fold): one for one in trials if one.line == name} for name in chosen}
