from __future__ import annotations

import re
from dataclasses import replace
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.reports.fixture import MODELS, NAMES, SWEPT, make_results
from toile.errors import Misuse
from toile.reports.page import palette
from toile.reports.plots import PLOTS, pictures
from toile.reports.plots.accuracy import accuracies, reliability, wilson_interval
from toile.reports.plots.classes import class_bars, class_histograms
from toile.reports.plots.curves import learning_curves, learning_curves_legend
from toile.reports.plots.matrices import confusion_matrices, disagreement
from toile.reports.plots.search import draw_search_front
from toile.reports.plots.svg import EDGE, apart, drawing_style, make_room, shortened
from toile.reports.plots.svg import panel as empty_panel
from toile.reports.results.compared import evaluated
from toile.reports.results.search import SearchResult


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    return make_results(tmp_path_factory.mktemp("store"))


@pytest.fixture(scope="module")
def with_sweep(tmp_path_factory):
    made = make_results(tmp_path_factory.mktemp("store"), models=MODELS + SWEPT, chosen=True)
    rows = tuple(
        {"name": f"search {n}", "figure": 0.9 - n / 100, "parameters": 1000.0 * n, "milliseconds": 0.1 * n, "seconds": 9.0 - n}
        for n in range(1, 4)
    )
    search = SearchResult(
        metric="accuracy", rows=rows, pick=("search 1",), elsewhere=0.88, test=0.87, course=((5.0, 0.8), (9.0, 0.89)),
        importance={}, trainings=3, seconds=12.0, ended=True, failed=0, shipped="search 1",
        alone="",
    )  # fmt: skip
    return replace(made, search=search)


@pytest.mark.parametrize("name", PLOTS)
def test_contract_of_every_plot(name, with_sweep):
    """Data first; then pictures that are well formed, byte-stable, coloured by the page alone and told apart by ids."""
    panels = PLOTS[name].data(with_sweep)
    assert panels and all(panel["title"] and panel["description"] for panel in panels)
    first, again = pictures(name, with_sweep), pictures(name, with_sweep)
    assert first == again
    assert len(first) == len(panels)
    for picture in first:
        element = ElementTree.fromstring(picture)
        assert element.get("role") == "img" and element.get("aria-label")
        assert element.find("title").text
        assert not re.search(r"#[0-9a-fA-F]{6}\b", picture), "a colour that ignores the theme"
        assert "http" not in picture and "<style" not in picture and "DejaVu" not in picture
        prefix = element.get("data-picture")
        ids = re.findall(r'\bid="([^"]+)"', picture)
        assert all(found.startswith(f"{prefix}-") for found in ids) and len(ids) == len(set(ids))
        references = re.findall(r'href="#([^"]+)"', picture) + re.findall(r"url\(#([^)]+)\)", picture)
        assert set(references) == set(ids)


@pytest.mark.parametrize("name", PLOTS)
def test_no_runs_is_no_crash(name, tmp_path):
    empty = make_results(tmp_path, missing=MODELS)
    expected = 2 if name == "class-histograms" else 0
    assert len(pictures(name, empty)) == expected
    without_test = replace(empty, test=None)
    assert len(pictures(name, without_test)) == expected // 2


def test_unknown_plot_names_the_nearest(results):
    with pytest.raises(Misuse, match="did you mean 'reliability'"):
        pictures("relability", results)


def test_pictures_leave_matplotlib_as_it_was(results):
    import matplotlib as mpl

    with mpl.rc_context({"font.size": 33, "axes.facecolor": "red"}):
        before = dict(mpl.rcParams)
        inside = pictures("accuracies", results)
        assert dict(mpl.rcParams) == before
    assert inside == pictures("accuracies", results)


def test_histograms_of_train_and_test_are_of_their_own_labels(results):
    """The first document's histogram of the 'testing set' showed the training labels."""
    uneven = replace(results, test=results.test[results.test.labels != 3])
    train, test = class_histograms(uneven)
    assert train["split"] == "training" and train["counts"].tolist() == [80] * 10
    assert test["split"] == "test" and test["counts"].tolist() == [50, 50, 50, 0, 50, 50, 50, 50, 50, 50]


