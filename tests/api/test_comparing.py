"""What may be compared, by which test: runs, committees, lines of several trainings."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

import toile
from tests.runner.fixture import keep_run
from toile import api
from toile.data.sources import digits
from toile.errors import Misuse, ToileError
from toile.evaluation.metrics import evaluate
from toile.reports.terminal.figures import print_comparison

STUDY = """
title = "made"
dataset = "digits"
seeds = [0, 1, 2]
{more}
[[trial]]
name = "a"
architecture = "mlp"
[[trial]]
name = "b"
architecture = "mlp"
recipe = {{ optimizer = "sgd" }}
[[trial]]
name = "one"
architecture = "mlp"
seeds = [7]
[[committee]]
name = "both"
members = ["a", "b"]
"""


@pytest.fixture
def study(tmp_path: Path) -> Path:
    return stored(tmp_path)


def test_what_both_have_of_each_training_stays_together(study: Path, capsys: pytest.CaptureFixture) -> None:
    found = api.compare(f"{study}/a", f"{study}/b", store=study.parent / "store")
    shown = [" and ".join(f"{one:.4g}" for one in pair) for pair in found["each"]]
    print_comparison(found)
    assert f"each             {', '.join(shown)}" in capsys.readouterr().out.replace("\n", " ")
    print_comparison(found | {"interval": [None, None]})
    assert "interval         –\n" in capsys.readouterr().out


def stored(
    folder: Path, more: str = "", study: str = STUDY, drawn: bool = True, store: Path | None = None, surer: bool = False
) -> Path:
    """A study of which all trials are stored; `drawn`: whether seeds matter to them; `surer`: each is surer than the last."""
    path = folder / "made.toml"
    path.write_text(study.format(more=more), "utf-8")
    plan = api.plan(path, store=store or folder / "store")
    plan.store.prepare()
    plan.store.keep(plan.dataset, plan.requested)
    for one in plan.trials:
        parts, said, metrics = plan.parts(one), {}, {}
        for name in ("validation", "test"):
            if (images := getattr(parts, name)) is not None:
                drawn_by = [one.trial.seed * drawn, len(said), ord(one.line[0]), one.trial.fold or 0]
                scores = np.random.default_rng(drawn_by).normal(size=(len(images), 10))
                scores[np.arange(len(images)), images.labels] += 3 if one.line == "a" else 1
                exponentials = np.exp(scores * (1 + surer * one.trial.seed))
                said[name] = (exponentials / exponentials.sum(axis=1, keepdims=True)).astype(np.float32)
                metrics[name] = evaluate(said[name], images.labels)
        keep_run(plan.store, one, probabilities=said, metrics=metrics)
    return path


def test_lines_are_compared_over_seeds_and_trainings_over_images(study: Path) -> None:
    where = {"store": study.parent / "store"}
    over_seeds = toile.compare(f"{study}/a", f"{study}/b", **where)
    assert (over_seeds["over"], over_seeds["trainings"], over_seeds["differ"]) == ("seeds", 3, True)
    single = toile.compare(f"{study}/a (seed 0)", f"{study}/b (seed 0)", **where)
    assert (single["over"], single["trainings"]) == ("images", 1)
    assert over_seeds["each"][0] == pytest.approx(single["accuracies"])


def test_committees_are_compared_with_their_members(study: Path) -> None:
    where = {"store": study.parent / "store"}
    found = toile.compare(f"{study}/both", f"{study}/a", margin=0.001, **where)
    assert (found["over"], found["trainings"]) == ("seeds", 3)
    assert found["equivalence"]["margin"] == 0.001
    single = toile.compare(f"{study}/both (seed 1)", f"{study}/one", **where)
    assert single["over"] == "images"
    assert single["accuracies"][0] == pytest.approx(found["each"][1][0])


def test_folds_are_compared_by_the_corrected_test(tmp_path: Path) -> None:
    study = stored(tmp_path, "split = { folds = 3 }")
    found = toile.compare(f"{study}/a", f"{study}/b", store=tmp_path / "store")
    assert (found["split"], found["over"], found["trainings"]) == ("validation", "folds", 9)
    # Three seeds of each fold are judged on the same images: three folds, and not nine.
    differences = np.subtract(*np.transpose(found["each"])).reshape(3, 3).mean(axis=0)
    half = (found["interval"][1] - found["interval"][0]) / 2
    spread = np.sqrt((1 / 3 + 1 / 2) * differences.var(ddof=1))
    assert half == pytest.approx(4.302652730 * spread)  # t of 2 degrees of freedom
    assert "over 3 folds" in found["verdict"]


def test_a_committee_of_folds_is_compared_with_its_member_on_the_test_images(tmp_path: Path) -> None:
    """All folds of a line together where the committee is across them; each fold where there is a committee of each."""
    more = '[[committee]]\nname = "k-fold"\nmembers = ["a", "b"]\nacross = "folds"\n'
    study, where = stored(tmp_path, "split = { folds = 3 }", study=STUDY + more), {"store": tmp_path / "store"}
    made = api.plan(study, **where)
    folds = [one for one in made.trials if one.line == "a" and one.trial.seed == 0]
    said = [made.stored_run(one).probabilities("test") for one in folds]
    right = np.mean(said, axis=0).argmax(axis=1) == made.dataset.test.labels
    found = toile.compare(f"{study}/k-fold", f"{study}/a", **where)
    assert (found["split"], found["over"], found["trainings"]) == ("test", "seeds", 3)
    assert found["each"][0][1] == pytest.approx(right.mean())
    single = toile.compare(f"{study}/k-fold (seed 0)", f"{study}/one", **where)
    assert (single["split"], single["over"]) == ("test", "images")
    by_fold = toile.compare(f"{study}/a", f"{study}/both", **where)
    assert (by_fold["split"], by_fold["over"], by_fold["trainings"]) == ("test", "folds", 9)
    assert by_fold["each"][0][0] == pytest.approx((said[0].argmax(axis=1) == made.dataset.test.labels).mean())
    assert toile.compare(f"{study}/a", f"{study}/b", **where)["split"] == "validation"


def test_committees_of_folds_not_all_stored_are_compared_as_in_the_report(tmp_path: Path) -> None:
    """What is held out is a share of the split's folds, and not of those that are stored."""
    more = '[[committee]]\nname = "weighed"\nmembers = ["a", "b"]\nrule = "weighted-mean"\nweights = [1, 9]\n'
    study, where = stored(tmp_path, "split = { folds = 3 }", study=STUDY + more), {"store": tmp_path / "store"}
    for one in api.plan(study, **where).trials:
        if one.trial.fold == 2:
            shutil.rmtree(where["store"] / "runs" / one.fingerprint)
    found = toile.compare(f"{study}/both", f"{study}/weighed", **where)
    assert (found["over"], found["trainings"]) == ("folds", 6)
    claims = api.results(study, **where).claims.pairs.values()
    (claim,) = [one for one in claims if {one.a[1], one.b[1]} == {"both", "weighed"}]
    ends = sorted(map(abs, found["interval"]))
    assert sorted(map(abs, claim.test.interval())) == pytest.approx(ends)


