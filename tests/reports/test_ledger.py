"""The ledger: result files that tell when they were touched, and verdicts that follow from them."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from tests.runner.fixture import keep_run, line, make_plan
from tests.training.fixture import make_store
from toile import studies
from toile.errors import ToileError
from toile.reports.ledger import results as measured
from toile.reports.ledger.ledger import rows
from toile.reports.ledger.render import render, whole
from toile.reports.ledger.results import Measured
from toile.store.store import Store
from toile.study.expand import variants
from toile.study.fields.published import Published
from toile.study.reduction import Reduction
from toile.study.spec import StudySpec
from toile.study.trial import Trial, TrialArchitecture, TrialDataset

REPOSITORY = Path(__file__).parents[2]


def study(
    published: float = 0.9,
    note: str | None = None,
    folds: int | None = None,
    differs: str | None = None,
    seeds: tuple[int, ...] = (0,),
) -> StudySpec:
    kind = "cross_validation" if folds else "test"
    return StudySpec.model_validate(
        {
            "title": "t",
            "dataset": "digits",
            "trial": [
                {
                    "name": "a",
                    "architecture": {"name": "mlp", "hidden": [8]},
                    "published": {kind: {"accuracy": published, "loss": 0.3}, "differs": differs},
                    "seeds": list(seeds),
                    "note": note,
                    "split": {"folds": folds} if folds else None,
                },
                {"name": "unpublished", "architecture": "mlp"},
            ],
        }
    )


def result(
    spec: StudySpec,
    accuracy: float,
    seed: int = 0,
    fold: int | None = None,
    reduction: Reduction | None = None,
    loss: float = 0.3,
) -> Measured:
    line = variants(spec)[0]
    line = reduction.of(line) if reduction else line
    trial = Trial(
        dataset=TrialDataset(content="0" * 64, classes=10, image_shape=(28, 28, 1)),
        split=line.split,
        fold=fold,
        architecture=TrialArchitecture(name="mlp", options={"hidden": [8], "dropout": 0.0}, revision=1),
        recipe=line.recipe,
        seed=seed,
    )
    metrics = {part: {"accuracy": accuracy, "loss": loss} for part in ("test", "validation")}
    facts = {"parameters": 7, "seconds": {"train": 1.5, "evaluate": 0.1}}
    return Measured("s", "a", "a", str(reduction or ""), trial, metrics, {"loss": 0.1}, facts)


@pytest.mark.parametrize(
    ("accuracies", "losses", "reason", "verdict"),
    [
        # The mean of three is allowed t(0.975, 2) * s * sqrt(1 + 1/3) of the published 0.9 and 0.3: s is 0.001 here.
        ((0.903, 0.904, 0.905), (0.301, 0.302, 0.303), None, "reproduced"),
        ((0.903, 0.904, 0.905), (0.301, 0.302, 0.303), "said where it differs", "reproduced"),
        ((0.905, 0.906, 0.907), (0.301, 0.302, 0.303), None, "differs in accuracy: no reason was found"),
        ((0.903, 0.904, 0.905), (0.305, 0.306, 0.307), "another\nloss", "differs in loss: another loss"),
        ((0.893, 0.894, 0.895), (0.204, 0.205, 0.206), None, "differs in accuracy and loss: no reason was found"),
    ],
)
def test_a_verdict_follows_from_the_distance_and_the_spread(
    accuracies: tuple[float, ...], losses: tuple[float, ...], reason: str | None, verdict: str
) -> None:
    spec = study(note="what a reader of the report should know is no reason", differs=reason, seeds=(0, 1, 2))
    found = [result(spec, a, seed, loss=b) for seed, (a, b) in enumerate(zip(accuracies, losses, strict=True))]
    row, _ = rows({"s": spec}, found)
    assert row.verdict == verdict
    assert row.measured["accuracy"] == pytest.approx(sum(accuracies) / 3)
    assert row.allowed["accuracy"] == pytest.approx(4.3027 * 0.001 * (4 / 3) ** 0.5 + 0.0005, rel=1e-4)
    assert row.parameters == 7


def test_what_has_no_published_figure_is_not_reproduced() -> None:
    spec = study()
    bare = spec.trial[0].model_copy(update={"published": Published(parameters=7)})
    spec = spec.model_copy(update={"trial": (bare,)})
    assert rows({"s": spec}, [result(spec, 0.9)])[0].verdict == "measured: no figure is published"


def test_nothing_measured_says_so() -> None:
    row, _ = rows({"s": study()}, [])
    assert (row.verdict, row.n, row.measured) == ("not measured", 0, {})


def test_a_reduced_result_is_no_reproduction_and_gives_way_to_a_full_one() -> None:
    spec = study()
    small = result(spec, 0.9, reduction=Reduction(0.1, 0.1))
    row, _ = rows({"s": spec}, [small])
    assert row.verdict == "reduced: to 0.1 of the training images and 0.1 of the epochs"
    row, _ = rows({"s": spec}, [small, result(spec, 0.9)])
    assert (row.verdict, row.n) == ("reproduced", 1)


def test_a_result_of_another_recipe_does_not_count() -> None:
    spec = study()
    other = result(spec, 0.9)
    recipe = other.trial.recipe.model_copy(update={"batch_size": 7})
    trial = other.trial.model_copy(update={"recipe": recipe})
    assert rows({"s": spec}, [replace(other, trial=trial)])[0].verdict == "not measured"


def test_seeds_that_the_study_does_not_ask_for_are_of_its_line_too() -> None:
    spec = study()
    row, _ = rows({"s": spec}, [result(spec, 0.89, seed=0), result(spec, 0.91, seed=7)])
    assert (row.n, row.measured["accuracy"]) == (2, pytest.approx(0.9))
    folded = study(folds=2)
    of_another = [result(folded, 0.8, seed=7, fold=fold) for fold in (0, 1)]
    row, _ = rows({"s": folded}, [result(folded, 0.9, fold=0), result(folded, 0.9, fold=1), *of_another])
    assert (row.n, row.measured["accuracy"]) == (2, pytest.approx(0.9))


def test_folds_are_a_mean_with_its_spread_and_all_are_wanted() -> None:
    spec = study(folds=3)
    two = [result(spec, 0.89, fold=0), result(spec, 0.91, fold=1)]
    row, _ = rows({"s": spec}, two)
    assert row.verdict == "reduced: 2 of 3 folds"
    row, _ = rows({"s": spec}, [*two, result(spec, 0.90, fold=2)])
    assert row.verdict == "reproduced"
    assert row.measured["accuracy"] == pytest.approx(0.9)
    assert row.spread["accuracy"] == pytest.approx(0.01)
    assert "0.9000 ± 0.0100" in render([row])


def test_a_result_file_that_was_edited_is_refused(tmp_path: Path) -> None:
    one = result(study(), 0.9)
    content = {
        "study": "s", "line": "a", "name": "a", "reduced": "", "fingerprint": one.fingerprint,
        "trial": json.loads(one.trial.canonical()), "metrics": one.metrics, "last": one.last, "facts": one.facts,
    }  # fmt: skip
    (tmp_path / "a.json").write_text(json.dumps(content))
    assert measured.read(tmp_path) == [one]
    content["trial"]["seed"] = 1
    (tmp_path / "a.json").write_text(json.dumps(content))
    with pytest.raises(ToileError, match=r"a\.json is no result: it is not what was measured"):
        measured.read(tmp_path)


def test_a_result_keeps_the_name_of_its_file_whatever_its_trial_is_called_now(tmp_path: Path) -> None:
    store = make_store(tmp_path / "store")
    made = make_plan(store, line("a", 1, {"name": "mlp", "hidden": [8]}))
    keep_run(store, made.trials[0])
    assert measured.write(made, tmp_path / "results") == 1
    [written] = (tmp_path / "results").rglob("*.json")
    assert measured.write(replace(made, trials=(replace(made.trials[0], name="a (seed 0)"),)), tmp_path / "results") == 0
    assert list((tmp_path / "results").rglob("*.json")) == [written]


def test_two_lines_of_one_trial_have_a_file_each(tmp_path: Path) -> None:
    made = make_plan(make_store(tmp_path), line("a"), line("the same"))
    assert len({one.fingerprint for one in made.trials}) == 1
    keep_run(made.store, made.trials[0])
    assert measured.write(made, tmp_path / "results") == 2
    assert sorted(one.line for one in measured.read(tmp_path / "results")) == ["a", "the same"]
    assert measured.write(made, tmp_path / "results") == 0


def test_of_two_trainings_the_later_counts_and_it_is_said_where_that_is_not_the_stores(tmp_path: Path, capsys) -> None:
    store = make_store(tmp_path / "store")
    made = make_plan(store, line("a"))
    ended = {"finished": "2026-05-06T07:08:09+00:00"}
    keep_run(store, made.trials[0])
    made.stored_run(made.trials[0]).provenance.update(ended)
    assert measured.write(made, tmp_path / "results") == 1
    [written] = (tmp_path / "results").rglob("*.json")
    content = json.loads(written.read_text())
    for finished, count in {"2026-05-06T07:08:10+00:00": 0, ended["finished"]: 0, "2026-05-06T06:59:59+00:00": 1}.items():
        written.write_text(json.dumps({**content, "facts": {"finished": finished}}))
        assert measured.write(made, tmp_path / "results") == count
        assert ("results of made stay for a: " in capsys.readouterr().err) == (finished > ended["finished"])


def test_a_run_with_damaged_probabilities_is_named_and_left_out(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    made = make_plan(make_store(tmp_path / "store"), line("a"), line("b", 2))
    runs = [keep_run(made.store, one) for one in made.trials]
    (runs[0].folder / "probabilities.npz").write_bytes(b"x")
    assert measured.write(make_plan(Store(made.store.root), line("a"), line("b", 2)), tmp_path / "results") == 1
    assert f"run {runs[0].fingerprint[:12]} is left out" in capsys.readouterr().err
    [written] = (tmp_path / "results").rglob("*.json")
    assert json.loads(written.read_text())["fingerprint"] == runs[1].fingerprint


def test_the_ledger_in_the_docs_is_made_from_the_results_in_the_repository() -> None:
    specs = {name: studies.load(name).spec for name in studies.names()}
    known = measured.read(REPOSITORY / "results")
    made = whole(rows(specs, known), known, REPOSITORY / "results")
    assert made == (REPOSITORY / "docs" / "reproduction.md").read_text("utf-8"), "run `toile ledger`"


def test_a_published_mean_of_members_is_laid_beside_the_same_mean() -> None:
    committee = {"name": "c", "members": ["a"], "published": {"mean_of_members": {"accuracy": 0.9, "loss": 0.3}}}
    content = study().model_dump(exclude_unset=True)
    spec = StudySpec.model_validate({**content, "trial": list(content["trial"]), "committee": [committee]})
    assert [row.verdict for row in rows({"s": spec}, [])] == ["not measured"] * 3
    *_, row = rows({"s": spec}, [result(spec, 0.95)])
    assert row.measured["accuracy"] == pytest.approx(0.95)
    assert row.verdict == "differs in accuracy: a differs"


def test_lines_of_a_study_that_no_document_asks_for_are_our_own() -> None:
    published, own = study(), study()
    options = {"hidden": [8], "weights": "/here/alone/w.h5"}
    lines = [trial.model_copy(update={"published": None}) for trial in own.trial]
    lines[0] = lines[0].model_copy(update={"architecture": lines[0].architecture.model_copy(update={"options": options})})
    lines[0] = lines[0].model_copy(update={"seeds": (0, 1)})
    own = own.model_copy(update={"trial": tuple(lines)})
    found = []
    for seed, accuracy in ((0, 0.8), (1, 0.9)):
        one = result(own, accuracy, seed)
        # A file of weights is known by its content, wherever it lies now.
        kept = one.trial.architecture.model_copy(update={"options": {"hidden": [8], "weights": "file"}, "weights": "c" * 64})
        trial = Trial(**{name: getattr(one.trial, name) for name in Trial.model_fields} | {"architecture": kept})
        found.append(replace(one, study="own", trial=trial))
    first, second, third, _ = rows({"own": own, "s": published}, found)
    assert (first.verdict, first.n, first.own) == ("measured: no figure is published", 2, True)
    assert first.measured["accuracy"] == pytest.approx(0.85)
    assert (second.line, second.verdict, third.own) == ("unpublished", "not measured", False)
    text = render([first, second, third])
    assert "1 published lines: 0 reproduced, 0 differs, 0 measured, 0 reduced, 1 not measured." in text
    assert text.index("## s") < text.index("## own")
    assert "2 lines that no document publishes anything about: 1 measured, 0 reduced, 1 not measured" in text
