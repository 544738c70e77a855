"""The benchmarks: the harness on a toy, and what every file of the folder keeps to. How fast anything is, is no test."""

from __future__ import annotations

import importlib.util
import io
import json
import re

import pytest
from rich.console import Console

import tests.benchmarks.fixture
from benchmarks import __main__ as command
from benchmarks import train
from benchmarks.harness import report, tables
from benchmarks.harness.measure import Case, Measured, Side, in_fresh_process, measure
from toile import studies
from toile.models import architectures

SIDES = {
    "toile": Side(tests.benchmarks.fixture.known, {"speed": 6.0}, threads=1),
    "other": Side(tests.benchmarks.fixture.known, {"speed": 2.0}),
}
FACTS = {
    "machine": {"processor": "a processor"}, "cores": 2, "load": 0.5, "peak_gflops": {"float32": 100.0, "bfloat16": 200.0},
}  # fmt: skip


@pytest.fixture(scope="module")
def found() -> Measured:
    [one] = measure([Case("toy", SIDES, figure="speed", more_is_better=True, target=2.5, note="a note")], repeats=2)
    return one


def test_sides_run_in_turn_each_in_a_process_of_its_own(found):
    assert [list(figures) for figures in found.rounds] == [["toile", "other"], ["other", "toile"]]
    processes = {figures[side]["process"] for figures in found.rounds for side in SIDES}
    assert len(processes) == 4
    assert found.values("toile", "threads") == [1.0, 1.0]
    assert all(figures["peak_memory_mb"] > 1 and figures["seconds"] > 0 for one in found.rounds for figures in one.values())


def test_ratios_are_of_the_figure_that_counts(found):
    assert found.ratios("other") == [3.0, 3.0]
    assert found.reached()
    times = Case("times", SIDES, figure="speed", target=2.5)
    assert Measured(times, found.rounds).ratios("other") == pytest.approx([1 / 3, 1 / 3])
    assert Measured(times, found.rounds).reached() is False
    assert Measured(Case("alone", {"toile": SIDES["toile"]}, target=2.0), found.rounds).reached() is None


def test_a_target_for_each_side_that_it_speaks_of(found):
    def measured(**target: float) -> Measured:
        return Measured(Case("toy", SIDES, figure="speed", more_is_better=True, target=target), found.rounds)

    assert measured(other=2.5).reached() and measured(other=2.5).side_reached("other")
    assert measured(other=3.5).reached() is False
    assert measured().reached() is None and measured().side_reached("other") is None


def test_table_and_json_have_both_sides(found, tmp_path):
    console = Console(file=io.StringIO(), width=150)
    report.show("toy", "Known figures.\n\nMore.", FACTS, [found], console)
    printed = console.file.getvalue()
    for words in ("toy: Known figures.", "other", "3x (3 – 3)", "2.5x: reached", "a note", "200 GFLOP/s in bfloat16"):
        assert words in printed
    report.write(tmp_path / "new" / "toy.json", "toy", FACTS, [found], quick=True)
    written = json.loads((tmp_path / "new" / "toy.json").read_text("utf-8"))
    [case] = written["cases"]
    assert written["cores"] == 2 and written["quick"] is True and case["repeats"] == 2 and case["reached"] is True
    assert case["sides"]["other"]["toile_is_better_by"] == {"median": 3.0, "minimum": 3.0, "maximum": 3.0}
    assert [one["speed"] for one in case["sides"]["toile"]["rounds"]] == [6.0, 6.0]


def test_a_side_that_fails_says_why():
    with pytest.raises(RuntimeError, match=r"known failed:[\s\S]*ValueError: no such thing"):
        in_fresh_process(Side(tests.benchmarks.fixture.known, {"speed": 1.0, "fails": True}))


def test_a_side_that_fails_is_left_out_and_the_rest_is_kept(tmp_path):
    toy = tests.benchmarks.fixture.known
    good, bad = Side(toy, {"speed": 2.0}), Side(toy, {"speed": 1.0, "fails": True})
    cases = [
        Case("first", {"toile": good, "other": bad, "third": good}, figure="speed", target=1.0),
        Case("second", {"toile": bad, "other": good}, figure="speed", target=1.0),
    ]
    kept: list[int] = []
    found = measure(cases, repeats=1, keep=lambda so_far: kept.append(len(so_far)))
    assert [(one.case.name, list(one.case.sides), list(one.failed)) for one in found] == [
        ("first", ["toile", "third"], ["other"]), ("second", [], ["toile"]), ("second, other alone", ["other"], []),
    ]  # fmt: skip
    assert kept == [1, 3] and found[0].reached() and found[1].reached() is None
    report.write(tmp_path / "toy.json", "toy", FACTS, found, quick=True)
    written = json.loads((tmp_path / "toy.json").read_text("utf-8"))["cases"]
    assert "no such thing" in written[0]["failed"]["other"] and written[1]["sides"] == {} and written[2]["reached"] is None
    report.show("toy", "Known figures.", FACTS, found, Console(file=io.StringIO(), width=150))


