"""What may be a name in a study file."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field

from toile.text import brief, obeyed


def _sayable(name: str) -> str:
    """A trial or a committee is named on the command line: as STUDY/NAME, and in patterns after an option."""
    if any(map(obeyed, name)):
        raise ValueError(f"a name without control characters is wanted, got {brief(name, 140)}")
    if "/" in name or name.startswith("-"):
        raise ValueError(
            f"a name that can be said on the command line is wanted, as STUDY/NAME: without / and not beginning with -, "
            f"got {brief(name, 140)}"
        )
    return name


Name = Annotated[str, Field(min_length=1, max_length=120)]
Sayable = Annotated[Name, AfterValidator(_sayable)]
