"""Parts that regions keep to, and regions cut where there are too few."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from ainet.errors import UsageError
from ainet.runtime.partition import connected_parts, cut_to_count, parts_of
from ainet.runtime.postprocess import enforce_connectivity

IMAGE = np.zeros((6, 8, 3), np.uint8)


def test_no_parts() -> None:
    assert parts_of(IMAGE) is None


def test_parts_of_mask_and_borders() -> None:
    within = np.repeat([[7, 7, 7, 7, -2, -2, 9, 9]], 6, 0)
    mask = np.ones((6, 8), bool)
    mask[0] = False
    parts = parts_of(IMAGE, mask, within)
    assert parts is not None
    np.testing.assert_array_equal(parts[0], -1)
    np.testing.assert_array_equal(parts[1], [1, 1, 1, 1, 0, 0, 2, 2])


@settings(deadline=None)
@given(seed=st.integers(0, 500), height=st.integers(1, 9), width=st.integers(1, 9))
def test_connected_parts(seed: int, height: int, width: int) -> None:
    rng = np.random.default_rng(seed)
    labels = enforce_connectivity(rng.integers(0, 3, (height, width)), 1, 99)
    parts = rng.integers(-1, 2, (height, width)).astype(np.int32)
    found = connected_parts(labels, parts)
    np.testing.assert_array_equal(found < 0, parts < 0)
    assert_numbered(found)
    for region in range(int(found.max()) + 1):
        inside = found == region
        assert len(np.unique(labels[inside])) == 1
        assert len(np.unique(parts[inside])) == 1
        pieces = enforce_connectivity(inside.astype(np.uint8), 1, 99)
        assert len(np.unique(pieces[inside])) == 1


@pytest.mark.parametrize("count", [1, 3, 4, 10, 47, 48])
def test_cut_to_count(count: int) -> None:
    labels = np.repeat([[0, 0, 0, 1, 1, 1, 2, 2]], 6, 0).astype(np.int32)
    found = cut_to_count(labels, count)
    assert found.max() + 1 >= count
    assert_numbered(found)
    for region in range(int(found.max()) + 1):
        assert len(np.unique(labels[found == region])) == 1


def test_too_few_pixels() -> None:
    with pytest.raises(UsageError, match="48"):
        cut_to_count(np.zeros((6, 8), np.int32), 49)


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        ({"mask": np.ones((6, 7), bool)}, r"\(6, 7\)"),
        ({"mask": np.ones((6, 8), np.uint8)}, "uint8"),
        ({"mask": np.zeros((6, 8), bool)}, "no pixel"),
        ({"within": np.zeros((6, 8))}, "float64"),
        ({"within": np.zeros((5, 8), int)}, r"\(5, 8\)"),
    ],
)
def test_wrong_parts(arguments: dict, word: str) -> None:
    with pytest.raises(UsageError, match=word):
        parts_of(IMAGE, **arguments)


def assert_numbered(labels: NDArray[np.int32]) -> None:
    """0..K-1 in raster order of first appearance, where not outside."""
    inside = labels[labels >= 0]
    ids, first = np.unique(inside, return_index=True)
    np.testing.assert_array_equal(ids, np.arange(len(ids)))
    assert (np.diff(first) > 0).all()
