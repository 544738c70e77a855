"""Strangers' words: what a terminal may obey is shown, what is long is cut, and values are told in a line."""

from __future__ import annotations

import io
import json
import unicodedata
from tokenize import TokenError

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.table import Table

from toile.errors import nearest, said
from toile.terminal import Terminal
from toile.text import brief, counted, cut, in_json, listed, obeyed, printable

ANY = st.text(st.characters(), max_size=40) | st.text(st.sampled_from("[]/\\=a \x1b\x07\x00\x7f\x9b\u202e\u2028\ud800é:\n\t"))


@given(ANY)
def test_nothing_that_a_terminal_obeys_is_left(text: str) -> None:
    shown = printable(text)
    assert not [one for one in shown if obeyed(one) and one != "\n"]
    assert shown.encode("utf-8").decode("utf-8") == shown
    assert printable(text, keep="").count("\n") == 0
    assert printable(shown) == shown
    if not any(map(obeyed, text)):
        assert shown == text


def test_what_is_obeyed() -> None:
    assert all(map(obeyed, "\x1b\x07\x00\n\t\x7f\x9b\u202e\u2066\u200f\u2028\ud800\ufeff"))
    assert not any(map(obeyed, "aé字🧵 \xa0\u3000\u200c\u200d"))
    assert printable("\x1b[31m\u202e\n") == "\\x1b[31m\\u202e\n"
    assert all(unicodedata.category(one) != "Cc" or obeyed(one) for one in map(chr, range(0x300)))


@given(st.recursive(ANY | st.integers() | st.none(), lambda inner: st.lists(inner) | st.dictionaries(ANY, inner)))
def test_json_means_the_same(value: object) -> None:
    document = in_json(json.dumps(value, indent=1, ensure_ascii=False))
    assert json.loads(document) == json.loads(json.dumps(value))
    assert not [one for one in document if obeyed(one) and one != "\n"]
    document.encode("utf-8")


@given(ANY, ANY)
def test_a_table_shows_names_as_they_are(title: str, name: str) -> None:
    table = Table(title=title, title_justify="left")
    table.add_column(name)
    table.add_row(f"<{name}>")
    file = io.StringIO()
    Terminal(file=file, width=400, color_system=None).print(table)
    Terminal(file=file, width=400, color_system=None).print(f"<{name}>", style="bold")
    assert not [one for one in file.getvalue() if obeyed(one) and one != "\n"]
    if "\n" not in name and name.strip():
        assert file.getvalue().count(f"<{printable(name)}>") == 2


def test_long_things_are_told_in_short() -> None:
    assert listed(["a", "b"]) == "a, b" and listed([]) == ""
    assert listed(map(str, range(30)), 3) == "0, 1, 2 and 27 more"
    assert len(listed(["x" * 10_000])) < 200
    assert cut("abc", 3) == "abc" and cut("abcd", 3) == "ab…"
    assert brief(10**5000) == "a number of about 5,001 digits" and brief(-12) == "-12" and brief("it's") == '"it\'s"'
    nested = (1,)
    for _ in range(200):
        nested = (nested, nested)
    assert len(brief(nested)) <= 60


def test_one_thing_is_not_many() -> None:
    assert counted(1, "run") == "1 run" and counted(0, "run") == "0 runs" and counted(1200, "run") == "1,200 runs"
    assert counted(1, "run has", "runs have") == "1 run has" and counted(2, "run has", "runs have") == "2 runs have"


def test_an_exception_is_told_in_a_line() -> None:
    assert said(ValueError(" first\nsecond")) == "first"
    assert said(OSError(2, "No such file", "x")) == "No such file"
    assert said(MemoryError()) == "MemoryError"
    assert said(TokenError("EOF in a statement", (3, 0))) == "EOF in a statement"
    assert len(said(ValueError("x" * 10_000))) == 200


def test_the_nearest_of_very_many_names_is_not_waited_for() -> None:
    assert nearest("modle", ["model"]) == " (did you mean 'model'?)"
    assert nearest("x" * 300, ["x" * 299]) == ""
    nearest("name-5", (f"name-{i}" for i in range(10**6)))


def test_a_terminal_of_no_columns_is_printed_to(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "0")
    assert Terminal().width == 80
