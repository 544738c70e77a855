"""What a study file may be at most: nothing in one hangs, exhausts or breaks the program that reads it."""

from __future__ import annotations

import copy
import os
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.data.damage import STUDY
from toile import studies
from toile.errors import Misuse
from toile.study.expand import variants
from toile.study.file import checks, limits, read
from toile.study.spec import StudySpec

CATALOGUE = studies.catalogue()
HEAD = 'title = "t"\ndataset = "digits"\n'
TRIAL = '[[trial]]\nname = "a"\narchitecture = "mlp"\n'
SWEEP = '[[sweep]]\nname = "s"\narchitecture = "mlp"\n'


def refused(text: str) -> str:
    with pytest.raises(read.StudyError) as caught:
        read.parse(text, CATALOGUE)
    return str(caught.value)


MANY = "[" + ", ".join(map(str, range(1, 101))) + "]"
HUGE = HEAD + "[recipe]\nepochs = 0x" + "f" * 5000
GRID = HEAD + SWEEP + f"grid.recipe.epochs = {MANY}\ngrid.recipe.batch_size = {MANY}\ngrid.architecture.dropout = [0.1, 0.2]"
AXES = HEAD + SWEEP + "grid = {" + ", ".join(f"recipe.k{i} = [1, 2]" for i in range(20_000)) + "}"
SEEDS = HEAD + f"seeds = {MANY}\nsplit.folds = 100\n" + TRIAL + TRIAL.replace('"a"', '"b"')
KEYS = HEAD + TRIAL + "".join(f"k{i} = 1\n" for i in range(5000))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (HEAD + TRIAL + "#" * limits.BYTES, r"1,048,6\d\d characters; a study file has at most 1,048,576"),
        (HEAD + "a" + ".a" * 200_000 + " = 1\n", "line 3: a key of more than 40 parts with dots between"),
        (HEAD + "[a" + ' . "a"' * 100_000 + "]\n", "line 3: a key of more than 40 parts"),
        (HEAD + "x = {" + "'a'.b." * 50_000 + "c = 1}\n", "line 3: a key of more than 40 parts"),
        (HEAD + "x = " + "[" * 100_000 + "]" * 100_000, "not TOML: maximum recursion depth exceeded"),
        (HEAD + "x = " + "[" * 100 + "]" * 100, r"line 3: x(\[0\]){20}: more than 20 tables and lists within one another"),
        (HEAD + "x = " + "{a = " * 100 + "1" + "}" * 100, r"more than 20 tables and lists within one another"),
        (HUGE, r"line 4: recipe\.epochs: a whole number of at most 64 bits is wanted, got a number of about 6,021 digits"),
        (HEAD + "[recipe]\nepochs = " + "1" * 5000, "not TOML: Exceeds the limit"),
        (GRID, r"sweep\[0\]: means 20,000 trainings; a study has at most 10,000"),
        (AXES, r"sweep\[0\]: means about 10 to the power of 6021 trainings"),
        (SEEDS, "the study means 20,000 trainings"),
        (HEAD + TRIAL + f"seeds = [{', '.join(map(str, range(10_001)))}]", r"trial\[0\]: means 10,001 trainings"),
        (KEYS, r"has 100 mistakes or more:"),
        (HEAD + f"dataset_ = '{'x' * 10_000}'\nbackend = '{'x' * 10_000}'\n" + TRIAL, "unknown backend 'xxx"),
    ],
    ids=lambda value: value[-30:] if len(value) < 300 else f"{len(value)} characters",
)
def test_what_is_too_much_is_refused_in_few_words(text: str, says: str) -> None:
    said = refused(text)
    assert re.search(says, said), said[:500]
    assert len(said) < 30_000


def test_a_study_of_as_many_trainings_as_are_allowed_is_read() -> None:
    text = HEAD + f"seeds = {MANY}\n" + SWEEP + f"grid.recipe.epochs = {MANY}\n"
    assert len(variants(read.parse(text, CATALOGUE))) == 100


