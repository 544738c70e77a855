"""`python -m benchmarks NAME…`: measure, print a table, write JSON."""

from __future__ import annotations

import argparse
import importlib
import pkgutil
import re
from pathlib import Path
from types import ModuleType

import benchmarks
from benchmarks.harness import machine, measure, report


def names() -> list[str]:
    """All benchmarks."""
    found = pkgutil.iter_modules(benchmarks.__path__)
    return sorted(one.name.replace("_", "-") for one in found if one.name != "__main__" and not one.ispkg)


def load(name: str) -> ModuleType:
    """The module of a benchmark."""
    return importlib.import_module(f"{benchmarks.__name__}.{name.replace('-', '_')}")


def main(arguments: list[str] | None = None) -> None:
    """Entry point."""
    about = "\n".join(f"  {name:<12} {load(name).__doc__.splitlines()[0]}" for name in names())
    parser = argparse.ArgumentParser(
        "python -m benchmarks", description=benchmarks.__doc__.splitlines()[0], epilog=f"benchmarks:\n{about}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    parser.add_argument("name", nargs="*", help="all where left out")
    parser.add_argument("--repeats", type=int, default=3, help="of every side (3)")
    parser.add_argument("--only", default="", help="cases whose name has these words in it; written to NAME-WORDS.json")
    parser.add_argument("--quick", action="store_true", help="small: whether it runs, not how fast; writes no JSON by itself")
    parser.add_argument("--output", type=Path, help="folder of the JSON files (benchmarks/results)")
    parser.add_argument("--limit", type=float, help="seconds of a side; one that takes longer, or fails, is left out")
    parser.add_argument(
        "--pieces", type=Path, help="folder in which each side leaves its figures; what is there is not measured again"
    )
    parser.add_argument("--show", action="store_true", help="with --pieces: measure nothing, show what is there")
    options = parser.parse_args(arguments)
    if options.show and not options.pieces:
        parser.error("--show wants --pieces FOLDER")
    if unknown := sorted(set(options.name) - set(names())):
        parser.error(f"unknown benchmark {', '.join(unknown)}; known: {', '.join(names())}")
    output = options.output or (None if options.quick else Path(__file__).with_name("results"))
    facts = machine.facts()
    for name in options.name or names():
        cases = [case for case in load(name).cases(options.quick) if options.only in case.name]
        # Some of the cases have a file of their own, and do not take the place of all.
        words = "-".join([name, *re.findall(r"\w+", options.only)])
        path = output and output / f"{words}.json"

        def keep(found: list[measure.Measured], name: str = name, path: Path | None = path) -> None:
            if path is not None:
                report.write(path, name, facts, found, quick=options.quick)

        found = measure.measure(
            cases, options.repeats, tell=report.say, limit=options.limit,
            keep=keep if options.limit is not None or options.pieces else None,
            pieces=measure.Pieces(options.pieces, not options.show),
        )  # fmt: skip
        report.show(name, load(name).__doc__, facts, found)
        keep(found)


if __name__ == "__main__":
    main()
