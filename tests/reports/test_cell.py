"""What a notebook shows: of each thing that a function returns, escaped, in both themes."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.reports.fixture import make_results
from tests.reports.test_html import _Page
from tests.runner.fixture import keep_run, line, make_plan
from toile.api.shown import SHOWN, Committees, Comparison
from toile.reports.page import palette
from toile.reports.results.result import CommitteeResult
from toile.reports.results.study import StudyResults
from toile.runner.plans.planned import Plan
from toile.store.run import Run
from toile.store.store import Store

NASTY = '<script>alert("x")</script>&\x1b[31m'


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> StudyResults:
    made = make_results(tmp_path_factory.mktemp("store"))
    first, *others = made.committees
    return replace(
        made,
        study=made.study.model_copy(update={"title": NASTY}),
        trials=(replace(made.trials[0], name=NASTY, line=NASTY), *made.trials[1:]),
        committees=(replace(first, name=NASTY), *others),
    )


@pytest.fixture(scope="module")
def plan(tmp_path_factory: pytest.TempPathFactory) -> Plan:
    store = Store(tmp_path_factory.mktemp("store"))
    store.prepare()
    made = make_plan(store, line("<b>bold"), line("other", 2))
    keep_run(store, made.trials[0])
    return made


COMPARED: dict[str, Any] = {
    "names": [NASTY, "b"], "split": "test", "trainings": 1, "images": 500, "accuracies": [0.9, 0.8], "difference": 0.1,
    "interval": [0.05, 0.15], "losses": [0.3, 0.4], "loss_difference": -0.1, "loss_interval": [-0.2, 0.0], "both_right": 380,
    "only_a": 70, "only_b": 20, "both_wrong": 30, "p_value": 0.00001, "differ": True, "verdict": f"{NASTY} and b differ",
}  # fmt: skip


@pytest.fixture(params=[*SHOWN], ids=lambda kind: kind.__name__)
def shown(request: pytest.FixtureRequest, found: StudyResults, plan: Plan) -> tuple[type, str]:
    one: dict[type, Callable[[], Any]] = {
        Plan: lambda: plan,
        StudyResults: lambda: found,
        CommitteeResult: lambda: found.committees[0],
        Committees: lambda: Committees(found.committees),
        Comparison: lambda: Comparison(COMPARED),
        Run: lambda: found.trials[1].stored_run,
    }
    return request.param, one[request.param]()._repr_html_()


SAYS = {
    Plan: ("missing", "stored", "1 to train, about"),
    StudyResults: ("model-2", "<svg viewBox", "Models on the test images", "Committees on the test images"),
    CommitteeResult: ("Members of the committees", "1/3"),
    Committees: ("Members of the committees", "1/3"),
    Comparison: ("0.1000", "0.0500 to 0.1500", "p &lt; 0.0001", ">70<"),
    Run: ("cnn (dense 256, dropout 0.25, filters 32–64", "<svg viewBox", "validation", "parameters"),
}


def test_it_is_whole_and_says_what_it_should(shown: tuple[type, str]) -> None:
    kind, html = shown
    assert _Page(html).tags[0] == ("div", {"class": "toile"})
    assert all(text in html for text in SAYS[kind]), html


def test_what_strangers_wrote_is_text(shown: tuple[type, str]) -> None:
    _, html = shown
    assert not {"script", "b"} & {tag for tag, _ in _Page(html).tags}
    assert "\x1b" not in html


def test_it_has_both_themes_and_asks_for_nothing(shown: tuple[type, str]) -> None:
    _, html = shown
    style = html[html.index("<style>") : html.index("</style>")]
    for colours, marks in (
        (palette.LIGHT, ('[data-jp-theme-light="true"]', "vscode-light")),
        (palette.DARK, ('[data-jp-theme-light="false"]', "vscode-dark", "prefers-color-scheme:dark")),
    ):
        for mark in marks:
            assert style.index(f"--surface:{colours['surface']}", style.index(mark))
    # Nothing of it touches the rest of the notebook's page.
    rules = re.sub(r"@media[^{]*\{", "", style.removeprefix("<style>"))
    selectors = [one for group in re.findall(r"([^{}]+)\{", rules) for one in group.split(",")]
    assert all(".toile" in one for one in selectors if "20rem" not in one)
    assert not re.search(r"(src|href)=.(?!#)|url\((?!#)|@import", html)


def test_ids_of_two_cells_do_not_collide(found: StudyResults) -> None:
    texts = [replace(found, study=found.study.model_copy(update={"title": title}))._repr_html_() for title in "ab"]
    one, other = ({value for _, given in _Page(text).tags if (value := given.get("id"))} for text in texts)
    assert one and not one & other


def test_a_study_without_runs_is_shown(tmp_path: Path) -> None:
    found = make_results(tmp_path, missing=("model-1", "model-2", "model-3"))
    html = found._repr_html_()
    assert "model-1 (not run yet)" in html and "<svg viewBox" not in html
    assert "No committee" in Committees()._repr_html_()


def test_all_that_is_returned_completes() -> None:
    script = (
        "import toile, sys; assert {'run', 'log', 'plan', 'compare'} <= set(dir(toile)); assert 'toile.api' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", script], check=True)