def test_a_side_may_take_so_long():
    with pytest.raises(RuntimeError, match=r"known took longer than 0.01 seconds"):
        in_fresh_process(Side(tests.benchmarks.fixture.known, {"speed": 1.0}), 0.01)


@pytest.mark.slow
def test_many_trainings_as_one_program_are_each_what_it_is_alone():
    if importlib.util.find_spec("jax") is None:
        pytest.skip("JAX is not installed")
    [case] = [case for case in command.load("gpu").cases(True) if case.name.startswith("many")]
    figures = in_fresh_process(case.sides["stacked"])
    assert figures["largest_difference"] < 1e-5 and figures["images_per_second"] > 0


def test_unknown_benchmark(capsys):
    with pytest.raises(SystemExit) as stopped:
        command.main(["nothing"])
    assert stopped.value.code == 2 and "unknown benchmark nothing; known: " in capsys.readouterr().err


@pytest.mark.parametrize("name", command.names())
def test_every_benchmark_has_cases(name):
    module = command.load(name)
    assert module.__doc__.splitlines()[0]
    for quick in (True, False):
        cases = module.cases(quick)
        assert len({case.name for case in cases}) == len(cases) > 0
        for case in cases:
            assert set(case.targets()) <= set(list(case.sides)[1:])
            for side in case.sides.values():
                assert getattr(importlib.import_module(side.function.__module__), side.function.__name__) is side.function
                assert json.loads(json.dumps(side.arguments)) == side.arguments


@pytest.mark.slow
@pytest.mark.parametrize("name", train.REFERENCES)
def test_all_sides_train_the_same_model(name):
    from benchmarks.rivals.keras_models import MODELS

    reference = train.REFERENCES[name]
    [line] = (one for one in studies.load(reference.study).spec.trial if one.name == reference.trial)
    ours = architectures.build(line.architecture.name, (28, 28, 1), reference.classes, line.architecture.options)
    assert MODELS[name]().count_params() == ours.count_params()
    if importlib.util.find_spec("torch") is None:
        pytest.skip("PyTorch is not installed")
    assert (
        in_fresh_process(Side(tests.benchmarks.fixture.torch_parameters, {"name": name}))["parameters"] == ours.count_params()
    )


def test_the_document_says_what_was_measured():
    document = tables.DOCUMENT.read_text("utf-8")
    assert document == tables.filled(document), "python -m benchmarks.harness.tables"
    places = set(re.findall(r"<!-- end of ([\w-]+) -->", document))
    assert places == set(command.names())


def test_tables_of_a_document(found, tmp_path):
    facts = {**FACTS, "versions": {"keras": "3"}, "commit": "0123456789abcdef"}
    case = Case("toy, bfloat16", SIDES, figure="speed", more_is_better=True, target={"other": 4.0})
    rounds = [{side: figures | {"gflops": figures["speed"]} for side, figures in one.items()} for one in found.rounds]
    report.write(tmp_path / "toy.json", "toy", facts, [Measured(case, rounds)], quick=False)
    document = "# Fast\n<!-- toy -->\nold\n<!-- end of toy -->\nkept\n<!-- new -->\n<!-- end of new -->\n"
    filled = tables.filled(document, tmp_path)
    assert "| | other | 2 | 2 – 2 | 3 (3 – 3) | 4: missed | 1% |" in filled.replace("|  |", "| |")
    assert "old" not in filled and "kept" in filled and "Not measured yet." in filled
    assert "2 rounds" in filled and "commit 0123456789ab" in filled
    assert tables.filled(filled, tmp_path) == filled


def test_a_benchmark_that_was_measured_in_pieces_has_one_table(found, tmp_path):
    facts = {**FACTS, "versions": {}, "commit": None, "gpu": "a GPU"}
    for piece in ("first", "second"):
        case = Case(piece, SIDES, figure="speed", more_is_better=True)
        report.write(tmp_path / f"toy-{piece}.json", "toy", facts, [Measured(case, found.rounds)], quick=False)
    filled = tables.filled("<!-- toy -->\n<!-- end of toy -->\n", tmp_path)
    assert filled.index("| first (speed) |") < filled.index("| second (speed) |") and "a GPU, 2 cores" in filled
