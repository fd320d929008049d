"""Figures of a curve: one number for what a method does over a range of superpixel counts.

curve_mean([210, 640, 1250], [0.94, 0.96, 0.97], 384, 1200)   # mean height of the line through the points
"""

from collections.abc import Sequence

import numpy as np

from ainet.arguments import checked_number
from ainet.arrays import checked_array
from ainet.errors import UsageError

COUNTS = (384, 1200)  # superpixels over which published means of ASA are taken
RECALLS = (0.7, 0.85)  # of the boundary recall; every method in use passes through it between 54 and 1944 superpixels


def curve_mean(x: Sequence[float], y: Sequence[float], low: float, high: float) -> float | None:
    """Area under the line through the points (x, y) from `low` to `high`, over `high - low`: the mean height, in units of y.

    The points are joined in the order of x. None where the points do not reach from `low` to `high`: nothing is extrapolated.

    Raises:
        UsageError: x and y are no lists of as many numbers, or `low` is not below `high`.
    """
    xs, ys = (checked_array(name, values) for name, values in (("x", x), ("y", y)))
    if xs.ndim != 1 or xs.shape != ys.shape or xs.dtype.kind not in "iuf" or ys.dtype.kind not in "iuf":
        raise UsageError(f"x and y must be lists of as many numbers, not {xs.dtype} of shape {xs.shape} and {ys.dtype} of {ys.shape}")
    low, high = checked_number("low", low), checked_number("high", high)
    if low >= high:
        raise UsageError(f"low={low:g} must be below high={high:g}")
    order = np.argsort(xs, kind="stable")
    xs, ys = xs[order].astype(float), ys[order].astype(float)
    if not len(xs) or xs[0] > low or xs[-1] < high:
        return None
    inside = xs[(xs > low) & (xs < high)]
    knots = np.concatenate([[low], inside, [high]])
    heights = np.interp(knots, xs, ys)
    return float((np.diff(knots) * (heights[1:] + heights[:-1])).sum() / 2 / (high - low))
