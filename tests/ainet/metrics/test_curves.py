import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ainet.metrics import curve_mean


def test_mean_height_between_the_bounds() -> None:
    assert curve_mean([0, 10], [0.0, 1.0], 2, 4) == pytest.approx(0.3)
    assert curve_mean([10, 0, 5], [1.0, 0.0, 1.0], 0, 10) == pytest.approx(0.75)  # points in any order


def test_nothing_is_extrapolated() -> None:
    assert curve_mean([1, 10], [0.0, 1.0], 0, 10) is None
    assert curve_mean([0, 9], [0.0, 1.0], 0, 10) is None
    assert curve_mean([], [], 0, 10) is None


@given(st.lists(st.tuples(st.floats(0, 100), st.floats(-1, 1)), min_size=2, unique_by=lambda point: round(point[0], 2)))
def test_against_fine_sampling(points: list[tuple[float, float]]) -> None:
    x, y = zip(*sorted(points), strict=True)
    low, high = x[0] + 0.1 * (x[-1] - x[0]), x[-1]
    samples = np.interp(np.linspace(low, high, 200_001), x, y)
    assert curve_mean(x, y, low, high) == pytest.approx(samples.mean(), abs=1e-3)
