"""The names of `toile.arrays` as checks: what a docstring says of an array is held against every call that a test makes.

Asked for by `tests/conftest.py` before anything of toile is imported. Outside the tests there is neither a check nor a cost.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Callable
from functools import reduce, wraps
from operator import or_
from types import UnionType
from typing import Annotated, Any, get_args, get_origin

import jaxtyping
import numpy as np
from beartype import BeartypeConf, beartype

from toile import arrays

# The rooms, and the parts of rooms, whose functions say what arrays they take. Not those with layers of Keras's kind: it reads
# the arguments of their functions, which it could not of a checked one.
CHECKED = (
    "toile.committee",
    "toile.data",
    "toile.evaluation",
    "toile.inference",
    "toile.models.classical",
    "toile.models.scratch",
    "toile.store.shape",
    "toile.pictures",
    "toile.study.recipe.schedules",
    "toile.training.engines",
    "toile.training.features",
    "toile.training.recipe",
    "toile.training.scaling",
    "toile.training.scratch",
)
# Not held to what their fields are: one makes them so itself, and says in words for users what is wrong; the other has, where a
# backbone is frozen, its features in the place of images.
FREE = {"Predictions.__init__", "Images.__init__"}
NUMBERS = {
    Any: jaxtyping.Shaped,
    np.void: jaxtyping.Shaped,
    np.object_: jaxtyping.Shaped,
    np.bool: jaxtyping.Bool,
    np.uint8: jaxtyping.UInt8,
    np.uint32: jaxtyping.UInt32,
    np.int32: jaxtyping.Int32,
    np.int64: jaxtyping.Int64,
    np.float32: jaxtyping.Float32,
    np.float64: jaxtyping.Float64,
    np.floating: jaxtyping.Float,
    np.integer: jaxtyping.Integer,
}


def install() -> None:
    """Make checks of the names, and of every function of the rooms one that is held to them."""
    assert not [name for name in sys.modules if name.startswith(CHECKED)], "toile was imported before its shapes are checked"
    for name, alias in vars(arrays).copy().items():
        if get_origin(alias) is Annotated:
            setattr(arrays, name, _check(alias))
    jaxtyping.install_import_hook(CHECKED, "tests.shapes.held")


def held(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function, held to those of its annotations that name an array. The others are the type checker's."""
    if function.__qualname__ in FREE:
        return function
    function.__annotations__ = {name: hint for name, hint in function.__annotations__.items() if "jaxtyping" in repr(hint)}
    if not function.__annotations__:
        return function
    check = beartype(function, conf=BeartypeConf(is_pep484_tower=True))

    @wraps(function)
    def undisturbed(*arguments: Any, **named: Any) -> Any:
        # Of a list beartype looks at one element, drawn by the generator that Keras draws first weights from too.
        state = random.getstate()
        try:
            return check(*arguments, **named)
        finally:
            random.setstate(state)

    return undisturbed


def _check(alias: Any) -> Any:
    array, axes = get_args(alias)
    (number,) = get_args(get_args(array)[1])
    choices = get_args(number) if get_origin(number) is UnionType else (number,)
    return reduce(or_, (NUMBERS[get_origin(choice) or choice][np.ndarray, axes] for choice in choices))
