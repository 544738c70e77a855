"""Study files: what is wrong is told all at once, each with its line, what is wanted and the nearest name."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

import pytest
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from toile import studies
from toile.errors import Misuse
from toile.study.fields.strict import listed
from toile.study.file.checks import Catalogue
from toile.study.file.read import StudyError, parse, read


class Cnn(BaseModel):
    """Options such as an architecture has."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)
    filters: Annotated[tuple[int, ...], BeforeValidator(listed)] = (32,)
    kernel: Annotated[int, Field(ge=1)] | Annotated[tuple[int, ...], BeforeValidator(listed)] = 3
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0


CATALOGUE = Catalogue(
    ("digits", "fashion-mnist"), ("csv", "npz"), ("mean", "median", "weighted-mean", "log-pool"), {"cnn": Cnn}
)
HEAD = 'title = "t"\ndataset = "digits"\n'
TRIAL = '[[trial]]\nname = "a"\narchitecture = "cnn"\n'
SWEEP = '[[sweep]]\nname = "s"\narchitecture = "cnn"\n'
COMPARISON = '[[comparison]]\nname = "c"\ntrials = ["a"]\n'
COMMITTEE = '[[committee]]\nname = "c"\nmembers = ["a"]\n'


def mistakes(text: str) -> list[str]:
    with pytest.raises(StudyError) as caught:
        parse(text, CATALOGUE, "s.toml")
    assert str(caught.value).startswith("s.toml has ")
    assert all(mistake in str(caught.value) for mistake in caught.value.mistakes)
    return caught.value.mistakes


def test_a_right_study() -> None:
    study = parse(HEAD + TRIAL, CATALOGUE)
    assert study.trial[0].architecture.name == "cnn"
    assert study.seeds == (0,)


def test_all_mistakes_of_a_file_at_once() -> None:
    text = """\
titel = "t"
dataset = { name = "digit", pth = "x" }
seeds = [0, 0]
backend = "tf"

[split]
method = "tial"
validation = 1.0

[recipe]
epochs = "20"
optimizer = { name = "adam", beta1 = 0.5 }
schedule = { name = "cosine", warmupp = 1 }
early_stopping = { patience = -1 }

[[trial]]
name = "a"
recipe = { batch_sise = 32 }

[[trial]]
name = "b"
architecture = { name = "cnn", kernl = 3 }

[[trial]]
name = "b"
architecture = "cmn"

[[committee]]
name = "c"
members = ["a", "aa", "b"]
rule = "maen"
"""
    with pytest.raises(StudyError) as caught:
        parse(text, CATALOGUE, "s.toml")
    short = re.sub("; (known:|it has) .*", "", str(caught.value))
    assert (
        short
        == """\
s.toml has 19 mistakes:
  title: is missing
  line 1: titel: unknown key (did you mean 'title'?)
  line 2: dataset.pth: unknown key (did you mean 'path'?)
  line 2: dataset.name: unknown data set 'digit' (did you mean 'digits'?)
  line 3: seeds: every seed once is wanted, got [0, 0]
  line 4: backend: unknown backend 'tf'
  line 7: split.method: unknown method 'tial' (did you mean 'tail'?)
  line 8: split.validation: below 1 is wanted, got 1.0
  line 11: recipe.epochs: a whole number is wanted, got '20'
  line 12: recipe.optimizer: optimizer 'adam' has no option 'beta1' (did you mean 'beta_1'?)
  line 13: recipe.schedule.warmupp: unknown key (did you mean 'warmup'?)
  line 14: recipe.early_stopping.patience: at least 0 is wanted, got -1
  line 16: trial[0].architecture: is missing
  line 18: trial[0].recipe.batch_sise: unknown key (did you mean 'batch_size'?)
  line 22: trial[1].architecture.kernl: cnn: unknown key (did you mean 'kernel'?)
  line 25: trial[2].name: the name 'b' is used 2 times; every trial has a name of its own
  line 26: trial[2].architecture: unknown architecture 'cmn' (did you mean 'cnn'?)
  line 30: committee[0].members[1]: unknown trial 'aa' (did you mean 'a'?)
  line 31: committee[0].rule: unknown rule 'maen' (did you mean 'mean'?)"""
    )
    for known in ("known: tail, random, stratified", "known: dropout, filters, kernel", "known: a, b"):
        assert any(mistake.endswith(known) for mistake in caught.value.mistakes)


