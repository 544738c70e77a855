"""The least of a convex function: SciPy's search, with an end that is stated and the same everywhere."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from typing import Any, cast

import numpy as np

from toile.arrays import Numbers, Positions

# Where a search ends: no derivative, of those that the bounds allow to follow, is further from 0.
GRADIENT = 1e-7
ITERATIONS = 1000


@contextmanager
def one_thread() -> Generator[None]:
    """Matrices multiplied on one thread, in whatever runs inside.

    The bits of a fit then do not depend on the machine's cores. And threads that wait for each other while others use the cores
    have made such fits seventy times slower.
    """
    from threadpoolctl import threadpool_limits  # pyright: ignore[reportMissingTypeStubs]: it has none

    with threadpool_limits(1, user_api="blas"):
        yield


def least(
    loss: Callable[[Numbers], tuple[float, Numbers]],
    start: Numbers,
    gradient: float = GRADIENT,
    bounds: Sequence[tuple[float, float]] | None = None,
) -> Numbers:
    """Where a function of many numbers is least, by L-BFGS-B (Byrd et al., SIAM J. Sci. Comput. 16, 1995).

    Args:
        loss: gives the function's value, and its derivatives `(numbers,)`.
        start: `(numbers,)`, where the search begins. Nothing is random.
        gradient: where it ends.
        bounds: lowest and highest of each number; any where left out.
    """
    # scipy.optimize takes a quarter of a second to import.
    from scipy import optimize  # pyright: ignore[reportMissingTypeStubs]: SciPy has none

    # `ftol` is far below what `gradient` leaves, so that it is `gradient` which ends the search.
    options = {"gtol": gradient, "ftol": 1e-15, "maxiter": ITERATIONS}
    found = cast(Any, optimize).minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds, options=options)
    return np.asarray(found.x, np.float64)


def zero_of_rising(function: Callable[[float], float], low: float, high: float) -> float:
    """Where a rising function is 0 between two bounds, by Brent's method; the nearer bound where it is 0 outside."""
    from scipy import optimize  # pyright: ignore[reportMissingTypeStubs]: SciPy has none

    if function(low) >= 0:
        return low
    return high if function(high) <= 0 else float(cast(Any, optimize).brentq(function, low, high, xtol=1e-10))


def rising_steps(values: Numbers, weights: Numbers) -> tuple[Numbers, Positions]:
    """The rising steps that are nearest to `values` in their order, by weighted squares: isotonic regression.

    Returns:
        `(values,)`, and where each step begins, `(steps,)` int64.
    """
    from scipy import optimize  # pyright: ignore[reportMissingTypeStubs]: SciPy has none

    found = cast(Any, optimize).isotonic_regression(values, weights=weights)
    return np.asarray(found.x, np.float64), np.asarray(found.blocks[:-1], np.int64)
