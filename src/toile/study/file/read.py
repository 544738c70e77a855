"""From a TOML file to a StudySpec, or to one error that lists every mistake in the file."""

from __future__ import annotations

import tomllib
from pathlib import Path

from toile.errors import Misuse, said
from toile.study.file import idle, limits, lines
from toile.study.file.checks import MOST, Catalogue, mistakes
from toile.study.file.mistakes import spell
from toile.study.spec import StudySpec
from toile.text import cut

_LONGEST = 2000  # characters of one mistake


class StudyError(Misuse):
    """A study file with mistakes: all of them, each with its line and its place in the file."""

    def __init__(self, source: str, mistakes: list[str], more: bool = False) -> None:
        self.mistakes = mistakes
        count = "1 mistake" if len(mistakes) == 1 else f"{len(mistakes)} mistakes" + (" or more" if more else "")
        super().__init__(f"{source} has {count}:\n" + "\n".join(f"  {mistake}" for mistake in mistakes))


def read(path: Path, catalogue: Catalogue) -> StudySpec:
    """Read and check a study file.

    Raises:
        StudyError: everything that is wrong with it.
        Misuse: it cannot be read at all.
    """
    try:
        with path.open(encoding="utf-8-sig") as file:  # some editors on Windows put a mark before the first character
            text = file.read(limits.BYTES + 1)
    except OSError as error:
        raise Misuse(f"cannot read the study {path}: {error.strerror or error}") from None
    except UnicodeDecodeError as error:
        raise Misuse(f"cannot read the study {path}: it is not text in UTF-8 (byte {error.start})") from None
    return parse(text, catalogue, source=path.name)


def parse(text: str, catalogue: Catalogue, source: str = "study") -> StudySpec:
    """A study from its text.

    Args:
        source: what to call the text in an error.

    Raises:
        StudyError: everything that is wrong with it.
    """
    if why := limits.unreadable(text):
        raise StudyError(source, [why])
    try:
        content = tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # also: a number of thousands of digits, tables a thousand deep
        raise StudyError(source, [f"not TOML: {said(error)}"]) from None
    # What an option does is known of a study that is right otherwise. (Elsewhere nothing is said: of an estimator, a search of
    # scikit-learn tries every combination of options.)
    if wrong := mistakes(content, catalogue) or idle.mistakes(content, catalogue):
        places = lines.positions(text)
        found = [(lines.line(places, location) or 0, spell(location), what) for location, what in wrong]
        told = [
            (f"line {line}: " if line else "") + (f"{path}: " if path else "") + cut(what, _LONGEST)
            for line, path, what in sorted(found, key=lambda mistake: mistake[0])
        ]
        raise StudyError(source, list(dict.fromkeys(told)), more=len(wrong) == MOST)
    return StudySpec.model_validate(content)
