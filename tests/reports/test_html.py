from __future__ import annotations

import io
import json
import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest

from tests.reports.fixture import MODELS, PUBLISHED, SWEPT, make_results
from toile.evaluation.calibrators import Calibration
from toile.evaluation.metrics import evaluate
from toile.reports.page import galleries as sheets
from toile.reports.page.calibration import calibration_table
from toile.reports.page.findings import findings
from toile.reports.page.html import render
from toile.reports.page.tables import members_table
from toile.reports.plots import PLOTS
from toile.reports.plots.accuracy import reliability
from toile.reports.results.lines import lines_table
from toile.reports.results.result import CalibratedResult
from toile.reports.results.summary import plain, summary
from toile.reports.terminal.figures import print_committees
from toile.reports.terminal.study import print_summary
from toile.reports.text import brief, count, duration, figure, joined, options, p_value
from toile.study.committee import CommitteeSpec
from toile.terminal import Terminal

FIGURES = {*PLOTS, "samples", "random-samples", "predictions", "disputed-images"}
# What only some studies have.
ELSEWHERE = {"sweeps", "selection-paths", "search-course", "search-fronts"}
VOID = {"meta", "link", "img", "path", "use", "circle", "rect", "br", "hr", "input"}


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    return make_results(tmp_path_factory.mktemp("store"))


@pytest.fixture(scope="module")
def page(results):
    return render(results)


