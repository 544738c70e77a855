"""Lines of a study file: of what is written, however TOML lets it be written, and only there."""

from __future__ import annotations

import datetime
import tomllib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from toile import studies
from toile.study.file.lines import line, positions

TEXT = '''\
# [[trial]] in a comment, title = "no"
title = "a \\" # no comment, [no.table]"
question = """
epochs = 3
[[trial]]
"""
'it''s' = 1

[recipe]   # after the header
"epochs" = 5
schedule . name = "cosine"
optimizer = { name = "adam", options = { beta_1 = 0.5 } }

[[trial]]
name = 'one'
seeds = [
  1,  # first
  2,
]

[trial.architecture]
name = "cnn"
[trial.published.test]
accuracy = 0.9

[[ trial ]]
name = "two"
[[trial.extra]]
at = 1979-05-27 07:32:00
[[trial.extra]]
at = +inf
'''.replace("'it''s'", '"it\'s"')


@pytest.mark.parametrize(
    ("location", "number"),
    [
        (("title",), 2),
        (("question",), 3),
        (("it's",), 7),
        (("recipe",), 9),
        (("recipe", "epochs"), 10),
        (("recipe", "schedule", "name"), 11),
        (("recipe", "optimizer", "options", "beta_1"), 12),
        (("trial",), 14),
        (("trial", 0, "name"), 15),
        (("trial", 0, "seeds", 0), 17),
        (("trial", 0, "seeds", 1), 18),
        (("trial", 0, "architecture"), 21),
        (("trial", 0, "published", "test", "accuracy"), 24),
        (("trial", 1), 26),
        (("trial", 1, "name"), 27),
        (("trial", 1, "extra", 0, "at"), 29),
        (("trial", 1, "extra", 1, "at"), 31),
    ],
)
def test_line_of_a_key(location: tuple, number: int) -> None:
    assert positions(TEXT)[location] == number


def test_what_is_not_written_has_the_line_of_what_it_belongs_to() -> None:
    lines = positions(TEXT)
    assert line(lines, ("trial", 1, "architecture")) == 26  # and not 21, where another trial has one
    assert line(lines, ("trial", 0, "published", "test", "loss")) == 23
    assert line(lines, ("recipe", "batch_size")) == 9
    assert line(lines, ("dataset",)) is None
    assert line(lines, ()) is None


def paths(value: object, at: tuple = ()) -> set[tuple]:
    """Every location in a document that was read."""
    parts = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return {at}.union(*(paths(inner, (*at, key)) for key, inner in parts)) if parts else {at}


def same_places(text: str) -> None:
    lines = positions(text)
    assert set(lines) | {()} == paths(tomllib.loads(text))
    for location, number in lines.items():
        if isinstance(location[-1], str) and location[-1].isidentifier():
            assert location[-1] in text.splitlines()[number - 1]


def test_everything_in_the_text_is_found() -> None:
    same_places(TEXT)
    assert tomllib.loads(TEXT)["trial"][1]["extra"][0]["at"] == datetime.datetime(1979, 5, 27, 7, 32)


@pytest.mark.parametrize("path", sorted(Path(studies.__file__).parent.glob("*.toml")), ids=lambda path: path.stem)
def test_everything_in_a_packaged_study_is_found(path: Path) -> None:
    same_places(path.read_text("utf-8"))


SCALARS = st.one_of(
    st.integers().map(str),
    st.booleans().map(lambda value: str(value).lower()),
    st.sampled_from(['"x"', "'x'", '"a # b"', '"[t]"', "'''a\nb'''", '"""a\n"b"\\"""""', "1e3", "-inf", "07:32:00", '""']),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3).map(lambda items: "[ # of\n" + ",\n".join(items) + "\n]")
        | st.lists(inner, max_size=3).map(lambda items: "{" + ", ".join(f"k{i} = {v}" for i, v in enumerate(items)) + " }")
    ),
    max_leaves=6,
)


@settings(deadline=None)
@given(st.lists(st.tuples(st.sampled_from(["", "[t{}]", "[[u]]", "[[u.v]]", "['q r'.t{}]"]), VALUES), max_size=6))
def test_everything_is_found_in_any_document(parts: list[tuple[str, str]]) -> None:
    text = "".join(f"{header.format(i)}\n\n  k{i} = {value} # end\n" for i, (header, value) in enumerate(parts))
    try:
        content = tomllib.loads(text)
    except tomllib.TOMLDecodeError:  # such as [[u]] after [[u.v]]
        return
    assert set(positions(text)) | {()} == paths(content)
