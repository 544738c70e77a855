"""What a step of a search is likely to cost."""

from __future__ import annotations

import pytest

from toile.search.likely import Likely
from toile.search.pruning import NEW, Step

# A start takes two seconds, and an epoch one: of the first proposal; twice as long of the second.
TOOK = {(0, 0): 3.0, (0, 1): 4.0, (1, 0): 6.0, (1, 1): 8.0, (2, 0): 1.5, (0, 2): 8.0}
EPOCHS = (1, 3, 9)


@pytest.mark.parametrize(
    ("step", "seconds"),
    {
        Step(2, 1): 1.5 * 4 / 3,  # As the others went on.
        Step(1, 2): 8.0 * 2,
        Step(NEW, 0): 3.5,  # As others that began.
    }.items(),
)
def test_it_is_as_with_others(step, seconds):
    assert Likely(TOOK, EPOCHS)(step) == pytest.approx(seconds)


def test_before_others_went_on_epochs_are_counted():
    """Three epochs after one are two more, and nine after three six."""
    begun = Likely({(0, 0): 3.0}, EPOCHS)
    assert begun(Step(0, 1)) == 6.0 and begun(Step(NEW, 1)) == 9.0
    assert Likely({(0, 0): 3.0, (0, 1): 4.0}, EPOCHS)(Step(0, 2)) == 4.0 * 6 / 2


def test_what_cost_nothing_says_nothing():
    assert Likely({}, EPOCHS)(Step(NEW, 0)) == 0.0
    assert Likely({(0, 0): 0.0, (1, 0): 2.0}, EPOCHS)(Step(NEW, 0)) == 2.0
