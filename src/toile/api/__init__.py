"""The Python API: each verb of the command line as a function. `import toile; toile.run("committee")`.

Wherever a study is wanted, it is given by the name of a packaged one or by the path of a TOML file. Functions that take
`**where` take all keys of `toile.api.where.Where`; `studies` is about studies, `runs` about single runs, `shipping` about a
model at work.
"""

from __future__ import annotations

from toile.api.comparing import compare
from toile.api.drafts import new
from toile.api.label_errors import label_errors
from toile.api.mistakes import mistakes
from toile.api.runs import check_gradients, evaluate, find_run, run
from toile.api.shipping import export, predict, submit
from toile.api.stores import check, log
from toile.api.studies import combine, keep_report, ledger, plan, report, results, with_previews, write_report
from toile.api.unlabelled import label_next

__all__ = [
    "check",
    "check_gradients",
    "combine",
    "compare",
    "evaluate",
    "export",
    "find_run",
    "keep_report",
    "label_errors",
    "label_next",
    "ledger",
    "log",
    "mistakes",
    "new",
    "plan",
    "predict",
    "report",
    "results",
    "run",
    "submit",
    "with_previews",
    "write_report",
]
