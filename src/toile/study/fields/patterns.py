"""Names and patterns of them, as `model-*`."""

from __future__ import annotations

from collections.abc import Iterable
from fnmatch import fnmatchcase


def matching(names: Iterable[str], pattern: str) -> list[str]:
    """The names that a pattern matches, in their order; a pattern that is a name means that one alone."""
    names = list(names)
    return [name for name in names if name == pattern] or [name for name in names if matches(name, pattern)]


def matches(name: str, pattern: str) -> bool:
    """Whether a pattern of `*`, `?` and `[…]` matches a name. The names of a sweep may have brackets (`hidden=[64, 32]`), so a
    bracket also means itself."""
    return fnmatchcase(name, pattern) or fnmatchcase(name, pattern.replace("[", "[[]"))