def test_learning_curves_hold_the_history(results):
    panels = {panel["title"]: panel for panel in learning_curves(results)}
    assert list(panels) == ["loss", "accuracy", "precision", "recall"]
    for metric, panel in panels.items():
        assert len(panel["lines"]) == 2 * len(MODELS)
        for line in panel["lines"]:
            run = next(trial.run for trial in results.trials if trial.name == line["name"])
            key = metric if line["split"] == "train" else f"validation_{metric}"
            assert line["values"].tolist() == [row[key] for row in run.history]
            assert line["epochs"].tolist() == list(range(1, len(run.history) + 1))
    legend = learning_curves_legend(list(panels.values()))
    assert [(entry["label"], entry["dashed"]) for entry in legend] == [
        *((name, False) for name in MODELS), ("validation", False), ("train", True),
    ]  # fmt: skip


def test_confusion_matrices_agree_with_scikit_learn(results):
    from sklearn.metrics import confusion_matrix

    panels = confusion_matrices(results)
    assert [panel["title"] for panel in panels] == [*MODELS, "average of all"]
    for panel, item in zip(panels, evaluated(results), strict=True):
        assert np.array_equal(panel["counts"], confusion_matrix(results.test.labels, item.choices))
        assert np.allclose(panel["shares"].sum(axis=1), 1)


def test_class_bars_are_of_every_model_and_committee(results):
    panels = class_bars(results)
    assert [panel["title"] for panel in panels] == [*MODELS, "average of all"]
    counts = confusion_matrices(results)[1]["counts"]
    assert np.allclose(panels[1]["recall"], np.diag(counts) / counts.sum(axis=1))
    assert np.allclose(panels[1]["precision"], np.diag(counts) / counts.sum(axis=0))
    assert panels[1]["classes"] == NAMES


def test_disagreement_is_the_share_of_different_choices(results):
    (panel,) = disagreement(results)
    first, second, _ = (item.choices for item in evaluated(results)[:3])
    assert panel["names"] == MODELS
    assert panel["shares"][0, 1] == panel["shares"][1, 0] == np.mean(first != second)
    assert disagreement(replace(results, trials=results.trials[:1])) == []


def test_accuracies_with_published_beside(results):
    rows = accuracies(results)[0]["rows"]
    assert [row["kind"] for row in rows] == ["model"] * 3 + ["committee"]
    assert [row["published"] for row in rows] == [0.9017, 0.8048, 0.8162, 0.8409]
    for row, item in zip(rows, evaluated(results), strict=True):
        assert row["accuracy"] == pytest.approx(item.metrics["accuracy"])
        assert row["low"] <= row["accuracy"] <= row["high"]


