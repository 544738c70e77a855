"""The reference of study files: made from the models, complete, and up to date. (`test_docs.py` plans its examples.)"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from toile import reference
from toile.cli import main
from toile.models import architectures
from toile.study.data.dataset import DatasetSpec
from toile.study.data.split import SplitSpec
from toile.study.recipe import schedules
from toile.study.recipe.optimizers import ABOUT, OPTIMIZERS
from toile.study.recipe.recipe import RecipeSpec
from toile.study.spec import StudySpec

PAGE = Path(__file__).parents[2] / "docs" / "study-file.md"


def sections() -> list[tuple[str, str]]:
    """Heading and text of each."""
    parts = re.split(r"^#+ (.*)\n", reference.render(), flags=re.MULTILINE)
    return list(zip(parts[1::2], parts[2::2], strict=True))


def test_the_page_is_up_to_date(capsys: pytest.CaptureFixture, tmp_path: Path) -> None:
    main(["reference"])
    assert capsys.readouterr().out == PAGE.read_text("utf-8"), "run `toile reference --output docs/study-file.md`"
    main(["reference", "--output", str(tmp_path / "new" / "page.md")])
    assert (tmp_path / "new" / "page.md").read_bytes() == PAGE.read_bytes()


@pytest.mark.parametrize(("heading", "text"), [pytest.param(*one, id=one[0]) for one in sections()])
def test_every_key_is_in_an_example_of_its_section(heading: str, text: str) -> None:
    examples = "\n".join(re.findall(r"```toml\n(.*?)```", text, re.DOTALL))
    keys = re.findall(r"^\| `(\w+)` \| .* \| .* \| .* \|$", text, re.MULTILINE)
    # What is off by default and has no number to show is in the example that all optimizers share.
    expected = {key for key in keys if heading not in OPTIMIZERS or OPTIMIZERS[heading][key] is not None}
    assert expected <= set(re.findall(r"\w+", examples))


def test_nothing_that_may_be_asked_for_is_missing() -> None:
    headings = {heading for heading, _ in sections()}
    kinds = {model.model_fields["name"].annotation.__args__[0] for model in schedules.Schedule.__origin__.__args__}
    assert {*architectures.names(), *OPTIMIZERS, *kinds, "dataset", "split", "recipe", "trial", "sweep"} <= headings


def test_every_option_of_an_optimizer_is_described_and_no_other() -> None:
    assert set(ABOUT) == {option for options in OPTIMIZERS.values() for option in options}


@pytest.mark.parametrize(
    ("model", "key", "expected"),
    [
        (RecipeSpec, "epochs", ("whole number, at least 1, at most 100,000", "`20`")),
        (RecipeSpec, "optimizer", ("text or table", '`"adam"`')),
        (RecipeSpec, "early_stopping", ("`false` or table", "none")),
        (SplitSpec, "validation", ('number, at least 0, below 1 or `"given"`', "`0.2`")),
        (SplitSpec, "method", ('`"tail"` or `"random"` or `"stratified"`', '`"stratified"`')),
        (DatasetSpec, "class_map", ("list: whole number", "none")),
        (StudySpec, "title", ("text", "required")),
        (StudySpec, "trial", ("tables, `[[…]]`", "`[]`")),
        (architectures.options_model("cnn"), "kernel", ("whole number, at least 1; or a list of such", "`3`")),
    ],
)
def test_what_a_model_says_in_words(model: type, key: str, expected: tuple[str, str]) -> None:
    about = dict.fromkeys(model.model_fields, "")
    (found,) = [(one.type, one.default) for one in reference.keys(model, about) if one.name == key]
    assert found == expected
