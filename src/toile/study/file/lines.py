"""On which line of a TOML file each key stands: the parser of the standard library does not say."""

from __future__ import annotations

import re
import tomllib
from bisect import bisect_right

Location = tuple[str | int, ...]

_SPACE = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_STRING = re.compile(
    r'"""(?:\\[\s\S]|[^\\])*?"""(?!")'
    r"|'''[\s\S]*?'''(?!')"
    r'|"(?:\\.|[^"\\\n])*"'
    r"|'[^'\n]*'"
)
_BARE = re.compile(r"[\w-]+")
_SCALAR = re.compile(r"[^,\]}#\n]+")


def positions(text: str) -> dict[Location, int]:
    """The line of every key and every element of an array.

    Args:
        text: a TOML document that `tomllib` reads; of another, the answer means nothing.

    Returns:
        Line (from 1) by location: keys, and positions (from 0) in arrays, as `("trial", 0, "recipe", "epochs")`.
    """
    return _Scanner(text).lines


def line(lines: dict[Location, int], location: Location) -> int | None:
    """The line of the deepest part of `location` that is written in the file, or None."""
    at: Location = ()
    for part in location:
        if (*at, part) in lines:
            at = (*at, part)
    return lines.get(at)


class _Scanner:
    """Walks through a document that is known to be right, so it need not check anything."""

    def __init__(self, text: str) -> None:
        self.text, self.at = text, 0
        self.starts = [0, *(match.end() for match in re.finditer("\n", text))]
        self.lines: dict[Location, int] = {}
        self.lengths: dict[Location, int] = {}  # of arrays of tables, so far
        table: Location = ()
        while self._peek():
            if self._take("["):
                several, here = self._take("["), self.at
                table = self._table(self._key(), several, here)
                self._take("]")
                if several:
                    self._take("]")
            else:
                self._pair(table)

    def _peek(self) -> str:
        """The next character that is neither space nor comment; empty at the end."""
        self.at += len(self._match(_SPACE))
        return self.text[self.at : self.at + 1]

    def _take(self, character: str) -> bool:
        taken = self._peek() == character
        self.at += taken
        return taken

    def _match(self, pattern: re.Pattern[str]) -> str:
        found = pattern.match(self.text, self.at)
        assert found is not None, "a document that tomllib reads"
        self.at = found.end()
        return found[0]

    def _note(self, location: Location, at: int) -> None:
        self.lines.setdefault(location, bisect_right(self.starts, at))

    def _key(self) -> list[str]:
        """`a."b c".d` as its parts."""
        parts: list[str] = []
        while True:
            quoted = self._peek() in ('"', "'")
            part = self._match(_STRING if quoted else _BARE)
            parts.append(tomllib.loads(f"key = {part}")["key"] if quoted else part)
            if not self._take("."):
                return parts

    def _table(self, key: list[str], several: bool, at: int) -> Location:
        """Where `[key]` or `[[key]]` is: in the last one of every array of tables on the way."""
        location: Location = ()
        for i, part in enumerate(key):
            location = (*location, part)
            self._note(location, at)
            if several and i == len(key) - 1:
                self.lengths[location] = self.lengths.get(location, 0) + 1
            if location in self.lengths:
                location = (*location, self.lengths[location] - 1)
                self._note(location, at)
        return location

    def _pair(self, table: Location) -> None:
        """`key = value`."""
        self._peek()
        location, at = table, self.at
        for part in self._key():
            location = (*location, part)
            self._note(location, at)
        self._take("=")
        self._value(location)

    def _value(self, location: Location) -> None:
        if self._peek() in ('"', "'"):
            self._match(_STRING)
        elif self._take("["):
            index = 0
            while not self._take("]"):
                self._note((*location, index), self.at)
                self._value((*location, index))
                self._take(",")
                index += 1
        elif self._take("{"):
            while not self._take("}"):
                self._pair(location)
                self._take(",")
        else:
            self._match(_SCALAR)
