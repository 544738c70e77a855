"""What the OpenAPI document allows is what the server takes: of JSON drawn from the document, and of JSON that is near it."""

from __future__ import annotations

import json
import tracemalloc
from typing import Any

import jsonschema
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from toile.serving import bodies, schema
from toile.serving.http.problem import Problem

SHAPES = [(2, 3, 1), (2, 1, 3), (1, 1, 1), (3, 2, 2)]
MOST = 3


def drawn(about: dict[str, Any]) -> st.SearchStrategy[Any]:
    """Values that a schema allows."""
    if "oneOf" in about:
        return st.one_of([drawn(one) for one in about["oneOf"]])
    if about["type"] == "object":
        return st.fixed_dictionaries({name: drawn(about["properties"][name]) for name in about["required"]})
    if about["type"] == "array":
        return st.lists(drawn(about["items"]), min_size=about["minItems"], max_size=about["maxItems"])
    assert about["type"] == "integer"
    return st.integers(about["minimum"], about["maximum"]).flatmap(lambda number: st.sampled_from([number, float(number)]))


def of_json(shape: tuple[int, int, int]) -> dict[str, Any]:
    return schema.body(shape, MOST)["content"]["application/json"]["schema"]


def taken(value: Any, shape: tuple[int, int, int]) -> list[np.ndarray] | None:
    try:
        return [one.pixels for one in bodies.pixels(json.dumps(value).encode(), shape, MOST)]
    except Problem:
        return None


@pytest.mark.parametrize("shape", SHAPES)
@given(data=st.data())
@settings(max_examples=30, deadline=None)
def test_what_is_allowed_is_taken(shape, data):
    value = data.draw(drawn(of_json(shape)))
    images = [value["image"]] if "image" in value else value["images"]
    found = taken(value, shape)
    assert found is not None
    np.testing.assert_array_equal(np.stack(found), np.stack([np.reshape(one, shape) for one in images]))


PIXELS = st.one_of(
    st.integers(-1, 256), st.floats(-1, 256), st.booleans(), st.none(), st.text(max_size=2), st.just(255.0), st.just(10**30)
)


@pytest.mark.parametrize("shape", SHAPES)
@given(data=st.data())
@settings(max_examples=60, deadline=None)
def test_what_is_not_allowed_is_not_taken(shape, data):
    """A value that is allowed, with something put in the place of any part of it."""
    value = data.draw(drawn(of_json(shape)))
    holder, key = value, next(iter(value))
    while isinstance(holder[key], list) and holder[key] and data.draw(st.booleans()):
        holder, key = holder[key], data.draw(st.integers(0, len(holder[key]) - 1))
    part = holder[key]
    others = [PIXELS, st.lists(PIXELS, max_size=4)]
    if isinstance(part, list):
        others += [st.just(part[:-1]), st.just([*part, *part[-1:]]), st.just([part])]
    holder[key] = data.draw(st.one_of(others))
    allowed = jsonschema.Draft202012Validator(of_json(shape)).is_valid(value)
    assert (taken(value, shape) is not None) == allowed


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("value", [{}, {"image": None}, {"images": []}, {"picture": []}, [], 7, None])
def test_other_documents(shape, value):
    assert not jsonschema.Draft202012Validator(of_json(shape)).is_valid(value)
    assert taken(value, shape) is None


@pytest.mark.parametrize("part", [b"[],", b"{},", b"0,", b"0.5,", b'"",', b"[0],", b"null,"])
def test_json_takes_thirty_times_its_text_at_most(part):
    shape, most = (28, 28, 1), 64
    allowed = bodies.JSON_BYTES_A_PIXEL * most * 28 * 28
    for count in (allowed // len(part) - 8, 2 * most * 28 * 28 // part.count(b",")):  # refused unparsed, and as many as are not
        text = b'{"images": [' + part * count + b"0]}"
        tracemalloc.start()
        with pytest.raises(Problem):
            bodies.pixels(text, shape, most)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 30 * len(text)


def test_the_document_says_sizes_and_types():
    content = schema.body((28, 28, 1), 64)["content"]
    assert set(content) == {*bodies.FILES, "multipart/form-data", "application/json"}
    files = content["multipart/form-data"]["schema"]
    assert (files["additionalProperties"], files["properties"]["image"]["maxItems"]) == (False, 64)
    one, many = content["application/json"]["schema"]["oneOf"]
    rows = one["properties"]["image"]["oneOf"][0]
    assert (rows["minItems"], rows["maxItems"], rows["items"]["minItems"]) == (28, 28, 28)
    assert (many["properties"]["images"]["minItems"], many["properties"]["images"]["maxItems"]) == (1, 64)
