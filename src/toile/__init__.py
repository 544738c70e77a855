"""toile: a workbench for classifying small images.

Each verb of the command line is a function here: `toile.run("committee")`, `toile.report("committee")`. See `toile.verbs`.
For users of scikit-learn there are `toile.ImageClassifier` and `toile.CommitteeClassifier`. See `toile.estimators`.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"
__all__ = [
    "CommitteeClassifier", "ImageClassifier",
    "combine", "compare", "export", "find_run", "plan", "predict", "report", "results", "run",
]  # fmt: skip

if TYPE_CHECKING:
    from toile.estimators import CommitteeClassifier, ImageClassifier
    from toile.verbs import combine, compare, export, find_run, plan, predict, report, results, run


def __getattr__(name: str) -> Any:
    # Lazy (PEP 562), so that `toile --help` imports nothing that it does not show.
    if name in __all__:
        return getattr(import_module("toile.estimators" if name.endswith("Classifier") else "toile.verbs"), name)
    raise AttributeError(f"module 'toile' has no attribute {name!r}")
