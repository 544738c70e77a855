"""What the committees and comparisons of a study get wrong."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from toile.study.committee import FITTED_RULES, K_FOLD, CommitteeSpec
from toile.study.fields.patterns import matching
from toile.study.fields.strict import is_array, is_table
from toile.study.file.lines import Location
from toile.study.file.mistakes import Mistake, unknown
from toile.study.file.tables import tables, whole


def mistakes(content: dict[str, Any], names: Sequence[str], broken: tuple[str, ...]) -> Iterator[Mistake]:
    """Everything that can be told without the data.

    Args:
        content: the study's, as `tomllib` gives it.
        names: of all its trials.
        broken: what the names of unreadable sweeps begin with.
    """
    if content.get("committee") == K_FOLD["name"]:
        if not _folds(content):
            yield ("committee",), f"the committee {K_FOLD['name']!r} is made of folds, and the study has none (split.folds)"
        return
    yield from _named(content, names, broken)
    for i, spec in whole(content, "committee", CommitteeSpec):
        for key, what in (*_rule(spec), *_among(spec), *_weights(spec), *_fit(spec, content)):
            yield ("committee", i, key), what


def _named(content: dict[str, Any], names: Sequence[str], broken: tuple[str, ...]) -> Iterator[Mistake]:
    """Committees, comparisons and close-ups of trials that are not there, or that are named twice."""
    close_up = content.get("close_up")
    shown = [name for name in close_up if isinstance(name, str)] if is_array(close_up) else []
    for name, count in Counter(shown).items():
        place: Location = ("close_up", shown.index(name))
        if name not in names and not name.startswith(broken):
            yield place, unknown("trial", name, names)
        if count > 1:
            yield place, f"{name!r} is named {count} times; once is enough"
    hints = {"members": "`weights` says that one member counts more than another", "trials": "once is enough"}
    for kind, key in (("committee", "members"), ("comparison", "trials")):
        for i, table in tables(content, kind):
            members = table.get(key)
            members = [name for name in members if isinstance(name, str)] if is_array(members) else []
            for name, count in Counter(members).items():
                place = (kind, i, key, members.index(name))
                if not matching(names, name) and not name.startswith(broken):
                    yield place, unknown("trial", name, names)
                elif name not in names and table.get("labels") and not name.startswith(broken):
                    yield place, f"{name!r} may be several trials, and has one label; leave `labels` out, or name each trial"
                if count > 1:
                    yield place, f"{name!r} is named {count} times; {hints[key]}"


def _rule(spec: CommitteeSpec) -> Iterator[tuple[str, str]]:
    """What another rule would need."""
    if spec.rule != "greedy":
        for key in (*(["candidates"] if spec.candidates else []), *spec.budgets):
            yield key, f'only the rule "greedy" chooses among members; the rule is {spec.rule!r}'


def _among(spec: CommitteeSpec) -> Iterator[tuple[str, str]]:
    """A library without candidates."""
    if spec.among != "study" and not spec.candidates:
        yield "among", "it says where `candidates` are looked for; `members` are trials of the study"


def _weights(spec: CommitteeSpec) -> Iterator[tuple[str, str]]:
    """Weights that do not fit their committee."""
    if spec.rule == "weighted-mean" and spec.weights is None:
        yield "rule", 'rule "weighted-mean" needs `weights`: one number a member, or "fit"'
    if spec.rule in FITTED_RULES and spec.weights is not None:
        yield "weights", f"the rule {spec.rule!r} is always fitted; leave `weights` out"
    elif spec.rule != "weighted-mean" and spec.weights is not None:
        yield "weights", f'only the rule "weighted-mean" takes weights; the rule is {spec.rule!r}'
    if not isinstance(spec.weights, tuple):
        return
    if spec.across == "seeds":
        yield "weights", f"a committee across {spec.across} has as many members as there are {spec.across}: no weights"
        return
    if len(spec.weights) != len(spec.members) and not any(set(name) & set("*?[") for name in spec.members):
        yield "weights", f"one number a member is wanted, got {len(spec.weights)} for {len(spec.members)} members"
    if any(weight < 0 for weight in spec.weights) or sum(spec.weights) <= 0:
        yield "weights", f"weights are at least 0 and not all 0, got {list(spec.weights)}"


def _fit(spec: CommitteeSpec, content: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """What is fitted where nothing is held out."""
    asked = content.get("split")
    split = asked if is_table(asked) else {}
    own = any(is_table(table.get("split")) for kind in ("trial", "sweep") for _, table in tables(content, kind))
    if spec.across == "folds" and not _folds(content):
        yield "across", "a committee across folds needs folds, and the study has none (split.folds)"
    elif (spec.fitted or spec.calibrated) and not own and split.get("validation") == 0 and split.get("folds") is None:
        key, what = ("rule", spec.rule) if spec.fitted else ("calibration", spec.calibrated)
        key = "weights" if spec.weights == "fit" else key
        yield key, f"{what} is fitted on the validation split or on folds; the study has neither (split.validation = 0)"


def _folds(content: dict[str, Any]) -> bool:
    """Whether any trial of the study has folds."""
    lines = [table for kind in ("trial", "sweep") for _, table in tables(content, kind)]
    return any(is_table(split := one.get("split")) and split.get("folds") for one in (content, *lines))
