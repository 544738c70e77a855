"""What a study may say of its pictures, in words that need no library: whoever only asks an export has none of those."""

from __future__ import annotations

from typing import Literal

Fit = Literal["pad", "crop", "stretch"]
Ground = Literal["white", "black"]
