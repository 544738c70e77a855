"""What a name of a trial means, and what can be typed in its place where it means none."""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from contextlib import suppress

from toile.errors import Misuse, nearest
from toile.runner.plans import committees
from toile.runner.plans.planned import Plan, PlannedTrial
from toile.text import listed


def quoted(names: Iterable[str]) -> str:
    """The names as a shell takes them: a list of names with commas in them could not be told apart."""
    return listed(map(shlex.quote, names))


def of_committees(made: Plan) -> list[str]:
    """The names by which a plan's committees are asked for, with seed and fold where there are several."""
    with suppress(Misuse):  # of one that cannot be, which is told elsewhere
        return [group.name for group in committees.groups(made)]
    return [spec.name for spec in made.study.committee]


def which(study: str, names: Iterable[str]) -> str:
    """`STUDY/NAME` of each, as it is typed."""
    return quoted(f"{study}/{name}" for name in names)


def trial_named(made: Plan, name: str) -> PlannedTrial:
    """A trial of a plan by its name.

    Raises:
        Misuse: there is none.
    """
    planned = {one.name: one for one in made.trials}
    if name not in planned:
        study, *_ = shlex.split(made.called)
        if several := [one.name for one in made.trials if one.line == name]:
            raise Misuse(f"{study}/{name} is {len(several)} trainings; say which: {which(study, several)}")
        joined = of_committees(made)
        if name in joined or name in (spec.name for spec in made.study.committee):
            near = "; that is a committee"
        else:
            near = nearest(name, [*planned, *joined])
        more = f"; committees: {quoted(joined)}" if joined else ""
        raise Misuse(f"{made.reference} has no trial {name!r}{near}; it has: {quoted(planned)}{more}")
    return planned[name]
