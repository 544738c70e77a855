"""What a report says of a search: the leaderboard, what mattered, and what the pick is worth."""

from __future__ import annotations

from typing import Any

from toile.reports.results.search import SearchResult
from toile.reports.results.study import StudyResults
from toile.reports.table import NUMBER, TEXT, WIDE, Column, Table
from toile.reports.text import NOTHING, brief, count, duration, figure


def paragraphs(results: StudyResults) -> list[str]:
    """What the search came to, in sentences; none without one."""
    search = results.search
    if search is None:
        return []
    spec = results.study.search
    assert spec is not None
    alike = sum(not row["apart"] for row in search.rows) - 1
    how = f"pruned by {spec.pruning}" if spec.pruning else "each trained to its end"
    said = [
        f"{len(search.rows)} different proposals by {spec.sampler}, {how}, in {search.trainings} trainings and "
        f"{duration(search.seconds)} of one core. The validation images picked {search.rows[0]['name']}: {search.metric} "
        f"{figure(search.figure)}. {_alike(alike)}",
        luck(search),
    ]
    if search.failed:
        said.append(
            f"{search.failed} of all proposals count as the worst: their loss became no number, or their values do not go "
            "together."
        )
    if search.alone:
        said.append(f"No committee is chosen from what was trained: {search.alone}.")
    if spec.pruning:
        said.append(
            "A trial that was not gone on with is a run of fewer epochs, with the first part of its schedule, which keeps its "
            "full length. It may be gone on with later, and a committee may choose it."
        )
    return said


def _alike(alike: int) -> str:
    if alike == 0:
        return "All others can be told from it on these images."
    others = "1 other cannot" if alike == 1 else f"{alike} others cannot"
    return f"{others} be told from it there (McNemar, corrected for so many tests)."


def luck(search: SearchResult) -> str:
    """The winner's curse, measured."""
    sign = 1 if search.metric == "accuracy" else -1
    less = sign * (search.figure - search.elsewhere)
    how = f"{figure(abs(less))} {'less good' if less > 0 else 'better'}" if figure(abs(less)) != figure(0.0) else "no less good"
    text = (
        f"The figure of a pick is often too good, as it was picked for it: a pick by four fifths of the validation images has "
        f"{figure(search.elsewhere)} on the other fifth, {how}."
    )
    if search.test is None:
        return text + " There are no test images."
    return (
        f"{text} On the test images, which are shown for the pick and for the committees with their members alone, it has "
        f"{figure(search.test)}."
    )


def leaderboard(results: StudyResults) -> Table:
    """All proposals, the best first."""
    search = results.search
    columns = [
        Column("trial", TEXT), Column("values", WIDE), Column("epochs", NUMBER), Column("figure"),
        Column("told from the first", TEXT), Column("parameters"), Column("ms an image"), Column("core time"),
        Column("front", TEXT),
    ]  # fmt: skip
    if search is None:
        return Table("The search", columns, [])
    columns[3] = Column(f"validation {search.metric}")
    rows = [
        [
            row["name"], values(row["values"]), f"{row['epochs']} of {row['whole']}", figure(row["figure"]),
            NOTHING if row is search.rows[0] else "yes" if row["apart"] else "no", known(row["parameters"]),
            figure(row["milliseconds"], 3), duration(row["seconds"]), ", ".join(row["front"]) or NOTHING,
        ]
        for row in search.rows
    ]  # fmt: skip
    note = "Front: no other is as good and has fewer parameters, milliseconds, or core seconds. No test figure picked anything."
    return Table("The search", columns, rows, strong={0}, note=note)


def importance_table(results: StudyResults) -> Table:
    """What mattered."""
    columns = [Column("among", TEXT), Column("parameter", TEXT), Column("share")]
    found = results.search.importance if results.search else {}
    rows = [[group, name, figure(share, 2)] for group, shares in found.items() for name, share in shares.items()]
    note = (
        "Shares of the differences between the figures after the fewest epochs that each parameter accounts for, by a forest "
        "over them (fANOVA, by Optuna). Of few proposals they are rough."
    )
    return Table("What mattered", columns, rows, note=note)


def values(chosen: dict[str, Any]) -> str:
    """`cnn; dropout 0.25; optimizer.name adam`."""
    return "; ".join(
        brief(value) if key == "architecture.name" else f"{key.split('.', 1)[1]} {brief(value)}"
        for key, value in chosen.items()
    )


def known(value: float) -> str:
    return NOTHING if value == float("inf") else count(value)
