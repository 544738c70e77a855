"""Names are data: a study of the oddest names is shown as any other is, and none reaches the terminal or the page as more."""

from __future__ import annotations

import io
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace
from xml.etree import ElementTree

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.reports.fixture import make_results
from tests.runner.fixture import line, make_plan
from toile import terminal
from toile.cli.answers import print_answers
from toile.reports.page.html import render
from toile.reports.plots.svg import inline
from toile.reports.results.study import StudyResults
from toile.reports.terminal.figures import print_committees, print_comparison, print_gradient_check
from toile.reports.terminal.study import print_summary
from toile.runner import show
from toile.runner.events import Event
from toile.runner.jobs import jobs
from toile.runner.progress import Show
from toile.store.store import Store
from toile.text import obeyed, printable

PIECES = ("[/x]", "[red]", "[link=x]", "\x1b]0;pwned\x07", "\x1b[2J", "\x9b31m", "$\\frac{$", ":smile:", "</svg>", "<!--",
          "]]>", '" id="x"', "&amp;", "{{ 1 }}", "%s", "\u202e", "é字", "\r", "\x00", "#", "url(#a)")  # fmt: skip
NAMES = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20) | st.lists(
    st.sampled_from(PIECES), min_size=1, max_size=4
).map("".join)


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> StudyResults:
    return make_results(tmp_path_factory.mktemp("runs"), models=("m1", "m2"), names=("c0", "c1"), train=60, test=40)


def renamed(results: StudyResults, name: str) -> StudyResults:
    """The same results, in which everything is called so that can have a name."""
    names = [f"{name}{number}" for number in range(4)]
    dataset = replace(results.dataset, name=name, class_names=tuple(names[: results.dataset.classes]))
    trials = [replace(one, name=new, line=new, published={**one.published, "source": name})
              for one, new in zip(results.trials, names, strict=False)]  # fmt: skip
    committees = [
        replace(
            one, name=names[3],
            joined=tuple(replace(member, name=new, line=new) for member, new in zip(one.joined, names, strict=False)),
        )
        for one in results.committees
    ]  # fmt: skip
    study = results.study.model_copy(
        update={"title": name, "question": name, "committee": (SimpleNamespace(name=names[3], note=name),)}
    )
    return replace(
        results, dataset=dataset, trials=tuple(trials), committees=tuple(committees), study=study, reference=name,
        audit={**results.audit, "warnings": [name]},
    )  # fmt: skip


def clean(text: str, keep: str = "\n") -> bool:
    return not [one for one in text if obeyed(one) and one not in keep]


@given(NAMES)
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_tables_on_the_terminal(made, capsys, name: str) -> None:
    results = renamed(made, name)
    capsys.readouterr()
    console = terminal.Terminal(file=io.StringIO(), width=300, color_system=None)
    print_summary(results, console)
    print_committees(results)
    print_comparison({"a": name, "accuracy": {name: 0.5}, "verdict": name})
    print_gradient_check([])
    answer = SimpleNamespace(image=name, class_name=name, probabilities={name: 1.0}, steps=[name], members={name: {name: 1.0}})
    print_answers([answer])
    found = {"title": name, "dataset": name, "trials": [{"name": name, "fingerprint": "0" * 64, "state": "stored", "test": {}}]}
    show.print_status({**found, "stored": 1, "damaged": 0, "begun": 0, "missing": 0})
    plan = {"name": name, "fingerprint": "0" * 64, "state": "missing", "parameters": 10, "seconds": 1.0}
    left = {"to_train": 1, "trainings": 1, "distinct": 1, "workers": 2, "seconds_left": 9.0, "seconds_saved": 0.0}
    dataset = {"name": name, "images": {"train": 1}, "classes": [name], "counts": {"train": [1]}}
    show.print_plan({"title": name, "dataset": dataset, "trials": [plan], **left})
    out, err = capsys.readouterr()
    assert clean(out) and clean(err) and clean(console.file.getvalue())
    if "\n" not in name and name == name.strip():
        assert printable(name) in console.file.getvalue()


@pytest.mark.parametrize("bars", [False, True])
@pytest.mark.parametrize("name", PIECES)
def test_progress(tmp_path: Path, capsys, monkeypatch, name: str, bars: bool) -> None:
    """A terminal's bars have escape sequences of their own, but none of a name's."""
    if bars:
        monkeypatch.setenv("FORCE_COLOR", "1")
        monkeypatch.setenv("TERM", "xterm")
    plan = make_plan(Store(tmp_path), line("a", 3))
    (job,) = jobs(plan.pending())
    with Show(plan, plan.pending(), 1) as tell:
        assert bool(tell.bars) == bars
        for kind, fields in (("started", {"worker": name}), ("moved", {"worker": name, "why": name}),
                             ("failed", {"error": name, "output": [name]})):  # fmt: skip
            tell(Event(kind, name, job.fingerprint, fields))
    out, err = capsys.readouterr()
    assert out == ""
    if bars:
        err = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]|\r", "", err)
    assert clean(err)
    assert printable(name) in err


@given(NAMES)
@settings(max_examples=8, deadline=None)
@pytest.mark.filterwarnings("ignore:Glyph")
def test_the_report_is_whole(made, name: str) -> None:
    page = render(renamed(made, name))
    assert clean(page, "\n\t")

    class Page(HTMLParser):
        pictures = scripts = 0

        def handle_starttag(self, tag: str, attrs: list) -> None:
            self.scripts += tag == "script"
            self.pictures += tag == "svg"

    parsed = Page()
    parsed.feed(page)
    assert parsed.scripts == 1, "the report's own"
    pictures = re.findall(r"<svg.*?</svg>", page, re.DOTALL)
    assert len(pictures) == parsed.pictures > 3
    for picture in pictures:
        ElementTree.fromstring(picture)


def test_words_in_a_picture_are_not_taken_for_tags() -> None:
    """Ids, addresses and colours are the page's to change, but not in a class that is called so."""
    odd = 'a id="x" href="#y" url(#z) font-family: w; #fcfcfb 0.12345'
    document = f'<svg viewBox="0 0 9 9"><g id="x" fill="url(#z)"><text>{odd}</text></g><p id="z" d="M 0.12345"/></svg>'
    picture = inline(document, "p", "t", "d")
    assert f"<text>{odd}</text>" in picture
    assert '<g fill="url(#p-z)">' in picture and '<p id="p-z" d="M 0.12"/>' in picture
