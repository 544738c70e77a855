"""The arrays that toile's functions take and return: a name for each, with the type of its numbers and its axes.

For Python and for a type checker a name is NumPy's own type: the axes are there to be read, and nothing is checked when toile
is used. The tests turn each name into a check (`tests/shapes.py`): every call that a test makes of a function whose annotations
have such a name must have these numbers and axes. Axes of the same name have the same length in one call; `_` is any length,
and `...` any number of axes.
"""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray

# Images and their labels
ImageArray = Annotated[NDArray[np.uint8], "images height width channels"]  # 0..255
PartImages = Annotated[NDArray[np.uint8], "_ height width channels"]  # of one of several parts, or some of them
Pixels = Annotated[NDArray[np.uint8], "height width channels"]  # of one image
Grey = Annotated[NDArray[np.uint8], "images height width"]
Deep = Annotated[NDArray[np.float64], "height width"]  # numbers of more than 8 bits
Colour = Annotated[NDArray[np.float64], "channels"]  # 0..255
Labels = Annotated[NDArray[np.int64], "images"]  # 0..classes - 1
Positions = Annotated[NDArray[np.int64], "_"]  # of some of the images
PositionLabels = Annotated[NDArray[np.int64], "_"]  # of some of the images
Names = Annotated[NDArray[Any], "images"]  # numbers, as a file has them
FileNames = Annotated[NDArray[np.object_], "images"]  # strings of any length
SmallDigits = Annotated[NDArray[np.int64], "images 8 8"]  # scikit-learn's, 0..16
Index = Annotated[NDArray[np.integer[Any] | np.bool], "_"]
Hashes = Annotated[NDArray[np.void], "_"]
NearPairs = Annotated[NDArray[np.int64], "pairs 2"]  # positions of two images each
Marked = Annotated[NDArray[np.bool], "images"]  # whether an image is meant

# What is said of them
Probabilities = Annotated[NDArray[np.float32], "images classes"]  # rows sum to 1
# Softmax in float32 or bfloat16 leaves [0, 1] and a sum of 1 by rounding; more than this is something else (logits, say).
RANGE_TOLERANCE = 1e-4
SUM_TOLERANCE = 1e-3
Scores = Annotated[NDArray[np.float64], "images classes"]  # on the way to probabilities
DecisionValues = Annotated[NDArray[np.floating[Any]], "images ..."]  # one a class, one a pair, or one
AnyScores = Annotated[NDArray[np.floating[Any]], "_"]
Decisions = Annotated[NDArray[np.int64], "images"]  # the most probable class
PerImage = Annotated[NDArray[np.float64], "images"]  # a figure an image
PerClass = Annotated[NDArray[np.float64], "labelled"]  # a figure a class
Counts = Annotated[NDArray[np.int64], "labelled"]  # images of a class
Confusion = Annotated[NDArray[np.int64], "labelled labelled"]  # label, decision; there may be more classes than columns

# Several models
MemberProbabilities = Annotated[NDArray[np.floating[Any]], "members images classes"]
ByMember = Annotated[NDArray[np.float64], "members images"]
ByImage = Annotated[NDArray[np.float32], "images members classes"]
Votes = Annotated[NDArray[np.int64], "members images"]
Pairwise = Annotated[NDArray[np.float64], "members members"]

MemberScores = Annotated[NDArray[np.float64], "members images classes"]  # logarithms of probabilities
OfLabel = Annotated[NDArray[np.float64], "members images"]  # what each gives the right class
PickWeights = Annotated[NDArray[np.float64], "picks members"]  # weights after each pick of a selection
Numbers = Annotated[NDArray[np.float64], "_"]  # what is searched for

# Training
Inputs = Annotated[NDArray[Any], "images ..."]  # uint8 images, or float32 features of them
Features = Annotated[NDArray[np.float32], "images ..."]
ImageWeights = Annotated[NDArray[np.float32], "_"]  # what each image counts in the loss, above 0
Order = Annotated[NDArray[np.int32], "_"]  # positions in the images, as an epoch sees them
AtSteps = Annotated[NDArray[np.float64], "steps"]  # times in epochs, factors
LearningRates = Annotated[NDArray[np.float32], "steps"]
Seeds = Annotated[NDArray[np.uint32], "generators 2"]
Batch = Annotated[NDArray[np.floating[Any]], "images _"]  # what goes through a layer of the NumPy network
Kernel = Annotated[NDArray[np.floating[Any]], "inputs units"]
Bias = Annotated[NDArray[np.floating[Any]], "units"]
Column = Annotated[NDArray[np.floating[Any]], "images"]
Rows = Annotated[NDArray[np.floating[Any]], "images classes"]  # logits and targets there
