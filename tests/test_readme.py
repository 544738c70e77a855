"""What the README shows a newcomer works as it stands there."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import toile
from toile import cli

REPOSITORY = Path(__file__).parent.parent
README = (REPOSITORY / "README.md").read_text("utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


def test_the_study_of_your_own_plans(tmp_path: Path) -> None:
    (tmp_path / "shoes.toml").write_text("\n".join(blocks("toml")))
    plan = toile.plan(tmp_path / "shoes.toml", dataset="digits", store=tmp_path / "store")
    assert [one.name for one in plan.trials] == [
        "dropout: dense_dropout=0.0 (seed 0)",
        "dropout: dense_dropout=0.0 (seed 1)",
        "dropout: dense_dropout=0.3 (seed 0)",
        "dropout: dense_dropout=0.3 (seed 1)",
    ]


def test_the_python_runs(tmp_path: Path) -> None:
    for code in blocks("python"):
        done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        assert done.stdout == "3 trials\n"


def test_every_verb_is_in_the_table_and_every_verb_of_the_table_is_there() -> None:
    shown = set(re.findall(r"`toile ([a-z-]+)", README)) - {"plan"} | {"plan"}
    there = {name for name in cli.app if not name.startswith("-")}
    assert there == shown


def test_make_knows_the_commands_that_are_shown() -> None:
    targets = set(re.findall(r"^([a-z]+):", (REPOSITORY / "Makefile").read_text("utf-8"), re.MULTILINE))
    wanted = {line.split()[1] for block in blocks("sh") for line in block.splitlines() if line.startswith("make ")}
    assert wanted == {"committee", "test"}
    assert wanted <= targets


def test_links_lead_somewhere() -> None:
    for page in (REPOSITORY / "README.md", *(REPOSITORY / "docs").glob("*.md")):
        for link in re.findall(r"\]\(([^)#:]+)\)", page.read_text("utf-8")):
            assert (page.parent / link).exists(), f"{page.name}: {link}"
