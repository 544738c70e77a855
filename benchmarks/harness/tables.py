"""The tables of docs/performance.md, from the JSON of the benchmarks: `python -m benchmarks.harness.tables`.

The document has a place for each benchmark, between `<!-- train -->` and `<!-- end of train -->`; what stands there is
replaced, and nothing else is touched. A test sees to it that the document says what the JSON says.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.harness.report import number
from toile.store import atomic

RESULTS = Path(__file__).parents[1] / "results"
DOCUMENT = Path(__file__).parents[2] / "docs" / "performance.md"
_PLACE = re.compile(r"<!-- (?P<name>[\w-]+) -->\n.*?<!-- end of (?P=name) -->", re.DOTALL)


def filled(document: str, results: Path = RESULTS) -> str:
    """The document with the tables that the JSON files in `results` give; a benchmark without a file is said to have none.

    Where a benchmark was measured in pieces (`--only`), its files are joined, by their names.
    """

    def place(match: re.Match[str]) -> str:
        name = match["name"]
        whole = results / f"{name}.json"
        paths = [whole] if whole.is_file() else sorted(results.glob(f"{name}-*.json"))
        read = (json.loads(path.read_text("utf-8")) for path in paths)
        found = [one for one in read if one["benchmark"] == name]  # another benchmark's name may begin with this one's
        cases = [case for one in found for case in one["cases"]]
        table = markdown({**found[0], "cases": cases}) if cases else "Not measured yet.\n"
        return f"<!-- {name} -->\n{table}<!-- end of {name} -->"

    return _PLACE.sub(place, document)


def markdown(result: dict[str, Any]) -> str:
    """One benchmark: a row for each side of each case, and what it was measured on."""
    shares = any("gflops" in one for case in result["cases"] for side in case["sides"].values() for one in side["rounds"])
    columns = ["case", "side", "median", "range", "toile is better by", "target", *(["of the peak"] if shares else [])]
    lines = [f"| {' | '.join(columns)} |", f"| --- | --- |{' --: |' * (len(columns) - 2)}"]
    for case in result["cases"]:
        for i, (name, side) in enumerate(case["sides"].items()):
            about = f"{case['name']} ({case['figure'].replace('_', ' ')})" if i == 0 else ""
            cells = [about, name, *_summary(side[case["figure"]]), _better(side), _target(case, name)]
            lines.append(f"| {' | '.join([*cells, *([_share(result, case, side)] if shares else [])])} |")
    peak = " and ".join(f"{number(value)} GFLOP/s in {precision}" for precision, value in result["peak_gflops"].items())
    repeats = max(case["repeats"] for case in result["cases"])
    rounds = f"{repeats} round{'s' if repeats > 1 else ''}"
    versions = ", ".join(f"{package} {version}" for package, version in sorted(result["versions"].items()))
    gpu = f"{result['gpu']}, " if "gpu" in result else ""
    lines += [
        "",
        f"{gpu}{result['cores']} cores of {result['machine']['processor']}, peak {peak}; {rounds}; load {result['load']:g} "
        f"before it began; commit {result['commit'][:12] if result['commit'] else 'unknown'}; {versions}.",
    ]
    return "\n".join(lines) + "\n"


def _summary(values: dict[str, float]) -> list[str]:
    return [number(values["median"]), f"{number(values['minimum'])} – {number(values['maximum'])}"]


def _better(side: dict[str, Any]) -> str:
    if (times := side.get("toile_is_better_by")) is None:
        return ""
    return f"{number(times['median'])} ({number(times['minimum'])} – {number(times['maximum'])})"


def _target(case: dict[str, Any], name: str) -> str:
    target = case["target"]
    target = target.get(name) if isinstance(target, dict) else target
    if target is None or (times := case["sides"][name].get("toile_is_better_by")) is None:
        return ""
    return f"{target:g}: {'reached' if times['median'] >= target else 'missed'}"


def _share(result: dict[str, Any], case: dict[str, Any], side: dict[str, Any]) -> str:
    """How much of the machine's largest matrix product the arithmetic comes to, in the precision that the case names."""
    if not all("gflops" in one for one in side["rounds"]):
        return ""
    precision = "bfloat16" if "bfloat16" in case["name"] else "float32"
    return f"{median(one['gflops'] for one in side['rounds']) / result['peak_gflops'][precision]:.0%}"


if __name__ == "__main__":
    atomic.write(DOCUMENT, filled(DOCUMENT.read_text("utf-8")).encode())
