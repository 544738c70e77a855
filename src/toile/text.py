"""Strangers' words as text: names from files, paths and values are data, wherever they are shown.

Whatever prints goes through `printable` (rich tables through `toile.terminal`), so that no name can colour, clear or retitle a
terminal, turn the direction of what stands beside it, or end a program for want of an encoding.
"""

from __future__ import annotations

import csv
import io
import reprlib
import unicodedata
from collections.abc import Iterable
from typing import Any

_NAME = 130  # characters of a name that are shown in a list of many
_JOINERS = "\u200c\u200d"  # which Persian, the scripts of India and emoji are spelt with


class _Short(reprlib.Repr):
    def __init__(self) -> None:
        super().__init__()
        self.maxlevel, self.maxtuple, self.maxlist, self.maxdict = 3, 8, 8, 8
        self.maxstring = self.maxother = 60

    def repr_int(self, value: int, level: int) -> str:
        digits = int(value.bit_length() * 0.30103) + 1
        return repr(value) if digits <= 60 else f"a number of about {digits:,} digits"


_SHORT = _Short()


def obeyed(character: str) -> bool:
    """Whether a terminal may obey the character instead of showing it.

    Control characters (Cc: escape sequences begin with one), formatting ones (Cf: the direction of writing) but for the joiners
    of letters, the separators of lines and paragraphs (Zl, Zp), and halves of characters, which no encoding has (Cs).
    """
    return unicodedata.category(character) in ("Cc", "Cf", "Zl", "Zp", "Cs") and character not in _JOINERS


def printable(text: object, *, keep: str = "\n") -> str:
    r"""The text with every character that a terminal may obey spelt as in Python: `\x1b`, `\u202e`.

    Args:
        keep: characters that stay; line ends, where the text is more than a name.
    """
    text = str(text)
    if text.isprintable():
        return text
    return "".join(_spelt(one) if one not in keep and obeyed(one) else one for one in text)


def in_json(document: str) -> str:
    """A JSON document that means the same, with those characters spelt as JSON spells them (its line ends stay)."""
    if document.isascii() and "\x7f" not in document:
        return document
    return "".join(_json_spelt(one) if one != "\n" and obeyed(one) else one for one in document)


def cut(text: str, length: int) -> str:
    """The text, or its beginning and an ellipsis: so many characters at most."""
    return text if len(text) <= length else text[: length - 1] + "…"


def listed(names: Iterable[object], most: int = 20) -> str:
    """`a, b, c`; of many, the first and how many more there are. A long name is cut."""
    shown = [str(name) for name in names]
    more = f" and {len(shown) - most:,} more" if len(shown) > most else ""
    return ", ".join(cut(name, _NAME) for name in shown[:most]) + more


def brief(value: Any, length: int = 60) -> str:
    """A value as Python writes it, in at most so many characters, and in no more time than that takes.

    (Python's own `repr` of a number of thousands of digits is an error, and of tuples within tuples it may have no end.)
    """
    return cut(_SHORT.repr(value), length)


def composed(text: str) -> str:
    """The text with letters and their accents in one piece each (NFC): some systems write the names of files in two."""
    return unicodedata.normalize("NFC", text)


def counted(count: int, one: str, many: str = "") -> str:
    """`1 run`, `2,000 runs`: so many, in words.

    Args:
        many: where the plural is more than an s at the end.
    """
    return f"1 {one}" if count == 1 else f"{count:,} {many or f'{one}s'}"


def counted_images(count: int) -> str:
    """So many, in words."""
    return counted(count, "image")


def as_csv(rows: Iterable[Iterable[object]]) -> str:
    """A table as CSV, with what has to be quoted quoted."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()


def _spelt(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")


def _json_spelt(character: str) -> str:
    units = character.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[at : at + 2].hex()}" for at in range(0, len(units), 2))
