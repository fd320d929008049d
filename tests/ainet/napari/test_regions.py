"""The regions behind napari's widget, without napari."""

import itertools

import numpy as np
import pytest
from support.paths import PHOTOS

import ainet
from ainet.errors import ImageError
from ainet.napari.regions import Regions, shown_colours, slider_counts


@pytest.fixture(scope="module")
def tree():
    rng = np.random.default_rng(0)
    labels = rng.permutation(48).reshape(6, 8).repeat(8, 0).repeat(8, 1)
    return ainet.Hierarchy.from_labels(labels, ainet.read_image(PHOTOS / "chelsea.jpg")[:48, :64])


def test_labels_follow_the_count(tree):
    regions = Regions(tree, 30)
    for count in (1, 7, 48):
        regions.cut(count)
        np.testing.assert_array_equal(regions.labels, tree.cut(count) + 1)
        assert regions.labels.dtype == np.int32


@pytest.mark.parametrize(("asked", "given"), [(0, 1), (1000, 48)])
def test_a_count_out_of_range_becomes_the_nearest(tree, asked, given):
    regions = Regions(tree, asked)
    assert regions.count == given
    assert regions.labels.max() == given


def test_the_region_at_a_point(tree):
    """The pixel (4, 9) reaches from 3.5 to 4.5 and from 8.5 to 9.5."""
    regions = Regions(tree, 20)
    for row, column in ((4, 9), (3.51, 8.51), (4.49, 9.49)):
        painted = np.zeros(regions.labels.shape, bool)
        painted[regions.pixels_at(row, column)] = True
        np.testing.assert_array_equal(painted, regions.labels == regions.labels[4, 9])


@pytest.mark.parametrize("point", [(-0.51, 3), (47.51, 3), (3, -0.51), (3, 63.51)])
def test_no_region_outside_the_image(tree, point):
    assert Regions(tree, 20).pixels_at(*point) is None


@pytest.mark.parametrize("most", [1, 2, 25, 1246])
def test_each_step_of_the_slider_is_another_count(most):
    counts = slider_counts(most)
    assert (counts[0], counts[-1]) == (1, most)
    assert all(1 <= later - earlier <= 0.04 * earlier + 1 for earlier, later in itertools.pairwise(counts))


def test_colours_are_those_that_are_shown():
    deep = np.array([[100, 1100], [2100, 5000]], np.uint16)
    np.testing.assert_array_equal(shown_colours(deep, (100, 2100))[:, :, 0], [[0, 128], [255, 255]])
    picture = np.arange(12, dtype=np.uint8).reshape(2, 2, 3)
    np.testing.assert_array_equal(shown_colours(picture, None), picture)


@pytest.mark.parametrize(
    ("dtype", "values", "shown"),
    [
        (np.float32, [0, 0.5, 1.5, -1, np.nan], [0, 128, 255, 0, 0]),
        (np.uint16, [0, 7, 254, 100, 200], [0, 7, 254, 100, 200]),
        (np.uint16, [0, 65535, 32896, 257, 514], [0, 255, 128, 1, 2]),
    ],
)
def test_colours_without_limits_are_taken_as_napari_does(dtype, values, shown):
    """An RGB layer has no contrast limits: floats are cut at 0 and 1, whole numbers below 255 stay, larger ones count by their type."""
    pixels = np.array(values, dtype)[:, None, None].repeat(3, 2)
    np.testing.assert_array_equal(shown_colours(pixels, None)[:, 0, 0], shown)


def test_a_volume_is_refused():
    with pytest.raises(ImageError, match=r"\(5, 20, 30\)"):
        shown_colours(np.zeros((5, 20, 30), np.uint8), None)
