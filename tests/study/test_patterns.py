"""Patterns of names."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toile.study.fields.patterns import matches, matching

NAMES = ["m1", "m[1]", "m[1] wide", "s: hidden=[64, 32]", "s: hidden=[64]", "other"]


@pytest.mark.parametrize(
    ("pattern", "meant"),
    [
        ("m1", ["m1"]), ("m[1]", ["m[1]"]), ("m[1]*", ["m1", "m[1]", "m[1] wide"]), ("m[12]", ["m1"]), ("m?", ["m1"]),
        ("s: hidden=[64*", ["s: hidden=[64, 32]", "s: hidden=[64]"]), ("*]", ["m[1]", "s: hidden=[64, 32]", "s: hidden=[64]"]),
        ("*", NAMES), ("M1", []),
    ],
)  # fmt: skip
def test_a_name_means_itself_and_a_bracket_too(pattern: str, meant: list[str]) -> None:
    assert matching(NAMES, pattern) == meant


@given(st.text(max_size=12), st.text(max_size=6))
def test_a_name_with_a_star_after_it_matches_what_begins_with_it(name: str, more: str) -> None:
    if not set(name) & set("*?"):
        assert matches(name + more, name + "*")
        assert matching([name, name + more], name)[0] == name