@settings(deadline=None)
@given(st.integers(1, 10_000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilson_interval_agrees_with_scipy(pair):
    from scipy.stats import binomtest

    right, images = pair
    expected = binomtest(right, images).proportion_ci(0.95, method="wilson")
    assert wilson_interval(right, images) == pytest.approx((expected.low, expected.high), abs=1e-12)


@pytest.mark.parametrize("pair", [(1, 0), (-1, 5), (6, 5)])
def test_wilson_interval_refuses_what_is_no_proportion(pair):
    with pytest.raises(ValueError, match="0 <= right <= images"):
        wilson_interval(*pair)


def test_reliability_counts_every_image_once(results):
    for panel, item in zip(reliability(results), evaluated(results), strict=True):
        assert panel["images"].sum() == len(results.test)
        assert panel["accuracy"] @ panel["images"] / len(results.test) == pytest.approx(item.metrics["accuracy"])
        assert panel["ece"] == pytest.approx(item.metrics["ece"])


def test_odd_names_are_drawn_as_they_are(tmp_path):
    """No mathematics, no markup, no warning for a letter that Matplotlib's font does not have."""
    names = ("$x^2", "<script>alert(1)</script>", "靴", "a & b")
    odd = make_results(tmp_path, names=names, models=("m $1$", "--> <b>"), train=80, test=40)
    for name in PLOTS:
        for picture in pictures(name, odd):
            ElementTree.fromstring(picture)
            assert "<script" not in picture and "<b>" not in picture
    assert "$x^2" in pictures("class-histograms", odd)[0] and "靴" in pictures("class-histograms", odd)[0]


def test_long_ticks_push_no_axis_name_out_of_the_picture() -> None:
    with drawing_style():
        figure, axes = empty_panel(340, 250, left=20)
        axes.set_yticks([0.9525, 0.9575])
        axes.set_ylabel("accuracy")
        right = axes.get_position().x1
        assert axes.yaxis.get_tightbbox().x0 < 0, "as it was"
        make_room(figure)
        assert axes.yaxis.get_tightbbox().x0 == pytest.approx(EDGE)
        assert axes.get_position().x1 == pytest.approx(right)


def test_many_classes_and_many_models(tmp_path):
    many = make_results(
        tmp_path, names=tuple(f"class {i}" for i in range(40)), models=tuple(f"m{i}" for i in range(18)), train=200, test=160
    )
    for name in PLOTS:
        assert all(ElementTree.fromstring(picture) is not None for picture in pictures(name, many))


@given(st.text(max_size=60), st.integers(6, 30))
def test_shortened_is_short(text, length):
    short = shortened(text, length)
    assert len(short) <= length
    assert short == text or "…" in short


def test_names_that_differ_in_the_middle_are_told_apart():
    """Of a grid over two keys: shortened to their two ends, two points would have one name."""
    grid = [f"rate: optimizer=adam learning_rate={rate}, label_smoothing={s}" for rate in (0.0003, 0.03) for s in (0.0, 0.1)]
    labels = apart(["mlp", *grid], 50)
    assert labels[0] == "mlp" and len({*labels}) == 5 and max(map(len, labels)) <= 50
    assert labels[1] == "…learning_rate=0.0003, label_smoothing=0.0"
    assert apart(grid, 30)[3] == "…0.03, label_smoothing=0.1"
    assert apart(["Pseudoalteromonas_a_marina", "Pseudoalteromonas_b_marina"]) == ["…a_marina", "…b_marina"]
    assert apart(["", "", "a" * 20, "a" * 20]) == ["", "", *[shortened("a" * 20)] * 2]


def test_costs_of_proposals_are_written_in_numbers():
    """Within one power of ten Matplotlib writes the smaller ticks by itself, as TeX that no SVG here reads."""
    points = [(12_730, 0.51), (50_890, 0.96)]
    data = {"title": "t", "description": "d", "metric": "accuracy", "axis": "parameters", "points": points, "front": points}
    with drawing_style():
        texts = [label.get_text() for label in draw_search_front(data).axes[0].get_xticklabels(which="both")]
    assert "20k" in texts and not any("$" in text for text in texts)


def _luminance(colour: str) -> float:
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("theme", [palette.LIGHT, palette.DARK], ids=["light", "dark"])
def test_contrast_of_every_colour(theme):
    """WCAG 2.2: text 4.5 : 1, graphics 3 : 1."""

    def contrast(one: str, other: str) -> float:
        high, low = sorted((_luminance(theme[one]), _luminance(theme[other])), reverse=True)
        return (high + 0.05) / (low + 0.05)

    for name in ("ink", "muted", "link"):
        assert contrast(name, "surface") >= 4.5 and contrast(name, "raised") >= 4.5, name
    assert contrast("warn", "warn-surface") >= 4.5
    for number in range(1, palette.SERIES + 1):
        assert contrast(f"series-{number}", "surface") >= 3, number
    for name in ("series-1", "series-2"):  # votes on the cards are written in these
        assert contrast(name, "raised") >= 4.5, name