def test_long_chains_and_lists_are_read_in_no_time() -> None:
    """Of some thousand trials each may begin with the one before, and a committee may have all of them as members."""
    trials = "".join(
        f'[[trial]]\nname = "{i}"\narchitecture = "mlp"\n' + (f'warm_start = "{i - 1}"\n' if i else "") for i in range(3000)
    )
    members = f"[[committee]]\nname = 'all'\nmembers = {[str(i) for i in range(3000)]}\n"
    assert len(read.parse(HEAD + trials + members, CATALOGUE).trial) == 3000


def test_a_study_file_is_a_plain_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.toml")
    for wrong in (tmp_path / "a.toml", tmp_path / ("x" * 5000), "y" * 5000 + ".toml", "a\0b", "/dev/zero"):
        with pytest.raises(Misuse, match=r"no study"):
            studies.load(wrong)


# Names


@pytest.mark.parametrize("kind", ["trial", "sweep", "committee"])
@pytest.mark.parametrize("name", ["a/b", "-a", "/", "a\x1b[31m", "a\nb", "\u202eb", "a\x7f", "", "x" * 121])
def test_names_that_cannot_be_said_on_the_command_line_are_refused(kind: str, name: str) -> None:
    content = tomllib.loads(STUDY)
    content[kind][0]["name"] = name
    told = [what for where, what in checks.mistakes(content, CATALOGUE) if where == (kind, 0, "name")]
    assert len(told) == 1
    assert "command line" in told[0] or "without control characters" in told[0] or "text of at" in told[0]
    assert told[0].isprintable()


@pytest.mark.parametrize(
    "name", ["model-4, 10 epochs", "HOG + SVM", "numpy, 50-50 tanh, L2 0.0001", "[red]", "$x$ (é) «二»", "نام‌ها"]
)
def test_other_names_are_names(name: str) -> None:
    content = tomllib.loads(STUDY)
    content["sweep"][0]["name"] = name
    assert not checks.mistakes(content, CATALOGUE)


def test_combinations_can_be_said_whatever_their_values_are() -> None:
    text = HEAD + SWEEP.replace('"mlp"', '"transfer"') + 'grid.architecture.weights = ["a/b.h5", "c/d.h5"]\n'
    assert [line.name for line in variants(read.parse(text, CATALOGUE))] == ["s: weights=a-b.h5", "s: weights=c-d.h5"]


# Any content

ODD = st.one_of(
    st.integers(), st.floats(), st.booleans(), st.text(max_size=8), st.just("a/b"), st.just(10**5000), st.just(-1), st.just([]),
    st.just({}), st.just("x" * 300), st.just([[[[]]]]), st.recursive(st.integers(), st.lists, max_leaves=20),
    st.dictionaries(st.sampled_from(["name", "recipe", "epochs", "a.b", "a", "options"]), st.integers() | st.text(max_size=3)),
)  # fmt: skip


def places(value: Any, here: tuple = ()) -> list[tuple]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [here, *(place for key, one in inner for place in places(one, (*here, key)))]


PLACES = places(tomllib.loads(STUDY))[1:]


@given(
    st.lists(st.tuples(st.sampled_from(PLACES), st.none() | st.sampled_from(["more", "other"]), ODD), min_size=1, max_size=3)
)
@settings(max_examples=600, deadline=None)
def test_any_content_is_a_study_or_a_list_of_mistakes(changes: list) -> None:
    content: dict = copy.deepcopy(tomllib.loads(STUDY))
    for place, key, value in changes:
        inner: Any = content
        for part in place[:-1]:
            try:
                inner = inner[part]
            except (KeyError, IndexError, TypeError):
                break
        if key and isinstance(inner, dict):
            inner[key] = value
        elif place[-1] in (inner if isinstance(inner, dict) else range(len(inner)) if isinstance(inner, list) else ()):
            inner[place[-1]] = value
    found = checks.mistakes(content, CATALOGUE)
    assert all(len(what) < 20_000 for _, what in found)
    if not found:
        assert variants(StudySpec.model_validate(content))
