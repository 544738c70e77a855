"""The fresh process of a side: `python -m benchmarks.harness.process MODULE FUNCTION ARGUMENTS`."""

from __future__ import annotations

import contextlib
import importlib
import json
import resource
import sys


def main(module: str, function: str, arguments: str) -> None:
    """Call the function and print its figures as a line of JSON.

    With them go the seconds that this process and its children kept a core busy, and the peak memory of the largest of them.
    """
    answers = sys.stdout
    with contextlib.redirect_stdout(sys.stderr):
        figures = getattr(importlib.import_module(module), function)(**json.loads(arguments))
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    always = {
        "core_seconds": sum(one.ru_utime + one.ru_stime for one in used),
        "peak_memory_mb": max(one.ru_maxrss for one in used) / (2**20 if sys.platform == "darwin" else 2**10),
    }
    print(json.dumps({**always, **figures}), file=answers)


if __name__ == "__main__":
    main(*sys.argv[1:])
