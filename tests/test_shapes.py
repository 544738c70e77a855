"""The names of `toile.arrays`: checks in the tests, and nothing at all for who uses toile."""

from __future__ import annotations

import ast
import random
import subprocess
import sys
from pathlib import Path
from typing import Annotated, get_origin

import jaxtyping
import numpy as np
import pytest

import toile
from tests import shapes
from toile.committee.rules import mean
from toile.data.reading.checks import as_images
from toile.evaluation.metrics import accuracy
from toile.evaluation.roc import roc_auc_ovr

RIGHT = np.full((3, 2), 0.5, np.float32), np.zeros(3, np.int64)


def test_what_is_right_passes():
    assert accuracy(*RIGHT) == 1


@pytest.mark.parametrize(
    ("probabilities", "labels"),
    [
        pytest.param(RIGHT[0].T, RIGHT[1], id="other axes"),
        pytest.param(RIGHT[0][0], RIGHT[1], id="an axis too few"),
        pytest.param(RIGHT[0].astype(np.float64), RIGHT[1], id="other numbers"),
        pytest.param(RIGHT[0], RIGHT[1].astype(np.int32), id="other labels"),
    ],
)
@pytest.mark.parametrize("function", [accuracy, roc_auc_ovr])
def test_what_is_wrong_is_told_in_tests(function, probabilities, labels):
    with pytest.raises(jaxtyping.TypeCheckError):
        function(probabilities, labels)


def test_what_is_returned_is_checked_too(monkeypatch):
    monkeypatch.setattr("toile.committee.rules._finished", lambda scores: scores)
    with pytest.raises(jaxtyping.TypeCheckError, match="return value"):
        mean(np.full((2, 3, 4), 0.25))


def test_checks_draw_no_random_numbers():
    """Of a list one element is looked at, at random; what a test trains must not depend on that."""
    random.seed(1)
    as_images([np.zeros((2, 3, 3), np.uint8)], "made")
    after = random.random()
    random.seed(1)
    assert after == random.random()


def test_who_uses_toile_has_neither_the_checks_nor_their_libraries():
    script = (
        "import sys, toile.evaluation.metrics, toile.committee.rules, toile.data.parts.splits, toile.estimators\n"
        "assert not {'jaxtyping', 'beartype'} & set(sys.modules)\n"
        "import numpy; assert toile.evaluation.metrics.accuracy(numpy.eye(2), numpy.arange(2)) == 1"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_every_name_is_used_and_is_a_check_here():
    """By name, as the aliases are: what nobody's signature has should not be there."""
    source = Path(toile.__file__).parent
    defined = {
        target.id
        for node in ast.parse((source / "arrays.py").read_text("utf-8")).body
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    used = {
        node.id
        for path in source.rglob("*.py")
        if path.name != "arrays.py"
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Name)
    }
    assert defined and defined <= used, f"nobody has {sorted(defined - used)}"
    assert not [name for name in defined if get_origin(getattr(shapes.arrays, name)) is Annotated]