ONE_MISTAKE = {
    # Top level
    "title = 3\ndataset = 'digits'\n" + TRIAL: "line 1: title: text is wanted, got 3",
    "title = ''\ndataset = 'digits'\n" + TRIAL: "line 1: title: text of at least 1 character is wanted, got ''",
    "title = 't'\n" + TRIAL: "dataset: is missing",
    HEAD: "a study has at least one [[trial]] or [[sweep]], or a [search]",
    HEAD + "trial = []": "a study has at least one [[trial]] or [[sweep]], or a [search]",
    HEAD + "trial = 3": "line 3: trial: a list is wanted, got 3",
    HEAD + "trial = ['a']": "line 3: trial[0]: a table is wanted, got 'a'",
    HEAD + TRIAL.replace("[[trial]]", "[trial]"): (
        "line 3: trial: is written [[trial]], in double brackets: there may be several"
    ),
    HEAD + SWEEP.replace("[[sweep]]", "[sweep]"): (
        "line 3: sweep: is written [[sweep]], in double brackets: there may be several"
    ),
    HEAD + "recipe = 3\n" + TRIAL: "line 3: recipe: a table is wanted, got 3",
    HEAD + "seeds = 0\n" + TRIAL: "line 3: seeds: a list is wanted, got 0",
    HEAD + "seeds = []\n" + TRIAL: "line 3: seeds: at least 1 value is wanted, got []",
    HEAD + "seeds = [0, -1]\n" + TRIAL: "line 3: seeds[1]: at least 0 is wanted, got -1",
    HEAD + "seeds = [0, true]\n" + TRIAL: "line 3: seeds[1]: a whole number is wanted, got true",
    # Data set
    "title = 't'\ndataset = 3\n" + TRIAL: "line 2: dataset: a name or a table is wanted, got 3",
    "title = 't'\ndataset = {}\n" + TRIAL: "line 2: dataset: a data set is given by exactly one of `name` and `path`",
    "title = 't'\ndataset = { name = 'digits', path = 'x' }\n" + TRIAL: (
        "line 2: dataset: a data set is given by exactly one of `name` and `path`"
    ),
    "title = 't'\ndataset = { name = 'digits', format = 'csv' }\n" + TRIAL: (
        "line 2: dataset: `test_path` and `format` go with `path`, not with `name`"
    ),
    "title = 't'\ndataset = './mine.npz'\n" + TRIAL: (
        "line 2: dataset: unknown data set './mine.npz'; known: digits, fashion-mnist; "
        "files of your own are given as { path = './mine.npz' }"
    ),
    "title = 't'\n[dataset]\npath = 'x'\nformat = 'cvs'\n" + TRIAL: (
        "line 4: dataset.format: unknown format 'cvs' (did you mean 'csv'?); known: csv, npz"
    ),
    "title = 't'\ndataset = { name = 'digits', class_map = [0, 'x'] }\n" + TRIAL: (
        "line 2: dataset.class_map[1]: a whole number is wanted, got 'x'"
    ),
    # Split
    HEAD + "split = { folds = 1 }\n" + TRIAL: "line 3: split.folds: at least 2 is wanted, got 1",
    HEAD + "split = { validation = 0.5, test = 0.5 }\n" + TRIAL: (
        "line 3: split: `validation` + `test` is 1; nothing is left to train on"
    ),
    # Recipe
    HEAD + "recipe = { epochs = 0 }\n" + TRIAL: "line 3: recipe.epochs: at least 1 is wanted, got 0",
    HEAD + "recipe = { epochs = 1.5 }\n" + TRIAL: "line 3: recipe.epochs: a whole number is wanted, got 1.5",
    HEAD + "recipe = { label_smoothing = nan }\n" + TRIAL: "line 3: recipe.label_smoothing: a finite number is wanted, got nan",
    HEAD + "recipe = { precision = 16 }\n" + TRIAL: (
        "line 3: recipe.precision: unknown precision '16'; known: float32, bfloat16"
    ),
    HEAD + "recipe = { early_stopping = true }\n" + TRIAL: (
        "line 3: recipe.early_stopping: a table or `false` is wanted, got true; `{}` is the table of all defaults"
    ),
    HEAD + "recipe = { schedule = 'cosin' }\n" + TRIAL: (
        "line 3: recipe.schedule: unknown schedule 'cosin' (did you mean 'cosine'?); known: constant, hold-then-decay, "
        "exponential, cosine, cosine-restarts, one-cycle, reduce-on-plateau"
    ),
    HEAD + "recipe = { schedule = { warmup = 2 } }\n" + TRIAL: (
        "line 3: recipe.schedule: a `name` is wanted, got {'warmup': 2}"
    ),
    HEAD + "recipe = { schedule = 3 }\n" + TRIAL: "line 3: recipe.schedule: a name or a table is wanted, got 3",
    HEAD + "recipe = { schedule = { name = 'cosine', minimum = 'x' } }\n" + TRIAL: (
        "line 3: recipe.schedule.minimum: a number is wanted, got 'x'"
    ),
    HEAD + "recipe = { optimizer = { momentum = 0.9 } }\n" + TRIAL: "line 3: recipe.optimizer.name: is missing",
    HEAD + "recipe = { optimizer = { name = 'sgd', momentum = 'x' } }\n" + TRIAL: (
        "line 3: recipe.optimizer: option 'momentum' of 'sgd' is a number, got 'x'"
    ),
    HEAD + TRIAL + "[trial.recipe.optimizer]\nname = 'sgd'\nlearning_rate = 0\n": (
        "line 6: trial[0].recipe.optimizer: option 'learning_rate' of 'sgd' is above 0, got 0.0"
    ),
    # Trials
    HEAD + "[[trial]]\narchitecture = 'cnn'\n": "line 3: trial[0].name: is missing",
    HEAD + TRIAL + "recipe = 'fast'\n": "line 6: trial[0].recipe: a table is wanted, got 'fast'",
    HEAD + TRIAL + "seeds = []\n": "line 6: trial[0].seeds: at least 1 value is wanted, got []",
    HEAD + TRIAL + "published = { test = { accuracy = '90 %' } }\n": (
        "line 6: trial[0].published.test.accuracy: a number is wanted, got '90 %'"
    ),
    HEAD + TRIAL + "published = { tset = {} }\n": (
        "line 6: trial[0].published.tset: unknown key (did you mean 'test'?); known: cross_validation, differs, "
        "epochs_run, mean_of_members, parameters, penalty, per_class, source, test, train, trainable_parameters, validation"
    ),
    HEAD + "[[trial]]\nname = 'a'\narchitecture = 3\n": "line 5: trial[0].architecture: a name or a table is wanted, got 3",
    HEAD + "[[trial]]\nname = 'a'\n[trial.architecture]\nname = 'cnn'\ndropout = 1\n": (
        "line 7: trial[0].architecture.dropout: cnn: below 1 is wanted, got 1"
    ),
    HEAD + "[[trial]]\nname = 'a'\narchitecture = { name = 'cnn', kernel = 'x' }\n": (
        "line 5: trial[0].architecture.kernel: cnn: a whole number or a list is wanted, got 'x'"
    ),
    HEAD + "[[trial]]\nname = 'a'\narchitecture = { name = 'cnn', kernel = [3, 'x'] }\n": (
        "line 5: trial[0].architecture.kernel[1]: cnn: a whole number is wanted, got 'x'"
    ),
    HEAD + "[[trial]]\nname = 'a'\narchitecture = { name = 'cnn', kernel = 0 }\n": (
        "line 5: trial[0].architecture.kernel: cnn: at least 1 is wanted, got 0"
    ),
    # Sweeps
    HEAD + SWEEP: "line 3: sweep[0].grid: is missing",
    HEAD + SWEEP + "grid = {}\n": "line 6: sweep[0].grid: at least 1 value is wanted, got {}",
    HEAD + SWEEP + "grid = { batch_size = [16] }\n": (
        "line 6: sweep[0].grid.batch_size: a grid's keys are recipe.KEY and architecture.KEY"
    ),
    HEAD + SWEEP + "[sweep.grid]\nrecipe.batch_size = 16\n": (
        "line 7: sweep[0].grid.recipe.batch_size: a list of values is wanted, got 16"
    ),
    HEAD + SWEEP + "[sweep.grid]\nrecipe.optimizer.learning_rate = [0.1, 0.2]\n": (
        'line 7: sweep[0].grid.recipe.optimizer: a list of whole tables is wanted, as [{ name = "…", learning_rate = … }, …], '
        "got {'learning_rate': [0.1, 0.2]}"
    ),
    HEAD + SWEEP + "[sweep.grid]\nrecipe.batch_size = []\n": (
        "line 7: sweep[0].grid.recipe.batch_size: a list of values is wanted, got []"
    ),
    HEAD + SWEEP + "[sweep.grid]\nrecipe.epochs = [1]\nrecipe.batch_size = [16, 'x']\n": (
        "line 8: sweep[0].grid.recipe.batch_size: a whole number is wanted, got 'x'"
    ),
    HEAD + SWEEP + "[sweep.grid.recipe]\nbatch_sise = [16]\n": (
        "line 7: sweep[0].grid.recipe.batch_sise: unknown key (did you mean 'batch_size'?); known: augmentation, batch_size, "
        "class_weight, early_stopping, epochs, flip_average, label_smoothing, optimizer, precision, sampling, scaling, "
        "schedule, schedule_epochs, teacher"
    ),
    HEAD + SWEEP + "[sweep.grid]\narchitecture.dropout = [0.5, 2.0]\n": (
        "line 7: sweep[0].grid.architecture.dropout: cnn: below 1 is wanted, got 2.0"
    ),
    HEAD + SWEEP + "[sweep.grid]\narchitecture.drop = [0.5]\n": (
        "line 7: sweep[0].grid.architecture.drop: cnn: unknown key (did you mean 'dropout'?); known: dropout, filters, kernel"
    ),
    HEAD + SWEEP + "recipe = { epochs = 0 }\ngrid = { recipe = { batch_size = [16] } }\n": (
        "line 6: sweep[0].recipe.epochs: at least 1 is wanted, got 0"
    ),
    HEAD + SWEEP + "grid = { recipe = { batch_size = [16, 16] } }\n": (
        "line 4: sweep[0].name: the name 's: batch_size=16' is used 2 times; every trial has a name of its own"
    ),
    HEAD + "[recipe]\nschedule = 'cosine'\nschedule_epochs = 30\n" + TRIAL + "recipe = { epochs = 40 }\n": (
        "line 9: trial[0].recipe: `schedule_epochs` is at least `epochs`, got 30 and 40"
    ),
    HEAD + SWEEP + "recipe = { schedule = 'cosine', schedule_epochs = 30 }\ngrid = { recipe.epochs = [10, 40] }\n": (
        "line 6: sweep[0].recipe: `schedule_epochs` is at least `epochs`, got 30 and 40"
    ),
    # Committees
    # Comparisons
    HEAD + TRIAL + COMPARISON.replace('"a"', '"aa"'): (
        "line 8: comparison[0].trials[0]: unknown trial 'aa' (did you mean 'a'?); known: a"
    ),
    HEAD + TRIAL + COMPARISON.replace('"a"', '"a", "a"'): (
        "line 8: comparison[0].trials[0]: 'a' is named 2 times; once is enough"
    ),
    HEAD + TRIAL + COMPARISON + 'labels = ["x", "y"]\n': (
        "line 6: comparison[0]: one label a trial is wanted, got 2 for 1 trials"
    ),
    HEAD + TRIAL + COMPARISON.replace('"a"', '"a*"') + 'labels = ["x"]\n': (
        "line 8: comparison[0].trials[0]: 'a*' may be several trials, and has one label; leave `labels` out, or name each trial"
    ),
    HEAD + TRIAL + COMPARISON.replace('"a"', '"b*"'): "line 8: comparison[0].trials[0]: unknown trial 'b*'; known: a",
    HEAD + TRIAL + COMPARISON + COMPARISON: (
        "line 10: comparison[1].name: the name 'c' is used 2 times; every comparison has a name of its own"
    ),
    # What the report shows closely
    HEAD + 'close_up = ["a", "aa"]\n' + TRIAL: "line 3: close_up[1]: unknown trial 'aa' (did you mean 'a'?); known: a",
    HEAD + 'close_up = ["a", "a"]\n' + TRIAL: "line 3: close_up[0]: 'a' is named 2 times; once is enough",
    # Committees
    HEAD + TRIAL + COMMITTEE.replace("[[committee]]", "[committee]"): (
        "line 6: committee: is written [[committee]], in double brackets: there may be several"
    ),
    HEAD + TRIAL + COMMITTEE.replace('["a"]', "[]"): (
        "line 8: committee[0].members: at least 1 value is wanted, got []"
    ),
    HEAD + TRIAL + COMMITTEE.replace('["a"]', '"a"'): "line 8: committee[0].members: a list is wanted, got 'a'",
    HEAD + TRIAL + COMMITTEE.replace('["a"]', '["a", "a"]'): (
        "line 8: committee[0].members[0]: 'a' is named 2 times; `weights` says that one member counts more than another"
    ),
    HEAD + TRIAL + COMMITTEE + COMMITTEE: (
        "line 10: committee[1].name: the name 'c' is used 2 times; every committee has a name of its own"
    ),
    HEAD + TRIAL + COMMITTEE + "weights = [1]\n": (
        "line 9: committee[0].weights: only the rule \"weighted-mean\" takes weights; the rule is 'mean'"
    ),
    HEAD + TRIAL + COMMITTEE + "rule = 'weighted-mean'\n": (
        'line 9: committee[0].rule: rule "weighted-mean" needs `weights`: one number a member, or "fit"'
    ),
    HEAD + TRIAL + COMMITTEE + "rule = 'weighted-mean'\nweights = [1, 2]\n": (
        "line 10: committee[0].weights: one number a member is wanted, got 2 for 1 members"
    ),
    HEAD + TRIAL + COMMITTEE + "across = 'seeds'\nrule = 'weighted-mean'\nweights = [1]\n": (
        "line 11: committee[0].weights: a committee across seeds has as many members as there are seeds: no weights"
    ),
    HEAD + TRIAL + COMMITTEE + "rule = 'weighted-mean'\nweights = [0]\n": (
        "line 10: committee[0].weights: weights are at least 0 and not all 0, got [0.0]"
    ),
    HEAD + TRIAL + COMMITTEE + "rule = 'weighted-mean'\nweights = ['x']\n": (
        "line 10: committee[0].weights[0]: a number is wanted, got 'x'"
    ),
    HEAD + TRIAL + COMMITTEE + "rule = 'weighted-mean'\nweights = 'fti'\n": (
        "line 10: committee[0].weights: a list or \"fit\" is wanted, got 'fti' (did you mean 'fit'?)"
    ),
    HEAD + "split = { validation = 0 }\n" + TRIAL + COMMITTEE + "rule = 'weighted-mean'\nweights = 'fit'\n": (
        "line 11: committee[0].weights: weighted-mean is fitted on the validation split or on folds; the study has neither "
        "(split.validation = 0)"
    ),
    HEAD + "split = { validation = 0 }\n" + TRIAL + COMMITTEE + "rule = 'log-pool'\n": (
        "line 10: committee[0].rule: log-pool is fitted on the validation split or on folds; the study has neither "
        "(split.validation = 0)"
    ),
}  # fmt: skip


