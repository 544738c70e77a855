"""What a search gets wrong is told at once, with its place, what is allowed and the nearest name."""

from __future__ import annotations

import importlib.util
from dataclasses import replace

import pytest

from toile import studies
from toile.search import samplers
from toile.study.file.checks import Catalogue
from toile.study.file.read import StudyError, parse

CATALOGUE = replace(studies.catalogue(), lacking={})
WITHOUT_TORCH = replace(
    CATALOGUE, lacking={"gp": "the sampler 'gp' needs the extra 'torch': pip install 'toile-workbench[torch]'"}
)
HEAD = 'title = "a"\ndataset = "digits"\n'
GOOD = (
    HEAD
    + """
[search]
trials = 5
[search.space]
architecture.name = ["cnn", "mlp"]
recipe.batch_size = [32, 64]
"""
)
NAMES = 'architecture.name = ["cnn", "mlp"]\n'


def search(space: str = "", *, head: str = "trials = 5", before: str = HEAD, after: str = "") -> str:
    return f"{before}[search]\n{head}\n[search.space]\n{NAMES}{space}\n{after}"


WANTED = "a list of values or a range { low = …, high = … } is wanted"
ONE_MISTAKE = {
    search(head=""): "search: a budget is wanted: `trials`, `minutes` or `core_seconds`",
    search(head="trials = 0"): "search.trials: at least 1 is wanted, got 0",
    search(head="minutes = 0"): "search.minutes: above 0 is wanted, got 0",
    search(head='trials = 5\nsampler = "tpee"'): "search.sampler: unknown sampler 'tpee'",
    search(head='trials = 5\npruning = "median"'): "search.pruning: unknown pruning 'median'; known: asha, halving, hyperband",
    search("recipe.batch_size = []"): f"search.space.recipe.batch_size: {WANTED}, got []",
    search("recipe.batch_size = 32"): f"search.space.recipe.batch_size: {WANTED}, got 32",
    search("recipe.label_smoothing = { low = 0.5, high = 0.1 }"): (
        "search.space.recipe.label_smoothing: `low` is below `high`, got 0.5 and 0.1; one value alone is written [0.5]"
    ),
    search("recipe.optimizer.learning_rate = { low = 0.0, high = 0.1, log = true }"): (
        "search.space.recipe.optimizer.learning_rate: a range with `log` is above 0, got low = 0.0"
    ),
    search("recipe.epochs = [3, 9]"): (
        "search.space.recipe.epochs: pruning decides how many epochs a trial is trained; leave it out, or say `pruning = false`"
    ),
    search("split.validation = [0.1, 0.2]"): (
        "search.space.split.validation: a space's keys are architecture.KEY, recipe.KEY and recipe.TABLE.KEY, where TABLE is "
        "one of optimizer, schedule, augmentation, early_stopping"
    ),
    search("recipe.optimizer.momentum = [0.0, 0.9]"): (
        "search.space.recipe.optimizer.momentum: no optimizer of the space has it: unknown option 'momentum'"
    ),
    search('[search.when.cnm]\nrecipe.batch_size = [8]'): (
        "search.when.cnm: unknown architecture of the space 'cnm' (did you mean 'cnn'?); known: cnn, mlp"
    ),
    search('[search.when.cnn]\narchitecture.name = ["cnn"]'): (
        "search.when.cnn.architecture.name: the architectures are listed in search.space"
    ),
    search(before=HEAD + "split = { validation = 0 }\n"): (
        "search: a search picks by the validation images, and the study has none (split.validation = 0)"
    ),
    search(after='[[trial]]\nname = "search 3"\narchitecture = "mlp"'): "trial[0].name: the trials of the search are called so",
    HEAD + "[search]\ntrials = 5\n[search.space]\nrecipe.batch_size = [32]": (
        "search.space: the architectures are missing: architecture.name = [names]"
    ),
    HEAD + "[search]\ntrials = 5\n[search.space]\n": "search.space: at least 1 value is wanted, got {}",
    HEAD + "[search]\ntrials = 5\n": "search.space: is missing",
    HEAD + '[search]\ntrials = 5\n[search.space]\narchitecture.name = ["logistic-regression"]\nrecipe.batch_size = [32]': (
        "search.space.recipe.batch_size: classical models have no recipe, and the space has no other here: logistic-regression"
    ),
    search('recipe.teacher = ["a"]'): "search.space.recipe.teacher: trials of a search learn from no committee",
    search(
        before=HEAD + 'recipe.teacher = "t"\n',
        after='[[trial]]\nname = "a"\narchitecture = "mlp"\n[[committee]]\nname = "t"\nmembers = ["a"]',
    ): "recipe.teacher: trials of a search learn from no committee; name the",
    # CMA-ES knows numbers alone, and only those that every proposal has.
    search("architecture.dropout = { low = 0.0, high = 0.5 }", head='trials = 5\nsampler = "cma-es"'): (
        'search.sampler: "cma-es" wants at least two ranges that every proposal has, and the space has architecture.dropout'
    ),
    search("architecture.dropout = { low = 0.0, high = 0.5 }\nrecipe.batch_size = { low = 8, high = 64 }\n"
           "[search.when.cnn]\nrecipe.batch_size = { low = 8, high = 32 }", head='trials = 5\nsampler = "cma-es"'): (
        'search.sampler: "cma-es" wants at least two ranges that every proposal has, and the space has architecture.dropout'
    ),
    search('recipe.optimizer.name = ["adam", "sgd"]\nrecipe.optimizer.learning_rate = { low = 0.01, high = 0.1 }\n'
           "recipe.optimizer.momentum = { low = 0.1, high = 0.9 }", head='trials = 5\nsampler = "cma-es"'): (
        'search.sampler: "cma-es" wants at least two ranges that every proposal has, and the space has '
        "recipe.optimizer.learning_rate"
    ),
}  # fmt: skip


