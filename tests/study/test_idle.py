"""Options that are written and can change nothing are told, in every table; and not where one training has a use for them."""

from __future__ import annotations

import pytest

from toile import studies
from toile.models import architectures
from toile.study.file.harmless import harmless
from toile.study.file.idle import OF_OPTIMIZERS
from toile.study.file.mistakes import spell
from toile.study.file.read import StudyError, parse
from toile.study.recipe.optimizers import OPTIMIZERS

CATALOGUE = studies.catalogue()
HEAD = 'title = "t"\ndataset = "digits"\n'
TRIAL = '[[trial]]\nname = "a"\narchitecture = "mlp"\n'
SPACE = "[search]\ntrials = 4\n[search.space]\n"


def told(text: str) -> list[str]:
    try:
        parse(text, CATALOGUE)
    except StudyError as error:
        return error.mistakes
    return []


def with_architecture(options: str) -> str:
    return HEAD + f'[[trial]]\nname = "a"\narchitecture = {{ {options} }}\n'


def with_recipe(recipe: str) -> str:
    return HEAD + TRIAL + f"recipe = {{ {recipe} }}\n"


# What is written -> the key that is told of, and what must be there for it to have an effect.
PAIRS = {
    with_recipe('optimizer = { name = "adam", ema_momentum = 0.9 }'): ("optimizer.ema_momentum", "use_ema = true"),
    with_recipe('optimizer = { name = "sgd", ema_overwrite_frequency = 9 }'): (
        "optimizer.ema_overwrite_frequency",
        "use_ema = true",
    ),
    with_recipe('optimizer = { name = "sgd", nesterov = true }'): ("optimizer.nesterov", "momentum"),
    with_recipe('optimizer = { name = "muon", nesterov = false, momentum = 0 }'): ("optimizer.nesterov", "momentum"),
    with_recipe("schedule_epochs = 90"): ("recipe.schedule_epochs", "schedule"),
    with_recipe('schedule = "exponential", schedule_epochs = 90'): ("recipe.schedule_epochs", "schedule"),
    with_recipe("augmentation = { erasing = { area = [0, 0] } }"): ("augmentation.erasing.area", "area 0"),
    with_recipe("augmentation = { elastic = { alpha = [0, 0] } }"): ("augmentation.elastic.alpha", "strength 0"),
    with_recipe("augmentation = {}"): ("recipe.augmentation", "nothing in it"),
    with_recipe("augmentation = { rotation = 0 }"): ("recipe.augmentation", "nothing in it"),
    with_architecture('name = "mlp", hidden = [], dropout = 0.1'): ("architecture.dropout", "hidden"),
    with_architecture('name = "mlp", hidden = [], norm = true'): ("architecture.norm", "hidden"),
    with_architecture('name = "mlp", hidden = [], activation = "tanh"'): ("architecture.activation", "hidden"),
    with_architecture('name = "cnn", dense = [], dense_dropout = 0.5'): ("architecture.dense_dropout", "dense"),
    with_architecture('name = "cnn", dense = [], dense_norm = true'): ("architecture.dense_norm", "dense"),
    with_architecture('name = "cnn", order = "conv pool", dropout = 0.2'): ("architecture.dropout", "'dropout' in `order`"),
    with_architecture('name = "cnn", filters = [8, 8], order = ["conv", "conv dropout"], pool = 3'): (
        "architecture.pool",
        "'pool' in `order`",
    ),
    with_architecture('name = "cnn", filters = [], kernel = 5'): ("architecture.kernel", "filters"),
    with_architecture('name = "hog-svm", gamma = 0.1'): ("architecture.gamma", 'kernel = "rbf"'),
    with_architecture('name = "hog-svm", whiten = true'): ("architecture.whiten", "components"),
    with_architecture('name = "svm", whiten = true'): ("architecture.whiten", "components"),
    with_architecture('name = "transfer", backbone_learning_rate_multiplier = 0.5'): (
        "architecture.backbone_learning_rate_multiplier",
        "unfreeze",
    ),
    with_architecture('name = "transfer", activation = "tanh"'): ("architecture.activation", "dense"),
    HEAD + "[split]\nshuffle = false\n" + TRIAL: ("split.shuffle", "folds"),
    HEAD + "[split]\nfolds = 3\nvalidation = 0.1\n" + TRIAL: ("split.validation", "each fold"),
    HEAD + TRIAL + "split = { method = 'tail', seed = 3 }\n": ("trial[0].split.seed", "draws nothing"),
    HEAD.replace('"digits"', '{ path = "x", fit = "crop" }') + TRIAL: ("dataset.fit", "size"),
}
# What may stay where it is while another line of the study is changed and changed back.
HARMLESS = {
    HEAD + "[split]\nmethod = 'tail'\nseed = 3\n" + TRIAL: ("split.seed", "draws nothing"),
    HEAD + "[split]\nmethod = 'random'\nvalidation = 0\nseed = 3\n" + TRIAL: ("split.seed", "no images are drawn"),
    HEAD + "[split]\nfolds = 3\nshuffle = false\nseed = 3\n" + TRIAL: ("split.seed", "in order"),
    HEAD.replace('"digits"', '{ name = "digits", draw_seed = 3 }') + TRIAL: ("dataset.draw_seed", "draw"),
    HEAD + 'backend = "jax"\n' + TRIAL.replace("mlp", "svm"): ("backend", "scikit-learn"),
    HEAD + "[recipe]\nepochs = 3\n" + TRIAL.replace("mlp", "svm"): ("recipe.epochs", "class_weight"),
    HEAD + SPACE.replace("4\n", "4\npruning = false\nfactor = 2\n") + 'architecture.name = ["mlp"]\n': (
        "search.factor",
        "pruning",
    ),
}