@pytest.mark.parametrize(("text", "message"), ONE_MISTAKE.items(), ids=ONE_MISTAKE.values())
def test_one_mistake(text: str, message: str) -> None:
    assert mistakes(text) == [message]


@pytest.mark.parametrize("text", ["title = ", "title = 't", "[trial", "a = 1\na = 2", "x = " + "[" * 5000, "x = " + "1" * 5000])
def test_not_toml(text: str) -> None:
    (mistake,) = mistakes(text)
    assert mistake.startswith("not TOML: ")


def test_a_syntax_error_has_its_line() -> None:
    (mistake,) = mistakes('title = "t"\ndataset = digits\n')
    assert "line 2" in mistake


@pytest.mark.parametrize("value", ["3", "'x'", "true", "[]", "[1]", "{}", "[{}]", "1.5", "2024-01-01", "[[1]]"])
@pytest.mark.parametrize("key", ["title", "dataset", "split", "seeds", "recipe", "trial", "sweep", "committee", "backend"])
def test_no_value_anywhere_ends_in_another_error(key: str, value: str) -> None:
    defaults = {"title": "'t'", "dataset": "'digits'", "trial": "[{ name = 'a', architecture = 'cnn' }]"}
    text = "\n".join(f"{k} = {v}" for k, v in {**defaults, key: value}.items())
    try:
        parse(text, CATALOGUE)
    except StudyError as error:
        assert any(key in mistake or "trial" in mistake for mistake in error.mistakes)


