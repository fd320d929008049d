"""Hierarchies of label maps: counts, nesting, connectivity, and the forms that other tools read."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from support.label_maps import adversarial, blobs

import ainet
from ainet.errors import ImageError, UsageError
from ainet.merge_tree import Hierarchy
from ainet.runtime.postprocess import enforce_connectivity


def make_picture(seed: int = 0, shape: tuple[int, int] = (40, 52)) -> tuple[NDArray[np.int32], NDArray[np.uint8]]:
    rng = np.random.default_rng(seed)
    labels = enforce_connectivity(blobs(rng, shape, 60, 6, 0.1), 5, 10**6)
    return labels, rng.integers(0, 256, (labels.max() + 1, 3), dtype=np.uint8)[labels] // 2 + rng.integers(
        0, 99, (*shape, 3), dtype=np.uint8
    )


@pytest.fixture(scope="module")
def picture() -> tuple[NDArray[np.int32], NDArray[np.uint8]]:
    return make_picture()


@pytest.fixture(scope="module")
def tree(picture: tuple) -> Hierarchy:
    return Hierarchy.from_labels(*picture)


def assert_regions(labels: NDArray[np.int32], count: int) -> None:
    """Exactly 0..count-1 in order of first appearance, each 4-connected: then enforcing it changes nothing."""
    assert labels.dtype == np.int32
    assert labels.max() + 1 == count
    np.testing.assert_array_equal(labels, enforce_connectivity(labels, 1, labels.size))


def assert_nested(fine: NDArray[np.int32], coarse: NDArray[np.int32]) -> None:
    assert len(np.unique(np.stack([fine.ravel(), coarse.ravel()]), axis=1).T) == fine.max() + 1


def test_every_count_is_exact_connected_and_nested(tree: Hierarchy) -> None:
    assert tree.min_segments == 1
    finer = tree.labels
    for count in range(tree.max_segments, 0, -1):
        labels = tree.cut(n_segments=count)
        assert_regions(labels, count)
        assert_nested(finer, labels)
        finer = labels


@pytest.mark.parametrize("name", adversarial().keys())
def test_any_label_map(name: str) -> None:
    labels = adversarial()[name].astype(np.int32)
    image = np.random.default_rng(0).integers(0, 256, (*labels.shape, 3), dtype=np.uint8)
    tree = Hierarchy.from_labels(labels, image)
    np.testing.assert_array_equal(tree.labels, enforce_connectivity(labels, 1, labels.size))
    for count in {1, 2, tree.max_segments // 3, tree.max_segments} & set(range(1, tree.max_segments + 1)):
        assert_regions(tree.cut(count), count)


def test_labels_need_no_order(picture: tuple) -> None:
    labels, image = picture
    names = np.random.default_rng(1).choice(np.arange(-(10**6), 10**6), labels.max() + 1, replace=False)
    expected, other = (Hierarchy.from_labels(given, image) for given in (labels, names[labels].astype(np.int64)))
    np.testing.assert_array_equal(expected.cut(17), other.cut(17))


def test_pieces_of_a_label_are_regions_of_their_own() -> None:
    labels = np.repeat([[5, -3, 5]], 4, 0).repeat(4, 1)
    tree = Hierarchy.from_labels(labels, np.zeros((4, 12, 3), np.uint8))
    assert tree.max_segments == 3
    np.testing.assert_array_equal(tree.labels[0], np.repeat([0, 1, 2], 4))


def test_image_of_one_colour(picture: tuple) -> None:
    tree = Hierarchy.from_labels(picture[0], np.full_like(picture[1], 77))
    for count in (1, 2, 10, tree.max_segments - 1):
        assert_regions(tree.cut(count), count)


def test_same_whatever_runs_beside(picture: tuple) -> None:
    expected = Hierarchy.from_labels(*picture).cut(20)
    with ThreadPoolExecutor(4) as pool:
        for labels in pool.map(lambda _: Hierarchy.from_labels(*picture).cut(20), range(8)):
            np.testing.assert_array_equal(labels, expected)


def test_most_alike_first() -> None:
    labels = np.repeat([[0, 1, 2, 3]], 8, 0).repeat(8, 1)
    image = np.array([40, 41, 200, 210], np.uint8)[labels][..., None].repeat(3, 2)
    tree = Hierarchy.from_labels(labels, image)
    np.testing.assert_array_equal(tree.cut(3)[0], np.repeat([0, 0, 1, 2], 8))
    np.testing.assert_array_equal(tree.cut(2)[0], np.repeat([0, 0, 1, 1], 8))


def test_cuts(tree: Hierarchy) -> None:
    for labels, count in zip(tree.cuts([20, 5, 30]), (20, 5, 30), strict=True):
        np.testing.assert_array_equal(labels, tree.cut(count))


@pytest.mark.parametrize("number", [np.float32, np.float64, np.array, Fraction])
def test_thresholds_are_real_numbers_of_any_type(tree: Hierarchy, number: Callable[[float], Any]) -> None:
    for threshold in (-np.inf, -1.0, 0.25, 0.5, np.inf):
        given = number(threshold) if np.isfinite(threshold) else threshold
        np.testing.assert_array_equal(tree.cut(threshold=given), tree.cut(threshold=threshold))
    assert tree.cut(threshold=10**400).max() == 0
    assert tree.cut(threshold=-(10**400)).max() + 1 == tree.max_segments


def test_linkage_is_scipys(tree: Hierarchy) -> None:
    hierarchy = pytest.importorskip("scipy.cluster.hierarchy")
    linkage = tree.linkage
    assert hierarchy.is_valid_linkage(linkage)
    assert hierarchy.is_monotonic(linkage)
    for count in (2, 9, 25):
        clusters = hierarchy.cut_tree(linkage, count)[:, 0]
        assert_nested(clusters[tree.labels].astype(np.int32), tree.cut(count))
    assert hierarchy.fcluster(linkage, 9, "maxclust").max() <= 9
    threshold = float(np.median(linkage[:, 2]))
    clusters = hierarchy.fcluster(linkage, threshold, "distance")
    np.testing.assert_array_equal(enforce_connectivity(clusters[tree.labels], 1, tree.labels.size), tree.cut(threshold=threshold))


def test_boundary_strength_is_what_thresholds_leave(tree: Hierarchy) -> None:
    strength = tree.boundary_strength()
    assert strength.dtype == np.float32
    for threshold in [-1.0, *np.unique(tree.linkage[:, 2]), np.inf]:
        np.testing.assert_array_equal(strength > max(threshold, 0), ainet.boundaries(tree.cut(threshold=threshold)))


@settings(deadline=None, max_examples=20)
@given(seed=st.integers(0, 1000), height=st.integers(1, 20), width=st.integers(1, 20))
def test_small_maps(seed: int, height: int, width: int) -> None:
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 3, (height, width))
    tree = Hierarchy.from_labels(labels, rng.integers(0, 256, (height, width, 3), dtype=np.uint8))
    count = int(rng.integers(1, tree.max_segments + 1))
    assert_regions(tree.cut(count), count)


@pytest.mark.parametrize("count", [0, -1, 2.5, "7", 10**6])
def test_wrong_counts(tree: Hierarchy, count: object) -> None:
    with pytest.raises(UsageError, match=str(count)):
        tree.cut(count)  # type: ignore[arg-type]


def test_wrong_arguments(tree: Hierarchy, picture: tuple) -> None:
    labels, image = picture
    no_numbers = (float("nan"), "1", True, 1j, np.array([0.5]), np.array("1"))
    for arguments in ({}, {"n_segments": 3, "threshold": 1.0}, *({"threshold": value} for value in no_numbers)):
        with pytest.raises(UsageError, match="threshold"):
            tree.cut(**arguments)
    with pytest.raises(UsageError, match=r"labels has the shape \(40, 52\), but the image \(39, 52\)"):
        Hierarchy.from_labels(labels, image[:-1])
    with pytest.raises(UsageError, match="float64"):
        Hierarchy.from_labels(labels.astype(float), image)
    with pytest.raises(UsageError, match=r"\(1, 40, 52\)"):
        Hierarchy.from_labels(labels[None], image)
    with pytest.raises(ImageError):
        Hierarchy.from_labels(labels, image.astype(np.int16))


@pytest.fixture(scope="module")
def mask() -> NDArray[np.bool_]:
    """Two discs, the left one with a hole, and a speck of one pixel."""
    y, x = np.indices((40, 52))
    left, right = np.hypot(y - 20, x - 14), np.hypot(y - 18, x - 40)
    inside = ((left < 13) & (left > 4)) | (right < 9)
    inside[39, 51] = True
    return inside


def test_regions_keep_to_a_mask(picture: tuple, mask: NDArray[np.bool_]) -> None:
    tree = Hierarchy.from_labels(*picture, mask=mask)
    assert tree.min_segments == 3
    for count in (3, 4, 10, tree.max_segments):
        labels = tree.cut(count)
        np.testing.assert_array_equal(labels < 0, ~mask)
        assert labels.max() + 1 == count
        np.testing.assert_array_equal(np.unique(labels[mask]), np.arange(count))
    hidden = np.ma.MaskedArray(picture[1], np.repeat(~mask[..., None], 3, 2))
    np.testing.assert_array_equal(Hierarchy.from_labels(picture[0], hidden).cut(10), tree.cut(10))
    with pytest.raises(UsageError, match="3 to"):
        tree.cut(2)
    with pytest.raises(UsageError, match="3 parts"):
        _ = tree.linkage
    strength = tree.boundary_strength()
    line = ainet.boundaries(mask.astype(np.int32))
    np.testing.assert_array_equal(np.isinf(strength), line)


def test_regions_keep_to_borders(picture: tuple) -> None:
    labels, image = picture
    within = (np.indices(labels.shape)[1] // 20).astype(np.int64) - 1
    tree = Hierarchy.from_labels(labels, image, within=within)
    assert tree.min_segments == 3
    np.testing.assert_array_equal(tree.cut(3), within + 1)
    finer = tree.cut(12)
    assert_regions(finer, 12)
    assert_nested(finer, (within + 1).astype(np.int32))


def test_learned_and_plain_costs_differ(picture: tuple) -> None:
    learned, plain = (Hierarchy.from_labels(*picture, cost=cost).cut(20) for cost in ("learned", "plain"))
    assert (learned != plain).any()
    with pytest.raises(UsageError, match="'cheap'"):
        Hierarchy.from_labels(*picture, cost="cheap")