@pytest.mark.parametrize("text", HARMLESS, ids=range(len(HARMLESS)))
def test_what_misleads_nobody_is_no_mistake_and_is_told_all_the_same(text: str) -> None:
    ((place, what),) = harmless(parse(text, CATALOGUE), CATALOGUE.classical)
    key, reason = HARMLESS[text]
    assert spell(place) == key and reason in what and "changes nothing" in what


@pytest.mark.parametrize("text", PAIRS, ids=range(len(PAIRS)))
def test_what_can_change_nothing_is_told(text: str) -> None:
    key, reason = PAIRS[text]
    (mistake,) = told(text)
    place, what = mistake.split(": ", 2)[1:]
    assert place.endswith(key) and reason in what, mistake


ALONE = {
    '[[sweep]]\nname = "s"\narchitecture = { name = "transfer" }\n'
    "grid = { architecture.backbone_learning_rate_multiplier = [0.1, 0.5] }\n": "backbone_learning_rate_multiplier",
    '[[sweep]]\nname = "s"\narchitecture = "mlp"\nrecipe = { epochs = 3 }\n'
    "grid = { recipe.schedule_epochs = [4, 5] }\n": "schedule_epochs",
    '[[sweep]]\nname = "s"\narchitecture = "mlp"\n'
    'grid = { recipe.optimizer = ["adam", { name = "sgd", nesterov = true }] }\n': "nesterov",
    SPACE + 'architecture.name = ["mlp"]\nrecipe.optimizer.ema_momentum = [0.9, 0.99]\n': "ema_momentum",
    SPACE + 'architecture.name = ["cnn"]\narchitecture.dense = [[]]\narchitecture.dense_dropout = [0.1]\n': "dense_dropout",
}


@pytest.mark.parametrize("text", ALONE, ids=ALONE.values())
def test_so_it_is_where_no_combination_of_a_grid_or_a_space_has_a_use(text: str) -> None:
    (mistake,) = told(HEAD + text)
    assert ALONE[text] in mistake and "changes nothing" in mistake


USED = [
    '[[sweep]]\nname = "s"\narchitecture = { name = "transfer" }\n[sweep.grid]\narchitecture.unfreeze = ["none", "all"]\n'
    "architecture.backbone_learning_rate_multiplier = [0.1, 0.5]\n",
    '[[sweep]]\nname = "s"\narchitecture = { name = "svm", whiten = true }\ngrid = { architecture.components = [0, 8] }\n',
    '[[sweep]]\nname = "s"\narchitecture = "mlp"\nrecipe = { schedule_epochs = 90 }\n'
    'grid = { recipe.schedule = ["constant", "cosine"] }\n',
    '[recipe]\nschedule_epochs = 90\n[[trial]]\nname = "a"\narchitecture = "mlp"\n[[trial]]\nname = "b"\narchitecture = "mlp"\n'
    'recipe = { schedule = "cosine" }\n',
    "[recipe]\noptimizer = { name = 'sgd', nesterov = true }\naugmentation = {}\n"
    + SPACE
    + 'architecture.name = ["mlp"]\nrecipe.optimizer.momentum = { low = 0.0, high = 0.9 }\nrecipe.augmentation.zoom = [0.1]\n',
    SPACE + 'architecture.name = ["cnn"]\narchitecture.dense = [[], [8]]\narchitecture.dense_dropout = [0.1, 0.2]\n',
    SPACE
    + 'architecture.name = ["mlp", "cnn"]\narchitecture.dropout = [0.0, 0.2]\n[search.when.cnn]\n'
    + 'architecture.order = ["conv pool"]\n',
    "[split]\nfolds = 3\nshuffle = false\ntest = 0.2\nseed = 3\n" + TRIAL,
    "[recipe]\nepochs = 3\n" + TRIAL + TRIAL.replace('"a"', '"b"').replace("mlp", "svm"),
]


@pytest.mark.parametrize("text", USED, ids=range(len(USED)))
def test_nothing_is_told_where_one_training_has_a_use(text: str) -> None:
    assert not told(HEAD + text) and not list(harmless(parse(HEAD + text, CATALOGUE), CATALOGUE.classical))


def test_at_its_default_everything_may_be_written() -> None:
    adam = "use_ema = false, ema_momentum = 0.99"
    assert not told(with_recipe(f'optimizer = {{ name = "sgd", momentum = 0.0, nesterov = false, {adam} }}'))
    assert not told(with_architecture('name = "hog-svm", kernel = "linear", gamma = "scale", components = 0, whiten = false'))
    assert not told(with_architecture('name = "cnn", filters = [], kernel = 3, dense = [], dense_dropout = 0.0'))


def test_the_table_of_needs_names_options_that_there_are() -> None:
    for name in architectures.names():
        fields = architectures.options_model(name).model_fields
        for key, need in architectures.needs(name).items():
            assert {key, *need.keys} <= fields.keys(), f"{name}: {key}"
            need.met(*(fields[other].default for other in need.keys))
    known = {key for options in OPTIMIZERS.values() for key in options}
    assert OF_OPTIMIZERS.keys() | {key for need in OF_OPTIMIZERS.values() for key in need.keys} <= known
