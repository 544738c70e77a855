"""toile: a workbench for classifying small images.

Each verb of the command line is a function here: `toile.run("committee")`, `toile.report("committee")`. See `toile.api`.
For users of scikit-learn there are `toile.ImageClassifier` and `toile.CommitteeClassifier`. See `toile.estimators`.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from toile.version import __version__

if TYPE_CHECKING:
    from toile.api import combine, compare, export, find_run, log, new, plan, predict, report, results, run
    from toile.estimators import CommitteeClassifier, ImageClassifier

__all__ = [
    "CommitteeClassifier",
    "ImageClassifier",
    "__version__",
    "combine",
    "compare",
    "export",
    "find_run",
    "log",
    "new",
    "plan",
    "predict",
    "report",
    "results",
    "run",
]


def __getattr__(name: str) -> Any:
    # Lazy (PEP 562), so that `toile --help` imports nothing that it does not show.
    if name in __all__:
        return getattr(import_module("toile.estimators" if name.endswith("Classifier") else "toile.api"), name)
    raise AttributeError(f"module 'toile' has no attribute {name!r}")


def __dir__() -> list[str]:
    # So that completion shows what is not imported yet.
    return sorted({*globals(), *__all__})
