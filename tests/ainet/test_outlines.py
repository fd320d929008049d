"""Polygons of label maps: drawn again by scikit-image they give the same map, and neighbours share the points of their border."""

import itertools
from collections import Counter
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray
from support.label_maps import adversarial, blobs

import ainet
from ainet.errors import UsageError
from ainet.outlines import RegionPolygon

MAPS = st.sampled_from(["u1", "i2", "i4", "u8"]).flatmap(
    lambda dtype: arrays.arrays(
        dtype, st.tuples(st.integers(1, 9), st.integers(1, 9)), elements=st.sampled_from([0, 1, 2, 100] + [-5] * (dtype[0] == "i"))
    )
)


def drawn(polygons: list[RegionPolygon], shape: tuple[int, ...], outside: int = -1) -> NDArray[np.int64]:
    """The label map of polygons: scikit-image asks of every pixel's centre whether it lies inside a ring."""
    draw = pytest.importorskip("skimage.draw")
    labels = np.full(shape, outside, np.int64)
    for polygon in polygons:
        for rings in polygon.parts:
            inside = np.zeros(shape, bool)
            for ring in rings:
                rows, columns = draw.polygon(ring[:, 1] - 0.5, ring[:, 0] - 0.5, shape)
                inside[rows, columns] ^= True
            assert (labels[inside] == outside).all(), "polygons lie on each other"
            labels[inside] = polygon.label
    return labels


def rings_of(polygons: list[RegionPolygon]) -> Iterator[tuple[bool, NDArray[np.int32]]]:
    """Every ring, with whether it is an outer one."""
    for polygon in polygons:
        for rings in polygon.parts:
            for number, ring in enumerate(rings):
                yield number == 0, ring


def check_rings(labels: NDArray[Any], polygons: list[RegionPolygon]) -> None:
    height, width = labels.shape
    segments: Counter[tuple[tuple[int, int], tuple[int, int]]] = Counter()
    area = 0
    for is_outer, ring in rings_of(polygons):
        points = [tuple(point) for point in ring.tolist()]
        assert points[0] == points[-1]
        assert len(set(points)) == len(points) - 1, "a ring meets itself"
        x, y = ring.astype(np.int64).T
        twice = int((x[:-1] * y[1:] - x[1:] * y[:-1]).sum())
        assert (twice > 0) == is_outer
        area += twice // 2
        segments.update(itertools.pairwise(points))
    assert area == labels.size
    for (a, b), times in segments.items():
        at_edge = (a[0] == b[0] and a[0] in (0, width)) or (a[1] == b[1] and a[1] in (0, height))
        assert times == 1
        assert segments[b, a] == (0 if at_edge else 1), "a border between two regions differs"


@settings(deadline=None)
@given(labels=MAPS)
def test_any_map_comes_back(labels: NDArray[Any]) -> None:
    polygons = ainet.polygons(labels)
    assert [polygon.label for polygon in polygons] == np.unique(labels).tolist()
    np.testing.assert_array_equal(drawn(polygons, labels.shape, outside=-1000), labels)
    check_rings(labels, polygons)


@pytest.mark.parametrize("name", ["diagonals", "checkerboard", "nested rings", "spiral", "comb", "one row of single pixels", "noise"])
def test_hard_maps_come_back(name: str) -> None:
    labels = adversarial()[name].astype(np.int32)[:40, :60]
    polygons = ainet.polygons(labels)
    np.testing.assert_array_equal(drawn(polygons, labels.shape), labels)
    check_rings(labels, polygons)


def test_superpixels_come_back() -> None:
    labels = ainet.enforce_connectivity(blobs(np.random.default_rng(0), (90, 120), 1000, 9, 0.2), 5, 300)
    polygons = ainet.polygons(labels)
    assert len(polygons) == labels.max() + 1
    assert all(len(polygon.parts) == 1 for polygon in polygons)
    np.testing.assert_array_equal(drawn(polygons, labels.shape), labels)
    check_rings(labels, polygons)


def test_the_points_of_a_small_map() -> None:
    labels = np.array([
        [7, 7, 7, 7],
        [7, 3, 3, 7],
        [7, 7, 7, 7],
    ])  # fmt: skip
    inner, outer = ainet.polygons(labels)
    assert inner.label == 3
    assert [ring.tolist() for ring in inner.parts[0]] == [[[1, 1], [3, 1], [3, 2], [1, 2], [1, 1]]]
    assert outer.label == 7
    assert [ring.tolist() for ring in outer.parts[0]] == [
        [[0, 0], [4, 0], [4, 3], [0, 3], [0, 0]],
        [[1, 2], [3, 2], [3, 1], [1, 1], [1, 2]],
    ]
    assert outer.parts[0][0].dtype == np.int32


def test_a_point_where_three_regions_meet() -> None:
    above, *_ = ainet.polygons(np.array([[0, 0], [1, 2]]))
    assert above.parts[0][0].tolist() == [[0, 0], [2, 0], [2, 1], [1, 1], [0, 1], [0, 0]]


def test_pieces_of_one_label() -> None:
    polygon, _ = ainet.polygons(np.array([[1, 2], [2, 1]], np.uint8))
    assert [[ring.tolist() for ring in rings] for rings in polygon.parts] == [
        [[[0, 0], [1, 0], [1, 1], [0, 1], [0, 0]]],
        [[[1, 1], [2, 1], [2, 2], [1, 2], [1, 1]]],
    ]


def test_a_region_that_touches_itself_in_a_corner() -> None:
    """Around the corner (2, 2) two holes lie, each with a ring of its own."""
    labels = np.array([
        [1, 1, 1, 0],
        [1, 0, 1, 0],
        [1, 1, 0, 1],
        [0, 1, 1, 1],
    ])  # fmt: skip
    polygons = ainet.polygons(labels)
    outer, *holes = polygons[1].parts[0]
    assert [2, 2] not in outer.tolist()
    assert [hole.tolist() for hole in holes] == [
        [[1, 2], [2, 2], [2, 1], [1, 1], [1, 2]],
        [[2, 3], [3, 3], [3, 2], [2, 2], [2, 3]],
    ]
    check_rings(labels, polygons)


def test_the_background_is_left_out() -> None:
    labels = np.array([[0, 1], [2, 2]])
    assert [polygon.label for polygon in ainet.polygons(labels, background=0)] == [1, 2]
    assert len(ainet.polygons(labels, background=9)) == 3


@pytest.mark.parametrize("labels", [np.zeros((3, 4)), np.zeros((2, 3, 4), int), np.zeros((0, 4), int)], ids=["float", "3-D", "empty"])
def test_what_is_no_label_map(labels: Any) -> None:
    with pytest.raises(UsageError, match=r"\(H, W\)"):
        ainet.polygons(labels)