KEYS = {
    "trial": ["name", "architecture", "recipe", "seeds", "published", "note"],
    "sweep": ["name", "architecture", "recipe", "grid", "seeds", "note"],
    "committee": [
        "name",
        "members",
        "candidates",
        "across",
        "rule",
        "weights",
        "calibration",
        "max_members",
        "max_parameters",
        "max_milliseconds",
        "published",
        "note",
    ],
    "comparison": ["name", "trials", "labels"],
}


@pytest.mark.parametrize("value", ["3", "'x'", "true", "[]", "[[1], 'a']", "{ name = 1 }", "[{}]", "{ recipe = 1 }", "inf"])
@pytest.mark.parametrize(("kind", "key"), [(kind, key) for kind, keys in KEYS.items() for key in keys])
def test_no_value_in_any_table_ends_in_another_error(kind: str, key: str, value: str) -> None:
    defaults = {
        "trial": {"name": "'a'", "architecture": "'cnn'"},
        "sweep": {"name": "'s'", "architecture": "'cnn'", "grid": "{ recipe = { epochs = [1, 2] } }"},
        "committee": {"name": "'c'", "members": "['a']"},
        "comparison": {"name": "'c'", "trials": "['a']"},
    }
    tables = {name: {**table, key: value} if name == kind else table for name, table in defaults.items()}
    text = HEAD + "".join(f"[[{name}]]\n" + "".join(f"{k} = {v}\n" for k, v in table.items()) for name, table in tables.items())
    try:
        parse(text, CATALOGUE)
    except StudyError as error:
        assert error.mistakes


