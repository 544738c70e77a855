"""What the audit found, as a table. It is shown whatever its keys are: a new check appears without a change here."""

from __future__ import annotations

from typing import Any

from toile.reports.results.study import StudyResults
from toile.reports.table import TEXT, WRAPS, Column, Table
from toile.reports.text import NOTHING, brief

# Said elsewhere in the report.
SHOWN_ELSEWHERE = {"warnings", "shared", "name", "content", "class_names"}
# A check is called by its key with spaces, unless there is a better word.
WORDS = {
    "dtype": "pixel type",
    "counts": "images of each class",
    "mean": "pixel mean (0..255)",
    "std": "pixel standard deviation",
    "constant": "images of one colour",
    "duplicates: images": "images that repeat another",
    "duplicates: label disagrees": "… under another label",
    "duplicates: pairs": "… first pairs (index = index)",
    "duplicates: names": "… first pairs by file",
    "near duplicates: images": "images that are near-duplicates of another",
    "near duplicates: label disagrees": "… under another label",
    "near duplicates: pairs": "… first pairs (index = index)",
    "near duplicates: names": "… first pairs by file",
    "near duplicates": "images that are near-duplicates of another",  # where they were not looked for
}
SPLITS = {
    "train": "training images",
    "validation": "validation images",
    "test": "test images",
    "train_and_validation": "validation images also in train",
    "train_and_test": "test images also in train",
    "validation_and_test": "test images also in validation",
}


def audit_table(results: StudyResults) -> Table:
    """One row a fact, one column a split; a fact of the whole data set stands in the column of each split."""
    audit = results.audit
    splits = {key: label for key, label in SPLITS.items() if isinstance(audit.get(key), dict)}
    between = {key for key in splits if "_and_" in key}
    whole = {key: value for key, value in audit.items() if key not in (*SHOWN_ELSEWHERE, *SPLITS)}
    if not splits:
        rows = [[name, text] for name, text in _flat(whole).items()]
        return Table("What the audit of the images found", [Column("fact", TEXT), Column("value", "wide")], rows)
    facts = {key: _flat(_between(audit[key]) if key in between else audit[key]) for key in splits}
    names = dict.fromkeys(name for column in facts.values() for name in column)
    common = _flat(whole)
    rows = [[name, *("" if key in between else text for key in splits)] for name, text in common.items()]
    rows += [[name, *(column.get(name, "") for column in facts.values())] for name in names]
    rows = [[WORDS.get(name, name), *cells] for name, *cells in rows]
    columns = [Column("fact", TEXT), *(Column(label, WRAPS) for label in splits.values())]
    return Table("What the audit of the images found", columns, rows)


def _between(found: dict[str, Any]) -> dict[str, Any]:
    """What two parts have in common, as facts of one part are called."""
    near = {"near_duplicates": found["near_duplicates"]} if "near_duplicates" in found else {}
    return {"duplicates": {key: value for key, value in found.items() if key != "near_duplicates"}, **near}


def _flat(values: dict[str, Any], before: str = "") -> dict[str, str]:
    """`{"duplicates": {"images": 3}}` -> `{"duplicates: images": "3"}`."""
    flat: dict[str, str] = {}
    for key, value in values.items():
        name = before + str(key).replace("_", " ")
        if isinstance(value, dict):
            flat |= _flat(value, f"{name}: ")
        else:
            flat[name] = _text(name, value.tolist() if hasattr(value, "tolist") else value)
    return flat


def _text(name: str, value: Any) -> str:
    if isinstance(value, list | tuple):
        if not value:
            return NOTHING
        if all(isinstance(item, list | tuple) for item in value):
            pairs = [" = ".join(f"{number}" for number in pair) for pair in value[:3]]
            return ", ".join(pairs) + (" …" if len(value) > 3 else "")
        if "shape" in name:
            return " × ".join(map(brief, value))
        if len(value) > 4 and all(type(item) is int for item in value):
            few, many = min(value), max(value)
            return f"{few:,} in each class" if few == many else f"{few:,} to {many:,} in a class"
        return ", ".join(map(brief, value[:8])) + (f" … ({len(value):,} in all)" if len(value) > 8 else "")
    if isinstance(value, float):
        return f"{value:,.2f}"
    return NOTHING if value is None else f"{value:,}" if type(value) is int else brief(value)
