"""The arrays that toile's functions take and return: a name for each, with the type of its numbers and its axes.

For Python and for a type checker a name is NumPy's own type: the axes are there to be read, and nothing is checked when toile
is used. The tests turn each name into a check (`tests/shapes.py`): every call that a test makes of a function whose annotations
have such a name must have these numbers and axes. Axes of the same name have the same length in one call; `_` is any length.
"""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray

# Whoever adds a name writes both: what the numbers are, and the axes.
ImageArray = Annotated[NDArray[np.uint8], "images height width channels"]  # 0..255
Labels = Annotated[NDArray[np.int64], "images"]  # 0..classes - 1
Probabilities = Annotated[NDArray[np.float32], "images classes"]  # rows sum to 1
MemberProbabilities = Annotated[NDArray[np.floating[Any]], "members images classes"]
Decisions = Annotated[NDArray[np.int64], "images"]  # a class an image
PerImage = Annotated[NDArray[np.float64], "images"]  # a figure an image
PerClass = Annotated[NDArray[np.float64], "labelled"]  # a figure a class
Counts = Annotated[NDArray[np.int64], "labelled"]  # images of a class
Confusion = Annotated[NDArray[np.int64], "labelled labelled"]  # label, decision; its classes may be more than the columns
AnyScores = Annotated[NDArray[np.floating[Any]], "_"]
Scores = Annotated[NDArray[np.float64], "images classes"]  # on the way to probabilities
Pairwise = Annotated[NDArray[np.float64], "members members"]
Votes = Annotated[NDArray[np.int64], "members images"]
Positions = Annotated[NDArray[np.int64], "_"]  # of images
