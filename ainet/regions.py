"""What to do with a label map: boundaries, overlay, mean colours, region table, adjacency.

Label maps are (H, W) arrays of any integer type; labels need not be consecutive.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ainet.arrays import check_size_of, checked_colour, checked_labels
from ainet.images import as_rgb
from ainet.metrics.label_map import count_other_neighbours
from ainet.runtime.label_map import RegionSums, number_labels, region_sums

Labels = NDArray[np.integer[Any]]


def boundaries(labels: Labels) -> NDArray[np.bool_]:
    """(H, W) bool: pixels with another label above, below, left or right; so lines are two pixels wide.

    The definition of the superpixel benchmark (Stutz et al., 2018) and of scikit-image's `find_boundaries`, mode "thick".

    Raises:
        UsageError: the labels are no such array, or empty.
    """
    return count_other_neighbours(checked_labels(labels)) > 0


def overlay(image: Any, labels: Labels, colour: tuple[float, float, float] = (255, 255, 0)) -> NDArray[np.uint8]:
    """Draw the superpixels' outlines, one pixel wide, into a copy of the image.

    `image`: as for `ainet.segment`, of the labels' size. `colour`: R, G, B, whole numbers in 0..255 or floats in [0, 1].
    Returns RGB uint8 (H, W, 3).

    Raises:
        UsageError: the labels are no such array, or differ from the image in size; no such colour; a `numpy.ma` array that hides values.
        ImageError: an image of another shape, type or range.
    """
    labels, ink = checked_labels(labels), checked_colour(colour)
    picture = _matching(image, labels).copy()
    line = np.zeros(labels.shape, bool)
    line[:-1] |= labels[1:] != labels[:-1]
    line[:, :-1] |= labels[:, 1:] != labels[:, :-1]
    picture[line] = ink
    return picture


def mean_colour(image: Any, labels: Labels) -> NDArray[np.uint8]:
    """The image with every superpixel painted in its mean colour: RGB uint8 (H, W, 3).

    Raises:
        UsageError: the labels are no such array, or differ from the image in size; a `numpy.ma` array that hides values.
        ImageError: an image of another shape, type or range.
    """
    labels = checked_labels(labels)
    values, numbers = number_labels(labels)
    means = _mean_colours(region_sums(numbers, len(values), _matching(image, labels)))
    return np.round(means).astype(np.uint8)[numbers]


def region_table(labels: Labels, image: Any = None) -> dict[str, NDArray[Any]]:
    """One row per label, ascending, as columns (the layout of scikit-image's `regionprops_table`).

    Returns:
        label (K,); area (K,) in pixels; centroid (K, 2) row and column, float64; bbox (K, 4) min_row, min_column, max_row,
        max_column, the last two exclusive; and with an `image` mean_colour (K, 3) R, G, B in 0..255, float64.

    Raises:
        UsageError: the labels are no such array, or differ from the image in size; a `numpy.ma` array that hides values.
        ImageError: an image of another shape, type or range.
    """
    labels = checked_labels(labels)
    picture = None if image is None else _matching(image, labels)
    values, numbers = number_labels(labels)
    sums = region_sums(numbers, len(values), picture)
    table = {"label": values, "area": sums.area, "centroid": sums.places / sums.area[:, None], "bbox": sums.boxes}
    if image is not None:
        table["mean_colour"] = _mean_colours(sums)
    return table


def adjacency(labels: Labels) -> NDArray[np.integer[Any]]:
    """Edge list (E, 2) of labels that share a side of a pixel: smaller label first, rows unique and sorted.

    Raises:
        UsageError: the labels are no such array, or empty.
    """
    values, numbers = number_labels(checked_labels(labels))
    keys = []
    for here, there in ((numbers[1:], numbers[:-1]), (numbers[:, 1:], numbers[:, :-1])):
        apart = here != there
        a, b = here[apart].astype(np.int64), there[apart]
        keys.append(np.minimum(a, b) * len(values) + np.maximum(a, b))
    pairs = np.divmod(np.unique(np.concatenate(keys)), len(values))
    return values[np.stack(pairs, 1)]


def _matching(image: Any, labels: Labels) -> NDArray[np.uint8]:
    picture = as_rgb(image)
    check_size_of("labels", labels, picture.shape[:2])
    return picture


def _mean_colours(sums: RegionSums) -> NDArray[np.float64]:
    return sums.colours / sums.area[:, None]