def test_of_a_committee_for_each_fold_one_has_to_be_meant(tmp_path: Path) -> None:
    """It was the last one, silently."""
    more = '[[committee]]\nname = "s"\nmembers = ["a", "b"]\nacross = "seeds"\n'
    study, where = stored(tmp_path, "split = { folds = 3 }", study=STUDY + more), {"store": tmp_path / "store"}
    with pytest.raises(Misuse, match=r"'s' is 3 committees, each .* name one: s \(fold 1\), s \(fold 2\), s \(fold 3\)"):
        toile.compare(f"{study}/s", f"{study}/one (fold 1)", **where)
    assert toile.compare(f"{study}/s (fold 1)", f"{study}/s (fold 2)", **where)["over"] == "images"


def test_models_that_no_seed_changes_are_compared_over_images(tmp_path: Path) -> None:
    study, where = stored(tmp_path, drawn=False), {"store": tmp_path / "store"}
    found = toile.compare(f"{study}/a", f"{study}/b", **where)
    assert (found["over"], found["differ"]) == ("images", True)
    assert found["p_value"] == toile.compare(f"{study}/a (seed 0)", f"{study}/b (seed 0)", **where)["p_value"]
    (claim,) = [one for one in api.results(study, **where).claims.pairs.values() if {one.a[1], one.b[1]} == {"a", "b"}]
    assert (claim.over, claim.differ) == ("images", True)


def test_models_that_no_seed_changes_are_compared_with_single_ones(tmp_path: Path) -> None:
    """As by the report; here it was refused."""
    study, where = stored(tmp_path, drawn=False), {"store": tmp_path / "store"}
    found = toile.compare(f"{study}/a", f"{study}/one", **where)
    assert found == toile.compare(f"{study}/a (seed 1)", f"{study}/one", **where) | {
        "names": found["names"],
        "verdict": found["verdict"],
    }
    (claim,) = [one for one in api.results(study, **where).claims.pairs.values() if {one.a[1], one.b[1]} == {"a", "one"}]
    assert claim.over == found["over"] == "images"