def told(text: str, catalogue: Catalogue = CATALOGUE) -> list[str]:
    with pytest.raises(StudyError) as caught:
        parse(text, catalogue)
    return [one.split(": ", 1)[1] if one.startswith("line ") else one for one in caught.value.mistakes]


def test_a_search_alone_is_a_study():
    search = parse(GOOD, CATALOGUE).search
    assert search.trials == 5 and search.sampler == "tpe" and search.pruning == "asha"


@pytest.mark.parametrize(("text", "message"), ONE_MISTAKE.items(), ids=ONE_MISTAKE.values())
def test_one_mistake(text: str, message: str) -> None:
    (found,) = told(text)
    assert found.startswith(message)


def test_all_at_once():
    text = search(
        "recipe.batch_size = [0]\narchitecture.filtres = [[8]]\nrecipe.label_smoothing = { low = 1.5, high = 2.0 }",
        head='sampler = "x"\nwidth = 0',
    )
    places = list(dict.fromkeys(one.split(": ")[0] for one in told(text)))
    assert places == [
        "search.sampler", "search.width", "search.space.recipe.batch_size", "search.space.architecture.filtres",
        "search.space.recipe.label_smoothing",
    ]  # fmt: skip


def test_ranges_that_every_proposal_has_are_enough_for_cma_es():
    text = search(
        "recipe.optimizer.learning_rate = { low = 0.01, high = 0.1 }\nrecipe.batch_size = { low = 8, high = 64 }",
        head='trials = 5\nsampler = "cma-es"',
    )
    assert parse(text, CATALOGUE).search.sampler == "cma-es"


def test_all_kinds_of_bad_input_at_once():
    """Also where the space names no architecture, so that little can be told of the rest."""
    head = HEAD + 'split = { validation = 0 }\n[search]\ntrials = 5\nsampler = "gp"\n[search.space]\n'
    wrong = "architecture.fltrs = [[8]]\nrecipe.batch_size = { low = 64, high = 8 }\nrecipe.label_smoothing = []\n"
    with_names = told(head + NAMES + wrong, WITHOUT_TORCH)
    assert [one.split(": ")[0] for one in with_names] == [
        "search", "search.sampler", "search.space.architecture.fltrs", "search.space.recipe.batch_size",
        "search.space.recipe.label_smoothing",
    ]  # fmt: skip
    assert with_names[1] == "search.sampler: the sampler 'gp' needs the extra 'torch': pip install 'toile-workbench[torch]'"
    assert "no architecture of the space has it: unknown option 'fltrs' (did you mean 'filters'?)" in with_names[2]
    without = told(head + wrong, WITHOUT_TORCH)
    assert len(without) == 5 and without[2].startswith("search.space: the architectures are missing")


def test_a_sampler_whose_extra_is_not_there(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    found = samplers.lacking()
    assert found.keys() == {"tpe", "random", "gp", "cma-es"}
    assert found["tpe"] == "a search needs the extra 'search': pip install 'toile-workbench[search]'"
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "torch" else object())
    assert samplers.lacking() == {"gp": "the sampler 'gp' needs the extra 'torch': pip install 'toile-workbench[torch]'"}
    with pytest.raises(StudyError, match="search: a search needs the extra 'search'"):
        parse(GOOD, replace(CATALOGUE, lacking=found))