class _Page(HTMLParser):
    """Tags with their attributes, ids, text of the title and the captions; fails on tags that do not match."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict]] = []
        self.open: list[str] = []
        self.texts: dict[str, list[str]] = {}
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)
            self.texts.setdefault(tag, []).append("")

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data):
        for tag in self.open:
            self.texts[tag][-1] += data


def test_page_is_well_formed_and_the_same_twice(results, page):
    assert render(results) == page
    parsed = _Page(page)
    ids = [attributes["id"] for _, attributes in parsed.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    for _, attributes in parsed.tags:
        if attributes.get("href", "").startswith("#"):
            assert attributes["href"][1:] in ids
    assert all(attributes.get("alt") for tag, attributes in parsed.tags if tag == "img")


def test_every_figure_is_there(page, tmp_path):
    assert set(re.findall(r'data-figure="([^"]+)"', page)) == FIGURES - {
        "sweeps",
        "selection-paths",
        "search-course",
        "search-fronts",
    }
    other = render(make_results(tmp_path, models=SWEPT, train=100, test=60, chosen=True))
    assert 'data-figure="sweeps"' in other and 'data-figure="selection-paths"' in other


def test_nothing_is_requested(page):
    parsed = _Page(page)
    assert not any(tag in ("iframe", "object", "embed") for tag, _ in parsed.tags)
    for tag, attributes in parsed.tags:
        for name in ("src", "href", "srcset", "xlink:href"):
            if name in attributes and tag != "a":
                assert attributes[name].startswith(("data:", "#")), (tag, attributes[name][:80])
    assert "@import" not in page
    assert all(place.startswith("#") for place in re.findall(r"url\(([^)]*)\)", page))


def test_data_set_is_named_in_title_and_every_caption(tmp_path):
    found = make_results(tmp_path, dataset="digits", names=tuple("0123456789"), train=100, test=60)
    page = render(replace(found, called="committee --dataset digits"))
    parsed = _Page(page)
    assert "digits" in parsed.texts["title"][0] and "digits" in parsed.texts["h1"][0]
    captions = [*parsed.texts["caption"], *parsed.texts["figcaption"]]
    assert len(captions) > 12 and all("digits" in caption for caption in captions)
    assert "Not on fashion-mnist." in page
    assert "toile run committee --dataset digits" in page


def test_own_data_set_is_no_stand_in(page):
    assert "Not on" not in page and "--dataset" not in page


def test_names_are_escaped(tmp_path):
    names = ("<script>alert(1)</script>", "a & b", '"quoted"')
    odd = make_results(
        tmp_path, names=names, models=("<b>bold</b>", "m'2"), dataset="<i>d</i>", title="<u>t</u>", train=60, test=60
    )
    page = render(odd)
    assert "&lt;script&gt;" in page
    assert page.count("<script") == 1, "the report's own"
    for tag in ("<b>", "<i>", "<u>"):
        assert tag not in page
    assert _Page(page).texts["title"][0] == "<u>t</u> — <i>d</i>"


def test_figures_stand_beside_published(results, page):
    for trial in results.trials:
        assert f"{trial.test['accuracy']:.4f}" in page
        assert f"{PUBLISHED[trial.name]['accuracy']:.4f}" in page
    (committee,) = results.committees
    assert f"{committee.test['accuracy']:.4f}" in page
    assert f"{committee.mean_of_members['accuracy']:.4f}" in page
    assert "not a committee: no set of probabilities has these" in page
    assert "298,058" in page and "98,904" in page


def test_missing_trials_are_named(tmp_path):
    partial = make_results(tmp_path, missing=("model-2",), train=100, test=60)
    page = render(partial)
    assert "Not complete." in page and "model-2 (not run yet)" in page
    assert 'id="committees"' not in page


def test_nothing_run_and_no_test_images(tmp_path):
    empty = make_results(tmp_path, missing=MODELS, train=100, test=60)
    for unrun in (empty, replace(empty, test=None), replace(empty, trials=())):
        page = render(unrun)
        assert "has been run yet" in page
        _Page(page)
    assert json.loads(json.dumps(summary(replace(empty, test=None))))["test_images"] == 0


def test_runs_without_test_images(results):
    page = render(replace(results, test=None, committees=()))
    assert set(re.findall(r'data-figure="([^"]+)"', page)) == {
        "samples", "random-samples", "class-histograms", "accuracies", "measures", "accuracy-against", "learning-curves",
            "accuracy-over-loss", "layers",
    }  # fmt: skip


def test_findings_name_the_kind_of_each_figure(results):
    models, committee, compared = findings(results)
    assert "shown, not selected on" in models and "95 % interval" in models
    assert compared.startswith("6 tests are made here, and each p is corrected for all of them (Holm).")
    assert "nothing is said of other seeds" in compared
    assert "another kind of number" in committee and f"{results.committees[0].test['accuracy']:.4f}" in committee


def test_disputed_images_show_what_members_say(results):
    shown = sheets.disputed(results, count=5)
    assert 0 < len(shown) <= 5
    for image in shown:
        *members, committee = image.votes
        assert [vote.name for vote in members] == list(MODELS) and committee.committee
        assert len({vote.choice for vote in members}) > 1
        for trial, vote in zip(results.trials, members, strict=True):
            row = trial.run.probabilities("test")[image.index]
            assert vote.probability == pytest.approx(row.max())
            assert results.dataset.class_names[row.argmax()] == vote.choice
            assert vote.right == (vote.choice == image.truth)


@pytest.mark.parametrize(("channels", "mode"), [(1, "L"), (2, "L"), (3, "RGB"), (4, "RGBA")])
def test_png_holds_the_pixels(channels, mode):
    import base64

    from PIL import Image

    pixels = np.random.default_rng(0).integers(0, 256, (5, 7, channels), dtype=np.uint8)
    image = Image.open(io.BytesIO(base64.b64decode(sheets.png(pixels).partition(",")[2])))
    assert image.mode == mode and image.size == (7, 5)
    expected = pixels[..., :1] if channels == 2 else pixels
    assert np.array_equal(np.asarray(image).reshape(expected.shape), expected)


def test_strips_are_the_first_images_of_each_class(results):
    strips = sheets.strips(results, samples=4)
    assert [strip.class_name for strip in strips] == list(results.dataset.class_names)
    assert {(strip.shown, strip.width, strip.height) for strip in strips} == {(4, 4 * 30 - 2, 28)}


def test_summary_is_the_contract(results, tmp_path):
    found = json.loads(json.dumps(summary(results), allow_nan=False))
    assert found["study"] == "committee" and found["dataset"] == "fashion-mnist" and found["test_images"] == 500
    for trial, told in zip(results.trials, found["trials"], strict=True):
        assert told["name"] == trial.name and told["fingerprint"] == trial.fingerprint and told["status"] == "stored"
        assert told["parameters"] == trial.run.provenance["parameters"]
        assert set(told["seconds"]) == {"train", "evaluate"}
        assert told["published"]["test"] == PUBLISHED[trial.name]
        assert told["test"]["accuracy"] == trial.test["accuracy"]
        assert {"accuracy", "loss", "precision", "recall"} <= set(told["validation"])
        assert {"trainable_parameters", "epochs_run"} <= set(told)
    (committee,) = found["committees"]
    assert committee["members"] == list(MODELS) and committee["rule"] == "mean"
    assert committee["test"]["accuracy"] == results.committees[0].test["accuracy"]
    assert set(committee["mean_of_members"]) == {"accuracy", "loss", "precision", "recall"}

    partial = summary(make_results(tmp_path, missing=("model-2",), train=100, test=60))
    first, second, _ = partial["trials"]
    assert set(first) == set(second)
    assert second["status"] == "missing" and second["test"] is None and second["seconds"] == {"train": None, "evaluate": None}


def test_plain_values():
    made = {"a": np.float32(0.5), "b": (np.int64(2), float("nan")), 3: np.array([[1.0, np.inf]])}
    assert plain(made) == {"a": 0.5, "b": [2, None], "3": [[1.0, None]]}


def test_terminal_table(results, tmp_path):
    from toile.terminal import Terminal

    def printed(these) -> str:
        console = Terminal(file=io.StringIO(), width=120, color_system=None)
        print_summary(these, console)
        return console.file.getvalue()

    text = printed(results)
    assert "fashion-mnist" in text and "mean of the members' figures" in text
    for trial in results.trials:
        assert trial.name in text and f"{trial.test['loss']:.4f}" in text
    odd = printed(make_results(tmp_path, models=("[red]m[/red]", "m2"), missing=("m2",), train=100, test=60))
    assert "[red]m[/red]" in odd and "not run yet" in odd


def test_numbers_as_text():
    assert figure(0.90168) == "0.9017" and figure(None) == figure(float("nan")) == "–"
    assert count(298058) == "298,058"
    told = [duration(seconds) for seconds in (0.84, 12.34, 59.96, 125, 3720)]
    assert told == ["0.84 s", "12.3 s", "1 min 00 s", "2 min 05 s", "1 h 02 min"]
    assert options("cnn", {"filters": [32, 64], "batch_norm": True, "l2": None}) == "cnn (filters 32–64, batch norm yes)"
    assert brief(0.00012) == "0.00012" and brief([]) == "none" and brief([1, 2.5]) == "1–2.5"
    assert joined(["a", "b", "c"]) == "a, b and c" and joined([]) == ""


def test_a_p_value_says_on_which_side_of_the_level_it_is():
    shown = [p_value(value) for value in (1.0, 0.0321, 0.0496, 0.04996, 0.05, 0.0502, 0.00002)]
    assert shown == ["1", "0.032", "0.0496", "0.04996", "0.05", "0.05", "< 0.0001"]


def test_lines_with_several_seeds_are_means_with_their_spread(tmp_path) -> None:
    results = make_results(tmp_path)
    trials = tuple(replace(trial, line="one line") for trial in results.trials)
    several = replace(results, trials=trials, committees=())
    (row,) = lines_table(several).rows
    values = [trial.test["accuracy"] for trial in trials]
    assert row[:3] == ["one line", "seeds", str(len(trials))]
    assert row[3] == f"{np.mean(values):.4f} ± {np.std(values, ddof=1):.4f}"
    assert "Lines with several seeds or folds" in render(several)
    assert "Lines with several seeds or folds" not in render(results)


def test_validation_figures_of_other_folds_choose_nothing(tmp_path) -> None:
    results = make_results(tmp_path)
    assert "The validation images, which may choose" in " ".join(findings(results))
    trials = [replace(trial, trial={**trial.trial, "fold": fold}) for fold, trial in enumerate(results.trials)]
    assert "which may choose" not in " ".join(findings(replace(results, trials=tuple(trials))))


def test_what_the_validation_images_choose_is_a_line_and_ties_are_named(tmp_path):
    """Of three trainings as good as each other the first in the file was named, and of several seeds the best one."""
    results = make_results(tmp_path, train=100, test=60)

    class Judged:
        def __init__(self, run, metrics):
            self.run, self.metrics = run, metrics

        def __getattr__(self, name):
            return getattr(self.run, name)

    def chosen(*accuracies):
        pairs = zip(results.trials, accuracies, strict=True)
        trials = tuple(
            replace(one, run=Judged(one.run, {**one.run.metrics, "validation": {"accuracy": accuracy}}))
            for one, accuracy in pairs
        )
        told = findings(replace(results, trials=trials, committees=()))[0]
        return told.partition("which may choose, choose ")[2]

    assert chosen(0.5, 0.75, 0.75).startswith("model-2 and model-3 alike.")
    assert chosen(0.5, 0.75, 0.25).startswith(("model-2 (", "the same model."))


def test_what_was_fitted_chosen_and_calibrated_is_told(tmp_path):
    results = make_results(tmp_path, train=100, test=60, chosen=True)
    told = findings(results)[-2]
    assert "It was fitted on 160 validation images, and calibrated by “temperature”: its log loss is " in told
    assert "3 of 7 candidates were chosen; on the images that chose them the log loss is 0.4000, on images held out" in told
    assert "of the choice 0.4100, on the test images 0.5000." in told
    committee = results.committees[1]
    (row,) = calibration_table(results).rows
    assert row[:3] == ["chosen of all", "temperature 1.250", "160 validation images"]
    before = evaluate(committee.uncalibrated, results.test.labels)
    assert row[3:7] == [figure(one[name]) for name in ("loss", "brier") for one in (before, committee.test)]
    plain_one, said = json.loads(json.dumps(summary(results)))["committees"]
    assert plain_one["calibration"] is plain_one["fitted_on"] is plain_one["choice"] is None
    assert said["calibration"] == {"name": "temperature", "temperature": 1.25} and said["fitted_on"] == "160 validation images"
    assert said["choice"]["picks"] == 10 and len(said["choice"]["path"]) == 10
    page = render(results)
    assert "the committee (rule mean, then temperature)" in page and "Before and after calibration" in page
    assert 'aria-label="Reliability diagram of chosen of all, before' in page


def test_each_seed_may_have_another_calibration(tmp_path):
    results = make_results(tmp_path, train=100, test=60, chosen=True)
    one = replace(results.committees[1], choice=None, name="c (seed 0)", line="c", key=(0, None))
    calibrations = [one.calibration, Calibration("vector", {}), Calibration("vector", {})]
    seeds = [replace(one, name=f"c (seed {i})", key=(i, None), calibration=c) for i, c in enumerate(calibrations)]
    (told,) = (text for text in findings(replace(results, committees=tuple(seeds))) if "It was fitted" in text)
    assert "calibrated by “temperature” (1 of 3) and “vector” (2 of 3): its log loss is" in told


def test_a_committee_that_could_not_be_chosen_is_told(tmp_path, capsys):
    made = make_results(tmp_path, train=100, test=60)
    spec = CommitteeSpec(name="average of all", members=("model-*",))
    results = replace(
        made, unmade=("committee 'c': no candidate is within the budget",),
        study=made.study.model_copy(update={"committee": (spec,)}),
    )  # fmt: skip
    assert "Not made: committee 'c': no candidate is within the budget." in findings(results)
    assert summary(results)["not_made"] == list(results.unmade)
    print_committees(results)
    print_summary(results, Terminal())
    assert capsys.readouterr().out.count(f"not made: {results.unmade[0]}") == 2
    print_committees(replace(results, committees=()))
    assert capsys.readouterr().out == f"not made: {results.unmade[0]}\n"


def test_a_rule_that_its_own_fit_calibrates_says_so(tmp_path):
    results = make_results(tmp_path, train=100, test=60)
    (committee,) = results.committees
    pool = replace(committee, rule="log-pool", weights=(0.2, 0.3, 0.4), fitted_on="20 validation images")
    spec = CommitteeSpec(name="average of all", members=("a",), rule="log-pool")
    asked = results.study.model_copy(update={"committee": (spec,)})
    (row,) = calibration_table(replace(results, study=asked, committees=(pool,))).rows
    assert row[1] == "the fit of log-pool itself" and row[3::2] == ["–"] * 5
    asked = asked.model_copy(update={"committee": (spec.model_copy(update={"calibration": "vector"}),)})
    (row,) = calibration_table(replace(results, study=asked, committees=(pool,))).rows
    assert row[1] == "the fit of log-pool itself; vector is off"
    other = CommitteeSpec(name="average", members=("a",), rule="log-pool", calibration="isotonic")
    asked = asked.model_copy(update={"committee": (other, *asked.committee)})
    (row,) = calibration_table(replace(results, study=asked, committees=(pool,))).rows
    assert row[1] == "the fit of log-pool itself; vector is off", "another committee's name begins alike"
    assert [row[3] for row in members_table((pool,)).rows] == [
        "exponent 0.200", "exponent 0.300", "exponent 0.400",
    ]  # fmt: skip


def test_a_trial_that_is_calibrated_has_a_row_and_two_diagrams(tmp_path):
    results = make_results(tmp_path, train=100, test=60, committee=False)
    temperature = Calibration("temperature", {"temperature": 2.0})
    said = temperature(results.trials[0].run.probabilities("test"))
    after = CalibratedResult(temperature, said, evaluate(said, results.test.labels), "20 validation images")
    found = replace(results, trials=(replace(results.trials[0], calibrated=after), *results.trials[1:]))
    (row,) = calibration_table(found).rows
    assert row[0] == "model-1" and row[4] == figure(after.test["loss"])
    first, second, *_ = json.loads(json.dumps(summary(found)))["trials"]
    assert first["calibrated"]["calibration"] == {"name": "temperature", "temperature": 2.0} and second["calibrated"] is None
    assert first["calibrated"]["test"]["loss"] == after.test["loss"] != first["test"]["loss"]
    titles = [panel["title"] for panel in reliability(found)]
    assert titles == ["model-1", "model-1, calibrated", "model-2", "model-3"]
