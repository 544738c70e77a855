"""Progress in a notebook: drawn in one place, as HTML."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

from tests.runner.fixture import line, make_plan
from toile.runner import cell
from toile.runner.cell import Cell
from toile.runner.events import Event
from toile.runner.plans.planned import Plan
from toile.store.store import Store

EPOCH = {"epochs": 4, "loss": 0.5, "accuracy": 0.75, "images_per_second": 100.0}


@pytest.fixture
def plan(tmp_path: Path) -> Plan:
    return make_plan(Store(tmp_path), line("<b>a", 4), line("b", 4, seeds=[1]), line("c", 4, seeds=[2]))


def told(plan: Plan, place: int, kind: str, **fields: object) -> Event:
    one = plan.trials[place]
    return Event(kind, one.name, one.fingerprint, fields)  # type: ignore[arg-type]


class Clock:
    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


def test_it_shows_epochs_what_ended_and_what_failed(plan: Plan) -> None:
    drawn: list[str] = []
    clock = Clock()
    with Cell(plan, plan.pending(), 2, drawn.append, clock) as shown:
        for event in (
            told(plan, 0, "started"),
            told(plan, 0, "epoch", epoch=1, **EPOCH),
            told(plan, 1, "done"),
            told(plan, 2, "failed", error="no memory", output=["Traceback <x>\x1b[0m"]),
        ):
            clock.seconds += 1
            shown(event)
    assert len(drawn) == 5
    assert "0 of 3 ended, about" in drawn[0] and "started" in drawn[0]
    assert 'value="0.2500" aria-label="&lt;b&gt;a">25%' in drawn[1] and "epoch 1/4  loss 0.5000" in drawn[1]
    last = drawn[-1]
    assert "2 of 3 ended" in last and 'value="1.0000" aria-label="b"' in last
    assert "failed: no memory" in last and "  | Traceback &lt;x&gt;\\x1b[0m" in last
    assert not any("\x1b" in html or "<b>" in html for html in drawn)


def test_it_is_drawn_no_more_than_a_person_can_see(plan: Plan) -> None:
    drawn: list[str] = []
    with Cell(plan, plan.pending(), 2, drawn.append, Clock()) as shown:
        for epoch in range(1, 5):
            shown(told(plan, 0, "epoch", epoch=epoch, **EPOCH))
    assert len(drawn) == 2 and "epoch 4/4" in drawn[-1]


def test_nothing_to_do_is_not_drawn(plan: Plan) -> None:
    drawn: list[str] = []
    with Cell(plan, [], 2, drawn.append):
        pass
    assert drawn == []


@pytest.mark.parametrize(("shell", "there"), [(None, False), (SimpleNamespace(), False), (SimpleNamespace(kernel=1), True)])
def test_a_notebook_is_told_from_a_terminal(shell: object, there: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    ipython, display = ModuleType("IPython"), ModuleType("IPython.display")
    ipython.get_ipython = lambda: shell  # type: ignore[attr-defined]
    display.HTML = str  # type: ignore[attr-defined]
    place = SimpleNamespace(update=said.append)
    display.display = lambda html, display_id: said.append(f"new {html}") or place  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "IPython", ipython)
    monkeypatch.setitem(sys.modules, "IPython.display", display)
    draw = cell.place()
    assert (draw is not None) == there
    if draw is not None:
        draw("<p>x</p>")
        draw("<p>y</p>")
        assert said == ["new <p>x</p>", "<p>y</p>"]


def test_without_ipython_there_is_no_notebook(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "IPython", raising=False)
    assert cell.place() is None
