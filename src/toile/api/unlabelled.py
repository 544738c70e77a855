"""Which of somebody's unlabelled pictures to label next."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Unpack

import numpy as np

from toile.api.shipping import predict
from toile.api.where import Where
from toile.committee.diversity import mutual_information
from toile.errors import Misuse


@dataclass(frozen=True)
class LabelNext:
    """A picture without a label.

    Args:
        image: its file.
        information: how surely the members of the committee contradict each other about it, in nats, from 0.
        said: the class that the committee takes it for.
        probability: of that class.
        members: what each member takes it for, by its name.
    """

    image: str
    information: float
    said: str
    probability: float
    members: dict[str, str]


def label_next(
    reference: str,
    images: Sequence[Path | str],
    *,
    as_is: bool = False,
    on_error: Literal["stop", "skip"] = "stop",
    tell: Callable[[str], None] = lambda text: None,
    **where: Unpack[Where],
) -> list[LabelNext]:
    """All of the pictures, those first whose labels would teach a committee most: on which its members disagree most surely
    (mutual information of label and member; Houlsby et al. 2011, "BALD").

    Args:
        reference: STUDY/COMMITTEE, a STUDY that has one committee, or its exported `.onnx` file.
        images, as_is, on_error, tell: as `toile.api.shipping.predict` takes them.

    Raises:
        Misuse: it is no committee of two members at least.
        ToileError: files are no images or too large, or what was asked for is not stored.
    """
    answers = predict(reference, images, as_is=as_is, on_error=on_error, tell=tell, **where)
    if len(answers[0].members) < 2:
        raise Misuse(f"{reference} is no committee of several members, and one model cannot disagree; give STUDY/COMMITTEE")
    said = np.array([[list(of.values()) for of in answer.members.values()] for answer in answers]).transpose(1, 0, 2)
    information = np.maximum(mutual_information(said), 0)  # below 0 by rounding alone
    return [
        LabelNext(
            answers[at].image,
            float(information[at]),
            answers[at].class_name,
            answers[at].probabilities[answers[at].class_name],
            {name: max(of, key=lambda one, of=of: of[one]) for name, of in answers[at].members.items()},
        )
        for at in np.argsort(-information, kind="stable")
    ]
