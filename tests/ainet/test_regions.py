"""Boundaries, overlay, mean colours, region table and adjacency against scikit-image and plain loops."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray

import ainet
from ainet.errors import ImageError, UsageError
from ainet.runtime.postprocess import enforce_connectivity

# Small maps of any integer type, with labels that need not be consecutive or positive.
MAPS = st.sampled_from(["u1", "i2", "i4", "u4", "i8"]).flatmap(
    lambda dtype: arrays.arrays(
        dtype, st.tuples(st.integers(1, 9), st.integers(1, 9)), elements=st.sampled_from([0, 1, 2, 7, 100] + [-5] * (dtype[0] == "i"))
    )
)


@pytest.fixture(scope="module")
def superpixels() -> NDArray[np.int32]:
    """A connected map of 0..K-1 with ragged regions."""
    rng = np.random.default_rng(0)
    coarse = rng.integers(0, 50, (12, 15)).repeat(7, 0).repeat(7, 1)
    return enforce_connectivity(np.where(rng.random(coarse.shape) < 0.1, rng.integers(0, 50, coarse.shape), coarse), 5, 300)


@pytest.fixture(scope="module")
def image(superpixels: NDArray[np.int32]) -> NDArray[np.uint8]:
    return np.random.default_rng(1).integers(0, 256, (*superpixels.shape, 3), dtype=np.uint8)


@settings(deadline=None)
@given(labels=MAPS)
def test_boundaries_by_their_definition(labels: NDArray[Any]) -> None:
    height, width = labels.shape
    expected = np.zeros(labels.shape, bool)
    for y in range(height):
        for x in range(width):
            for v, u in ((y - 1, x), (y + 1, x), (y, x - 1), (y, x + 1)):
                if 0 <= v < height and 0 <= u < width and labels[v, u] != labels[y, x]:
                    expected[y, x] = True
    result = ainet.boundaries(labels)
    assert result.dtype == bool
    np.testing.assert_array_equal(result, expected)


def test_boundaries_equal_scikit_images(superpixels: NDArray[np.int32]) -> None:
    segmentation = pytest.importorskip("skimage.segmentation")
    np.testing.assert_array_equal(ainet.boundaries(superpixels), segmentation.find_boundaries(superpixels, mode="thick"))


@settings(deadline=None)
@given(labels=MAPS)
def test_adjacency_by_its_definition(labels: NDArray[Any]) -> None:
    edges = set()
    for (y, x), label in np.ndenumerate(labels):
        for v, u in ((y + 1, x), (y, x + 1)):
            if v < labels.shape[0] and u < labels.shape[1] and labels[v, u] != label:
                edges.add((min(label, labels[v, u]), max(label, labels[v, u])))
    result = ainet.adjacency(labels)
    assert result.shape == (len(edges), 2)
    assert result.dtype == labels.dtype
    assert result.tolist() == [list(edge) for edge in sorted(edges)]


@pytest.mark.parametrize("start", [0, 1, -7, 1000])
def test_table_equals_scikit_images(superpixels: NDArray[np.int32], image: NDArray[np.uint8], start: int) -> None:
    measure = pytest.importorskip("skimage.measure")
    names = ("label", "area", "centroid", "bbox", "intensity_mean")
    expected = measure.regionprops_table(superpixels + 1, image, properties=names)  # it leaves 0 out
    table = ainet.region_table(superpixels + start, image)
    np.testing.assert_array_equal(table["label"], expected["label"] - 1 + start)
    np.testing.assert_array_equal(table["area"], expected["area"])
    for name, columns, key in (("centroid", 2, "centroid"), ("bbox", 4, "bbox"), ("mean_colour", 3, "intensity_mean")):
        wanted = np.stack([expected[f"{key}-{column}"] for column in range(columns)], 1)
        np.testing.assert_allclose(table[name], wanted, rtol=1e-12)
    assert "mean_colour" not in ainet.region_table(superpixels)


@settings(deadline=None)
@given(labels=MAPS)
def test_table_of_any_map(labels: NDArray[Any]) -> None:
    table = ainet.region_table(labels)
    assert table["label"].tolist() == sorted(set(labels.ravel().tolist()))
    for label, area, centroid, box in zip(table["label"], table["area"], table["centroid"], table["bbox"], strict=True):
        rows, columns = np.nonzero(labels == label)
        assert area == len(rows)
        np.testing.assert_allclose(centroid, [rows.mean(), columns.mean()], rtol=1e-12)
        assert box.tolist() == [rows.min(), columns.min(), rows.max() + 1, columns.max() + 1]


@pytest.mark.parametrize("start", [0, 5])
def test_mean_colour(superpixels: NDArray[np.int32], image: NDArray[np.uint8], start: int) -> None:
    result = ainet.mean_colour(image, superpixels + start)
    assert result.dtype == np.uint8
    for label in range(superpixels.max() + 1):
        inside = superpixels == label
        assert (result[inside] == np.round(image[inside].mean(0))).all()


def test_overlay_draws_lines_one_pixel_wide(superpixels: NDArray[np.int32], image: NDArray[np.uint8]) -> None:
    before = image.copy()
    result = ainet.overlay(image, superpixels, colour=(1, 2, 3))
    np.testing.assert_array_equal(image, before)
    assert result.dtype == np.uint8
    for (y, x), label in np.ndenumerate(superpixels):
        below, right = superpixels[min(y + 1, len(superpixels) - 1), x], superpixels[y, min(x + 1, superpixels.shape[1] - 1)]
        assert result[y, x].tolist() == ([1, 2, 3] if below != label or right != label else image[y, x].tolist())


def test_overlay_and_colours_take_grey_and_float_images(superpixels: NDArray[np.int32], image: NDArray[np.uint8]) -> None:
    grey = image[:, :, 0]
    repeated = np.repeat(grey[:, :, None], 3, 2)
    for function in (ainet.mean_colour, ainet.overlay):
        np.testing.assert_array_equal(function(grey, superpixels), function(repeated, superpixels))
        np.testing.assert_array_equal(function(grey / 255, superpixels), function(repeated, superpixels))


@pytest.mark.parametrize(
    "labels",
    [np.zeros((3, 4)), np.zeros((2, 3, 4), int), np.zeros((0, 4), int), np.zeros(5, int), np.zeros((3, 4), bool), [[0.5]]],
    ids=["float", "3-D", "empty", "1-D", "bool", "list"],
)
def test_what_is_no_label_map(labels: Any) -> None:
    image = np.zeros((3, 4, 3), np.uint8)
    calls: list[Callable[[], Any]] = [
        lambda: ainet.boundaries(labels),
        lambda: ainet.adjacency(labels),
        lambda: ainet.region_table(labels),
        lambda: ainet.mean_colour(image, labels),
        lambda: ainet.overlay(image, labels),
    ]
    for call in calls:
        with pytest.raises(UsageError, match=r"\(H, W\)"):
            call()


def test_an_image_of_another_size() -> None:
    labels = np.zeros((3, 4), int)
    for call in (ainet.mean_colour, ainet.overlay, lambda image, labels: ainet.region_table(labels, image)):
        with pytest.raises(UsageError, match=r"labels has the shape \(3, 4\), but the image \(4, 3\)"):
            call(np.zeros((4, 3, 3), np.uint8), labels)
        with pytest.raises(ImageError, match="must have shape"):
            call(np.zeros((3, 4, 2), np.uint8), labels)
