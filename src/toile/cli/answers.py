"""How predictions, exports and what a store was checked for are printed."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from toile.cli.application import say
from toile.terminal import Terminal
from toile.text import counted_images

if TYPE_CHECKING:
    from toile.serving.answer import Answer
    from toile.serving.export import Exported
    from toile.store.check import Checked


@contextmanager
def warnings_said() -> Iterator[None]:
    """What Python code would be warned of is said in a line."""
    with warnings.catch_warnings():
        warnings.simplefilter("always", UserWarning)
        warnings.showwarning = lambda message, *_, **__: say(str(message))
        yield


def print_answers(answers: Iterable[Answer]) -> None:
    """For each image: what was done to it, what it is, how sure, and how the members voted."""
    console = Terminal()
    for answer in answers:
        ranked = sorted(answer.probabilities.items(), key=lambda pair: -pair[1])
        console.print(f"{answer.image}: {answer.class_name} ({ranked[0][1]:.1%})", style="bold")
        for step in answer.steps:
            console.print(f"  image: {step}")
        for name, probability in ranked:
            console.print(f"  {probability:7.4f}  {name}")
        for member, probabilities in answer.members.items():
            vote = max(probabilities, key=probabilities.__getitem__)
            console.print(f"  {member}: {vote} ({probabilities[vote]:.1%})")


def print_export(made: Exported) -> None:
    """Where the file is, and how well it says what the stored models say."""
    console = Terminal(soft_wrap=True)
    console.print(f"{made.path.resolve()}", style="bold")
    undecided = f"; {made.undecided} of them equal but for rounding" if made.undecided else ""
    console.print(
        f"largest difference {made.difference:.1e} on {counted_images(made.images)}, the same class on all{undecided}"
    )
    if made.from_stored is not None:
        console.print(f"from the probabilities that the store has: {made.from_stored:.1e}")


def print_checked(found: Sequence[Checked]) -> None:
    """Which files are damaged, how many things cannot be told, and a count of all."""
    console = Terminal(soft_wrap=True)
    for one in found:
        for error in one.damages:
            console.print(f"damaged: {error.path}: {error.why}", style="bold")
        if one.damages and one.done:
            console.print(f"  {one.done}")
    unsure = Counter((one.kind, one.unchecked, one.done) for one in found if one.state == "unchecked")
    for (kind, why, done), number in unsure.items():
        console.print(f"unchecked: {number:,} of kind {kind}: {why}{f'; {done}' if done else ''}")
    for kind in dict.fromkeys(one.kind for one in found):
        states = Counter(one.state for one in found if one.kind == kind)
        counts = ", ".join(f"{states[state]:,} {state}" for state in ("sound", "unchecked", "damaged") if states[state])
        console.print(f"{kind}: {counts}")
    if not found:
        console.print("there is nothing yet")