def test_members_may_be_combinations_of_a_sweep() -> None:
    text = HEAD + SWEEP + "grid = { recipe = { batch_size = [16, 32] } }\n" + COMMITTEE
    right = text.replace('["a"]', '["s: batch_size=16", "s: batch_size=32"]')
    assert parse(right, CATALOGUE).committee[0].members == ("s: batch_size=16", "s: batch_size=32")
    (mistake,) = mistakes(text.replace('["a"]', '["s: batch_size=61"]'))
    assert "unknown trial 's: batch_size=61' (did you mean 's: batch_size=16'?)" in mistake


def test_a_broken_sweep_does_not_make_its_members_unknown() -> None:
    text = HEAD + SWEEP + "grid = { recipe = { batch_size = [16, 'x'] } }\n" + COMMITTEE
    (mistake,) = mistakes(text.replace('["a"]', '["s: batch_size=16"]'))
    assert "a whole number is wanted" in mistake


def test_weights_may_be_fitted_on_what_folds_hold_out() -> None:
    text = HEAD + "split = { validation = 0, folds = 3 }\n" + TRIAL + COMMITTEE + "rule = 'weighted-mean'\nweights = 'fit'\n"
    assert parse(text, CATALOGUE).committee[0].weights == "fit"


def test_read_names_the_file(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    with pytest.raises(Misuse, match=r"cannot read the study .*mine\.toml: No such file"):
        read(path, CATALOGUE)
    path.write_bytes(b"title = '\xff'")
    with pytest.raises(Misuse, match=r"it is not text in UTF-8 \(byte 9\)"):
        read(path, CATALOGUE)
    path.write_text("titel = 3", "utf-8")
    with pytest.raises(StudyError, match=r"^mine\.toml has 4 mistakes:"):
        read(path, CATALOGUE)
    with pytest.raises(Misuse, match="cannot read the study"):
        read(tmp_path, CATALOGUE)


def test_a_mark_before_the_first_character_does_no_harm(tmp_path: Path) -> None:
    path = tmp_path / "from-windows.toml"
    path.write_bytes(b"\xef\xbb\xbf" + (HEAD + TRIAL).replace("\n", "\r\n").encode())
    assert read(path, CATALOGUE).title == "t"


@pytest.mark.parametrize("name", studies.names())
def test_every_packaged_study_is_right(name: str) -> None:
    loaded = studies.load(name)
    assert loaded.reference == name
    assert loaded.spec.trial or loaded.spec.sweep
    assert studies.title(name) == loaded.spec.title


def test_a_learning_rate_beside_the_optimizer_is_shown_its_place() -> None:
    text = 'title = "x"\ndataset = "digits"\nrecipe = { learning_rate = 0.1 }\n[[trial]]\nname = "a"\narchitecture = "mlp"\n'
    with pytest.raises(StudyError, match=r'optimizer = \{ name = "adam", learning_rate = 0.1 \}') as caught:
        parse(text, studies.catalogue())
    assert "line 3" in str(caught.value)
