"""The times of frames: those that ascend are kept, whatever stands between them."""

from itertools import combinations, pairwise

import numpy as np
import pytest

from ainet.cli.frame_times import MOST_WRONG, ascending


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ([0, 0.04, 0.5, 0.5, 2, 2.04], [0, 0.04, 0.5, 0.54, 2, 2.04]),  # repeated
        ([0, 0.04, 0.5, 0.04, 2, 2.04], [0, 0.04, 0.5, 0.54, 2, 2.04]),  # fallen
        ([0, 0.04, 90, 0.12, 0.16, 0.2], [0, 0.04, 0.08, 0.12, 0.16, 0.2]),  # far too late
        ([90, 1.04, 1.08, 1.12, 1.16], [0, 0.04, 0.08, 0.12, 0.16]),  # the first one
        ([0, 0.1, 0.3, 0.9, 0.9], [0, 0.1, 0.3, 0.9, 0.94]),  # the last one
        ([0, 1, 1, 1, 1.03, 2, 3, 4], [0, 1, 1.01, 1.02, 1.03, 2, 3, 4]),  # less room than the rate takes
        ([-3, 0, 0.1, 7], [0, 3, 3.1, 10]),
        ([0, 0, 0, 0], [0, 0.04, 0.08, 0.12]),  # of a file that has none
        ([0, 1, 2, 0, 1, 2], [0, 0.04, 0.08, 0.12, 0.16, 0.2]),  # of two files, one after the other
        ([5], [0]),
    ],
)
def test_times(given: list[float], expected: list[float]) -> None:
    np.testing.assert_allclose(ascending(given, 25), expected, atol=1e-12)


def test_as_many_as_can_be_are_kept() -> None:
    """Beside every choice of times that ascend, tried one after the other."""
    generator = np.random.default_rng(7)
    believed = 0
    for _ in range(300):
        given = np.sort(generator.integers(0, 12, 8)).astype(float)
        given[generator.integers(0, 8, 2)] = generator.integers(0, 12, 2)
        shown = ascending(given.tolist(), 25)
        assert shown[0] == 0
        assert all(after > before for before, after in pairwise(shown))
        most = max(size for size in range(1, 9) for chosen in combinations(given, size) if all(np.diff(chosen) > 0))
        if 8 - most > MOST_WRONG * 8:
            np.testing.assert_allclose(shown, np.arange(8) / 25)
        else:
            believed += 1
            assert max(np.isclose(np.array(shown) + shift, given).sum() for shift in given - shown) >= most
    assert believed > 50
