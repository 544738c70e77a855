"""The fresh process of a side: `python -m benchmarks.harness.process MODULE FUNCTION ARGUMENTS`."""

from __future__ import annotations

import contextlib
import importlib
import json
import resource
import sys


def main(module: str, function: str, arguments: str) -> None:
    """Call the function and print its figures as a line of JSON, with the peak memory of this process or its largest child."""
    answers = sys.stdout
    with contextlib.redirect_stdout(sys.stderr):
        figures = getattr(importlib.import_module(module), function)(**json.loads(arguments))
    used = max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    megabytes = used / (2**20 if sys.platform == "darwin" else 2**10)
    print(json.dumps({"peak_memory_mb": megabytes, **figures}), file=answers)


if __name__ == "__main__":
    main(*sys.argv[1:])
