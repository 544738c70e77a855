"""The rule of "reproduced", on made figures and against what it is taken from."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from tests.reports.test_ledger import result, study
from toile.reports.ledger.ledger import rows
from toile.reports.ledger.render import render
from toile.reports.ledger.verdict import Pooled, allowed, images_variance, pooled, rounding, same_images
from toile.study.data.split import SplitSpec
from toile.study.expand import variants


def test_the_interval_holds_one_more_training_nineteen_times_in_twenty() -> None:
    """What a prediction interval is: of many tries with made trainings of one recipe, 95 % hold the one that was left out."""
    random, inside, tries = np.random.default_rng(0), 0, 4000
    for _ in range(tries):
        *ours, theirs = random.normal(0.9, 0.003, 4)
        inside += abs(np.mean(ours) - theirs) <= allowed("accuracy", ours, None)
    assert inside / tries == pytest.approx(0.95, abs=0.015)


def test_other_images_widen_it_by_both_samples() -> None:
    random, inside, tries, images, p = np.random.default_rng(0), 0, 4000, 6000, 0.9
    spread = Pooled(0.003, 10_000, 100)
    for _ in range(tries):
        ours, theirs = random.binomial(images, np.clip(random.normal(p, 0.003, 2), 0, 1)) / images
        may = allowed("accuracy", [ours], spread, images_variance=ours * (1 - ours) / images)
        inside += abs(ours - theirs) <= may
    assert inside / tries == pytest.approx(0.95, abs=0.015)


def test_the_pooled_spread_is_that_of_a_one_way_analysis_of_variance() -> None:
    spec = study(seeds=(0, 1, 2))
    groups = [[0.90, 0.91, 0.92], [0.80, 0.806], [0.5]]
    lines = [[result(spec, value, seed, loss=value) for seed, value in enumerate(group)] for group in groups]
    found = pooled(lines)
    within = sum((len(group) - 1) * np.var(group, ddof=1) for group in groups[:2]) / 3
    assert found["accuracy"] == Pooled(pytest.approx(within**0.5), 3, 2)
    # A loss that is twice as large lies twice as far apart.
    relative = sum((len(group) - 1) * np.var(group, ddof=1) / np.mean(group) ** 2 for group in groups[:2]) / 3
    assert found["loss"].deviation == pytest.approx(relative**0.5)
    may = allowed("loss", [0.4], found["loss"])
    assert may == pytest.approx(stats.t.ppf(0.975, 3) * 0.4 * found["loss"].deviation * 2**0.5)
    assert pooled([lines[2]]) == {}
    assert allowed("accuracy", [0.9], None) == 0


def test_a_line_with_one_training_borrows_the_spread_of_the_others() -> None:
    spec = study(published=0.91)
    other = spec.trial[1].model_copy(update={"published": spec.trial[0].published, "seeds": (0, 1, 2, 3)})
    spec = spec.model_copy(update={"trial": (spec.trial[0], other)})
    line = variants(spec)[1]
    made = result(spec, 0.9)
    options = made.trial.architecture.model_copy(update={"options": {}})
    fields = {name: getattr(made.trial, name) for name in type(made.trial).model_fields}
    seeds = [
        replace(result(spec, value), line=line.name, trial=type(made.trial)(**fields | {"architecture": options, "seed": seed}))
        for seed, value in enumerate((0.90, 0.91, 0.92, 0.91))
    ]
    alone, _ = rows({"s": spec}, [made])
    assert alone.verdict == "differs in accuracy: no reason was found"
    borrowed, _ = rows({"s": spec}, [made, *seeds])
    assert borrowed.verdict == "reproduced" and borrowed.n == 1
    spread = float(np.std([0.90, 0.91, 0.92, 0.91], ddof=1))
    assert borrowed.allowed["accuracy"] == pytest.approx(stats.t.ppf(0.975, 3) * spread * 2**0.5 + 0.0005)


def test_a_published_figure_is_rounded() -> None:
    assert [rounding(value) for value in (0.9017, 0.888, 0.9)] == pytest.approx([0.00005, 0.0005, 0.0005])


def test_whose_images_they_are() -> None:
    line = variants(study())[0]
    assert same_images(line, "test", pool=False)
    assert not same_images(line, "validation", pool=False)  # drawn stratified, as no document does
    assert same_images(replace(line, split=SplitSpec(method="random", seed=2020)), "validation", pool=False)
    assert not same_images(line, "test", pool=True)
    assert same_images(replace(line, split=SplitSpec(method="tail")), "validation", pool=False)
    assert not same_images(replace(line, split=SplitSpec(test=0.1)), "test", pool=False)


def test_a_loss_varies_with_its_images_as_far_as_a_result_says_how() -> None:
    one = result(study(), 0.9)
    one.metrics["test"]["images"] = 100
    assert images_variance("accuracy", [one], "test") == pytest.approx(0.9 * 0.1 / 100)
    assert images_variance("loss", [one], "test") == 0
    assert images_variance("loss", [replace(one, loss_deviations={"test": 0.5})], "test") == pytest.approx(0.25 / 100)


def test_a_loss_that_is_published_with_its_penalty_is_laid_beside_ours_with_it() -> None:
    spec = study()
    published = spec.trial[0].published.model_copy(update={"penalty": True})
    spec = spec.model_copy(update={"trial": (spec.trial[0].model_copy(update={"published": published}), spec.trial[1])})
    row, _ = rows({"s": spec}, [result(spec, 0.9, loss=0.2)])
    assert "loss" not in row.allowed and row.verdict == "reproduced"
    assert "| 0.30 | 0.2000 without L2 |" in render([row])
    known = result(spec, 0.9, loss=0.2)
    known.metrics["train"] = {"accuracy": 1.0, "loss": 0.1, "penalty": 0.1}
    row, _ = rows({"s": spec}, [known])
    assert row.measured["loss"] == pytest.approx(0.3) and row.verdict == "reproduced"
    assert "| 0.30 | 0.3000 (0.2000 without L2) |" in render([row])


def test_the_rule_stands_at_the_head_of_the_ledger() -> None:
    head, _, rest = render(rows({"s": study()}, [])).partition("## s")
    assert "## When a figure counts as reproduced" in head and "95 % prediction interval" in head and rest