def test_seeds_that_decide_the_same_are_compared_over_images_and_their_loss_is_a_mean(tmp_path: Path) -> None:
    """As by the report; here a difference without spread could not be tested."""
    study, where = stored(tmp_path, drawn=False, surer=True), {"store": tmp_path / "store"}
    found = toile.compare(f"{study}/a", f"{study}/b", **where)
    each = [toile.compare(f"{study}/a (seed {seed})", f"{study}/b (seed {seed})", **where) for seed in (0, 1, 2)]
    assert len({one["losses"][0] for one in each}) == 3
    assert (found["over"], found["p_value"]) == ("images", each[0]["p_value"])
    assert found["losses"] == pytest.approx(np.mean([one["losses"] for one in each], axis=0))
    assert found["loss_difference"] == pytest.approx(np.subtract(*found["losses"])) and found["loss_interval"] == [None, None]


def test_other_images_are_refused_though_their_labels_are_the_same(tmp_path: Path) -> None:
    """Pictures by class, as folders have them: whatever folds are drawn, their labels are alike."""
    made = digits.load()
    order = np.argsort(made.train.labels[:300], kind="stable")
    np.savez(
        tmp_path / "sorted.npz", x_train=made.train.images[order], y_train=made.train.labels[order],
        x_test=made.test.images[:50], y_test=made.test.labels[:50],
    )  # fmt: skip
    studies = []
    for seed in (0, 1):
        folder = tmp_path / str(seed)
        folder.mkdir()
        split = f"split = {{{{ folds = 3, seed = {seed} }}}}"
        text = STUDY.replace('dataset = "digits"', f'dataset = {{{{ path = "{tmp_path}/sorted.npz" }}}}')
        studies.append(stored(folder, study=text.replace("{more}", split), store=tmp_path / "store"))
    with pytest.raises(Misuse, match="are of different images: their splits draw different ones"):
        toile.compare(f"{studies[0]}/a", f"{studies[1]}/a", store=tmp_path / "store")


def test_a_trial_whose_name_begins_as_a_committees_is_a_trial(tmp_path: Path) -> None:
    more = "".join(f'[[trial]]\nname = "{name}"\narchitecture = "mlp"\nseeds = [9]\n' for name in ("both more", "both (old)"))
    study, where = stored(tmp_path, study=STUDY + more), {"store": tmp_path / "store"}
    for name in ("both more", "both (old)"):
        assert toile.compare(f"{study}/{name}", f"{study}/one", **where)["over"] == "images"
        assert api.mistakes(f"{study}/{name}", **where)
    with pytest.raises(
        Misuse, match=r"several committees of the name 'both'.*: '.*\.toml/both \(seed 0\)', '.*\.toml/both \(seed 1\)'"
    ):
        api.mistakes(f"{study}/both", **where)
    with pytest.raises(Misuse, match="several committees of the name 'both'"):  # it was that of the first seed, silently
        api.mistakes(str(study), **where)


def test_what_has_to_be_said_can_be_typed(tmp_path: Path) -> None:
    study, where = stored(tmp_path), {"store": tmp_path / "store"}
    line = rf"made.toml/a is 3 trainings; say which: '{study}/a \(seed 0\)', '{study}/a \(seed 1\)', '{study}/a \(seed 2\)'$"
    for reference, said in (
        (f"{study}/a", line),
        (f"{study}/x", r"has no trial 'x'; it has: 'a \(seed 0\)', .*, one; committees: 'both \(seed 0\)', "),
        (f"{study}/both", r"has no trial 'both'; that is a committee; it has: 'a \(seed 0\)'"),
        (str(study), rf"say which of {study}: '{study}/a \(seed 0\)'.*, {study}/one$"),
    ):
        with pytest.raises(Misuse, match=said):
            api.find_run(reference, **where)
    with pytest.raises(Misuse, match=rf"say which of {study}: '{study}/both \(seed 0\)'.*, {study}/one$"):
        api.compare(f"{study}/one", str(study), **where)
    # A study with one committee, which is several: none of them is meant more than another.
    with pytest.raises(Misuse, match=rf"one a seed or fold: '{study}/both \(seed 0\)', '{study}/both"):
        api.mistakes(str(study), **where)
    assert api.mistakes(f"{study}/both (seed 1)", **where)


def test_what_is_no_pair_is_refused(study: Path) -> None:
    where = {"store": study.parent / "store"}
    with pytest.raises(Misuse, match=r"'.*/a' has 3 trainings and '.*/one' has 1, of which 0 are of the same seed"):
        toile.compare(f"{study}/a", f"{study}/one", **where)
    with pytest.raises(Misuse, match=r"has no trial 'c'.*; committees: 'both \(seed 0\)', "):
        toile.compare(f"{study}/a", f"{study}/c", **where)
    with pytest.raises(Misuse, match="a margin is above 0"):
        toile.compare(f"{study}/a", f"{study}/b", margin=0, **where)
    with pytest.raises(ToileError, match="not all members of 'both' are stored"):
        toile.compare(f"{study}/both", f"{study}/a", store=study.parent / "other")
