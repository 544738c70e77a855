"""The terminal, as all that prints tables and bars sees it."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.text import Text

from toile.text import printable

_COLUMNS = 80


class Terminal(Console):
    """A rich console to which every text is data: no markup, no `:emoji:`, no characters that a terminal would obey.

    What is to be bold says so by `style`. A `Text` is passed on as it is: whoever makes one of a name asks `printable` first.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"markup": False, "emoji": False, "highlight": False, **options})
        if self.width < 1:  # where a program says that its terminal has no columns, all would be printed into none
            self.width = _COLUMNS

    def render_str(self, text: str, **options: Any) -> Text:
        """See rich; all strings come through here, those of tables too."""
        return super().render_str(printable(text), **options)
