"""toile: a workbench for classifying small images.

Each verb of the command line is a function here: `toile.run("committee")`, `toile.report("committee")`. See `toile.verbs`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"
__all__ = ["combine", "compare", "export", "find_run", "plan", "predict", "report", "results", "run"]

if TYPE_CHECKING:
    from toile.verbs import combine, compare, export, find_run, plan, predict, report, results, run


def __getattr__(name: str) -> Any:
    # Lazy (PEP 562), so that `toile --help` imports nothing that it does not show.
    if name in __all__:
        from toile import verbs

        return getattr(verbs, name)
    raise AttributeError(f"module 'toile' has no attribute {name!r}")
